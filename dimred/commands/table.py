"""The command `dimred table`: a paper's table from the run folders."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from dimred.commands.messages import Parser, reporting
from dimred.commands.train import composed
from dimred.config import decisive_values, eval_values
from dimred.errors import InputError
from dimred.files import expanded, write_atomically
from dimred.run_folder.record import RunRecord, read_records
from dimred.tables import (
    BUDGETS,
    FORMATS,
    NAMES,
    TABLES,
    Comparison,
    compare,
    compare_baselines,
)


def show_table(words: list[str]) -> int:
    """Print what the words of `dimred table` say; returns the exit code."""
    return reporting(lambda: _show(words))


def _show(words: list[str]) -> int:
    parser = Parser(
        "dimred table NAME [--outputs FOLDER] [--budget full|short|smoke] "
        "[--format text|markdown|latex|csv] [--out FILE]"
    )
    parser.add_argument("name")
    parser.add_argument("--outputs")
    parser.add_argument("--format", default="text")
    parser.add_argument("--budget")
    parser.add_argument("--out")
    given = parser.parse_args(words)
    if given.name not in NAMES:
        raise InputError(f"{given.name}: no such table; the tables are {', '.join(NAMES)}")
    if given.format not in FORMATS:
        raise InputError(f"--format {given.format}: must be one of {', '.join(FORMATS)}")
    place = expanded(given.outputs or "outputs")
    nothing_yet = given.outputs is None and not place.exists()
    records, damaged = ([], []) if nothing_yet else read_records(place)
    if given.budget is not None:
        if given.budget not in BUDGETS:
            raise InputError(f"--budget {given.budget}: must be one of {', '.join(BUDGETS)}")
        records = [record for record in records if (record.budget or "full") == given.budget]
    for line in damaged:
        print(f"dimred: left out: {line}", file=sys.stderr)
    text = FORMATS[given.format](comparison(given.name, records)) + "\n"
    if given.out:
        write_atomically(expanded(given.out), text.encode())
        print(given.out)
    else:
        print(text, end="")
    return 0


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
        found[row.key] = {**decisive_values(config), **measured}
    return found
