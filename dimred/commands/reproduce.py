"""The command `dimred reproduce`: the runs of a paper's table."""

from __future__ import annotations

import glob
import re
import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from dimred.commands.messages import Parser, reporting
from dimred.commands.train import composed, launch
from dimred.config import RunConfig, decisive_values, eval_values
from dimred.config.dataset import Torchvision
from dimred.errors import InputError
from dimred.files import expanded
from dimred.run_folder.record import RunRecord, read_record
from dimred.tables import (
    BUDGETS,
    NAMES,
    TABLES,
    Table,
)

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
    parser.add_argument("--config-dir")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_intermixed_args(words)
    if given.table not in NAMES:
        raise InputError(f"{given.table}: no such table; the tables are {', '.join(NAMES)}")
    if given.budget not in BUDGETS:
        raise InputError(f"--budget {given.budget}: must be one of {', '.join(BUDGETS)}")
    for word in given.overrides:
        if word.startswith(("name=", "run_dir=")):
            raise InputError(f"{word}: the runs of a table are named by their rows")
    baselines = given.table == "baselines"
    if baselines and given.rows:
        raise InputError(f"--rows {given.rows}: baselines has no rows")
    table, rows = (TABLES["table1"], _SIMCLR) if baselines else (TABLES[given.table], given.rows)
    seeds = _seeds(given.seeds or _SEEDS[given.budget])
    flags = ["--config-dir", given.config_dir] if given.config_dir else []
    jobs = _jobs(table, given.budget, rows, seeds, [*flags, *given.overrides])
    left = [job for job in jobs if _finished(job.config) is None]
    for job in jobs:
        print(f"{'' if job in left else 'finished: '}{job.command}")
    print(f"\n{len(jobs) - len(left)} of {len(jobs)} runs are finished", flush=True)
    if left:
        print(_estimate(left, may_download=not given.list), flush=True)
    if given.list:
        return 0
    code = _make(left) if left else 0
    if baselines and not code:
        code = _measure_baselines(jobs)
    print(f"\ndimred table {given.table} shows them")
    return code


def _make(jobs: Sequence[_Job]) -> int:
    """Train one run after the other; the worst exit code."""
    codes = []
    for number, job in enumerate(jobs, start=1):
        print(f"\n[{number}/{len(jobs)}] {job.command}", flush=True)
        codes.append(launch(job.words))
    failed = [job for job, code in zip(jobs, codes, strict=True) if code]
    print(f"\n{len(jobs) - len(failed)} of {len(jobs)} runs made")
    for job in failed:
        print(f"failed: {job.command}")
    return max(codes)


def _measure_baselines(jobs: Sequence[_Job]) -> int:
    from dimred.analysis.baselines import measure_baselines

    folders = [_finished(job.config) for job in jobs]
    return measure_baselines([str(folder) for folder in folders if folder])


def _seeds(text: str) -> list[int]:
    if not re.fullmatch(r"[0-9]+(,[0-9]+)*", text):
        raise InputError(
            f"--seeds {text}: must be whole numbers with commas between, such as 0,1,2"
        )
    return [int(part) for part in text.split(",")]


def _jobs(
    table: Table, budget: str, keys: str | None, seeds: Sequence[int], overrides: Sequence[str]
) -> list[_Job]:
    """All runs, those of the first seed before any second."""
    rows = {row.key: row for row in table.rows}
    chosen = list(dict.fromkeys(keys.split(","))) if keys else list(rows)
    for key in chosen:
        if key not in rows:
            raise InputError(f"--rows {key}: no such row; the rows are {', '.join(rows)}")
    jobs = []
    for seed in seeds:
        for key in chosen:
            words = [*table.command(rows[key], budget), *overrides, f"seed={seed}"]
            jobs.append(_Job(words, composed(words)))
    return jobs


def _finished(config: RunConfig) -> Path | None:
    """The folder of a finished run of equal configuration in the output folder, if there is one."""
    outputs = expanded(config.output_dir)
    pattern = f"{glob.escape(str(config.name))}-seed{config.seed}-*/summary.json"
    for summary in () if config.restart else sorted(outputs.glob(pattern)):
        with suppress(InputError):  # a damaged folder is made again
            if _is_of(read_record(summary.parent), config):
                return summary.parent
    return None


def _is_of(record: RunRecord, config: RunConfig) -> bool:
    """Whether a run was made by this configuration; `auto` stands for any device and precision."""
    wanted = decisive_values(config)
    there = {
        key: "auto" if wanted.get(key) == "auto" and key.startswith("device.") else value
        for key, value in record.values.items()
    }
    dataset, place = record.config["dataset"], vars(config.dataset)
    same_place = all(dataset.get(key) == place.get(key) for key in ("root", "path"))
    measured = record.summary["eval"] == eval_values(config)
    return record.name == config.name and same_place and there == wanted and measured


def _estimate(jobs: Sequence[_Job], may_download: bool) -> str:
    """How long training takes, by a few steps of each kind of run."""
    from dimred.run.rate import rate_key, seconds_per_epoch

    began, total, unknown = time.monotonic(), 0.0, 0
    measured: dict[str, float | None] = {}
    problem: InputError | None = None
    for job in jobs:
        config = job.config
        dataset = config.dataset
        if isinstance(dataset, Torchvision) and not may_download:
            config = replace(config, dataset=replace(dataset, download=False))
        key = rate_key(config)
        if key not in measured:
            try:
                measured[key] = seconds_per_epoch(config)
            except InputError as error:
                measured[key], problem = None, error
                print(f"not estimated: {error}")
        seconds = measured[key]
        epochs = sum(stage.epochs for stage in config.schedule.stages.values())
        total += epochs * (seconds or 0)
        unknown += seconds is None
    took = time.monotonic() - began
    if problem and unknown == len(jobs) and may_download:  # none of them could be made
        raise problem
    if unknown == len(jobs):
        return f"how long training {len(jobs)} runs takes is unknown"
    beside = f", besides {unknown} that cannot be estimated" if unknown else ""
    return (
        f"training {len(jobs) - unknown} runs takes about {_duration(total)} on this machine"
        f"{beside} (without measuring their maps; by a few steps of each kind, {took:.0f} s)"
    )


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{max(seconds, 1):.0f} seconds"
