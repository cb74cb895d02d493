"""Two-sample tests by classifiers: whether two sets of points come from one distribution.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (ICLR 2017): where a classifier tells
two sets apart better than by chance, they differ, and its accuracy says how much. Here each point
is judged by all others (leave-one-out), and chance is what the same classifier reaches with
permuted labels. So no points are spent on training alone, and the level of the test is exact, also
for few points, for sets of different sizes and for points that come in groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import brentq
from scipy.sparse import csr_array
from scipy.special import gammaln
from scipy.stats import norm, rankdata

from dimred.evaluation.neighbors import Features, as_float, nearest

K = 15
PERMUTATIONS = 999
_RIDGE = 0.01  # of the mean squared singular value; docs/compare.md has what others find
_RESAMPLES, _AT_A_TIME = 1_000, 100
_VALUES_AT_A_TIME = 2**24  # scores of labelings, 128 MiB
_DIGITS = 9  # equal statistics of two labelings may differ by rounding

Flags = NDArray[np.bool_]
Scores = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Statistic:
    """One statistic of two sets. value: as observed. by_chance: its mean over permutations.
    p: the share of labelings, the observed one included, that reach the value."""

    value: float
    by_chance: float
    p: float

    @property
    def excess(self) -> float:
        """How much larger it is than by chance."""
        return self.value - self.by_chance


@dataclass(frozen=True)
class SpaceTest:
    """The test of two sets of points in one space.

    own: the share of the nearest points that are of a point's own set, the mean of both sets.
    auc: the probability that a ridge regression of the set on the points, fitted without the two,
        ranks a point of B above one of A. auc_interval: 95 %, of drawing the groups (bootstrap).
    accuracy: the share of points that it puts on the right side, the mean of both sets.
    p: of both `own` and `auc`: the share of labelings whose smaller p is as small (Westfall and
        Young's minP; in standard deviations, a skewed statistic would hide the other).
    scores: (n,), of the regression: the higher, the more like B. nearest_b: (n,), the share of B
        among the nearest.
    """

    own: Statistic
    auc: Statistic
    auc_interval: tuple[float, float]
    accuracy: Statistic
    p: float
    scores: Scores
    nearest_b: Scores


class Labelings:
    """Which of n points are of the set B: as observed, and with the labels of groups permuted.

    is_b: (n,). groups: (n,), whole numbers, the same of points that belong together, such as copies
        of an image; None = each alone. strata: (n,), within which labels are permuted, that of a
        group being its smallest; None = one.
    labels: bool (n, 1 + permutations), the observed ones first. groups: (n,), from 0.
    ways: the natural logarithm of the number of different labelings that there are.
    Raises ValueError for a set without points and for a group with points of both sets.
    """

    def __init__(
        self,
        is_b: Flags,
        groups: Rows | None = None,
        strata: Rows | None = None,
        permutations: int = PERMUTATIONS,
        seed: int = 0,
    ):
        n = len(is_b)
        if is_b.all() or not is_b.any():
            raise ValueError(f"{n} points of one set")
        _, self.groups = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
        self.rng = np.random.default_rng(seed)
        count = int(self.groups.max()) + 1
        of_group = np.zeros(count, np.bool_)
        of_group[self.groups] = is_b
        if (of_group[self.groups] != is_b).any():
            raise ValueError("a group with points of both sets")
        stratum = np.full(count, n)
        _, numbers = np.unique(np.zeros(n) if strata is None else strata, return_inverse=True)
        np.minimum.at(stratum, self.groups, numbers)
        counts = [np.bincount(stratum[of_group == of_b]) for of_b in (False, True)]
        in_a, in_b = (np.pad(part, (0, max(map(len, counts)) - len(part))) for part in counts)
        self.ways = float((gammaln(in_a + in_b + 1) - gammaln(in_a + 1) - gammaln(in_b + 1)).sum())
        by_stratum = of_group[np.argsort(stratum, kind="stable")]
        labels = np.empty((count, 1 + permutations), np.bool_)
        labels[:, 0] = of_group
        for column in range(1, 1 + permutations):
            labels[np.lexsort((self.rng.random(count), stratum)), column] = by_stratum
        self.labels = labels[self.groups]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def is_b(self) -> Flags:
        """As observed (n,)."""
        return self.labels[:, 0]


def space_test(
    points: Features, labelings: Labelings, device: torch.device | None = None, k: int = K
) -> SpaceTest:
    """Whether two sets of points (n, d) differ.

    k: number of nearest points, none of them of a point's own group; fewer where there are fewer.
    device: to search on; None for the CPU.
    Raises ValueError for another number of points than of labels, for a group of all points, and
    for points that are not finite.
    """
    if len(points) != len(labelings):
        raise ValueError(f"{len(points)} points with {len(labelings)} labels")
    graph = near_graph(_nearest_of_others(points, labelings, k, device))
    regression = Ridge(points, labelings.groups)
    of_b, scores, parts = list[Scores](), list[Scores](), list[tuple[Scores, Scores, Scores]]()
    at_a_time = max(_VALUES_AT_A_TIME // len(points), 1)
    for start in range(0, labelings.labels.shape[1], at_a_time):
        labels = labelings.labels[:, start : start + at_a_time]
        near_b, its_scores = graph @ labels.astype(np.float64), regression.scores(labels)
        of_b, scores = of_b or [near_b[:, 0].copy()], scores or [its_scores[:, 0].copy()]
        right = np.where(labels, its_scores > 0, its_scores < 0)
        own = mean_of_sets(np.where(labels, near_b, 1 - near_b), labels)
        parts.append((own, aucs(its_scores, labels), mean_of_sets(right, labels)))
    own, auc, accuracy = (np.concatenate(part) for part in zip(*parts, strict=True))
    surest = np.minimum(_shares_reaching(own), _shares_reaching(auc))
    return SpaceTest(
        _statistic(own),
        _statistic(auc),
        _interval(scores[0], labelings),
        _statistic(accuracy),
        float((surest <= surest[0]).mean()),
        scores[0],
        of_b[0],
    )


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """p-values of several tests, corrected so that at level alpha any is below alpha with
    probability alpha at most where nothing differs (Holm 1979)."""
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min((len(p) - rank) * p[name], 1.0))
        adjusted[name] = largest
    return adjusted


def detectable(n_a: float, n_b: float, alpha: float, power: float = 0.8) -> float:
    """The accuracy of a classifier that would be found on so many points with this probability.

    From theorem 1 of Lopez-Paz and Oquab, which gives the power of a classifier of accuracy
    1/2 + e on n test points as Phi((e sqrt(n) - Phi^-1(1 - alpha)/2) / sqrt(1/4 - e^2)), with the
    number of points of two sets of one size that tell as much as these. 1 where none would be.

    alpha: at most 1/2.
    """
    n = 4 * n_a * n_b / (n_a + n_b)

    def missing(e: float) -> float:
        reach = e * math.sqrt(n) - norm.ppf(1 - alpha) / 2
        return float(norm.cdf(reach / math.sqrt(0.25 - e * e)) - power)

    most = 0.5 - 1e-9
    if missing(0.0) >= 0:
        return 0.5
    return 1.0 if missing(most) < 0 else 0.5 + float(brentq(missing, 0.0, most))


def _nearest_of_others(
    points: Features, labelings: Labelings, k: int, device: torch.device | None
) -> Rows:
    """The k nearest points of other groups (n, k)."""
    n, largest = len(points), int(np.bincount(labelings.groups).max())
    if largest == n:
        raise ValueError("all points are of one group")
    # Of equally near points the search takes the first; their order must not follow the sets.
    order = labelings.rng.permutation(n)
    groups = labelings.groups[order]
    near = nearest(points[order], None, min(k + largest - 1, n - 1), device)
    is_other = groups[near] != groups[:, None]
    others_first = np.argsort(~is_other, axis=1, kind="stable")[:, : min(k, n - largest)]
    found = np.empty((n, others_first.shape[1]), np.int64)
    found[order] = order[np.take_along_axis(near, others_first, axis=1)]
    return found


def near_graph(near: Rows) -> csr_array:
    """A matrix (n, n) whose product with labels (n, m) is the share of B among the nearest (n, k)
    of each point."""
    n, k = near.shape
    ends = np.arange(0, n * k + 1, k)
    return csr_array((np.full(n * k, 1 / k), near.ravel(), ends), shape=(n, n))


class Ridge:
    """Ridge regression of the sets on points (n, d), judged on those that it has not seen.

    The labels are n / (2 n_B) and -n / (2 n_A), so that both sets weigh the same; the intercept is
    not penalized, else a point that is left out could be told from the mean of the others. With the
    hat matrix G = half half^T, the residuals without a group S are
    (I - G_SS)^-1 (y - G y)_S; for a point i alone, the score is (G y - g_ii y_i) / (1 - g_ii).
    """

    def __init__(self, points: Features, groups: Rows):
        centered = as_float(points).astype(np.float64)
        centered -= centered.mean(axis=0)
        squares = centered.T @ centered
        ridge = _RIDGE * np.trace(squares) / min(centered.shape) or 1.0
        squares[np.diag_indices_from(squares)] += ridge
        half = solve_triangular(cholesky(squares, lower=True), centered.T, lower=True).T
        self._half = np.column_stack([half, np.full(len(half), len(half) ** -0.5)])
        self._unseen = 1 - (self._half**2).sum(axis=1)[:, None]
        order = np.argsort(groups, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(groups))[:-1])
        self._groups = [members for members in parts if len(members) > 1]

    def scores(self, labels: Flags) -> Scores:
        """Scores (n, m) for labels (n, m), above 0 where a point is rather of B, each by a
        regression on all points of other groups."""
        n, n_b, half = len(labels), labels.sum(axis=0), self._half
        y = np.where(labels, n / (2 * n_b), -n / (2 * (n - n_b)))
        residuals = y - half @ (half.T @ y)
        whole = [residuals[members] for members in self._groups]
        residuals /= self._unseen
        for members, its_own in zip(self._groups, whole, strict=True):
            seen = half[members] @ half[members].T
            residuals[members] = np.linalg.solve(np.eye(len(members)) - seen, its_own)
        scores: Scores = y - residuals
        return scores


def aucs(scores: Scores, labels: Flags) -> Scores:
    """The probability that a point of B has a higher score than one of A, ties counted half, for
    each labeling: scores, labels (n, m)."""
    ranks = rankdata(scores, axis=0)
    n_b = labels.sum(axis=0)
    above = np.where(labels, ranks, 0).sum(axis=0) - n_b * (n_b + 1) / 2
    areas: Scores = above / (n_b * (len(labels) - n_b))
    return areas


def _interval(scores: Scores, labelings: Labelings) -> tuple[float, float]:
    """The middle 95 % of the AUC where the groups of each set are drawn again."""
    order = np.lexsort((labelings.rng.random(len(scores)), scores))
    groups, is_b = labelings.groups[order], labelings.is_b[order]
    of_group = np.zeros(int(groups.max()) + 1, np.bool_)
    of_group[groups] = is_b
    drawn = []
    for _ in range(0, _RESAMPLES, _AT_A_TIME):
        times = np.empty((_AT_A_TIME, len(of_group)))
        for members in (np.flatnonzero(of_group), np.flatnonzero(~of_group)):
            shares = np.full(len(members), 1 / len(members))
            times[:, members] = labelings.rng.multinomial(len(members), shares, _AT_A_TIME)
        weights = times[:, groups]
        of_a, of_b = weights * ~is_b, weights * is_b
        below = np.cumsum(of_a, axis=1)
        drawn.append((of_b * below).sum(axis=1) / (of_a.sum(axis=1) * of_b.sum(axis=1)))
    low, high = np.quantile(np.concatenate(drawn), (0.025, 0.975))
    return float(low), float(high)


def mean_of_sets(values: NDArray[np.floating] | Flags, labels: Flags) -> Scores:
    """The mean of the mean values of both sets, for each labeling."""
    n_b = labels.sum(axis=0)
    of_b = np.where(labels, values, 0).sum(axis=0) / n_b
    of_a = np.where(labels, 0, values).sum(axis=0) / (len(labels) - n_b)
    means: Scores = (of_a + of_b) / 2
    return means


def _shares_reaching(values: Scores) -> Scores:
    """For each labeling, the share of all labelings, itself included, that reach its value."""
    shares: Scores = rankdata(-values.round(_DIGITS), method="max") / len(values)
    return shares


def _statistic(values: Scores) -> Statistic:
    others = values[1:] if len(values) > 1 else values
    return Statistic(float(values[0]), float(others.mean()), float(_shares_reaching(values)[0]))
