"""What a table of a paper is: rows, columns, published values, and the runs that make it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

SEEDS = (0, 1, 2)
BUDGETS = ("full", "short", "smoke")


@dataclass(frozen=True)
class Value:
    """A mean of `count` runs with their standard deviation, nan where it is unknown."""

    mean: float
    deviation: float = nan
    count: int = 0


@dataclass(frozen=True)
class Column:
    """What is measured.

    path: where summary.json has it, such as "final.loss". scale: factor to the unit of the head.
    digits: decimals shown. comparable: whether a difference from the published value means
        anything, which it does not for times on other machines; same: keys that must have the
        published values for that, such as the batch size of a loss with as many negatives.
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

    experiment: its conf/experiment, which is the name of its runs.
    published: by column.
    small: words that stand in for `experiment=...` in smaller budgets, on embedded data.
    annealed: whether it has a stage `finetune`.
    remark: what its experiment does otherwise than was published.
    brief: the same in a few words by column, for all columns under "".
    """

    key: str
    label: str
    experiment: str
    published: dict[str, Value] = field(default_factory=dict)
    small: tuple[str, ...] = ()
    annealed: bool = False
    remark: str = ""
    brief: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """The names of the runs that belong here."""
        small = dict(word.split("=", 1) for word in self.small)
        return {self.experiment, small.get("name", small.get("experiment", self.experiment))}


@dataclass(frozen=True)
class Table:
    """A table of a paper. words: what each budget sets; annealed_words: in annealed rows too."""

    title: str
    source: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    words: dict[str, tuple[str, ...]]
    annealed_words: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def command(self, row: Row, budget: str) -> list[str]:
        """The words of `dimred train` that make a row, without seeds."""
        own = (f"experiment={row.experiment}",)
        return [
            *(own if budget == "full" or not row.small else row.small),
            *(() if budget == "full" else (f"budget={budget}",)),
            *self.words.get(budget, ()),
            *(self.annealed_words.get(budget, ()) if row.annealed else ()),
        ]


def printed(text: str) -> Value:
    """A published value, such as "91.0 +- 0.2", of three runs where it has a deviation."""
    mean, _, deviation = text.partition(" +- ")
    return Value(float(mean), float(deviation) if deviation else nan, 3 if deviation else 1)
