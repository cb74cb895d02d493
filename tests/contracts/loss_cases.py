"""What a loss is compared with: the equation of its paper, as a loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

DIMS = 3  # of the embeddings that all losses can be given


@dataclass(frozen=True)
class LossCase:
    """A loss and what it should be.

    loss: of (z, pairs), as `dimred.losses.Loss`.
    pairs: from a number of embeddings and a seed to pairs among them, or targets of them.
    rows: from embeddings (n, d), as lists, and the pairs to the loss of each row.
    least: number of embeddings that it is for.
    """

    loss: Callable[..., Any]
    pairs: Callable[[int, int], Any]
    rows: Callable[[list[list[float]], Any], list[float]]
    least: int = 2

    def mean(self, z, pairs):
        return sum(self.rows(z.tolist(), pairs)) / len(z)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, d, seed=0, scale=1.0, dtype=torch.float64):
    return scale * torch.randn(n, d, generator=seeded(seed), dtype=torch.float64).to(dtype)


def squared_distance(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
