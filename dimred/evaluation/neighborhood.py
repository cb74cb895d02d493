"""How well a map preserves the neighborhoods of the space it was made from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import manifold

from dimred.evaluation.neighbors import MANY, Features, as_float, nearest, nearest_others

SAMPLED = 10_000
"""Points whose neighbors are compared where there are more than `MANY`."""


def neighbor_overlap(
    high: Features, low: Features, k: int, device: torch.device | None = None
) -> float:
    """Mean share of the k nearest neighbors in `high` that are among the k nearest in `low`.

    Also called kNN recall or neighborhood preservation (Lee and Verleysen 2009, Q_NX(k),
    https://doi.org/10.1016/j.neucom.2008.12.017). Euclidean; a point is not its own neighbor.
    1 for a map that keeps all neighborhoods, about k / (n - 1) for a random one.

    Of more than 100,000 points it is the mean over 10,000 of them, always the same, whose neighbors
    are searched among all: its standard error is below 0.005.

    The search is exact: 60,000 points in 512-D take 39 s of CPU time, divided by the cores, and
    100 MiB (2026-11-26); 1,000,000 in 2-D twice take 13 s on one core, and 0.5 GiB (2026-11-21).

    high, low: the same n points in two spaces, (n, d) and (n, e).
    k: number of neighbors, from 1 to n - 1.
    device: to search neighbors on, as in `nearest`; None for the CPU.
    Raises ValueError for a bad k or arrays of different length.
    """
    _check_lengths(high, low)
    n = len(high)
    if n > MANY:
        rows = np.sort(np.random.default_rng(0).choice(n, SAMPLED, replace=False))
        neighbors = [nearest_others(points, rows, k, device) for points in (high, low)]
    else:
        neighbors = [nearest(points, None, k, device) for points in (high, low)]
    # A row has no position twice, so in both together exactly the shared positions are doubled.
    both = np.concatenate(neighbors, axis=1)
    both.sort(axis=1)
    return float(np.sum(both[:, 1:] == both[:, :-1])) / (len(both) * k)


def partners_found(
    points: Features, partners: Features, ks: Sequence[int], device: torch.device | None = None
) -> dict[int, NDArray[np.bool_]]:
    """For each point, whether its own partner is among the k partners nearest to it, (n,), for
    each k. Euclidean. By chance, and where all points are equal, k / n of them are.

    points, partners: (n, d), partners[i] that of points[i]. ks: each from 1 to n.
    device: to search on, as in `nearest`; None for the CPU.
    Raises ValueError for a bad k or arrays of different length.
    """
    _check_lengths(points, partners)
    found = nearest(partners, points, max(ks), device) == np.arange(len(points))[:, None]
    return {k: found[:, :k].any(axis=1) for k in ks}


def trustworthiness(high: Features, low: Features, k: int, max_points: int, seed: int) -> float:
    """How near the k nearest neighbors in `low` are in `high`.

    Venna and Kaski 2001, as `sklearn.manifold.trustworthiness` computes it: 1 where no point
    is among the k nearest in `low` only, and less the farther such points are in `high`. Euclidean.

    Memory grows with the square of the number of points (2.4 GB and 4 s at 10,000), so of more
    than max_points points a random subset is measured, with neighbors within the subset.

    high, low: the same n points in two spaces, (n, d) and (n, e).
    k: number of neighbors, at least 1 and less than half of the points measured.
    seed: of the subset.
    Returns a number in [0, 1].
    Raises ValueError for a bad k or arrays of different length.
    """
    _check_lengths(high, low)
    n = min(len(high), max_points)
    if not 1 <= k < n / 2:
        raise ValueError(
            f"k = {k}: must be at least 1 and less than half of the {n} points measured"
        )
    if n < len(high):
        subset = np.random.default_rng(seed).choice(len(high), n, replace=False)
        high, low = high[subset], low[subset]
    return float(manifold.trustworthiness(as_float(high), as_float(low), n_neighbors=k))


def _check_lengths(high: Features, low: Features) -> None:
    if len(high) != len(low):
        raise ValueError(f"{len(high)} points in the one space, {len(low)} in the other")
