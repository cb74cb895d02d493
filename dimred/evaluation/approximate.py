"""Neighbors of all points among one another, approximate where there are very many."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch

from dimred.evaluation.neighbors import (
    CPU_TREE_DIMS,
    MANY,
    Features,
    Rows,
    as_float,
    nearest_others,
    neighbors_up_to,
    without_own,
)
from dimred.steps import duration, step

EXTRA = "pip install -e '.[neighbors]' in dimred's clone"
_CHECKED = 1_000  # points whose neighbors are also searched exactly
_LEAST = 30  # neighbors of a point in the graph that is searched; fewer find less
_ROUNDING = 1e-6  # of distances in float32, as a share
_MAX_LENGTH = 1e18  # of points whose squared distances float32 holds


@dataclass(frozen=True)
class Neighbors:
    """Neighbors of each of n points among the others.

    rows: positions (n, k), nearest first. said: how they were found, "" where exactly and soon.
    """

    rows: Rows
    said: str = ""


def neighbors_of_all(points: Features, k: int, device: torch.device | None = None) -> Neighbors:
    """The k nearest other points of each, Euclidean: by `nearest`, but of more than 100,000 points
    (`MANY`) in more than 8 dimensions on the CPU by nearest neighbor descent (Dong, Moses, Li 2011,
    https://doi.org/10.1145/1963405.1963487) where pynndescent, of the extra `neighbors`, is
    installed. Its compilation takes 20 s (two cores, 2026-11-27). The share of neighbors that are
    as near as the true ones is counted for 1,000 points and said.

    The same points and number of threads give the same neighbors.

    points: (n, d). k: up to n - 1; all others where there are fewer, none for a single point.
    """
    n, dims = points.shape
    on_cpu = device is None or device.type == "cpu"
    few = n <= MANY or dims <= CPU_TREE_DIMS or k >= MANY
    if few or not on_cpu or _longest(points) > _MAX_LENGTH:
        return Neighbors(neighbors_up_to(k, points, device))
    drawn = np.sort(np.random.default_rng(0).choice(n, min(_CHECKED, n), replace=False))
    began = time.monotonic()
    true = nearest_others(points, drawn, k, device)
    expected = (time.monotonic() - began) * n / len(drawn)
    if find_spec("pynndescent") is None:
        takes = f"which takes {duration(expected)} or more; {EXTRA} finds nearly all sooner"
        with step(f"neighbors of {n:,} points exactly, {takes}"):
            return Neighbors(neighbors_up_to(k, points, device))
    with step(f"neighbors of {n:,} points by pynndescent"):
        rows = _descended(as_float(points).astype(np.float32, copy=False), k)
    share = _share_as_near(points, drawn, rows[drawn], true)
    return Neighbors(
        rows,
        f"approximate (pynndescent): {share:.1%} of the {true.shape[1]} of each of {len(drawn):,} "
        "points are as near as the true ones",
    )


def _longest(points: Features) -> float:
    """An upper bound of the lengths of points (n, d)."""
    largest = max(abs(float(points.max())), abs(float(points.min())))
    return largest * float(np.sqrt(points.shape[1]))


def _share_as_near(points: Features, own: Rows, found: Rows, true: Rows) -> float:
    """The share of the neighbors found (m, k) of points at `own` (m,) that are no farther than the
    last of the true ones (m, k): of equally far points, any will do."""
    center = points[own].astype(np.float64)[:, None]
    last = np.linalg.norm(points[true[:, -1:]] - center, axis=2)
    near = [np.linalg.norm(points[column] - center[:, 0], axis=1) for column in found.T]
    return float(np.mean(np.stack(near, axis=1) <= last * (1 + _ROUNDING)))


def _descended(points: Features, k: int) -> Rows:
    import numba
    from pynndescent import NNDescent

    threads = torch.get_num_threads()
    try:
        index = NNDescent(
            points,
            metric="euclidean",
            n_neighbors=max(k + 1, _LEAST),
            random_state=0,
            n_jobs=min(threads, numba.get_num_threads()),
        )
    finally:
        torch.set_num_threads(threads)  # numba sets OpenMP's, which are PyTorch's as well
    rows = without_own(index.neighbor_graph[0].astype(np.int64), np.arange(len(points)))[:, :k]
    lost = np.flatnonzero((rows < 0).any(axis=1))  # of which too few were found
    if len(lost):
        rows[lost] = nearest_others(points, lost, k)
    return rows
