"""A paper's table by its name, and the protocols of its rows as published."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from dimred.config import eval_values, identity_fields
from dimred.config.compose import composed
from dimred.run_folder.record import RunRecord
from dimred.tables import TABLES, Comparison, compare, compare_baselines


def comparison(name: str, records: Sequence[RunRecord]) -> Comparison:
    """The table of this name, one of NAMES."""
    if name == "baselines":
        return compare_baselines(records)
    return compare(name, TABLES[name], records, protocols(name))


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
