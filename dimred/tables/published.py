"""A table of a paper: rows, columns, published values, and the commands that reproduce it."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

SEEDS = (0, 1, 2)
BUDGETS = ("full", "short", "smoke")


@dataclass(frozen=True)
class Value:
    """A mean over `count` runs and their standard deviation, nan if unknown."""

    mean: float
    deviation: float = nan
    count: int = 0


@dataclass(frozen=True)
class Column:
    """A measured quantity.

    path: its place in summary.json, such as "final.loss".
    scale: factor to the unit in `head`.
    digits: decimals shown.
    comparable: whether differences from published values are meaningful; those of times are not.
    same: keys that must have the published values for a comparison, such as the batch size, which
        affects losses with in-batch negatives.
    """

    key: str
    head: str
    path: str
    scale: float = 1.0
    digits: int = 1
    comparable: bool = True
    same: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One model of a table.

    experiment: its file in conf/experiment, and the name of its runs.
    words: further overrides in every budget, such as another loss; with a name of their own.
    published: values by column.
    small: overrides that replace `experiment=...` in smaller budgets, on embedded data.
    annealed: whether it has a stage `finetune`.
    remark: differences of its experiment from the published one.
    brief: a shorter remark by column; under "" for all columns.
    space: the embedding that it is about: "z", or another one that runs of `experiment` measure
        too, such as "pixels", whose numbers are the same in all of them.
    """

    key: str
    label: str
    experiment: str
    published: dict[str, Value] = field(default_factory=dict)
    small: tuple[str, ...] = ()
    annealed: bool = False
    remark: str = ""
    brief: dict[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    space: str = "z"

    @property
    def names(self) -> set[str]:
        """The names of the runs that belong here."""
        words, small = (
            dict(override.split("=", 1) for override in part) for part in (self.words, self.small)
        )
        name = words.get("name", self.experiment)
        return {name, small.get("name", small.get("experiment", name))}


@dataclass(frozen=True)
class Table:
    """A table of a paper.

    overrides: by budget. annealed_overrides: further ones for annealed rows, by budget.
    """

    title: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    overrides: dict[str, tuple[str, ...]]
    annealed_overrides: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def command(self, row: Row, budget: str) -> list[str]:
        """The arguments of `dimred train` that make a row, without seeds."""
        published = (f"experiment={row.experiment}",)
        return [
            *(published if budget == "full" or not row.small else row.small),
            *row.words,
            *(() if budget == "full" else (f"budget={budget}",)),
            *self.overrides.get(budget, ()),
            *(self.annealed_overrides.get(budget, ()) if row.annealed else ()),
        ]


def printed(text: str) -> Value:
    """A published value, such as "91.0 +- 0.2"; with a deviation it is a mean of three runs."""
    mean, _, deviation = text.partition(" +- ")
    return Value(float(mean), float(deviation) if deviation else nan, 3 if deviation else 1)
