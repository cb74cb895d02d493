"""Outliers, labels that neighbors disagree with, and clusters among embedded images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.knn import votes_in_blocks
from dimred.evaluation.neighbors import Features, as_float, nearest, neighbors_up_to

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

TUKEY_FACTOR = 1.5
MAX_CLUSTERED = 60_000
_SMALLEST_SHARE = 100
_SMALLEST = 10
_MIN_SAMPLES = 10
_MEDOID_CANDIDATES = 200
_DISTANCES_IN_BLOCK = 2**22


def kth_distances(features: Features, neighbors: Rows) -> Scores:
    """The distance of each point to the last of its neighbors (n,), NaN where it has none: the
    outlier score of Ramaswamy et al. (2000, https://doi.org/10.1145/342009.335437).

    features: (n, d). neighbors: positions (n, k).
    """
    if not neighbors.shape[1]:
        return np.full(len(features), np.nan)
    return distances(features, np.stack([np.arange(len(features)), neighbors[:, -1]], axis=1))


def class_kth_distances(
    features: Features, labels: Rows, k: int, device: torch.device | None = None
) -> tuple[Scores, str]:
    """`kth_distances` within each class (n,), and how neighbors were found in classes of more than
    100,000 points, "" where exactly.

    labels: (n,). k: number of neighbors; in smaller classes, all other members.
    """
    result, said = np.full(len(features), np.nan), []
    for members in _class_members(labels):
        points = features[members]
        near = neighbors_of_all(points, k, device)
        result[members] = kth_distances(points, near.rows)
        said += [near.said] if near.said else []
    return result, "; ".join(said)


def distances(features: Features, pairs: Rows) -> Scores:
    """The Euclidean distance between the points (n, d) of each pair (m, 2), (m,)."""
    result = np.empty(len(pairs))
    size = max(_DISTANCES_IN_BLOCK // max(features.shape[1], 1), 1)
    for start in range(0, len(pairs), size):
        a, b = pairs[start : start + size].T
        difference = features[a].astype(np.float64) - features[b]
        result[start : start + size] = np.sqrt(np.square(difference).sum(axis=1))
    return result


def ratio_to_median(scores: Scores, labels: Rows | None = None) -> tuple[Scores, Scores]:
    """The ratio of each score to the median, and the Tukey threshold above which ratios are
    outliers, both (n,). The threshold is Q3 + 1.5 IQR of the logarithms (Tukey 1977, Exploratory
    data analysis).

    labels: (n,), to compare each score with those of its class only. NaN stays NaN. Where the
    median is 0, the ratios of other scores are infinite.
    """
    ratios, thresholds = np.full(len(scores), np.nan), np.full(len(scores), np.inf)
    everything: list[Rows] = [np.arange(len(scores))]
    for members in everything if labels is None else _class_members(labels):
        values = scores[members]
        defined = values[~np.isnan(values)]
        if not len(defined):
            continue
        median = float(np.median(defined))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios[members] = np.where(values == median, 1.0, values / median)
        finite = np.log(defined[defined > 0] / median) if median > 0 else np.zeros(1)
        low, high = np.quantile(finite, [0.25, 0.75])
        thresholds[members] = np.exp(high + TUKEY_FACTOR * (high - low))
    return ratios, thresholds


def beyond_threshold(ratios: Scores, thresholds: Scores) -> Rows:
    """The positions of ratios above their threshold (see `ratio_to_median`), farthest first."""
    beyond = np.nan_to_num(ratios / thresholds, nan=0.0)
    order = np.argsort(-beyond, kind="stable")
    listed: Rows = order[beyond[order] > 1]
    return listed


@dataclass(frozen=True)
class Disagreement:
    """Disagreement of n points' labels with those of their neighbors.

    kdn: (n,), k-disagreeing neighbors: the share of the k nearest that are of another class (Smith
        et al. 2014, https://doi.org/10.1007/s10994-013-5422-z).
    other: (n,), the most frequent of those classes, the lowest among ties; the point's class where
        there is none.
    share: (n,), the share of the k nearest that are of that class.
    """

    kdn: Scores
    other: Rows
    share: Scores


def disagreement(neighbors: Rows, labels: Rows) -> Disagreement:
    """Compare the labels (n,) of n points with those of their neighbors, positions (n, k)."""
    n, k = neighbors.shape
    same, most, other = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    for block, _, votes in votes_in_blocks(labels, neighbors, int(labels.max()) + 1, [k]):
        rows, classes = np.arange(len(votes)), labels[block]
        same[block] = votes[rows, classes]
        votes[rows, classes] = 0
        most[block] = votes.max(axis=1)
        other[block] = np.where(most[block] > 0, votes.argmax(axis=1), classes)
    return Disagreement(1 - same / k, other, most / k)


@dataclass(frozen=True)
class Cluster:
    """A cluster of a map.

    rows: positions of its m points by their distance to its medoid, which comes first.
    density: median distance to the 10th nearest neighbor in the whole map, over the median in the
        cluster; infinite where the points coincide.
    """

    rows: Rows
    density: float


def clusters(z: Features) -> list[Cluster]:
    """The clusters of a map by HDBSCAN (Campello et al. 2015, https://doi.org/10.1145/2733381;
    scikit-learn's, excess of mass), densest first. A cluster has at least a hundredth of the points
    and at least 10.

    Of more than 60,000 points, a random 60,000 are clustered, which takes 10 s (one core,
    2026-11-21); the others join the cluster of the nearest of these.

    z: (n, d), preferably of up to 3 dimensions, where densities are meaningful.
    """
    n = len(z)
    drawn = np.arange(n)
    if n > MAX_CLUSTERED:
        drawn = np.sort(np.random.default_rng(0).choice(n, MAX_CLUSTERED, replace=False))
    smallest = max(_SMALLEST, len(drawn) // _SMALLEST_SHARE)
    points = as_float(z).astype(np.float64)
    if len(drawn) < 2 * smallest or not np.ptp(points, axis=0).any():
        return []  # too few points, or all are equal
    method = HDBSCAN(min_cluster_size=smallest, min_samples=_MIN_SAMPLES, copy=True)
    labels: Rows = method.fit(points[drawn]).labels_.astype(np.int64)
    if n > len(drawn):
        labels = labels[nearest(points[drawn], points, 1)[:, 0]]
    reach = kth_distances(points, neighbors_up_to(_MIN_SAMPLES, points))
    result = []
    for number in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == number)
        median = float(np.median(reach[rows]))
        density = float(np.median(reach)) / median if median else float("inf")
        result.append(Cluster(_by_distance_to_medoid(points, rows), density))
    return sorted(result, key=lambda cluster: (-cluster.density, int(cluster.rows[0])))


def _by_distance_to_medoid(points: Scores, rows: Rows) -> Rows:
    """Rows by their distance to the medoid: of the 200 nearest to their mean, the one with the
    smallest sum of distances to all."""
    members = points[rows]
    from_mean = np.square(members - members.mean(axis=0)).sum(axis=1)
    near = np.argsort(from_mean, kind="stable")[:_MEDOID_CANDIDATES]
    sums = [np.sqrt(np.square(members - members[i]).sum(axis=1)).sum() for i in near]
    medoid = near[int(np.argmin(sums))]
    away = np.square(members - members[medoid]).sum(axis=1)
    away[medoid] = -1  # before other points at the same place
    ordered: Rows = rows[np.argsort(away, kind="stable")]
    return ordered


def _class_members(labels: Rows) -> Iterator[Rows]:
    """The positions of the members of each class."""
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)
