"""What an image shows, where it may show several things at once: classes, and boxes of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Presence:
    """Which of K classes each of N images shows: any number of them, or none.

    values: bool array (N, K). names: one for each class.
    """

    values: NDArray[np.bool_]
    names: tuple[str, ...]

    def take(self, positions: NDArray[np.int64]) -> Presence:
        """That of the images at `positions`."""
        return Presence(self.values[positions], self.names)


def are_inside(corners: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether each box, as in `Boxes.corners`, has an area and lies in an image of this height and
    width, (M,)."""
    height, width = size
    left, top, right, bottom = corners.T
    across = (left >= 0) & (left < right) & (right <= width)
    inside: NDArray[np.bool_] = across & (top >= 0) & (top < bottom) & (bottom <= height)
    return inside


@dataclass(frozen=True)
class Boxes:
    """Where the M objects of N images are.

    image: int64 array (M,), the position of each object's image.
    kind: int64 array (M,), its class, a position in the names of `Presence`.
    corners: float64 array (M, 4), left, top, right, bottom in pixels of the image as it is learned
        from; an object covers left <= x < right, top <= y < bottom, and pixel (0, 0) is the square
        from 0 to 1.
    """

    image: NDArray[np.int64]
    kind: NDArray[np.int64]
    corners: NDArray[np.float64]

    def take(self, positions: NDArray[np.int64]) -> Boxes:
        """Those of the images at `positions`, which are counted anew, in the order of the
        positions."""
        order = np.argsort(self.image, kind="stable")
        first = np.searchsorted(self.image[order], positions)
        last = np.searchsorted(self.image[order], positions, side="right")
        kept = [order[a:b] for a, b in zip(first, last, strict=True)]
        rows = np.concatenate([*kept, np.empty(0, np.int64)]).astype(np.int64)
        image = np.repeat(np.arange(len(positions)), last - first)
        return Boxes(image, self.kind[rows], self.corners[rows])
