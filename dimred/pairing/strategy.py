"""What every pairing strategy is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

ALL = slice(None)


@dataclass(frozen=True)
class Selection:
    """What one training step uses.

    items: int64 (m,), positions of the images whose pixels are needed.
    rows: how many network inputs `Pairing.views` makes of them.
    pairs: the pairs among these rows.
    """

    items: Tensor
    rows: int
    pairs: Any


class Pairing(Protocol):
    """Decides what goes through the network in a step and who is similar to whom.

    anchors: int64 (n,), what an epoch passes over once; each step is given a batch of them.
    same_size: whether all batches of as many anchors make as many rows.
    """

    anchors: Tensor
    same_size: bool

    def select(self, anchors: Tensor, generator: torch.Generator) -> Selection:
        """The images of a step and the pairs among them.

        anchors: int64 (b,), a random part of `anchors`, on the training device; generator: there.
        """
        ...

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """Network inputs, float32 (rows, C, height, width) in [0, 1].

        images: uint8 (m, C, height, width), the selected ones in their order.
        part: of the rows, where several processes share a step; the same as of all of them.
        """
        ...
