"""The command `dimred reproduce`: the runs of a paper's table."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dimred.complaints import Parser, reporting
from dimred.config import RunConfig, decisive_values
from dimred.errors import InputError
from dimred.launch import composed, launch
from dimred.tables import BUDGETS, TABLES, RunRecord, Table, read_records

_SEEDS = {"full": "0,1,2", "short": "0,1,2", "smoke": "0"}


@dataclass(frozen=True)
class _Job:
    """One run to be made. seconds: of training, before it starts."""

    key: str
    words: list[str]
    config: RunConfig

    @property
    def command(self) -> str:
        """As typed in a shell."""
        return shlex.join(["dimred", "train", *self.words])


def reproduce(words: list[str]) -> int:
    """Make the runs that the words of `dimred reproduce` say; returns the exit code.

    A run that fails does not keep the others from being made.
    """
    return reporting(lambda: _reproduce(words))


def _reproduce(words: list[str]) -> int:
    parser = Parser("dimred reproduce TABLE [--budget B] [--rows KEY,...] [--seeds N,...] [--list]")
    parser.add_argument("table")
    parser.add_argument("--budget", default="full")
    parser.add_argument("--rows")
    parser.add_argument("--seeds")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_intermixed_args(words)
    if given.table not in TABLES:
        raise InputError(f"{given.table}: no such table; the tables are {', '.join(TABLES)}")
    if given.budget not in BUDGETS:
        raise InputError(f"--budget {given.budget}: must be one of {', '.join(BUDGETS)}")
    seeds = _seeds(given.seeds or _SEEDS[given.budget])
    jobs = _jobs(TABLES[given.table], given.budget, given.rows, seeds, given.overrides)
    left = _unfinished(jobs)
    for job in jobs:
        print(f"{'' if job in left else 'finished: '}{job.command}")
    print(f"\n{len(jobs) - len(left)} of {len(jobs)} runs are finished", flush=True)
    if not left:
        return 0
    print(_estimate(left), flush=True)
    if given.list:
        return 0
    codes = []
    for number, job in enumerate(left, start=1):
        print(f"\n[{number}/{len(left)}] {job.command}", flush=True)
        codes.append(launch(job.words))
    failed = [job for job, code in zip(left, codes, strict=True) if code]
    print(f"\n{len(left) - len(failed)} of {len(left)} runs made; dimred table {given.table}")
    for job in failed:
        print(f"failed: {job.command}")
    return max(codes)


def _seeds(text: str) -> list[int]:
    if not all(part.isdigit() for part in text.split(",")):
        raise InputError(
            f"--seeds {text}: must be whole numbers with commas between, such as 0,1,2"
        )
    return [int(part) for part in text.split(",")]


def _jobs(
    table: Table, budget: str, keys: str | None, seeds: Sequence[int], overrides: Sequence[str]
) -> list[_Job]:
    """All runs, those of the first seed before any second."""
    rows = {row.key: row for row in table.rows}
    chosen = keys.split(",") if keys else list(rows)
    for key in chosen:
        if key not in rows:
            raise InputError(f"--rows {key}: no such row; the rows are {', '.join(rows)}")
    jobs = []
    for seed in seeds:
        for key in chosen:
            words = [*table.command(rows[key], budget), *overrides, f"seed={seed}"]
            jobs.append(_Job(key, words, composed(words)))
    return jobs


def _unfinished(jobs: Sequence[_Job]) -> list[_Job]:
    """Those of which no finished run of equal configuration lies in the output folder."""
    finished: dict[Path, list[RunRecord]] = {}
    left = []
    for job in jobs:
        folder = Path(job.config.output_dir).expanduser()
        if folder not in finished:
            finished[folder] = read_records(folder)[0] if folder.is_dir() else []
        if not any(_is_of(record, job.config) for record in finished[folder]):
            left.append(job)
    return left


def _is_of(record: RunRecord, config: RunConfig) -> bool:
    """Whether a run was made by this configuration; `auto` stands for any device and precision."""
    wanted = decisive_values(config)
    there = {
        key: "auto" if wanted.get(key) == "auto" and key.startswith("device.") else value
        for key, value in record.values.items()
    }
    dataset, place = record.config["dataset"], vars(config.dataset)
    same_place = all(dataset.get(key) == place.get(key) for key in ("root", "path"))
    return record.name == config.name and same_place and there == wanted


def _estimate(jobs: Sequence[_Job]) -> str:
    """How long training takes, by a few steps of each kind of run."""
    from dimred.rate import rate_key, seconds_per_epoch

    began, measured, total = time.monotonic(), dict[str, float](), 0.0
    for job in jobs:
        key = rate_key(job.config)
        if key not in measured:
            measured[key] = seconds_per_epoch(job.config)
        epochs = sum(stage.epochs for stage in job.config.schedule.stages.values())
        total += epochs * measured[key]
    took = time.monotonic() - began
    return (
        f"training {len(jobs)} runs takes about {_duration(total)} on this machine, besides "
        f"measuring their maps (by a few steps of each kind, {took:.0f} s)"
    )


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{max(seconds, 1):.0f} seconds"
