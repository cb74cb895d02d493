"""Nested draws of labeled images: the same number of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class LabelDraws:
    """Draws of labeled images. A draw is an order of the images of each class; its k labels a class
    are the first k of that order, so that those of a smaller k are among those of a larger one.

    labels: classes (n,), of the images to draw from. seed: of all draws.
    """

    def __init__(self, labels: NDArray[np.int64], seed: int = 0):
        self.labels = labels
        self.seed = seed
        _, self.sizes = np.unique(labels, return_counts=True)

    @property
    def smallest(self) -> int:
        """Images of the smallest class."""
        return int(self.sizes.min())

    def rows(self, draw: int, count: int | None) -> NDArray[np.int64]:
        """The labeled images of a draw, ascending positions, int64.

        draw: its number, from 0; the same draw whatever others there are.
        count: images of each class; None for all images.
        Raises ValueError for a count of which a class has fewer.
        """
        if count is None:
            return np.arange(len(self.labels))
        if not 1 <= count <= self.smallest:
            raise ValueError(f"count = {count}: must be from 1 to {self.smallest}")
        order = np.random.default_rng([self.seed, draw]).permutation(len(self.labels))
        order = order[np.argsort(self.labels[order], kind="stable")]
        starts = np.cumsum(self.sizes) - self.sizes
        return np.sort(np.concatenate([order[start : start + count] for start in starts]))
