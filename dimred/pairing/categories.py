"""Categories of pairs of images, by neighborhood, class or viewpoint.

The category of a pair is an int; 0 means an image with itself.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SAME = 0


class PairCategories(Protocol):
    """The categories of all pairs of n images.

    n: number of images.
    co_sampled: int64 (n, k), the co-sampled neighbors of each image: the images that a batch also
        includes when the image is an anchor. Rows with fewer than k are padded with -1; k may be 0,
        and repeats count once.
    """

    n: int
    co_sampled: Tensor

    def category(self, left: Tensor, right: Tensor) -> Tensor:
        """The categories, int64, of pairs of images, int64 tensors that broadcast. Symmetric; 0 if
        and only if both images are the same."""
        ...

    def counts(self) -> list[int]:
        """Number of unordered pairs in each category; for category 0, the number of images."""
        ...

    def draw(self, category: int, count: int, generator: torch.Generator) -> Tensor:
        """Random pairs of a category, int64 (count, 2), each unordered pair equally likely. The
        category must not be 0 and must have pairs."""
        ...

    def to(self, device: torch.device) -> Self:
        """A copy with its tensors on a device."""
        ...


def distinct(neighbors: Tensor) -> Tensor:
    """Neighbors of each image, int64 (n, k), with -1 in place of repeats and of the image itself.

    Raises ValueError for numbers other than -1 to n - 1.
    """
    n, k = neighbors.shape
    if k and not -1 <= int(neighbors.min()) <= int(neighbors.max()) < n:
        raise ValueError(f"neighbors: must be from 0 to {n - 1}, or -1 for none")
    ordered, places = neighbors.sort(dim=1, stable=True)
    again = torch.zeros_like(ordered, dtype=torch.bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    repeats = torch.zeros_like(again).scatter_(1, places, again)
    itself = neighbors == torch.arange(n, device=neighbors.device)[:, None]
    return neighbors.masked_fill(repeats | itself, -1)


class _RejectionSampled:
    """Draws pairs of a category by rejection sampling."""

    n: int
    co_sampled: Tensor

    def category(self, left: Tensor, right: Tensor) -> Tensor:
        raise NotImplementedError

    def draw(self, category: int, count: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        accepted: list[Tensor] = []
        missing = count
        while missing > 0:
            pairs = torch.randint(self.n, (4 * count + 64, 2), generator=generator, device=device)
            fitting = pairs[self.category(pairs[:, 0], pairs[:, 1]) == category][:missing]
            accepted.append(fitting)
            missing -= len(fitting)
        return torch.cat(accepted)

    def to(self, device: torch.device) -> Self:
        moved = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved


class Neighbors(_RejectionSampled):
    """Categories: 1 where one image is among the neighbors of the other, 2 for all other pairs.

    graph: int64 (n, k), the neighbors of each image, which are co-sampled with it; padded with -1
        where an image has fewer than k. Raises ValueError for numbers other than -1 to n - 1.
    """

    NEIGHBOR, OTHER = 1, 2

    def __init__(self, graph: NDArray[np.int64]):
        self.n = len(graph)
        self.co_sampled = distinct(torch.from_numpy(graph))
        neighbors = self.co_sampled.numpy()
        images, places = np.nonzero(neighbors >= 0)
        edges = np.stack([images, neighbors[images, places]], axis=1)
        self.edges = torch.from_numpy(np.unique(np.sort(edges, axis=1), axis=0))

    @classmethod
    def from_pairs(cls, pairs: NDArray[np.int64], n: int) -> Self:
        """Neighbors from a list of pairs; an image can have any number of them.

        pairs: int64 (m, 2), numbers of images, in any order; repeats count once.
        n: number of images.
        Raises ValueError for numbers other than 0 to n - 1.
        """
        if pairs.size and not 0 <= pairs.min() <= pairs.max() < n:
            raise ValueError(f"pairs: must be of images from 0 to {n - 1}")
        both_ways = np.unique(np.concatenate((pairs, pairs[:, ::-1])), axis=0)
        images, others = both_ways[both_ways[:, 0] != both_ways[:, 1]].T
        counts = np.bincount(images, minlength=n)
        graph = np.full((n, counts.max(initial=0)), -1, dtype=np.int64)
        graph[images, np.arange(len(images)) - (counts.cumsum() - counts)[images]] = others
        return cls(graph)

    def category(self, left: Tensor, right: Tensor) -> Tensor:
        near = (self.co_sampled[left] == right[..., None]).any(-1)
        near |= (self.co_sampled[right] == left[..., None]).any(-1)
        return torch.where(left == right, SAME, torch.where(near, self.NEIGHBOR, self.OTHER))

    def counts(self) -> list[int]:
        return [self.n, len(self.edges), self.n * (self.n - 1) // 2 - len(self.edges)]

    def draw(self, category: int, count: int, generator: torch.Generator) -> Tensor:
        if category != self.NEIGHBOR:
            return super().draw(category, count, generator)
        device = generator.device
        return self.edges[
            torch.randint(len(self.edges), (count,), generator=generator, device=device)
        ]


class Classes(_RejectionSampled):
    """Categories: 1 for pairs of the same class, 2 for pairs of different classes.

    classes: int64 (n,).
    """

    def __init__(self, classes: NDArray[np.int64]):
        self.n = len(classes)
        self.co_sampled = torch.empty(self.n, 0, dtype=torch.int64)
        self.classes = torch.from_numpy(classes)

    def category(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.where(
            left == right, SAME, torch.where(self.classes[left] == self.classes[right], 1, 2)
        )

    def counts(self) -> list[int]:
        sizes = self.classes.bincount()
        same = int((sizes * (sizes - 1) // 2).sum())
        return [self.n, same, self.n * (self.n - 1) // 2 - same]


class Viewpoints(_RejectionSampled):
    """Categories: 1 for pairs near in azimuth and elevation, 2 in azimuth only, 3 in elevation
    only, 4 in neither.

    Near means at the same angle or at the next one that occurs among the images. Azimuths are
    cyclic, elevations are not. All else, such as the lighting, is ignored.

    azimuth, elevation: (n,), in any unit.
    """

    def __init__(self, azimuth: NDArray[np.float64], elevation: NDArray[np.float64]):
        self.n = len(azimuth)
        self.co_sampled = torch.empty(self.n, 0, dtype=torch.int64)
        self.azimuth, self.elevation = (
            torch.from_numpy(np.unique(angles, return_inverse=True)[1])
            for angles in (azimuth, elevation)
        )
        self.n_azimuths = int(self.azimuth.max()) + 1
        self.n_elevations = int(self.elevation.max()) + 1

    def category(self, left: Tensor, right: Tensor) -> Tensor:
        category = self._category_of_angles(
            self.azimuth[left], self.elevation[left], self.azimuth[right], self.elevation[right]
        )
        return torch.where(left == right, SAME, category)

    def _category_of_angles(self, azimuth: Tensor, elevation: Tensor, *other: Tensor) -> Tensor:
        turn = (azimuth - other[0]).remainder(self.n_azimuths)
        turned = torch.minimum(turn, self.n_azimuths - turn) > 1
        raised = (elevation - other[1]).abs() > 1
        return 1 + raised.to(torch.int64) + 2 * turned.to(torch.int64)

    def counts(self) -> list[int]:
        cells, sizes = torch.unique(
            self.azimuth * self.n_elevations + self.elevation, return_counts=True
        )
        azimuth, elevation = cells // self.n_elevations, cells % self.n_elevations
        categories = self._category_of_angles(
            azimuth[:, None], elevation[:, None], azimuth, elevation
        )
        ordered = sizes[:, None] * sizes - torch.diag(sizes)
        totals = torch.zeros(5, dtype=torch.int64, device=sizes.device)
        totals.index_add_(0, categories.flatten(), ordered.flatten())
        return [self.n, *(totals[1:] // 2).tolist()]
