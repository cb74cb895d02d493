"""What was published beside what the run folders hold, row by row."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from statistics import fmean, stdev
from typing import Any

from dimred.run_folder.record import RunRecord
from dimred.tables.differences import SHOWN_EVAL, differences, of_published_data
from dimred.tables.published import SEEDS, Column, Row, Table, Value

_BY_SEED = ("dataset.train_per_class", "dataset.n_test")


@dataclass(frozen=True)
class Cell:
    """A measured value beside its published one, either of which may be unknown; or words.

    comparable: whether their difference means anything. missing: published, not measured.
    """

    value: Value | None = None
    published: Value | None = None
    text: str = ""
    comparable: bool = True

    @property
    def missing(self) -> bool:
        """Whether a value that was published has not been measured."""
        return self.value is None and self.published is not None

    @property
    def difference(self) -> float:
        """Measured less published; nan where one is unknown, or they are no pair."""
        if self.value is None or self.published is None or not self.comparable:
            return nan
        return self.value.mean - self.published.mean


@dataclass(frozen=True)
class Line:
    """One line of a comparison: what was published, or runs of one configuration.

    kind: "published", "measured" or "missing". remark: what differs from the paper's protocol.
    command: what makes what is missing. runs: folders. method: a baseline's, as in its file.
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
    """A table as it is shown."""

    name: str
    title: str
    source: str
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]


def summarize(numbers: Sequence[float]) -> Value | None:
    """Mean and standard deviation (of a sample: n - 1) of runs; None without any."""
    if not numbers:
        return None
    return Value(fmean(numbers), stdev(numbers) if len(numbers) > 1 else nan, len(numbers))


def compare(
    name: str,
    table: Table,
    records: Iterable[RunRecord],
    protocols: Mapping[str, Mapping[str, Any]],
) -> Comparison:
    """A table's published values beside the runs that are named as its rows.

    protocols: for each row's key the values of its experiment, those of `eval` among them, by
        dotted key, which a run's are held against.
    Runs that differ in more than the seed stand in lines of their own.
    """
    records = list(records)
    lines: list[Line] = []
    for row in table.rows:
        if row.published:
            cells = tuple(Cell(published=row.published.get(c.key)) for c in table.columns)
            lines.append(Line(row.key, row.label, "published", cells))
        groups = grouped(record for record in records if record.name in row.names)
        measured = [_measured(table, row, group, protocols[row.key]) for group in groups]
        lines += sorted(measured, key=lambda line: line.remark)
        if not groups:
            words = [*table.command(row, "full"), "seed=" + ",".join(map(str, SEEDS))]
            lines.append(Line(row.key, row.label, "missing", command=_sweep(words)))
    return Comparison(name, table.title, table.source, table.columns, tuple(lines))


def _measured(
    table: Table, row: Row, group: Sequence[RunRecord], protocol: Mapping[str, Any]
) -> Line:
    cells = []
    for column in table.columns:
        found = [number for record in group if (number := look_up(record, column)) is not None]
        # A mean of some of the runs would not be that of the others' values.
        value = summarize(found) if len(found) == len(group) else None
        comparable = column.comparable and of_published_data(group[0], protocol)
        values = group[0].values
        comparable &= all(values.get(key) == protocol.get(key) for key in column.same)
        cells.append(Cell(value, row.published.get(column.key), comparable=comparable))
    words = [*differences(group, protocol), *([row.remark] if row.remark else [])]
    line = Line(row.key, row.label, "measured", tuple(cells), "; ".join(words))
    line = replace(line, runs=tuple(record.folder for record in group))
    return replace(line, command=_of_missing(group, protocol, any(c.missing for c in cells)))


def _of_missing(group: Sequence[RunRecord], protocol: Mapping[str, Any], cell: bool) -> str:
    """The command that makes what runs of one configuration lack: seeds, or measures of the
    protocol, which are taken without training again."""
    record = group[0]
    if record.budget == "smoke":
        return ""
    typed = [word for word in record.command if not word.startswith("seed=")]
    lacking = [seed for seed in SEEDS if seed not in {r.summary["seed"] for r in group}]
    measures = [
        f"{key}={protocol[key]}"
        for key, value in record.measured.items()
        if cell and protocol.get(key, value) != value
    ]
    if measures:
        return _sweep([*typed, *measures, "seed=" + ",".join(map(str, SEEDS))])
    return _sweep([*typed, "seed=" + ",".join(map(str, lacking))]) if lacking else ""


def _sweep(words: Sequence[str]) -> str:
    return shlex.join(["dimred", "train", "-m", *words])


def look_up(record: RunRecord, column: Column) -> float | None:
    """A column's value in a summary, in the unit of the column; None where it is not there."""
    value: Any = record.summary
    for part in column.path.split("."):
        if not isinstance(value, dict) or part not in value:
            return None
        value = value[part]
    return None if value is None or isnan(value) else float(value) * column.scale


def grouped(records: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Runs of equal configuration, data and measuring but for the seed, by data and name; each seed
    once, the last of its runs, in their order."""
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda record: (record.data, record.name, record.started)):
        values = {k: v for k, v in record.values.items() if k != "seed"}
        values = {k: v for k, v in values.items() if not k.startswith("eval.")}
        drawn = any(values.get(key) is not None for key in _BY_SEED)
        shown = {k: v for k, v in record.summary["eval"].items() if k in SHOWN_EVAL}
        data = [record.data, record.summary["dataset"]["images"], drawn or record.fingerprint]
        key = json.dumps([record.name, values, shown, data], sort_keys=True)
        groups.setdefault(key, {})[record.summary["seed"]] = record
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in groups.values()]
