"""Pairs by augmentation: two views of one image are similar."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dimred.pairing.pairs import PositivePairs
from dimred.pairing.protocol import ALL, StepBatch


class TwoViews:
    """Similar: two augmented views of one image. Dissimilar: the views of different images.

    The pairs of SimCLR (Chen et al. 2020) and t-SimCNE (Boehm, Berens, Kobak 2022).

    anchors: int64 (n,), positions of the images to learn from.
    augment: function of images, uint8 (n, C, height, width), a generator and a slice, which returns
        that slice of the augmented images, float32. It must draw parameters for each image, since
        both views of a batch are made in one call.
    """

    def __init__(
        self, anchors: Tensor, augment: Callable[[Tensor, torch.Generator, slice], Tensor]
    ):
        self.anchors = anchors
        self.same_size = True
        self.augment = augment

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        """The anchors themselves; rows i and i + b of the views are similar."""
        count = len(anchors)
        partner = torch.arange(2 * count, device=anchors.device).roll(count)
        return StepBatch(anchors, 2 * count, PositivePairs(partner))

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """uint8 (b, C, height, width) -> float32 (2b, C, height, width); rows i and i + b are
        views of image i. part: which rows to return."""
        return self.augment(torch.cat((images, images)), generator, part)
