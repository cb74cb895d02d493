"""Published values beside the results in run folders, row by row."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from statistics import fmean, stdev
from typing import Any

from dimred.run_folder.configuration import configuration
from dimred.run_folder.record import RunRecord
from dimred.tables.differences import (
    SHOWN_EVAL,
    data_differences,
    differences,
    of_published_data,
)
from dimred.tables.published import SEEDS, Column, Row, Table, Value


@dataclass(frozen=True)
class Cell:
    """A measured value beside its published one, either of which may be unknown; or a text.

    comparable: whether their difference is meaningful.
    """

    value: Value | None = None
    published: Value | None = None
    text: str = ""
    comparable: bool = True

    @property
    def missing(self) -> bool:
        """Whether the value is published but not measured."""
        return self.value is None and self.published is not None

    @property
    def difference(self) -> float:
        """Measured minus published; nan where one is unknown, or they are not comparable."""
        if self.value is None or self.published is None or not self.comparable:
            return nan
        return self.value.mean - self.published.mean


@dataclass(frozen=True)
class Line:
    """One line of a comparison: published values, or runs of one configuration.

    key, label: of the row.
    kind: "published", "measured" or "missing".
    remark: differences from the paper's protocol.
    command: makes the missing runs or numbers.
    runs: names of the run folders.
    method: of a baseline, as in baselines.json.
    """

    key: str
    label: str
    kind: str
    cells: tuple[Cell, ...] = ()
    remark: str = ""
    command: str = ""
    runs: tuple[str, ...] = ()
    method: str = ""


@dataclass(frozen=True)
class Comparison:
    """A table to show, with published and measured lines. legend: what its numbers are."""

    name: str
    title: str
    source: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    legend: str = (
        "mean ± standard deviation of the seeds; in brackets the difference from the published "
        "value, where both are of the same data"
    )


def summarize(numbers: Sequence[float]) -> Value | None:
    """Mean and sample standard deviation (n - 1) over runs; None without any."""
    if not numbers:
        return None
    return Value(fmean(numbers), stdev(numbers) if len(numbers) > 1 else nan, len(numbers))


def compare(
    name: str,
    table: Table,
    records: Iterable[RunRecord],
    protocols: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    """A table's published values beside the runs named after its rows.

    protocols: by row key, the values of the row's experiment by dotted key (including `eval`), with
        which those of a run are compared.
    Runs that differ in more than the seed are in separate lines.
    """
    records = list(records)
    lines: list[Line] = []
    for row in table.rows:
        if row.published:
            cells = tuple(Cell(published=row.published.get(c.key)) for c in table.columns)
            lines.append(Line(row.key, row.label, "published", cells))
        if row.space != "z":
            lines += _of_space(table, row, records, protocols[row.key])
            continue
        groups = grouped(record for record in records if record.name in row.names)
        measured = [_measured(table, row, group, protocols[row.key]) for group in groups]
        lines += sorted(measured, key=lambda line: line.remark)
        if not groups:
            overrides = [*table.command(row, "full"), "seed=" + ",".join(map(str, SEEDS))]
            lines.append(Line(row.key, row.label, "missing", command=_sweep(overrides)))
    return Comparison(name, table.title, table.source, table.columns, tuple(lines))


def with_runs(table: Comparison) -> Comparison:
    """The rows of a comparison that have measured lines; its legend says how many others it had."""
    kept = {line.key for line in table.lines if line.kind == "measured"}
    left_out = len({line.key for line in table.lines} - kept)
    if not left_out:
        return table
    rows = "row without runs is" if left_out == 1 else "rows without runs are"
    return replace(
        table,
        lines=tuple(line for line in table.lines if line.key in kept),
        legend=f"{table.legend}; {left_out} {rows} left out",
    )


def _measured(
    table: Table, row: Row, group: Sequence[RunRecord], protocol: Mapping[str, Any]
) -> Line:
    cells = []
    for column in table.columns:
        numbers = [number for record in group if (number := look_up(record, column)) is not None]
        # Only if all runs have it: a line's means should be over the same runs.
        value = summarize(numbers) if len(numbers) == len(group) else None
        comparable = column.comparable and of_published_data(group[0], protocol)
        values = group[0].values
        comparable &= all(values.get(key) == protocol.get(key) for key in column.same)
        cells.append(Cell(value, row.published.get(column.key), comparable=comparable))
    remarks = [*differences(group, protocol), *([row.remark] if row.remark else [])]
    line = Line(row.key, row.label, "measured", tuple(cells), "; ".join(remarks))
    line = replace(line, runs=tuple(record.folder for record in group))
    return replace(line, command=_completion(group, protocol, any(c.missing for c in cells)))


def _of_space(
    table: Table, row: Row, records: Sequence[RunRecord], protocol: Mapping[str, Any]
) -> list[Line]:
    """The lines of a row about another space of the runs of an experiment: for each set of images
    one, from the first run that measured it. Columns that are of no space are left empty."""
    names = {
        name for other in table.rows if other.experiment == row.experiment for name in other.names
    }
    columns = [replace(c, path=c.path.replace("_z", f"_{row.space}")) for c in table.columns]
    lines: dict[str, Line] = {}
    for record in records:
        if record.name not in names:
            continue
        numbers = [look_up(record, c) if c.path.count(row.space) else None for c in columns]
        if any(number is not None for number in numbers):
            cells = tuple(Cell(None if n is None else Value(n, count=1)) for n in numbers)
            remarks = [*data_differences(record, protocol), *([row.remark] if row.remark else [])]
            line = Line(row.key, row.label, "measured", cells, "; ".join(remarks))
            lines.setdefault(line.remark, replace(line, runs=(record.folder,)))
    return [lines[remark] for remark in sorted(lines)]


def _completion(group: Sequence[RunRecord], protocol: Mapping[str, Any], has_missing: bool) -> str:
    """The command that adds what runs of one configuration lack: measures of the protocol, which
    need no training, or seeds. "" where they lack nothing.

    has_missing: whether a published value has not been measured.
    """
    record = group[0]
    if record.budget == "smoke":
        return ""
    overrides = [override for override in record.command if not override.startswith("seed=")]
    missing_seeds = [seed for seed in SEEDS if seed not in {r.summary["seed"] for r in group}]
    measures = [
        f"{key}={protocol[key]}"
        for key, value in record.measured.items()
        if has_missing and protocol.get(key, value) != value
    ]
    if measures:
        return _sweep([*overrides, *measures, "seed=" + ",".join(map(str, SEEDS))])
    if missing_seeds:
        return _sweep([*overrides, "seed=" + ",".join(map(str, missing_seeds))])
    return ""


def _sweep(overrides: Sequence[str]) -> str:
    return shlex.join(["dimred", "train", "-m", *overrides])


def look_up(record: RunRecord, column: Column) -> float | None:
    """A column's value in a run's summary, in the unit of the column; None where it is missing."""
    value: Any = record.summary
    for part in column.path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return None if value is None or isnan(value) else float(value) * column.scale


def grouped(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Groups of runs that differ only in the seed, sorted by data and name; in each group the last
    run of every seed, sorted by seed."""
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda record: (record.data, record.name, record.started)):
        groups.setdefault(configuration_key(record), {})[record.summary["seed"]] = record
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]


def configuration_key(record: RunRecord) -> str:
    """A text that is the same for runs that differ in the seed only."""
    shown = {k: v for k, v in record.summary["eval"].items() if k in SHOWN_EVAL}
    return json.dumps([*configuration(record), shown], sort_keys=True)
