"""Tables of a user's images: CSV files whose first line names the columns."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import LabelSet
from dimred.data.spelling import listed
from dimred.errors import InputError
from dimred.files import escaped, read_regular

_DELIMITERS = ",;\t"
# What a number looks like; codes with leading zeros, such as 007, are texts.
_NUMBER = re.compile(r"[+-]?(?:(?!0\d)\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?(?!0\d)\d+,\d+")
_UNKNOWN = ("", "na", "n/a", "nan", "null", "none")


@dataclass(frozen=True)
class Row:
    """A row of a table. line: where it ends in the file, from 1. cells: as many as columns."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A CSV file.

    named: how messages begin, such as "dataset.table='labels.csv'". name: of the file.
    columns: their names, "" for those without one. rows: those that are not empty.
    has_comma_numbers: whether 3,5 is a number, as where columns are separated by semicolons.
    """

    named: str
    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    has_comma_numbers: bool

    def error(self, problem: str, line: int | None = None) -> InputError:
        """The InputError for a problem, at a line."""
        return InputError(f"{self.named}{'' if line is None else f', line {line}'}: {problem}")

    def position(self, *names: str) -> int | None:
        """The position of the first column with one of these names, whatever its case, in the order
        of `names`; None without one."""
        folded = [column.casefold() for column in self.columns]
        return next((folded.index(name) for name in names if name in folded), None)

    def position_of_files(self, *names: str) -> int:
        """The position of the column that names files, as `position`. Raises InputError without
        one, and for a row in which it is empty."""
        at = self.position(*names)
        if at is None:
            shown = listed([repr(escaped(column)) for column in self.columns], 10)
            raise self.error(
                f"has no column {' or '.join(names)}; its first line must name the columns, and "
                f"is {shown}"
            )
        for row in self.rows:
            if not row.cells[at]:
                raise self.error(f"the column {self.columns[at]!r} is empty", row.line)
        return at


def read_table(path: Path, named: str) -> Table:
    """Read a CSV file: UTF-8, or UTF-16 with a byte-order mark; separated by commas, semicolons or
    tabs, whichever its first line has most of.

    named: how messages begin. Raises InputError for a file that cannot be read, and for one that is
    no such table.
    """
    text = _text(path, named)
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise InputError(f"{named}: is empty; its first line must name the columns")
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines: list[Row] = []
    try:
        for cells in reader:
            stripped = tuple(cell.strip() for cell in cells)
            if any(stripped):
                lines.append(Row(reader.line_num, stripped))
    except csv.Error as error:
        raise InputError(f"{named}, line {reader.line_num}: {error}") from error
    header, *rows = lines
    table = Table(named, escaped(path.name), header.cells, tuple(rows), delimiter == ";")
    _check(table)
    return table


def _text(path: Path, named: str) -> str:
    try:
        content = read_regular(path)
    except OSError as error:
        raise InputError(f"{named}: {error.strerror or error}; must be a CSV file") from error
    if content.startswith(b"PK"):
        raise InputError(f"{named}: is no CSV file; a spreadsheet can be saved as one")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{named}: is not in UTF-8; save it as CSV in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{named}: is no text; must be a CSV file")
    return text


def _check(table: Table) -> None:
    seen: set[str] = set()
    for column in table.columns:
        if column and column.casefold() in seen:
            raise table.error(f"has two columns {column!r}")
        if not column.isprintable() or len(column) > 100:
            raise table.error(f"a column is called {escaped(column[:100])!r}; give it a short name")
        seen.add(column.casefold())
    if not table.rows:
        raise table.error("has no rows below the names of the columns")
    for row in table.rows:
        if len(row.cells) != len(table.columns):
            count = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
            raise table.error(f"has {count}, and the first line {len(table.columns)}", row.line)


def column_values(
    cells: Sequence[str], has_comma_numbers: bool = False
) -> NDArray[np.float64] | LabelSet:
    """A column as numbers (N,), where every cell is one or says that it is unknown (NaN); else as
    categories, in order of their names."""
    numbers = [_number(cell, has_comma_numbers) for cell in cells]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers) and not np.isnan(known).all():
        return np.array(known, dtype=np.float64)
    names, values = np.unique(np.array(cells, dtype=object), return_inverse=True)
    return LabelSet(values.astype(np.int64), tuple(map(str, names)))


def _number(cell: str, has_comma_numbers: bool) -> float | None:
    """A number; NaN for an unknown one, None for a text."""
    if cell.casefold() in _UNKNOWN:
        return float("nan")
    if _NUMBER.fullmatch(cell):
        number = float(cell)
        return number if abs(number) < float("inf") else None
    if has_comma_numbers and _COMMA_NUMBER.fullmatch(cell):
        return float(cell.replace(",", "."))
    return None
