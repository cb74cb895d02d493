"""A paper's table by its name, and the protocols of its rows as published."""

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

# Of summary.json, what is no measure's.
_NO_MEASURES = ("dataset", "eval", "stages", "measures")


def comparison(name: str, records: Sequence[RunRecord], measures: Sequence[str] = ()) -> Comparison:
    """The table of this name, one of NAMES.

    measures: names of numbers that the runs have besides, such as silhouette_h, for columns of
        their own.
    Raises InputError for a number that no run has, and for columns in the table of baselines.
    """
    if name == "baselines":
        if measures:
            raise InputError("--measures: the table of baselines has no further columns")
        return compare_baselines(records)
    further = tuple(_column(measure, records) for measure in measures)
    table = TABLES[name]
    table = replace(table, columns=(*table.columns, *further))
    return compare(name, table, records, protocols(name))


def _column(measure: str, records: Sequence[RunRecord]) -> Column:
    """A column of a number, wherever summary.json has it."""
    known: dict[str, str] = {}
    for record in records:
        for place, values in record.summary.items():
            if isinstance(values, dict) and place not in _NO_MEASURES:
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
    """By the keys of the rows of a table of TABLES the values of their experiments as published,
    by dotted key."""
    table, found = TABLES[name], {}
    for row in table.rows:
        config = composed(table.command(row, "full"))
        measured = {f"eval.{key}": value for key, value in eval_values(config).items()}
        found[row.key] = {**identity_fields(config), **measured}
    return found
