"""Options of canvases: digits with known boxes on larger images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Self

from dimred.data.options import DatasetOptions
from dimred.files import expanded
from dimred.options.option import option
from dimred.options.registry import register

if TYPE_CHECKING:
    from dimred.data.image_set import ImageSet


class DigitSource(Enum):
    """Whose digits are pasted."""

    digits = "digits"
    mnist = "mnist"


@register("dataset", "canvases")
@dataclass
class Canvases(DatasetOptions):
    """Handwritten digits at random places of larger images among clutter: known to the training is
    only which digits are there, to the measures also where (true boxes). Made on first use."""

    source: DigitSource = option(
        DigitSource.digits,
        "digits = scikit-learn's of 8x8 pixels, which ship with it; mnist = MNIST's of 28x28 from "
        "dataset.root. Test canvases show test digits only.",
    )
    root: str | None = option(
        "data",
        "Folder that keeps the canvases that are made, and that holds MNIST's files; null = they "
        "are made each time.",
        changes_result=False,
        is_path=True,
    )
    download: bool = option(
        False,
        "With dataset.source=mnist: fetch its files into dataset.root when they are missing.",
        changes_result=False,
    )
    n_train: int = option(3000, "Number of training canvases.", at_least=1, at_most=10**6)
    n_test: int = option(1000, "Number of test canvases.", at_least=0, at_most=10**6)
    size: int | None = option(
        None,
        "Side of a canvas in pixels; null = 64 for MNIST's digits and 24 for scikit-learn's.",
        at_least=8,
        at_most=1024,
    )
    counts: list[int] = option(
        [0, 2],
        "Smallest and largest number of digits on a canvas, all numbers equally often; no two "
        "overlap.",
        at_least=0,
        at_most=100,
    )
    digit_sizes: list[float] = option(
        [1.0, 1.0],
        "Smallest and largest size of a digit, as factors of its own, drawn for each.",
        at_least=0.25,
        at_most=16,
    )
    clutter: int = option(
        8,
        "Number of square pieces of other digits on a canvas: 8x8 pixels of MNIST's, 3x3 of "
        "scikit-learn's.",
        at_least=0,
        at_most=1000,
    )
    canvas_seed: int = option(
        0,
        "Seed of the canvases, which are the same in runs of every seed.",
        at_least=0,
        at_most=2**31 - 1,
    )

    _keeps = True  # not an option

    def check_place(self) -> None:
        from dimred.errors import InputError

        if self.source is DigitSource.digits:
            return
        if self.root is None:
            raise InputError(
                "dataset.root=null: dataset.source=mnist needs the folder that holds MNIST; set "
                "dataset.root=FOLDER"
            )
        if not self.download and not expanded(self.root).is_dir():
            raise InputError(
                f"dataset.root={self.root!r}: no such folder; set dataset.download=true to fetch "
                "MNIST into it, or dataset.root=FOLDER to the folder that holds it"
            )

    def read(self, seed: int) -> ImageSet:
        from dimred.data.canvases import Plan, load_canvases
        from dimred.errors import InputError

        for key in ("counts", "digit_sizes"):
            values = getattr(self, key)
            if len(values) != 2 or values[0] > values[1]:
                raise InputError(f"dataset.{key}={values}: must be two numbers, the smaller first")
        self.check_place()
        plan = Plan(
            self.source.value,
            (self.n_train, self.n_test),
            self.size or (64 if self.source is DigitSource.mnist else 24),
            (self.counts[0], self.counts[1]),
            (self.digit_sizes[0], self.digit_sizes[1]),
            self.clutter,
            self.canvas_seed,
        )
        return load_canvases(plan, self.root, self.download, self.cache if self._keeps else None)

    def read_only(self) -> Self:
        other = replace(self, download=False)
        other._keeps = False
        return other
