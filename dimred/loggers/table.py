"""The logger `csv`."""

from __future__ import annotations

from collections.abc import Mapping

from dimred.files import csv_file, replace_file
from dimred.loggers.options import LoggedRun, Row


class CsvLogger:
    """Writes a table with a line for each epoch, anew with each: rows have different columns."""

    def __init__(self, run: LoggedRun):
        self.file = run.folder / "metrics.csv"
        self.rows = [{"step": step, **row} for step, row in enumerate(run.rows, start=1)]
        if self.rows:
            self._write()

    def row(self, step: int, row: Row) -> None:
        """Write the table with one more line."""
        self.rows.append({"step": step, **row})
        self._write()

    def _write(self) -> None:
        columns = dict.fromkeys(key for row in self.rows for key in row)
        replace_file(self.file, csv_file(list(columns), self.rows))

    def finish(self, numbers: Mapping[str, float]) -> None:
        """Nothing: they are in the last line, and in summary.json."""

    def close(self) -> None:
        """Nothing: each line is written when it is known."""
