"""What stands out among embedded images: outliers, labels that neighbors contradict, clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN

from dimred.evaluation.knn import votes_in_blocks
from dimred.evaluation.neighbors import Features, as_float, nearest

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]

TUKEY_FACTOR = 1.5
_MAX_CLUSTERED = 60_000
_SMALLEST_SHARE = 100
_SMALLEST = 10
_MIN_SAMPLES = 10
_MEDOID_CANDIDATES = 200
_DISTANCES_IN_BLOCK = 2**22


def neighbors_up_to(k: int, features: Features, device: torch.device | None = None) -> Rows:
    """The k nearest others of each point by `nearest`, all of them where there are fewer (n, k)."""
    k = min(k, len(features) - 1)
    return nearest(features, None, k, device) if k else np.empty((len(features), 0), np.int64)


def kth_distances(features: Features, neighbors: Rows) -> Scores:
    """The distance of each point to the last of its nearest neighbors (n,), NaN where it has none:
    the outlier score of Ramaswamy et al. (2000, https://doi.org/10.1145/342009.335437).

    features: (n, d). neighbors: positions (n, k).
    """
    if not neighbors.shape[1]:
        return np.full(len(features), np.nan)
    return distances(features, np.stack([np.arange(len(features)), neighbors[:, -1]], axis=1))


def class_kth_distances(
    features: Features, labels: Rows, k: int, device: torch.device | None = None
) -> Scores:
    """`kth_distances` among the points of the same class; k: neighbors, or all of a smaller class.
    labels: (n,)."""
    found = np.full(len(features), np.nan)
    for members in _of_classes(labels):
        own = features[members]
        found[members] = kth_distances(own, neighbors_up_to(k, own, device))
    return found


def distances(features: Features, pairs: Rows) -> Scores:
    """The Euclidean distance between the points (n, d) of each pair (m, 2), (m,)."""
    found = np.empty(len(pairs))
    size = max(_DISTANCES_IN_BLOCK // max(features.shape[1], 1), 1)
    for start in range(0, len(pairs), size):
        a, b = pairs[start : start + size].T
        difference = features[a].astype(np.float64) - features[b]
        found[start : start + size] = np.sqrt(np.square(difference).sum(axis=1))
    return found


def ratio_to_median(scores: Scores, labels: Rows | None = None) -> tuple[Scores, Scores]:
    """How far a score is out: its ratio to the median of all, and the Tukey threshold of these
    ratios, above which they are outliers, both (n,): Q3 + 1.5 IQR (Tukey 1977, Exploratory data
    analysis) of their logarithms.

    labels: (n,), to compare each score with those of its class alone. NaN stays NaN. Where the
    median is 0, the ratio of what is not 0 itself is infinite.
    """
    ratios, thresholds = np.full(len(scores), np.nan), np.full(len(scores), np.inf)
    everything: list[Rows] = [np.arange(len(scores))]
    for members in everything if labels is None else _of_classes(labels):
        own = scores[members]
        known = own[~np.isnan(own)]
        if not len(known):
            continue
        median = float(np.median(known))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios[members] = np.where(own == median, 1.0, own / median)
        finite = np.log(known[known > 0] / median) if median > 0 else np.zeros(1)
        low, high = np.quantile(finite, [0.25, 0.75])
        thresholds[members] = np.exp(high + TUKEY_FACTOR * (high - low))
    return ratios, thresholds


def beyond_threshold(ratios: Scores, thresholds: Scores) -> Rows:
    """The positions of ratios above their threshold, as `ratio_to_median` gives both, the farthest
    first."""
    beyond = np.nan_to_num(ratios / thresholds, nan=0.0)
    order = np.argsort(-beyond, kind="stable")
    listed: Rows = order[beyond[order] > 1]
    return listed


@dataclass(frozen=True)
class Disagreement:
    """How the neighbors of n points disagree with their labels.

    kdn: (n,), k-disagreeing neighbors: the share of the k nearest that are of another class (Smith
        et al. 2014, https://doi.org/10.1007/s10994-013-5422-z).
    other: (n,), the class that most of these are of, the lowest of several; the point's own where
        there is none.
    share: (n,), the share of the k nearest that are of that class.
    """

    kdn: Scores
    other: Rows
    share: Scores


def disagreement(neighbors: Rows, labels: Rows) -> Disagreement:
    """What the nearest neighbors of n points, positions (n, k), say of their labels (n,)."""
    n, k = neighbors.shape
    own, most, other = np.empty(n), np.empty(n), np.empty(n, dtype=np.int64)
    for block, _, votes in votes_in_blocks(labels, neighbors, int(labels.max()) + 1, [k]):
        rows, classes = np.arange(len(votes)), labels[block]
        own[block] = votes[rows, classes]
        votes[rows, classes] = 0
        most[block] = votes.max(axis=1)
        other[block] = np.where(most[block] > 0, votes.argmax(axis=1), classes)
    return Disagreement(1 - own / k, other, most / k)


@dataclass(frozen=True)
class Cluster:
    """A cluster of a map.

    rows: positions of its m points by their distance to its medoid, which comes first.
    density: how many times nearer its points are to their 10th nearest than those of the whole map,
        median to median; infinite where they coincide.
    """

    rows: Rows
    density: float


def clusters(z: Features) -> list[Cluster]:
    """The clusters of a map, the densest first, as HDBSCAN (Campello et al. 2015,
    https://doi.org/10.1145/2733381; scikit-learn's, excess of mass) finds them, of at least a
    hundredth of the points and 10.

    Of more than 60,000 points that many are drawn and clustered, which takes 10 s (one core,
    2026-11-21); the others belong to where the nearest of these does.

    z: (n, d), at best of up to 3 dimensions, where densities mean something.
    """
    n = len(z)
    drawn = np.arange(n)
    if n > _MAX_CLUSTERED:
        drawn = np.sort(np.random.default_rng(0).choice(n, _MAX_CLUSTERED, replace=False))
    smallest = max(_SMALLEST, len(drawn) // _SMALLEST_SHARE)
    points = as_float(z).astype(np.float64)
    if len(drawn) < 2 * smallest or not np.ptp(points, axis=0).any():
        return []  # nothing to tell a cluster from
    method = HDBSCAN(min_cluster_size=smallest, min_samples=_MIN_SAMPLES, copy=True)
    labels: Rows = method.fit(points[drawn]).labels_.astype(np.int64)
    if n > len(drawn):
        labels = labels[nearest(points[drawn], points, 1)[:, 0]]
    reach = kth_distances(points, neighbors_up_to(_MIN_SAMPLES, points))
    found = []
    for number in range(int(labels.max()) + 1):
        rows = np.flatnonzero(labels == number)
        own = float(np.median(reach[rows]))
        density = float(np.median(reach)) / own if own else float("inf")
        found.append(Cluster(_outwards(points, rows), density))
    return sorted(found, key=lambda cluster: (-cluster.density, int(cluster.rows[0])))


def _outwards(points: Scores, rows: Rows) -> Rows:
    """Rows by their distance to the medoid: the one of the 200 nearest to their mean that is least
    far from all."""
    own = points[rows]
    from_mean = np.square(own - own.mean(axis=0)).sum(axis=1)
    near = np.argsort(from_mean, kind="stable")[:_MEDOID_CANDIDATES]
    sums = [np.sqrt(np.square(own - own[i]).sum(axis=1)).sum() for i in near]
    medoid = near[int(np.argmin(sums))]
    away = np.square(own - own[medoid]).sum(axis=1)
    away[medoid] = -1  # before what lies on it
    ordered: Rows = rows[np.argsort(away, kind="stable")]
    return ordered


def _of_classes(labels: Rows) -> Iterator[Rows]:
    """The positions of each class that is there."""
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)
