"""Hiding a part of an image below a square of one color (Zeiler and Fergus 2014, section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.models.positions import highest

SHARE = 0.25
"""Side of a square, as a share of the shorter side of the image."""


@dataclass(frozen=True)
class Squares:
    """Squares of `side` pixels that together cover an image, each half over the next.

    tops, lefts: the first pixel of each row and column of squares.
    """

    side: int
    tops: tuple[int, ...]
    lefts: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of squares."""
        return len(self.tops), len(self.lefts)

    @property
    def y(self) -> tuple[float, ...]:
        """The center of each row of squares, in pixels from the upper edge of the image."""
        return tuple(top + self.side / 2 for top in self.tops)

    @property
    def x(self) -> tuple[float, ...]:
        """The center of each column of squares, in pixels from the left edge of the image."""
        return tuple(left + self.side / 2 for left in self.lefts)

    def hide(self, images: Tensor, color: Tensor) -> Iterator[Tensor]:
        """The images (b, C, height, width) below each square, row by row.

        color: of the squares, one value for each channel, (C, 1, 1).
        """
        for top in self.tops:
            for left in self.lefts:
                hidden = images.clone()
                hidden[..., top : top + self.side, left : left + self.side] = color
                yield hidden

    def changes(self, images: Tensor, color: Tensor) -> Tensor:
        """How much hiding each square changes the pixels of images: the Euclidean distance in
        pixels, (b, rows, columns). images, color: as of `hide`."""
        changed = [(hidden - images).flatten(1).norm(dim=1) for hidden in self.hide(images, color)]
        return torch.stack(changed, dim=1).reshape(len(images), *self.shape)

    def hottest(self, heat: NDArray[np.floating]) -> NDArray[np.float64]:
        """The center of the square of largest heat in each of n images, x and y in pixels:
        (n, rows, columns) -> (n, 2)."""
        return highest(heat, self.y, self.x)


def squares(size: tuple[int, int], share: float = SHARE) -> Squares:
    """Squares over an image of `size` (height, width), whose side is a share in (0, 1] of its
    shorter side: the first and the last at its edges, the others half a side apart or less."""
    side = min(max(round(min(size) * share), 1), min(size))
    tops, lefts = (_starts(length, side) for length in size)
    return Squares(side, tops, lefts)


def _starts(length: int, side: int) -> tuple[int, ...]:
    room, step = length - side, max(side // 2, 1)
    steps = max(-(-room // step), 1)
    return tuple(dict.fromkeys(round(i * room / steps) for i in range(steps + 1)))
