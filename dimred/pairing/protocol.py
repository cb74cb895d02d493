"""What every pairing is, and what it makes of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

ALL = slice(None)


@dataclass(frozen=True)
class StepBatch:
    """What one training step uses. A sample is an image in one of its transformations.

    samples: int64 (m,), positions of the samples whose pixels are needed.
    rows: how many network inputs `Pairing.views` makes of them, a multiple r * m: row i shows
        sample i % m. So the loss of each row is that of a known sample.
    pairs: the pairs among these rows, or targets for them, as the loss requires: `PositivePairs`,
        `LabeledPairs` or `Targets`.
    """

    samples: Tensor
    rows: int
    pairs: Any


class Pairing(Protocol):
    """Decides what goes through the network in a step and who is similar to whom.

    Random numbers come from the generators it is given, and nowhere else: the same state of a
    generator gives the same batch, in a resumed run too. `check_pairing` tries one out.

    anchors: int64 (n,), what an epoch passes over once; each step is given a batch of them, so that
        there must be at least as many as `schedule.batch_size`.
    same_size: whether all batches of as many anchors make as many rows, which lets more be
        compiled.
    """

    anchors: Tensor
    same_size: bool

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        """The samples of a step and the pairs among them.

        anchors: int64 (b,), a random part of `anchors`, each once, on the training device, where
            the result is, too; generator: there.
        """
        ...

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """Network inputs, float32 (rows, C, height, width) in [0, 1].

        images: uint8 (m, C, height, width), the selected samples in their order; not changed.
        part: of the rows, where several processes share a step; the same values as those rows have
            among all of them.
        """
        ...
