"""Distances between the rows of a batch and means over them, for losses of deep metric learning.

All is computed in float64: a hinge is a difference of distances, and those of far-apart embeddings
differ by less than float32 resolves. A batch has some hundred rows, so that it costs little.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.mining import Average
from dimred.losses.protocol import Reduction

_SHORTEST = 1e-12  # The length below which a vector has no direction, as in F.normalize.


def unit(x: Tensor) -> Tensor:
    """Vectors (n, d), float64, at length 1; of none, and with a gradient of 0, where they are too
    short to have a direction."""
    squares = x.square().sum(1, keepdim=True)
    short = squares <= _SHORTEST**2
    return torch.where(short, 0.0, x) / torch.where(short, 1.0, squares).sqrt()


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """Squared Euclidean distances (n, m) of vectors (n, d) and (m, d), float64, at least 0."""
    # From a common origin nearby, where products lose least.
    origin = x.detach().mean(0)
    x, y = x - origin, y - origin
    squares = x.square().sum(1)[:, None] + y.square().sum(1) - 2 * (x @ y.T)
    return squares.clamp_min(0)


def distances(z: Tensor, normalize: bool) -> Tensor:
    """Euclidean distances (n, n) among embeddings (n, d) as they are or at length 1, float64. The
    gradient of a distance is zero at 0."""
    x = unit(z.double()) if normalize else z.double()
    return root(squared_distances(x, x))


def root(squares: Tensor) -> Tensor:
    """The square root, with a gradient of 0 at 0, where the root's is infinite."""
    none = squares <= 0
    return torch.where(none, 1.0, squares).sqrt() * ~none


def of_one_class(values: Tensor) -> Tensor:
    """Whether two different rows are of one class (n, n), from the class of each row (n,)."""
    same = values[:, None] == values
    return same.fill_diagonal_(False)


def of_two_classes(values: Tensor) -> Tensor:
    """Whether two rows are of different classes (n, n)."""
    return values[:, None] != values


def shares(costs: Tensor, counted: Tensor, average: Average = Average.all) -> Tensor:
    """What each cost adds to their mean: the sum of these is the mean; 0 where none is counted.

    costs: at least 0, of any shape. counted: bool, of the same shape, which of them count.
    """
    if average is Average.above_zero:
        counted = counted & (costs > 0)
    return torch.where(counted, costs, 0.0) / counted.sum().clamp_min(1)


def reduced(rows: Tensor, z: Tensor, reduction: Reduction) -> Tensor:
    """The loss of each row (n,), float64, as a `Loss` of the embeddings z returns it."""
    value = rows if reduction == "none" else rows.mean()
    return value if z.dtype == torch.float64 else value.float()
