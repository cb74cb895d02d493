"""Classification by the k nearest neighbors, and random splits to evaluate it on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from dimred.evaluation.neighbors import Features, nearest

Labels = NDArray[np.integer]
_VOTES_IN_BLOCK = 2**20  # 4 MiB


def knn_accuracy(
    train: Features,
    train_labels: Labels,
    test: Features,
    test_labels: Labels,
    ks: Sequence[int],
    device: torch.device | None = None,
) -> dict[int, float]:
    """Accuracy of k-nearest-neighbor classification, for several k from one neighbor search.

    Euclidean distance, majority vote, ties decided for the smallest label: the same as
    `sklearn.neighbors.KNeighborsClassifier(k).score` for each k. Where equally far points compete
    for the k-th place, it is undefined which of them vote, as it is there. A class that has no
    training point is never predicted.

    10,000 queries among 50,000 points take 0.1 s of CPU time in 2-D, 6 s in 512-D and 44 s in
    3,072-D, divided among the cores (2026-11-26). 1,000,000 queries among as many points in 2-D
    take 8 s on two cores and 0.4 GiB besides the points; a sixth of them among the others 2 s
    (2026-11-21). Slower where many points are equal, since all distances are then computed in
    float64.

    train, test: points (n, d) and (m, d); integers such as pixels are computed in float32 or wider.
    train_labels, test_labels: classes (n,) and (m,).
    ks: numbers of neighbors, each from 1 to n.
    device: to search neighbors on, as in `nearest`; None for the CPU.
    Returns the share of correctly classified test points, in [0, 1], for each k.
    Raises ValueError if ks is empty or holds a bad k, or if points or labels do not fit together,
    are empty or are not finite.
    """
    hits = knn_hits(train, train_labels, test, test_labels, ks, device)
    return {k: int(right.sum()) / len(test) for k, right in hits.items()}


def knn_hits(
    train: Features,
    train_labels: Labels,
    test: Features,
    test_labels: Labels,
    ks: Sequence[int],
    device: torch.device | None = None,
) -> dict[int, NDArray[np.bool_]]:
    """Which test points `knn_accuracy` classifies correctly, (m,), for each k."""
    if len(ks) == 0:
        raise ValueError("ks is empty: at least one number of neighbors is needed")
    for k in ks:
        if not 1 <= k <= len(train):
            raise ValueError(f"k = {k}: must be from 1 to the {len(train)} training points")
    if len(train) != len(train_labels) or len(test) != len(test_labels):
        raise ValueError(
            f"{len(train)} training points with {len(train_labels)} labels, "
            f"{len(test)} test points with {len(test_labels)} labels"
        )
    neighbors = nearest(train, test, max(ks), device)
    classes, codes = np.unique(train_labels, return_inverse=True)
    right = {int(k): np.zeros(len(test), dtype=bool) for k in ks}
    for block, k, votes in votes_in_blocks(codes, neighbors, len(classes), ks):
        right[k][block] = classes[votes.argmax(axis=1)] == test_labels[block]
    return right


def majority(
    labels: Labels, neighbors: NDArray[np.int64]
) -> tuple[NDArray[np.integer], NDArray[np.float64]]:
    """The class that `knn_accuracy` predicts for each query, and the share of its neighbors that
    are of that class, in (0, 1].

    labels: classes (n,) of the training points. neighbors: positions among them (m, k).
    Returns two arrays (m,). Raises ValueError for k = 0.
    """
    k = neighbors.shape[1]
    if k == 0:
        raise ValueError("no neighbors to vote")
    classes, codes = np.unique(labels, return_inverse=True)
    winners = np.empty(len(neighbors), dtype=classes.dtype)
    shares = np.empty(len(neighbors))
    for block, _, votes in votes_in_blocks(codes, neighbors, len(classes), [k]):
        winners[block] = classes[votes.argmax(axis=1)]
        shares[block] = votes.max(axis=1) / k
    return winners, shares


def votes_in_blocks(
    codes: NDArray[np.int64], neighbors: NDArray[np.int64], n_classes: int, ks: Sequence[int]
) -> Iterator[tuple[slice, int, NDArray[np.int32]]]:
    """For each block of queries and each of `ks`: the block, k, and the number of the k nearest
    that are of each class, (b, n_classes). The counts are overwritten in the next iteration. Their
    argmax is the smallest class among ties.

    codes: classes (n,), below n_classes. neighbors: positions among them (m, k), nearest first.
    """
    size = max(_VOTES_IN_BLOCK // n_classes, 1)
    for start in range(0, len(neighbors), size):
        block = slice(start, start + size)
        votes = np.zeros((len(neighbors[block]), n_classes), dtype=np.int32)
        rows = np.arange(len(votes))
        for k, voted in enumerate(codes[neighbors[block]].T, start=1):
            votes[rows, voted] += 1
            if k in ks:
                yield block, k, votes


def random_split(
    labels: Labels, n_test: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A random split of all points into train and test, stratified by class.

    A class with a single member goes to the training side; the other classes are split in
    proportion. Where that is impossible (fewer places on one side than classes), the split is
    random without stratification.

    labels: classes (N,).
    n_test: number of test points, from 1 to N - 1.
    seed: of the split; equal arguments give equal splits.
    Returns the positions of the training and of the test points, int64, each ascending.
    Raises ValueError for an n_test out of range.
    """
    if not 1 <= n_test < len(labels):
        raise ValueError(f"n_test = {n_test}: must be from 1 to {len(labels) - 1}")
    _, codes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    stratified = can_stratify(labels, n_test)
    positions = np.flatnonzero(sizes[codes] > 1) if stratified else np.arange(len(labels))
    _, test = train_test_split(
        positions,
        test_size=n_test,
        stratify=codes[positions] if stratified else None,
        random_state=seed,
    )
    is_test = np.zeros(len(labels), dtype=bool)
    is_test[test] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def can_stratify(labels: Labels, n_test: int) -> bool:
    """Whether a split with n_test test points has places for every class of two or more on both
    sides."""
    _, sizes = np.unique(labels, return_counts=True)
    shared = sizes[sizes > 1]
    return 0 < len(shared) <= min(n_test, int(shared.sum()) - n_test)
