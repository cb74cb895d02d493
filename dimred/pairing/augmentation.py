"""Pairs made by augmentation: two views of one image are similar."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dimred.pairing.pairs import Partners


class TwoViews:
    """Similar: two augmented views of one image. Dissimilar: the views of different images.

    The pairs of SimCLR (Chen et al. 2020) and t-SimCNE (Boehm, Berens, Kobak 2022).

    augment: uint8 (n, C, height, width) and a generator -> float32 of the same shape; must draw
        parameters for each image, since both views of a batch go through one call.
    """

    def __init__(self, augment: Callable[[Tensor, torch.Generator], Tensor]):
        self.augment = augment

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Tensor, Partners]:
        """uint8 (b, C, height, width), generator on their device -> views, and who is similar.

        Views are float32 (2b, C, height, width); rows i and i + b are views of image i.
        """
        count = len(images)
        views = self.augment(torch.cat((images, images)), generator)
        partner = torch.arange(2 * count, device=images.device).roll(count)
        return views, Partners(partner)
