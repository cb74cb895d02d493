"""Appendix B of docs/results.md: the command, device and date of every row."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

from results_holds import without_run
from results_lines import TABLE_NAMES, Measured, Runs, outside_tables

from dimred.run_folder.record import RunRecord
from dimred.tables import TABLES
from dimred.tables.published import SEEDS

HEAD = """\
## Appendix B: how each row was made

Of a word typed twice the last counts. What has one seed gets the others by `-m` and `seed=0,1,2`.
"""
MISSING = """\
What makes the published rows that are without a run (those of the t-SimCNE paper want a GPU;
`dimred reproduce TABLE` makes a whole table):
"""


def appendix_b(
    lines: Sequence[Measured], records: Sequence[RunRecord], references: dict[Runs, str]
) -> list[str]:
    """One line for each row of the tables above, then one for each missing row."""
    groups: dict[Runs, Sequence[RunRecord]] = {line.line.runs: line.group for line in lines}
    others = {tuple(record.folder for record in group): group for group in outside_tables(records)}
    groups |= others
    names: dict[Runs, list[str]] = {runs: [group[0].name] for runs, group in others.items()}
    for line in lines:
        row = f", row {line.line.key}" if line.row else ""
        names.setdefault(line.line.runs, []).append(TABLE_NAMES[line.table] + row)
    text = [HEAD]
    for runs, number in references.items():
        label = "; ".join(dict.fromkeys(names[runs]))
        text.append(f"- **{number}** {label}: {_how(groups[runs])}")
    missing = list(_missing(lines))
    return [*text, "", MISSING, *missing, ""] if missing else [*text, ""]


def _missing(lines: Sequence[Measured]) -> Iterator[str]:
    for name, table in TABLES.items():
        for row in without_run(name, lines):
            overrides = [*table.command(row, "full"), "seed=" + ",".join(map(str, SEEDS))]
            command = shlex.join(["dimred", "train", "-m", *overrides])
            yield f"- {TABLE_NAMES[name]}, row {row.key}: `{command}`"


def _how(group: Sequence[RunRecord]) -> str:
    """Command, seeds, device, versions, date and commit of the runs of a group."""
    sessions = [record.environment["sessions"][-1] for record in group]
    seeds = ",".join(str(record.summary["seed"]) for record in group)
    overrides = [override for override in group[0].command if not override.startswith("seed=")]
    sweep = ["-m"] if len(group) > 1 else []
    command = shlex.join(["dimred", "train", *sweep, *overrides, f"seed={seeds}"])
    commits = {_commit(session["commit"]) for session in sessions}
    seconds = ", ".join(f"{record.summary['training_seconds']:.0f}" for record in group)
    parts = [
        f"`{command}`: {_joined(s['device'] for s in sessions)}",
        f"{_joined(str(s['threads']) for s in sessions)} thread(s)",
        f"torch {_joined(s['torch'] for s in sessions)}",
        _joined(record.started[:10] for record in group),
        f"commit {_joined(commits)}",
        f"trained {seconds} s",
    ]
    baselines = [baseline for record in group for baseline in record.baselines.values()]
    libraries = {baseline["library"] for baseline in baselines} - {"dimred"}
    if libraries:
        where = _joined(f"{each['device']}, {each['threads']} thread(s)" for each in baselines)
        parts.append(f"then `dimred baselines RUN`: {', '.join(sorted(libraries))}; {where}")
    if any(record.probed for record in group):
        parts.append("then `dimred probe RUN`")
    return "; ".join(parts)


def _commit(commit: str | None) -> str:
    if commit is None:
        return "not recorded"
    return commit[:7] + ("+changes" if "+" in commit else "")


def _joined(texts: Iterable[str]) -> str:
    return " and ".join(sorted(set(texts)))
