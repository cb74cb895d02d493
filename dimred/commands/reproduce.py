"""The command `dimred reproduce`: the runs of a paper's table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimred.commands import baselines, train
from dimred.commands.messages import Parser, run_reporting_errors
from dimred.errors import InputError, did_you_mean
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.config import RunConfig
    from dimred.tables import Table

HELP = """\
dimred reproduce TABLE [--budget full|short|smoke] [--rows KEY,...] [--seeds 0,1,2] [--list]
                       [--plugin FILE|MODULE] [GROUP=CHOICE ...] [KEY=VALUE ...]

Makes the runs of a paper's table: all rows with the first seed, then with the next. Skips finished
runs, continues interrupted ones, and prints an estimate of the training time first. TABLE is one of
those of `dimred table` but transfer; baselines trains Table 1's SimCLR and runs `dimred baselines`
on it; c2st repeats experiments with two-sample tests, which train no map and make no run folders:
results are in outputs/c2st.

  --budget   full = as published (default); short = small networks and embedded or fewer images,
             minutes to hours on a CPU; smoke = seconds a row, to test that everything runs.
             Of c2st: 100 trials a row, 20, and 2 of at most 50 points
  --rows     only these rows, by their keys, which `dimred table TABLE` prints before their names
  --seeds    default 0,1,2; smoke: 0; none of c2st
  --list     print the commands, each below `# KEY` of its row, and the estimate; run nothing

Overrides as in `dimred train` apply to every run:
  dimred reproduce table1 dataset.root=data dataset.download=true
  dimred reproduce table1 --budget short --rows 4,8 dataset=fashion_mnist dataset.root=data
  dimred reproduce c2st --budget short dataset.root=data"""

# The row whose H the paper maps by t-SNE.
_SIMCLR = "1"
_SEEDS = {"full": "0,1,2", "short": "0,1,2", "smoke": "0"}


@dataclass(frozen=True)
class _Job:
    """One run to make."""

    key: str  # of its row
    arguments: list[str]
    config: RunConfig

    @property
    def command(self) -> str:
        """The command line that makes the run."""
        return shlex.join(["dimred", "train", *self.arguments])


def run(arguments: list[str]) -> int:
    """Make the runs that the arguments name; returns the exit code.

    The other runs are made even if one fails.
    """
    parser = Parser(HELP)
    parser.add_argument("table")
    parser.add_argument("--budget", default="full")
    parser.add_argument("--rows")
    parser.add_argument("--seeds")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--config-dir")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_intermixed_args(arguments)
    load_plugins(args.plugin)
    from dimred.run_folder.lookup import finished_run
    from dimred.tables import BUDGETS, NAMES, TABLES

    if args.table not in NAMES:
        raise InputError(f"{args.table}: no such table; the tables are {', '.join(NAMES)}")
    if args.budget not in BUDGETS:
        raise InputError(f"--budget {args.budget}: must be one of {', '.join(BUDGETS)}")
    if args.table == "transfer":
        raise InputError(
            "transfer: is of any runs, as of experiment=transfer_mnist; dimred probe RUN makes its "
            "numbers"
        )
    if args.table == "c2st":
        from dimred.commands import reproduce_c2st

        return reproduce_c2st.run(args)
    for override in args.overrides:
        if override.startswith(("name=", "run_dir=")):
            raise InputError(f"{override}: the runs of a table are named by their rows")
    of_baselines = args.table == "baselines"
    if of_baselines and args.rows:
        raise InputError(f"--rows {args.rows}: baselines has no rows")
    table, rows = (TABLES["table1"], _SIMCLR) if of_baselines else (TABLES[args.table], args.rows)
    seeds = _seeds(args.seeds or _SEEDS[args.budget])
    flags = train.flags_of(args)
    jobs = _jobs(table, args.budget, rows, seeds, args.overrides, flags, args.config_dir)
    left = [job for job in jobs if finished_run(job.config) is None]
    for previous, job in zip([None, *jobs], jobs, strict=False):
        if not of_baselines and (previous is None or previous.key != job.key):
            print(f"# {job.key}")  # which a shell takes for a comment
        print(f"{'' if job in left else 'finished: '}{job.command}")
    print(f"\n{len(jobs) - len(left)} of {len(jobs)} runs are finished", flush=True)
    if left:
        from dimred.run.rate import estimate

        print(estimate([job.config for job in left], may_download=not args.list), flush=True)
    if args.list:
        return 0
    code = _make(left) if left else 0
    if of_baselines and not code:
        code = _measure_baselines(jobs)
    print(f"\ndimred table {args.table} shows them")
    return code


def _make(jobs: Sequence[_Job]) -> int:
    """Train one run after the other; returns the worst exit code."""
    codes = []
    for number, job in enumerate(jobs, start=1):
        print(f"\n[{number}/{len(jobs)}] {job.command}", flush=True)
        codes.append(_train(job.arguments))
    failed = [job for job, code in zip(jobs, codes, strict=True) if code]
    print(f"\n{len(jobs) - len(failed)} of {len(jobs)} runs made")
    for job in failed:
        print(f"failed: {job.command}")
    return max(codes)


def _train(arguments: list[str]) -> int:
    return run_reporting_errors(lambda: train.run(arguments))


def _measure_baselines(jobs: Sequence[_Job]) -> int:
    from dimred.run_folder.lookup import finished_run

    folders = [finished_run(job.config) for job in jobs]
    return baselines.run([str(folder) for folder in folders if folder])


def _seeds(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]{1,10}(,[0-9]{1,10})*", text):
        raise InputError(
            f"--seeds {text}: must be whole numbers separated by commas, such as 0,1,2"
        )
    return [int(part) for part in text.split(",")]


def _jobs(
    table: Table,
    budget: str,
    keys: str | None,
    seeds: Sequence[int],
    overrides: Sequence[str],
    flags: Sequence[str],
    folder: str | None,
) -> list[_Job]:
    """All runs, seed by seed."""
    from dimred.config.compose import composed

    # A row about another space is measured by the runs of the others.
    rows = {row.key: row for row in table.rows if row.space == "z"}
    chosen = list(dict.fromkeys(keys.split(","))) if keys else list(rows)
    for key in chosen:
        if key not in rows:
            asked = did_you_mean(key, rows)
            raise InputError(f"--rows {key}: no such row; {asked}the rows are {', '.join(rows)}")
    jobs = []
    for seed in seeds:
        for key in chosen:
            row_overrides = [*table.command(rows[key], budget), *overrides, f"seed={seed}"]
            jobs.append(_Job(key, [*flags, *row_overrides], composed(row_overrides, folder)))
    return jobs
