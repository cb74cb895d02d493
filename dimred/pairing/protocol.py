"""The contract of pairings, and the batch that one selects for a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

ALL = slice(None)


@dataclass(frozen=True)
class StepBatch:
    """The input of one training step. A sample is one variant of an image: the image itself or a
    transformation of it.

    samples: int64 (m,), positions of the samples whose pixels are needed.
    rows: number of network inputs that `Pairing.views` makes of them, a multiple of m: row i shows
        sample i % m, so that the loss of a row can be attributed to its sample.
    pairs: the pairs among these rows, or targets for them, as the loss requires: `PositivePairs`,
        `LabeledPairs`, `ClassPairs` or `Targets`.
    """

    samples: Tensor
    rows: int
    pairs: Any


class Pairing(Protocol):
    """Selects the network inputs of each step and the pairs among them.

    All random numbers must come from the generators passed in, so that the same generator state
    gives the same batch, in a resumed run too. `check_pairing` checks parts of this contract.

    anchors: int64 (n,), what an epoch passes over once, in batches of `schedule.batch_size`; n must
        be at least that.
    same_size: whether batches with equally many anchors always have equally many rows, as large as
        the images, which lets more be compiled.

    A pairing may also have `n_classes`, the number of classes that rows can be of, for losses that
    learn something of each; and `covering(size, generator)`, batches like those of `size` anchors
    that together have every sample, if those of `select` need not have the anchors that they are
    given. The losses of the samples are of these.
    """

    anchors: Tensor
    same_size: bool

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        """The samples of a step and the pairs among them.

        anchors: int64 (b,), a random part of `anchors` without repeats. These, the generator and
            the result are on the training device.
        """
        ...

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """Network inputs, float32 (rows, C, height, width) in [0, 1]; with `same_size`, as large as
        the images.

        images: uint8 (m, C, height, width), the selected samples in their order; not changed.
        part: which rows to return, where several processes share a step. They must equal those rows
            of the full result.
        """
        ...
