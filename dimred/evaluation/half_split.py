"""The classifier two-sample tests of the papers: a classifier learned on half of the points tells
the sets of the other half apart, or does not.

Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests" (ICLR 2017), section 3: where the sets
do not differ, each of n points is classified rightly with probability 1/2, and the number of hits
is binomial; theorem 1 gives the power. `two_samples` finds smaller differences, as it judges every
point; this one gives the accuracies that the papers give.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from dimred.evaluation.neighbors import Features, as_float

CLASSIFIERS = {"nn": "C2ST-NN", "knn": "C2ST-KNN"}
"""The classifiers, with the papers' names of their tests."""
HIDDEN, EPOCHS = 20, 100
_BATCH = 64  # of the authors' code; the paper does not say
_LEVEL = 0.95


@dataclass(frozen=True)
class HalfSplit:
    """How well a classifier tells two sets apart, on points that it has not learned from.

    accuracy: the share of n_test points that it puts on the right side; 1/2 by chance.
    p: the probability of so many hits by chance (exact binomial, one-sided).
    interval: 95 %, of the accuracy (Clopper and Pearson).
    """

    accuracy: float
    n_test: int
    p: float
    interval: tuple[float, float]


def half_split_test(
    points: Features,
    is_b: NDArray[np.bool_],
    classifier: str,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> HalfSplit:
    """Whether a classifier learned on a random half of the points tells the sets of the others.

    points: (n, d). is_b: (n,), whether a point is of the second set. groups: (n,), the same number
        for points that belong together, of which one drawn at random is used: copies on both sides
        of the split would be told by heart, and copies on one are no independent hits.
    classifier: "nn", a network with one hidden layer of 20 ReLU, 100 epochs of Adam; or "knn", the
        floor(sqrt(n_train)) nearest neighbors, ties as in scikit-learn, whose first class is A.
    seed: of the split, of what is left out, and of the network.

    The larger set is cut at random to the smaller one's size. Each feature is standardized by its
    mean and deviation on the training half. p is exact; the paper takes the normal approximation.
    The authors' code (github.com/lopezpaz/classifier_tests) trains for 10,000 epochs, not 100; on
    few points that finds more (docs/papers.md).
    Raises ValueError for another classifier, numbers of points that do not agree, a set without
    points, and points that are not finite.
    """
    if classifier not in CLASSIFIERS:
        raise ValueError(f"classifier {classifier!r}: must be one of {', '.join(CLASSIFIERS)}")
    if len(points) != len(is_b):
        raise ValueError(f"{len(points)} points with {len(is_b)} labels")
    if groups is not None and len(groups) != len(is_b):
        raise ValueError(f"{len(is_b)} points with {len(groups)} groups")
    values = as_float(points).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the points are not finite")
    rng = np.random.default_rng(seed)
    train, test = _halves(is_b, groups, rng)
    scaler = StandardScaler().fit(values[train])
    of_train, of_test = scaler.transform(values[train]), scaler.transform(values[test])
    if is_b[train].all() or not is_b[train].any():  # of a handful of points
        told: NDArray[Any] = np.full(len(test), is_b[train[0]])
    elif classifier == "knn":
        neighbors = KNeighborsClassifier(math.isqrt(len(train)))
        told = neighbors.fit(of_train, is_b[train]).predict(of_test)
    else:
        network = _network(len(train), int(rng.integers(2**31)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 100 epochs are what is asked for
            told = network.fit(of_train, is_b[train]).predict(of_test)
    hits = int((told == is_b[test]).sum())
    chance = binomtest(hits, len(test), 0.5, alternative="greater")
    low, high = binomtest(hits, len(test)).proportion_ci(_LEVEL, "exact")
    return HalfSplit(hits / len(test), len(test), float(chance.pvalue), (float(low), float(high)))


def _halves(
    is_b: NDArray[np.bool_], groups: NDArray[np.int64] | None, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the training and of the test points, as many of both, in a random order."""
    order = rng.permutation(len(is_b))
    if groups is not None:
        _, first = np.unique(groups[order], return_index=True)
        order = order[np.sort(first)]
    of_a, of_b = order[~is_b[order]], order[is_b[order]]
    each = min(len(of_a), len(of_b))
    if not each:
        raise ValueError(f"{len(order)} points of one set")
    kept = rng.permutation(np.concatenate([of_a[:each], of_b[:each]]))
    return kept[:each], kept[each:]


def _network(n: int, seed: int) -> MLPClassifier:
    """The network that learns from n points, for all its epochs."""
    return MLPClassifier(
        (HIDDEN,),
        alpha=0.0,
        batch_size=min(_BATCH, n),
        max_iter=EPOCHS,
        n_iter_no_change=EPOCHS + 1,
        random_state=seed,
    )
