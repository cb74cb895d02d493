"""What two images are to one another: how near they are by neighbourhood, class or viewpoint.

Each says the kind of any pair of n images, as an int; kind 0 is an image with itself.
"""

from __future__ import annotations

from copy import copy
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SAME = 0


class ImageKinds(Protocol):
    """The kinds of all pairs of n images.

    n: number of images.
    companions: int64 (n, k), images that are drawn together with each; k may be 0.
    """

    n: int
    companions: Tensor

    def kind(self, left: Tensor, right: Tensor) -> Tensor:
        """The kinds, int64, of pairs of images, int64 tensors that broadcast."""
        ...

    def counts(self) -> list[int]:
        """Unordered pairs of each kind; of kind 0, the number of images."""
        ...

    def draw(self, kind: int, count: int, generator: torch.Generator) -> Tensor:
        """`count` random pairs of a kind that is not 0, int64 (count, 2), each equally likely."""
        ...

    def to(self, device: torch.device) -> Self:
        """The same with its tensors on a device."""
        ...


class _Drawn:
    """Draws pairs of a kind by trying random ones."""

    n: int
    companions: Tensor

    def kind(self, left: Tensor, right: Tensor) -> Tensor:
        raise NotImplementedError

    def draw(self, kind: int, count: int, generator: torch.Generator) -> Tensor:
        device = generator.device
        found: list[Tensor] = []
        left = count
        while left > 0:
            tried = torch.randint(self.n, (4 * count + 64, 2), generator=generator, device=device)
            fits = tried[self.kind(tried[:, 0], tried[:, 1]) == kind][:left]
            found.append(fits)
            left -= len(fits)
        return torch.cat(found)

    def to(self, device: torch.device) -> Self:
        moved = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(moved, name, value.to(device))
        return moved


class Neighbours(_Drawn):
    """Kinds: 1 one is among the nearest neighbours of the other, 2 all others.

    graph: int64 (n, k), the nearest neighbours of each image.
    """

    NEIGHBOUR, OTHER = 1, 2

    def __init__(self, graph: NDArray[np.int64]):
        self.n = len(graph)
        self.companions = torch.from_numpy(graph)
        edges = np.stack([np.repeat(np.arange(self.n), graph.shape[1]), graph.ravel()], axis=1)
        self.edges = torch.from_numpy(np.unique(np.sort(edges, axis=1), axis=0))

    def kind(self, left: Tensor, right: Tensor) -> Tensor:
        near = (self.companions[left] == right[..., None]).any(-1)
        near |= (self.companions[right] == left[..., None]).any(-1)
        return torch.where(left == right, SAME, torch.where(near, self.NEIGHBOUR, self.OTHER))

    def counts(self) -> list[int]:
        return [self.n, len(self.edges), self.n * (self.n - 1) // 2 - len(self.edges)]

    def draw(self, kind: int, count: int, generator: torch.Generator) -> Tensor:
        if kind != self.NEIGHBOUR:
            return super().draw(kind, count, generator)
        device = generator.device
        return self.edges[
            torch.randint(len(self.edges), (count,), generator=generator, device=device)
        ]


class Classes(_Drawn):
    """Kinds: 1 of the same class, 2 of different classes.

    classes: int64 (n,).
    """

    def __init__(self, classes: NDArray[np.int64]):
        self.n = len(classes)
        self.companions = torch.empty(self.n, 0, dtype=torch.int64)
        self.classes = torch.from_numpy(classes)

    def kind(self, left: Tensor, right: Tensor) -> Tensor:
        return torch.where(
            left == right, SAME, torch.where(self.classes[left] == self.classes[right], 1, 2)
        )

    def counts(self) -> list[int]:
        sizes = self.classes.bincount()
        same = int((sizes * (sizes - 1) // 2).sum())
        return [self.n, same, self.n * (self.n - 1) // 2 - same]


class Viewpoints(_Drawn):
    """Kinds: 1 near in azimuth and elevation, 2 in azimuth only, 3 in elevation only, 4 in neither.

    Near: at the same or the next angle that occurs among the images. Azimuths close up to a circle,
    elevations do not. All else, such as the lighting, is ignored.

    azimuth, elevation: (n,), in any unit.
    """

    def __init__(self, azimuth: NDArray[np.float64], elevation: NDArray[np.float64]):
        self.n = len(azimuth)
        self.companions = torch.empty(self.n, 0, dtype=torch.int64)
        self.azimuth, self.elevation = (
            torch.from_numpy(np.unique(angles, return_inverse=True)[1])
            for angles in (azimuth, elevation)
        )
        self.n_azimuths = int(self.azimuth.max()) + 1
        self.n_elevations = int(self.elevation.max()) + 1

    def kind(self, left: Tensor, right: Tensor) -> Tensor:
        kind = self._of_steps(
            self.azimuth[left], self.elevation[left], self.azimuth[right], self.elevation[right]
        )
        return torch.where(left == right, SAME, kind)

    def _of_steps(self, azimuth: Tensor, elevation: Tensor, *other: Tensor) -> Tensor:
        turn = (azimuth - other[0]).remainder(self.n_azimuths)
        turned = torch.minimum(turn, self.n_azimuths - turn) > 1
        raised = (elevation - other[1]).abs() > 1
        return 1 + raised.to(torch.int64) + 2 * turned.to(torch.int64)

    def counts(self) -> list[int]:
        cells, sizes = torch.unique(
            self.azimuth * self.n_elevations + self.elevation, return_counts=True
        )
        azimuth, elevation = cells // self.n_elevations, cells % self.n_elevations
        kinds = self._of_steps(azimuth[:, None], elevation[:, None], azimuth, elevation)
        ordered = sizes[:, None] * sizes - torch.diag(sizes)
        totals = torch.zeros(5, dtype=torch.int64, device=sizes.device)
        totals.index_add_(0, kinds.flatten(), ordered.flatten())
        return [self.n, *(totals[1:] // 2).tolist()]
