"""What was published beside what the run folders hold, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean, stdev
from typing import Any

from dimred.tables.published import Column, Row, Table, Value
from dimred.tables.records import RunRecord

SEEDS = (0, 1, 2)

# Where it was computed does not make it another experiment; the precision is named where it is
# not the paper's.
_NOT_NAMED = ("seed", "device.", "eval.batch_size", "eval.every")
# Of which another choice says all that differs.
_GROUPS = ("dataset", "model", "pairing", "loss", "schedule")


@dataclass(frozen=True)
class Cell:
    """A measured value beside its published one, either of which may be unknown; or words."""

    value: Value | None = None
    published: Value | None = None
    text: str = ""

    @property
    def difference(self) -> float:
        """Measured less published; nan where one is unknown."""
        if self.value is None or self.published is None:
            return nan
        return self.value.mean - self.published.mean


@dataclass(frozen=True)
class Line:
    """One line of a comparison: what was published, or runs of one configuration.

    kind: "published", "measured" or "missing". remark: what differs from the paper's protocol.
    command: what makes a missing line. runs: folders.
    """

    key: str
    label: str
    kind: str
    cells: tuple[Cell, ...] = ()
    remark: str = ""
    command: str = ""
    runs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """A table as it is shown."""

    name: str
    title: str
    source: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def summarise(numbers: Sequence[float]) -> Value | None:
    """Mean and standard deviation (of a sample: n - 1) of runs; None without any."""
    if not numbers:
        return None
    return Value(fmean(numbers), stdev(numbers) if len(numbers) > 1 else nan, len(numbers))


def compare(
    name: str,
    table: Table,
    records: Iterable[RunRecord],
    protocols: Mapping[str, Mapping[str, Any]],
    epochs: Mapping[str, int],
) -> Comparison:
    """A table's published values beside the runs that are named as its rows.

    protocols: for each row's key the values of its experiment, by dotted key, which a run's are
        held against; epochs: their number in all stages.
    Runs that differ in more than the seed stand in lines of their own.
    """
    records = list(records)
    lines: list[Line] = []
    for row in table.rows:
        if row.published:
            cells = tuple(Cell(published=row.published.get(c.key)) for c in table.columns)
            lines.append(Line(row.key, row.label, "published", cells))
        groups = grouped([record for record in records if record.name in row.names])
        for group in groups:
            remarks = differences(group, protocols[row.key], epochs[row.key])
            method = (group[0].summary.get("linear") or {}).get("method")
            if method == "logistic" and any(c.path == "linear.accuracy" for c in table.columns):
                remarks.append("linear by logistic regression")
            lines.append(_measured(table, row, group, "; ".join(remarks)))
        if not groups:
            words = [*table.command(row, "full"), "seed=" + ",".join(map(str, SEEDS))]
            command = "dimred train -m " + " ".join(words)
            lines.append(Line(row.key, row.label, "missing", command=command))
    return Comparison(name, table.title, table.source, table.columns, tuple(lines))


def _measured(table: Table, row: Row, group: Sequence[RunRecord], remark: str) -> Line:
    cells = []
    for column in table.columns:
        found = [number for record in group if (number := look_up(record, column)) is not None]
        # A mean of some of the runs would not be that of the others' values.
        value = summarise(found) if len(found) == len(group) else None
        cells.append(Cell(value, row.published.get(column.key)))
    folders = tuple(record.folder for record in group)
    return Line(row.key, row.label, "measured", tuple(cells), remark, runs=folders)


def look_up(record: RunRecord, column: Column) -> float | None:
    """A column's value in a summary, in the unit of the column; None where it is not there."""
    value: Any = record.summary
    for part in column.path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return None if value is None or isnan(value) else float(value) * column.scale


def grouped(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Runs of equal configuration and data but for the seed; each seed once, in their order."""
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in records:
        values = {key: value for key, value in record.values.items() if key != "seed"}
        linear = record.summary.get("linear") or {}
        images = record.summary["dataset"]["images"]
        key = json.dumps([values, record.data, images, linear.get("method"), _budget(record)])
        seeds = groups.setdefault(key, {})
        seed = record.summary["seed"]
        if seed not in seeds or seeds[seed].started < record.started:
            seeds[seed] = record
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]


def _budget(record: RunRecord) -> str:
    return record.config.get("budget") or ""


def differences(group: Sequence[RunRecord], protocol: Mapping[str, Any], epochs: int) -> list[str]:
    """In words, what runs of one configuration do otherwise than a protocol of three seeds."""
    record = group[0]
    values, n = record.values, len(group)
    words = [_budget(record)] if _budget(record) else []
    if n < len(SEEDS):
        words.append(f"{n} seed{'s' if n > 1 else ''}")
    other = {name for name in _GROUPS if values[f"{name}.name"] != protocol[f"{name}.name"]}
    images = record.summary["dataset"]["images"]
    if "dataset" in other:
        words.append(f"data {record.data}, {images:,} images")
    elif values.get("dataset.limit") != protocol.get("dataset.limit"):
        words.append(f"{images:,} images")
    if "model" in other:
        widths = values.get("model.widths")
        words.append(values["model.name"] + (f" {widths}" if widths else ""))
    words += [f"{name}={values[f'{name}.name']}" for name in _GROUPS[2:] if name in other]
    if _stages(values) != _stages(protocol):
        words.append(f"stages {', '.join(_stages(values))}")
    if record.epochs != epochs:
        words.append(f"{record.epochs:,} of {epochs:,} epochs")
    for key in sorted(values):
        told = key.partition(".")[0] in other or key == "dataset.limit"
        told |= key.endswith((".epochs", ".warmup_epochs")) or key.startswith(_NOT_NAMED)
        # A key that the protocol lacks belongs to another stage.
        if not told and key in protocol and values[key] != protocol[key]:
            words.append(f"{key}={values[key]}")
    if values.get("device.precision") == "bf16":
        words.append("bf16")
    return words


def _stages(values: Mapping[str, Any]) -> list[str]:
    keys = [key.split(".") for key in values if key.startswith("schedule.stages.")]
    return sorted({parts[2] for parts in keys})
