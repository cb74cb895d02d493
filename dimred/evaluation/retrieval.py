"""Retrieval: whether the points nearest to a point are of its class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.evaluation.knn import Labels
from dimred.evaluation.neighbors import Features, nearest

Rows = NDArray[np.int64]

_FOUND_IN_BLOCK = 2**22  # neighbors held at a time: 32 MiB of positions, and as much beside them
_SEED = 0  # of the order among equally far points


@dataclass(frozen=True)
class Retrieval:
    """How well points find others of their class.

    recall: Recall@K by K. map_at_r: MAP@R. All in [0, 1], means over the queries.
    first_right: bool (queries,), whether the nearest of each is of its class, in the order of the
        points. alone: how many points are no queries, being the only one of their class.
    chance: Recall@1 of neighbors drawn at random.
    """

    recall: dict[int, float]
    map_at_r: float
    first_right: NDArray[np.bool_]
    alone: int
    chance: float

    @property
    def queries(self) -> int:
        """How many points were queries."""
        return len(self.first_right)


def class_retrieval(
    points: Features, classes: Labels, ks: Sequence[int], device: torch.device | None = None
) -> Retrieval:
    """Recall@K and MAP@R of each point against all others, by exact search of neighbors.

    Recall@K is the share of points that have at least one of their class among their K nearest
    others (Oh Song et al. 2016, https://arxiv.org/abs/1511.06452). MAP@R is the mean
    over points of (1 / R) sum_{i <= R} P(i) [the i-th nearest is of the class], with R the number
    of others of the class and P(i) the share of the class among the i nearest (Musgrave, Belongie,
    Lim 2020, https://arxiv.org/abs/2003.08505, section 3.2). Distance is Euclidean, of the points
    as they are: `unit_vectors` scales them to unit length first, as these papers do.

    A point is left out from its own neighbors by its position, so that copies of it are neighbors.
    A point that is the only one of its class has no right answer: it is no query (papers that
    count it as a miss have lower numbers), but others may find it.

    Equally far points are ordered by a fixed random order, and never by their positions: sets are
    often sorted by class, and points that all coincide would seem to find their class.

    Holds the neighbors of a block of queries at a time: some 200 MiB beside what `nearest` takes,
    whatever the sizes. 5,000 points in 128-D with classes of 1,000 take 1.2 s of CPU time; 30,000
    with classes of 6,000 take 83 s, and in 2-D 25 s; 60,502 in 512-D with some 5 a class take 40 s.
    (Measured 2026-11-26.)

    points: (n, d). classes: (n,). ks: of Recall@K, each from 1 to n - 1.
    device: where to search; None for the CPU.
    Raises ValueError if ks is empty or holds a bad K, if no class has two points, or if points and
    classes do not fit together or are not finite.
    """
    if len(points) != len(classes):
        raise ValueError(f"{len(points)} points with {len(classes)} classes")
    if len(ks) == 0 or min(ks) < 1 or max(ks) >= len(points):
        raise ValueError(
            f"ks = {list(ks)}: must be from 1 to {len(points) - 1} with {len(points)} points"
        )
    order = np.random.default_rng(_SEED).permutation(len(points))
    points = points[order]
    _, codes, sizes = np.unique(classes[order], return_inverse=True, return_counts=True)
    others = sizes[codes] - 1
    queries = np.flatnonzero(others)
    if len(queries) == 0:
        raise ValueError("no class has two points, so that none can find another")
    found = dict.fromkeys(ks, 0)
    precision, first = 0.0, np.zeros(len(points), dtype=bool)
    for rows in _blocks(queries, others, max(ks)):
        k = max(int(others[rows].max()), *ks)
        right = codes[nearest_others(points, rows, k, device)] == codes[rows, None]
        first[order[rows]] = right[:, 0]
        for some in ks:
            found[some] += int(right[:, :some].any(axis=1).sum())
        precision += float(_average_precision(right, others[rows]).sum())
    n = len(queries)
    recall = {k: count / n for k, count in found.items()}
    first_right = first[np.sort(order[queries])]
    chance = float(others[queries].mean() / (len(points) - 1))
    return Retrieval(recall, precision / n, first_right, len(points) - n, chance)


def nearest_others(
    points: Features, rows: Rows, k: int, device: torch.device | None = None
) -> Rows:
    """The k nearest of all other points for those at `rows`, nearest first, int64 (m, k).

    points: (n, d). k: from 1 to n - 1. device: as in `nearest`.
    """
    near = nearest(points, points[rows], k + 1, device)
    own = near == rows[:, None]
    # Of more than k points that coincide, the point itself may not be among those found.
    own[~own.any(axis=1), -1] = True
    others: Rows = near[~own].reshape(len(rows), k)
    return others


def _blocks(queries: Rows, others: Rows, k: int) -> Iterator[Rows]:
    """The queries in blocks of bounded size. Those of large classes come first, so that queries of
    small classes do not search as many neighbors."""
    queries = queries[np.argsort(-others[queries], kind="stable")]
    start = 0
    while start < len(queries):
        size = max(_FOUND_IN_BLOCK // (max(int(others[queries[start]]), k) + 1), 1)
        yield queries[start : start + size]
        start += size


def _average_precision(right: NDArray[np.bool_], others: Rows) -> NDArray[np.float64]:
    """Average precision at R of each query (m,).

    right: whether each neighbor is of the class, (m, k), k at least the largest R. others: R (m,).
    """
    right = right[:, : others.max()]
    rank = np.arange(1, right.shape[1] + 1)
    counted = right & (rank <= others[:, None])
    precision = np.cumsum(counted, axis=1, dtype=np.int32) / rank
    mean: NDArray[np.float64] = np.sum(precision, axis=1, where=counted) / others
    return mean
