"""Exact search of the nearest neighbours, on the CPU or in blocks on another device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_array
from torch import Tensor

Features = NDArray[np.number]

# A block of distances has 32 MiB in float64.
_QUERIES_IN_BLOCK = 1_024
_POINTS_IN_BLOCK = 4_096
_VALUES_IN_BLOCK = 2**23  # of the coordinates, 64 MiB
_VALUES_KEPT = 2**26  # of all training points, 512 MiB
_TREE_DIMS = 3
_MOST_DIRECT_DIMS = 15  # as scikit-learn, which takes matrix products from 16 dimensions


def nearest(
    train: Features, query: Features | None, k: int, device: torch.device | None = None
) -> NDArray[np.int64]:
    """The k nearest training points of each query by Euclidean distance, nearest first.

    On the CPU, and in up to 3 dimensions, where its KD-tree takes a second for a million points,
    scikit-learn searches; on another device `nearest_in_blocks`. They agree wherever distances
    differ by more than float64 rounds off. Of points that are equally far, scikit-learn leaves
    open which come first and which are left out at the k-th place.

    train: points (n, d); integers such as pixels are computed in float32 or wider.
    query: points (m, d), or None for the training points, each of which is then sought among the
        others (equal points are neighbours, a point is not its own).
    k: from 1 to n, or to n - 1 without queries.
    device: where to search; None for the CPU.
    Returns positions in train, int64 (m, k).
    Raises ValueError for a bad k, or points that are none, not finite, or of different dimensions.
    """
    if device is not None and device.type != "cpu" and train.shape[1] > _TREE_DIMS:
        return nearest_in_blocks(train, query, k, device)
    _check_k(train, query, k)
    search = NearestNeighbors(n_neighbors=k).fit(as_float(train))
    found: NDArray[np.int64] = search.kneighbors(
        None if query is None else as_float(query), return_distance=False
    )
    return found


def nearest_in_blocks(
    train: Features, query: Features | None, k: int, device: torch.device
) -> NDArray[np.int64]:
    """`nearest` by all distances in float64 on any device.

    Takes some 100 MiB there beside results, 350 where all points are equal, and up to 512 more to
    keep the training points.

    Of points that are equally far the lowest positions come first, and are kept at the k-th place.
    In more than 15 dimensions, where distances come from matrix products, that holds for integers;
    for other numbers rounding may tell equal distances apart.
    """
    _check_k(train, query, k)
    train = check_array(as_float(train))
    asked = train if query is None else check_array(as_float(query))
    dims = train.shape[1]
    if asked.shape[1] != dims:
        raise ValueError(f"queries in {asked.shape[1]} dimensions, training points in {dims}")
    origin = _origin(train)
    most = max(_VALUES_IN_BLOCK // dims, 1)
    n_asked, n_points = min(_QUERIES_IN_BLOCK, most), min(_POINTS_IN_BLOCK, most)

    def on_device(points: Features) -> Tensor:
        moved = torch.tensor(points, device=device).double()
        return moved.sub_(torch.from_numpy(origin).to(device))

    starts = range(0, len(train), n_points)
    kept = {}
    if train.size <= _VALUES_KEPT:
        kept = {first: on_device(train[first : first + n_points]) for first in starts}
    found = np.empty((len(asked), k), dtype=np.int64)
    for start in range(0, len(asked), n_asked):
        queries = on_device(asked[start : start + n_asked])
        values = queries.new_empty(len(queries), 0)
        places = torch.empty_like(values, dtype=torch.int64)
        for first in starts:
            points = kept[first] if kept else on_device(train[first : first + n_points])
            distances = _ranked_distances(queries, points)
            if query is None:
                distances.diagonal(start - first).fill_(torch.inf)  # of a point to itself
            near = _smallest(distances, min(k, distances.shape[1]))
            # Stable, and what was found before has lower positions: these win among equals.
            values = torch.cat([values, distances.gather(1, near)], 1)
            values, order = (part[:, :k] for part in values.sort(dim=1, stable=True))
            places = torch.cat([places, near + first], 1).gather(1, order)
        found[start : start + n_asked] = places.cpu().numpy()
    return found


def as_float(x: Features) -> NDArray[np.floating]:
    """The same numbers as float32 or wider, without a copy where they already are."""
    return np.asarray(x, dtype=np.result_type(x, np.float32))


def _check_k(train: Features, query: Features | None, k: int) -> None:
    most = len(train) - (query is None)
    if not 1 <= k <= most:
        raise ValueError(f"k = {k}: must be from 1 to {most} with {len(train)} points")


def _origin(train: Features) -> NDArray[np.float64]:
    """Where to measure from, (d,): matrix products lose digits far from the origin."""
    dims = train.shape[1]
    if dims <= _MOST_DIRECT_DIMS:
        return np.zeros(dims)
    # A median of integers is one of them or half between two, so that they stay exact.
    some = train[:: len(train) // 1_000 + 1]
    return np.asarray(np.median(some, axis=0), dtype=np.float64)


def _ranked_distances(queries: Tensor, points: Tensor) -> Tensor:
    """Squared distances (m, n), each row less the same constant, of (m, d) and (n, d)."""
    if queries.shape[1] > _MOST_DIRECT_DIMS:
        return torch.addmm(points.square().sum(1), queries, points.T, alpha=-2)
    distances = queries.new_zeros(len(queries), len(points))
    for a, b in zip(queries.T, points.T, strict=True):
        distances += (a[:, None] - b).square_()
    return distances


def _smallest(distances: Tensor, k: int) -> Tensor:
    """Columns of the k smallest of each row, the lowest columns among equals; in rising order."""
    values, columns = distances.topk(k, largest=False)
    # topk leaves open which of equals it takes; only rows that have more of them need a sort.
    crowded = (distances <= values[:, -1:]).sum(1) > k
    columns[crowded] = distances[crowded].argsort(dim=1, stable=True)[:, :k]
    return columns.sort(1).values
