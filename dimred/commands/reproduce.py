"""The command `dimred reproduce`: the runs of a paper's table."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dimred.commands import baselines, train
from dimred.commands.messages import Parser, run_reporting_errors
from dimred.errors import InputError
from dimred.options.plugins import load_plugins

if TYPE_CHECKING:
    from dimred.config import RunConfig
    from dimred.tables import Table

HELP = """\
dimred reproduce TABLE [--budget full|short|smoke] [--rows KEY,...] [--seeds 0,1,2] [--list]
                       [--plugin FILE|MODULE] [GROUP=CHOICE ...] [KEY=VALUE ...]

Makes the runs of a paper's table, first all rows with the first seed. Skips what is finished, goes
on with what was interrupted, and says before it starts how long training will take. TABLE is one
of those of `dimred table`; baselines trains Table 1's SimCLR and measures `dimred baselines` on it.

  --budget   full = as published (default); short = small networks and embedded or fewer images,
             minutes to hours on a CPU; smoke = seconds a row, proves the path and not the numbers
  --rows     some rows only, by their key in the table
  --seeds    default 0,1,2; smoke: 0
  --list     print the commands and the time, run nothing

Words as of `dimred train` go to every run:
  dimred reproduce table1 dataset.root=data dataset.download=true
  dimred reproduce table1 --budget short --rows 4,8 dataset=fashion_mnist dataset.root=data"""

# The row whose H the paper maps by t-SNE.
_SIMCLR = "1"
_SEEDS = {"full": "0,1,2", "short": "0,1,2", "smoke": "0"}


@dataclass(frozen=True)
class _Job:
    """One run to be made."""

    words: list[str]
    config: RunConfig

    @property
    def command(self) -> str:
        """As typed in a shell."""
        return shlex.join(["dimred", "train", *self.words])


def run(arguments: list[str]) -> int:
    """Make the runs that the arguments say; returns the exit code.

    A run that fails does not keep the others from being made.
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
    given = parser.parse_intermixed_args(arguments)
    load_plugins(given.plugin)
    from dimred.run_folder.lookup import finished_run
    from dimred.tables import BUDGETS, NAMES, TABLES

    if given.table not in NAMES:
        raise InputError(f"{given.table}: no such table; the tables are {', '.join(NAMES)}")
    if given.budget not in BUDGETS:
        raise InputError(f"--budget {given.budget}: must be one of {', '.join(BUDGETS)}")
    for word in given.overrides:
        if word.startswith(("name=", "run_dir=")):
            raise InputError(f"{word}: the runs of a table are named by their rows")
    of_baselines = given.table == "baselines"
    if of_baselines and given.rows:
        raise InputError(f"--rows {given.rows}: baselines has no rows")
    table, rows = (TABLES["table1"], _SIMCLR) if of_baselines else (TABLES[given.table], given.rows)
    seeds = _seeds(given.seeds or _SEEDS[given.budget])
    flags = train.flags_of(given)
    jobs = _jobs(table, given.budget, rows, seeds, given.overrides, flags, given.config_dir)
    left = [job for job in jobs if finished_run(job.config) is None]
    for job in jobs:
        print(f"{'' if job in left else 'finished: '}{job.command}")
    print(f"\n{len(jobs) - len(left)} of {len(jobs)} runs are finished", flush=True)
    if left:
        from dimred.run.rate import estimate

        print(estimate([job.config for job in left], may_download=not given.list), flush=True)
    if given.list:
        return 0
    code = _make(left) if left else 0
    if of_baselines and not code:
        code = _measure_baselines(jobs)
    print(f"\ndimred table {given.table} shows them")
    return code


def _make(jobs: Sequence[_Job]) -> int:
    """Train one run after the other; the worst exit code."""
    codes = []
    for number, job in enumerate(jobs, start=1):
        print(f"\n[{number}/{len(jobs)}] {job.command}", flush=True)
        codes.append(_trained(job.words))
    failed = [job for job, code in zip(jobs, codes, strict=True) if code]
    print(f"\n{len(jobs) - len(failed)} of {len(jobs)} runs made")
    for job in failed:
        print(f"failed: {job.command}")
    return max(codes)


def _trained(words: list[str]) -> int:
    return run_reporting_errors(lambda: train.run(words))


def _measure_baselines(jobs: Sequence[_Job]) -> int:
    from dimred.run_folder.lookup import finished_run

    folders = [finished_run(job.config) for job in jobs]
    return baselines.run([str(folder) for folder in folders if folder])


def _seeds(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", text):
        raise InputError(
            f"--seeds {text}: must be whole numbers with commas between, such as 0,1,2"
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
    """All runs, those of the first seed before any second."""
    from dimred.config.compose import composed

    rows = {row.key: row for row in table.rows}
    chosen = list(dict.fromkeys(keys.split(","))) if keys else list(rows)
    for key in chosen:
        if key not in rows:
            raise InputError(f"--rows {key}: no such row; the rows are {', '.join(rows)}")
    jobs = []
    for seed in seeds:
        for key in chosen:
            words = [*table.command(rows[key], budget), *overrides, f"seed={seed}"]
            jobs.append(_Job([*flags, *words], composed(words, folder)))
    return jobs
