"""Neighbors of all points among one another, approximate where there are very many."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch

from dimred.evaluation.neighbors import (
    CPU_TREE_DIMS,
    Features,
    Rows,
    as_float,
    nearest,
    nearest_others,
    without_own,
)
from dimred.steps import duration, step

MANY = 100_000
"""Points above which neighbors are approximate, in more dimensions than a KD-tree takes. Exact
search takes the square of the number: on two cores and in 128-D 2 s for 20,000 points, some 50 s
for 100,000. pynndescent takes 20 s for its compilation alone (2026-11-27)."""
EXTRA = "pip install 'dimred-maps[neighbors]'"
_CHECKED = 1_000  # points whose neighbors are also searched exactly
_LEAST = 30  # neighbors of a point in the graph that is searched; fewer find less


@dataclass(frozen=True)
class Neighbors:
    """Neighbors of each of n points among the others.

    rows: positions (n, k), nearest first. said: how they were found, "" where exactly and soon.
    """

    rows: Rows
    said: str = ""


def neighbors_of_all(
    points: Features, k: int, device: torch.device | None = None, many: int = MANY
) -> Neighbors:
    """The k nearest other points of each, Euclidean: by `nearest`, but of more than `many` points
    on the CPU by nearest neighbor descent (Dong, Moses, Li 2011,
    https://doi.org/10.1145/1963405.1963487) where pynndescent, of the extra `neighbors`, is
    installed. The share of the true neighbors that it finds is counted for 1,000 points and said.

    The same points and number of threads give the same neighbors.

    points: (n, d). k: up to n - 1; all others where there are fewer, none for a single point.
    """
    n, dims = points.shape
    k = min(k, n - 1)
    if not k:
        return Neighbors(np.empty((n, 0), np.int64))
    on_cpu = device is None or device.type == "cpu"
    if n <= many or dims <= CPU_TREE_DIMS or not on_cpu or k >= many:
        return Neighbors(nearest(points, None, k, device))
    drawn = np.sort(np.random.default_rng(0).choice(n, min(_CHECKED, n), replace=False))
    began = time.monotonic()
    true = nearest_others(points, drawn, k, device)
    expected = (time.monotonic() - began) * n / len(drawn)
    if find_spec("pynndescent") is None:
        takes = f"which takes {duration(expected)} or more; {EXTRA} finds nearly all sooner"
        with step(f"neighbors of {n:,} points exactly, {takes}"):
            return Neighbors(nearest(points, None, k, device))
    with step(f"neighbors of {n:,} points by pynndescent"):
        rows = _descended(as_float(points).astype(np.float32, copy=False), k)
    found = np.mean([len(np.intersect1d(a, b)) for a, b in zip(rows[drawn], true, strict=True)])
    return Neighbors(
        rows,
        f"approximate (pynndescent): {found / k:.1%} of the {k} true ones of {len(drawn):,} points",
    )


def _descended(points: Features, k: int) -> Rows:
    import numba
    from pynndescent import NNDescent

    index = NNDescent(
        points,
        metric="euclidean",
        n_neighbors=max(k + 1, _LEAST),
        random_state=0,
        n_jobs=min(torch.get_num_threads(), numba.get_num_threads()),
    )
    rows = without_own(index.neighbor_graph[0].astype(np.int64), np.arange(len(points)))[:, :k]
    lost = np.flatnonzero((rows < 0).any(axis=1))  # of which too few were found
    if len(lost):
        rows[lost] = nearest_others(points, lost, k)
    return rows
