"""A paper's table by name, and the published protocols of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from dimred.config import eval_values, identity_fields
from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.run_folder.record import RunRecord
from dimred.tables import (
    TABLES,
    Column,
    Comparison,
    Table,
    compare,
    compare_baselines,
    compare_transfer,
)

# Parts of summary.json that are not results of a measure.
_NOT_MEASURES = ("dataset", "eval", "stages", "measures")


def comparison(name: str, records: Sequence[RunRecord], measures: Sequence[str] = ()) -> Comparison:
    """The table of this name, one of NAMES.

    measures: names of other numbers of the runs, such as silhouette_h, to add as columns.
    Raises InputError for a number that no run has, and for measures in the tables of baselines and
    of transfer.
    """
    made_of_records = {"baselines": compare_baselines, "transfer": compare_transfer}
    if name in made_of_records:
        if measures:
            raise InputError(f"--measures: the table of {name} has no further columns")
        return made_of_records[name](records)
    extra = tuple(_column(measure, records) for measure in measures)
    table = TABLES[name]
    table = replace(table, columns=(*table.columns, *extra))
    return compare(name, table, records, protocols(name))


def _column(measure: str, records: Sequence[RunRecord]) -> Column:
    """A column for a number, by its name alone, which is searched in all parts of summary.json."""
    known: dict[str, str] = {}
    for record in records:
        for place, values in record.summary.items():
            if isinstance(values, dict) and place not in _NOT_MEASURES:
                numbers = (key for key, value in values.items() if type(value) is float)
                known |= {key: f"{place}.{key}" for key in numbers if "." not in key}
    if measure not in known:
        raise InputError(
            f"--measures {measure}: the runs have no such number; they have "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    return Column(measure, measure, known[measure], digits=3, comparable=False)


@cache
def protocols(name: str) -> Mapping[str, dict[str, Any]]:
    """The published protocols of a table of TABLES: by row key, the values of the row's experiment
    by dotted key. A row is composed when it is asked for, which takes a tenth of a second."""
    return _Protocols(TABLES[name])


class _Protocols(Mapping[str, dict[str, Any]]):
    def __init__(self, table: Table):
        self._table = table
        self._rows = {row.key: row for row in table.rows}
        self._values: dict[str, dict[str, Any]] = {}

    def __getitem__(self, key: str) -> dict[str, Any]:
        if key not in self._values:
            config = composed(self._table.command(self._rows[key], "full"))
            measured = {f"eval.{name}": value for name, value in eval_values(config).items()}
            self._values[key] = {**identity_fields(config), **measured}
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
