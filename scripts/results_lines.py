"""The measured lines of all tables, and references to their runs in the list of commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dimred.run_folder.record import RunRecord
from dimred.tables import (
    TABLES,
    Column,
    Line,
    Row,
    Value,
    grouped,
)
from dimred.tables.baselines import PUBLISHED_RUNS
from dimred.tables.conditions import title
from dimred.tables.differences import of_published_data
from dimred.tables.formats import pipes, texts
from dimred.tables.protocols import comparison, protocols

Runs = tuple[str, ...]

TABLE_NAMES = {
    "table1": "Table 1",
    "table_a1": "Table A.1",
    "drlim": "DrLIM",
    "angel2015_mnist": "Angel (2015), MNIST",
    "angel2015_norb": "Angel (2015), NORB",
    "dvml": "DVML",
    "baselines": "baselines",
}

PROBED = ("transfer_mnist", "transfer_fashion_mnist", "cifar")
LOCATED = {
    "locate_canvases": "max",
    "locate_canvases_average": "average",
    "locate_canvases_sizes": "max, digits of 0.7 to 1.4 times their size",
    "locate_canvases_multiscale": "max, such digits, several sizes",
}
HELD = ("hold_canvases",)
OUTSIDE = ("demo", *PROBED, *LOCATED, *HELD)
"""Names of runs that are on the page and in no table of a paper."""


@dataclass(frozen=True)
class Measured:
    """A measured line of a table, with its runs, which differ in the seed only."""

    table: str
    columns: tuple[Column, ...]
    line: Line
    group: tuple[RunRecord, ...]

    @property
    def record(self) -> RunRecord:
        """One of the runs."""
        return self.group[0]

    @property
    def row(self) -> Row | None:
        """The row of the paper's table; None for a baseline."""
        rows = TABLES[self.table].rows if self.table in TABLES else ()
        return next((row for row in rows if row.key == self.line.key), None)

    @property
    def protocol(self) -> Mapping[str, Any] | None:
        """The values of the row's experiment; for a baseline, those of the paper's run whose H it
        uses."""
        if self.row:
            return protocols(self.table)[self.line.key]
        for data, (table, row) in PUBLISHED_RUNS.items():
            if of_published_data(self.record, {"dataset.name": data}):
                return protocols(table)[row]
        return None

    @property
    def images(self) -> str:
        """The name of the data, and the number of images."""
        return f"{title(self.record.data)}, {self.record.summary['dataset']['images']:,}"

    def value(self, key: str) -> Value | None:
        """The measured value in a column."""
        return self.line.cells[self._at(key)].value

    def text(self, key: str) -> str:
        """The text in a column, with the difference from a published value."""
        return texts(self.line, self.columns)[self._at(key)]

    def _at(self, key: str) -> int:
        return [column.key for column in self.columns].index(key)


def measured_lines(records: Sequence[RunRecord]) -> list[Measured]:
    """The measured lines of all tables, in their order."""
    by_folder = {record.folder: record for record in records}
    lines = []
    for name in (*TABLES, "baselines"):
        table = comparison(name, records)
        for line in table.lines:
            if line.kind == "measured":
                group = tuple(by_folder[folder] for folder in line.runs)
                lines.append(Measured(name, table.columns, line, group))
    return lines


def with_names(records: Sequence[RunRecord], names: Iterable[str]) -> list[list[RunRecord]]:
    """The runs of these names, in their order and in groups that differ in the seed only."""
    return [group for name in names for group in grouped(r for r in records if r.name == name)]


def outside_tables(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """The runs that are on the page and in no table of a paper, as `with_names`."""
    return with_names(records, OUTSIDE)


def references(lines: Sequence[Measured], records: Sequence[RunRecord]) -> dict[Runs, str]:
    """References B1, B2, ... to the runs of each line, by their folders."""
    runs = [line.line.runs for line in lines]
    runs += [tuple(record.folder for record in group) for group in outside_tables(records)]
    return {folders: f"B{n}" for n, folders in enumerate(dict.fromkeys(runs), start=1)}


def table_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table followed by a blank line."""
    lines = [pipes(head), pipes(["---"] * len(head)), *(pipes(row) for row in rows)]
    return "\n".join(lines) + "\n"
