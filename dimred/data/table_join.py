"""Joining a user's tables to the image files of a folder, by path."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dimred.data.folder_layout import File, side_of
from dimred.data.found import counted_word
from dimred.data.image_paths import table_path
from dimred.data.image_set import LabelSet
from dimred.data.spelling import composed, listed, one_spelling
from dimred.data.table import Row, Table, column_values, read_table
from dimred.data.table_presence import COLUMN, classes_in, with_one_spelling
from dimred.files import FORMULA, escaped, expanded, printable

_FILE = ("file", "path", "source", "filename")
_CLASS, _SPLIT = ("class", "label"), ("split",)
_IN_EXCLUDED = ("source", "file", "path", "filename")  # `source` in what dimred itself writes
# Names of other arrays in embedding.npz and other columns of the page and of CSV files.
_TAKEN = {
    *("z", "h", "index", "split", "label", "class", "class_names", "source", "file"),
    *("row", "group", "cluster", "loss", "class_split", "presence"),
}
_MAX_TEXT = 1_000  # characters of a category


class Joined(NamedTuple):
    """Image files with what tables say of them.

    files: train before test, each sorted by path. kept: int64 (n,), positions in `files` of those
    that are used. columns: a cell for each of `files`, "" where the table has none, by name.
    notes: what is worth saying.
    """

    files: list[File]
    kept: NDArray[np.int64]
    columns: dict[str, list[str]]
    notes: tuple[str, ...]


class Tables:
    """The tables that go with a folder of images: `dataset.table` and `dataset.exclude`.

    root: the folder as given. table, exclude: as given, None without one. Where there is no such
        file, the one in the folder is taken.
    strict: refuse rows and images that do not fit together.
    paths: of the tables, relative to the root.
    Raises InputError for tables that cannot be read.
    """

    def __init__(self, root: str, table: str | None, exclude: str | None, strict: bool):
        self.root, self.strict = root, strict
        given = [file for file in (table, exclude) if file is not None]
        self.paths = frozenset(_inside(root, file) for file in given)
        self._table = _read("table", root, table)
        self._excluded = _read("exclude", root, exclude)
        self._notes: list[str] = []
        if self._table:
            self._table.position_of_files(*_FILE)
            if None not in (self._table.position(*_CLASS), self._table.position(COLUMN)):
                raise self._table.error(
                    f"has a column of one class and a column {COLUMN!r} of several; leave out one"
                )
        if self._excluded:
            self._excluded.position_of_files(*_IN_EXCLUDED)
            if self._excluded.position("source_2") is not None:
                raise self._excluded.error(
                    "is a table of pairs, and leaving out both images of each would lose them; "
                    "dimred inspect RUN --keep-one writes a list that keeps one of each group"
                )

    @property
    def says(self) -> frozenset[str]:
        """Which of "class" and "split" the table says, instead of the folders."""
        parts = {"class": (*_CLASS, COLUMN), "split": _SPLIT}
        table = self._table
        return frozenset(
            part for part, names in parts.items() if table and table.position(*names) is not None
        )

    @property
    def split_name(self) -> str:
        """What says the split, where the table does."""
        return f"split of {self._table.name}" if self._table and "split" in self.says else ""

    def joined(self, files: Sequence[File]) -> Joined:
        """The files with what the tables say of them. Raises InputError where tables name no image
        or leave none, and for cells that cannot be used."""
        self._notes = []
        by_name = _ByName(self.root, files)
        is_excluded = np.zeros(len(files), dtype=np.bool_)
        if self._excluded:
            is_excluded = self._exclusion(self._excluded, by_name)
        joined, cells = list(files), dict[str, list[str]]()
        is_kept = ~is_excluded
        if self._table:
            joined, cells, has_values = self._with_table(self._table, by_name, ~is_excluded)
            is_kept &= has_values
        order = sorted(range(len(joined)), key=lambda i: joined[i].order)
        return Joined(
            [joined[i] for i in order],
            np.flatnonzero(is_kept[order]),
            {name: [column[i] for i in order] for name, column in cells.items()},
            tuple(self._notes),
        )

    def _exclusion(self, table: Table, by_name: _ByName) -> NDArray[np.bool_]:
        """Whether each file is named by the list."""
        rows = self._matched(table, table.position_of_files(*_IN_EXCLUDED), by_name)
        excluded = np.zeros(len(by_name.files), dtype=np.bool_)
        excluded[[i for i, _ in rows]] = True
        if excluded.all():
            raise table.error("leaves no image")
        count = counted_word(int(excluded.sum()), "image", "images")
        self._notes.append(f"{table.name}: {count} left out")
        return excluded

    def _with_table(
        self, table: Table, by_name: _ByName, wanted: NDArray[np.bool_]
    ) -> tuple[list[File], dict[str, list[str]], NDArray[np.bool_]]:
        """The files, the further columns, and whether each file has a class and a split, where
        these are columns."""
        at = table.position_of_files(*_FILE)
        of_file: dict[int, Row] = {}
        for i, row in self._matched(table, at, by_name):
            if i in of_file:
                name, line = by_name.files[i].name, of_file[i].line
                raise table.error(f"{name!r} is in line {line} already", row.line)
            of_file[i] = row
        if not of_file:
            first = table.rows[0]
            raise table.error(
                f"none of its files is an image in {self.root!r}, where there is "
                f"{by_name.files[0].name!r}; the first is {first.cells[at]!r}"
            )
        class_at, split_at = table.position(*_CLASS), table.position(*_SPLIT)
        classes_at = table.position(COLUMN)
        files, has_values = list(by_name.files), np.zeros(len(by_name.files), dtype=np.bool_)
        for i, row in of_file.items():
            files[i] = _with_row(table, files[i], row, class_at, split_at)
            if classes_at is not None:
                files[i] = replace(files[i], classes=classes_in(row.cells[classes_at]))
            has_values[i] = class_at is None or files[i].class_name is not None
        files = self._one_spelling(files) if class_at is not None else files
        if classes_at is not None:
            files, notes = with_one_spelling(files)
            self._notes += notes
            if not any(files[i].classes for i in of_file):
                raise table.error(f"its column {table.columns[classes_at]!r} names no class")
        used = any(at is not None for at in (class_at, classes_at, split_at))
        has_row = np.isin(np.arange(len(files)), list(of_file))
        without = {"row": wanted & ~has_row, "class": wanted & has_row & ~has_values}
        for what, which in without.items():
            self._say_without(table, what, [files[i] for i in np.flatnonzero(which)], used)
        if not has_values[wanted].any():
            lacking = "class" if (wanted & has_row).any() else "row"
            raise table.error(f"no image has a {lacking}")
        others = {at, class_at, classes_at, split_at}
        columns = self._further_columns(table, of_file, others, len(files))
        return files, columns, has_values if used else np.ones_like(has_values)

    def _matched(self, table: Table, at: int, by_name: _ByName) -> list[tuple[int, Row]]:
        """The file and the row for each row that names one; says which rows do not."""
        rows, lost = [], []
        for row in table.rows:
            found = by_name.find(row.cells[at])
            if len({by_name.files[i].path for i in found}) > 1:
                names = listed([repr(by_name.files[i].name) for i in found], 3)
                raise table.error(f"{row.cells[at]!r} may be {names}; write its path", row.line)
            rows += [(i, row) for i in found]  # several pages of one file
            if not found:
                lost.append(f"{escaped(row.cells[at])!r} (line {row.line})")
        if lost:
            count = counted_word(len(lost), "row names", "rows name")
            self._say(table, f"{count} no image of the folder: {listed(lost)}")
        return rows

    def _say_without(self, table: Table, what: str, files: Sequence[File], left_out: bool) -> None:
        """Say which images have no row, or no class in it."""
        if files:
            count = counted_word(len(files), "image has", "images have")
            then = (" and is left out" if len(files) == 1 else " and are left out") * left_out
            names = listed([repr(file.name) for file in files])
            self._say(table, f"{count} no {what}{then}: {names}")

    def _say(self, table: Table, note: str) -> None:
        """Note what does not fit, or refuse it."""
        if self.strict:
            raise table.error(f"{note}; dataset.strict=false goes on")
        self._notes.append(f"{table.name}: {note}")

    def _one_spelling(self, files: list[File]) -> list[File]:
        names = [file.class_name for file in files if file.class_name is not None]
        spelled, notes = one_spelling(names)
        self._notes += notes
        return [
            replace(file, class_name=None if file.class_name is None else spelled[file.class_name])
            for file in files
        ]

    def _further_columns(
        self, table: Table, of_file: dict[int, Row], others: set[int | None], n: int
    ) -> dict[str, list[str]]:
        """The cells of each of n files, by column."""
        columns = {}
        for position, name in enumerate(table.columns):
            if position in others:
                continue
            cells = [of_file[i].cells[position] if i in of_file else "" for i in range(n)]
            if not name and any(cells):
                self._notes.append(f"{table.name}: column {position + 1} has no name: left out")
            elif max(map(len, cells)) > _MAX_TEXT:
                self._notes.append(
                    f"{table.name}: the column {name!r} has texts of more than {_MAX_TEXT:,} "
                    "characters: left out"
                )
            elif name:
                columns[self._column_name(table, name)] = cells
        return columns

    def _column_name(self, table: Table, name: str) -> str:
        """The name of a further column: its own, if no other array or column has it."""
        is_place = name[:1] == "z" and name[1:].isdigit()
        if name.casefold() not in _TAKEN and not name.endswith("_names") and not is_place:
            return name
        self._notes.append(f"{table.name}: the column {name!r} is called {name}_column here")
        return f"{name}_column"

    def values(
        self, joined: Joined, index: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64] | LabelSet]:
        """The further columns of the files at `index`, as numbers or categories."""
        comma = self._table is not None and self._table.has_comma_numbers
        return {
            name: column_values([cells[i] for i in index], comma)
            for name, cells in joined.columns.items()
        }


def excluded_names(root: str, exclude: str) -> list[str]:
    """The names in a list that is given as `dataset.exclude`. Raises InputError as `Tables`."""
    table = _read("exclude", root, exclude)
    assert table is not None
    at = table.position_of_files(*_IN_EXCLUDED)
    return [row.cells[at] for row in table.rows]


def _read(key: str, root: str, given: str | None) -> Table | None:
    """The table that an option gives, here or in the folder of images."""
    if given is None:
        return None
    return read_table(table_path(root, given) or expanded(given), f"dataset.{key}={given!r}")


def _inside(root: str, given: str) -> str:
    """The path of a table relative to the folder of images."""
    file = os.path.realpath(table_path(root, given) or expanded(given))
    return os.path.relpath(file, os.path.realpath(expanded(root)))


class _ByName:
    """Finds image files by what tables call them."""

    def __init__(self, root: str, files: Sequence[File]):
        self.files = files
        self.root = composed(os.path.abspath(expanded(root)))  # noqa: PTH100
        self.paths: dict[str, list[int]] = {}
        self.bare: dict[str, list[int]] = {}
        for i, file in enumerate(files):
            for path in {composed(file.name), composed(printable(file.path))}:
                self.paths.setdefault(path, []).append(i)
                self.bare.setdefault(path.rpartition("/")[2], []).append(i)

    def find(self, text: str) -> list[int]:
        """The files that a path below the root, a path to the file, or a name alone may mean."""
        for name in self._names(composed(text)):
            if name in self.paths:
                return self.paths[name]
        return self.bare.get(composed(text), [])

    def _names(self, text: str) -> Iterable[str]:
        yield text
        if text[:1] == "'" and text[1:2] in FORMULA:  # as files.csv_file writes it
            yield text[1:]
        path = posixpath.normpath(text.replace("\\", "/"))
        yield path
        whole = os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111
        if whole.startswith(f"{self.root}/"):
            yield whole.removeprefix(f"{self.root}/")


def _with_row(
    table: Table, file: File, row: Row, class_at: int | None, split_at: int | None
) -> File:
    """The file with the class and split that its row says."""
    if class_at is not None:
        file = replace(file, class_name=row.cells[class_at] or None)
    if split_at is not None:
        side = side_of(row.cells[split_at])
        if side not in ("train", "test"):
            raise table.error(
                f"{table.columns[split_at]}={row.cells[split_at]!r}: must be train or test",
                row.line,
            )
        file = replace(file, is_test=side == "test")
    return file
