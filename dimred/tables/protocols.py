"""A paper's table by name, and the published protocols of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from dimred.config import eval_values, identity_fields
from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.run_folder.record import RunRecord
from dimred.tables import TABLES, Column, Comparison, compare, compare_baselines

# Parts of summary.json that are not results of a measure.
_NOT_MEASURES = ("dataset", "eval", "stages", "measures")


def comparison(name: str, records: Sequence[RunRecord], measures: Sequence[str] = ()) -> Comparison:
    """The table of this name, one of NAMES.

    measures: names of other numbers of the runs, such as silhouette_h, to add as columns.
    Raises InputError for a number that no run has, and for measures in the table of baselines.
    """
    if name == "baselines":
        if measures:
            raise InputError("--measures: the table of baselines has no further columns")
        return compare_baselines(records)
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
def protocols(name: str) -> dict[str, dict[str, Any]]:
    """The published protocols of a table of TABLES: by row key, the values of the row's experiment
    by dotted key."""
    table, values = TABLES[name], {}
    for row in table.rows:
        config = composed(table.command(row, "full"))
        measured = {f"eval.{key}": value for key, value in eval_values(config).items()}
        values[row.key] = {**identity_fields(config), **measured}
    return values
