"""How wide classes are, beside how far they lie apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.evaluation.knn import Labels
from dimred.evaluation.neighbors import Features


@np.errstate(over="ignore", invalid="ignore")  # which are told by the result
def class_spread(points: Features, classes: Labels) -> float:
    """The spread within classes over the distance between their means.

    Numerator: the root of the mean over classes of s_c^2, the sum of squared distances of the
    class's n_c points to its mean over n_c - 1. Denominator: the root of the mean squared
    distance between the means of two classes, over all pairs. Classes count equally; those of one
    point, whose spread is unknown, are left out of the numerator and not of the denominator.

    Small where classes are compact and far apart: two points of a class are sqrt(2) times the
    numerator apart (root mean square). Shifting, rotating and scaling the points changes nothing.
    After the "relative deviation" within classes of Lin et al. (Deep Variational Metric Learning,
    ECCV 2018, table 4), who do not print a formula: what it shows is the same, and its values need
    not compare with theirs.

    points: (n, d). classes: (n,), of which at least one has two points.
    Raises ValueError for a single class, for classes of one point only, for means that all
    coincide, and where points and classes do not fit together or are not finite.
    """
    if len(points) != len(classes):
        raise ValueError(f"{len(points)} points with {len(classes)} classes")
    _, codes, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError("one class has no distance to others")
    if sizes.max() < 2:
        raise ValueError("no class has two points")
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    # From one of the points, so that points which all coincide have means that do, exactly.
    origin = points[0].astype(np.float64)
    means = np.empty((len(sizes), points.shape[1]))
    variances = np.zeros(len(sizes))
    for number, rows in enumerate(members):  # the float64 copy of one class at a time
        own = points[rows].astype(np.float64) - origin
        means[number] = own.mean(axis=0)
        variances[number] = np.square(own - means[number]).sum() / max(len(rows) - 1, 1)
    within = variances[sizes > 1].mean()
    between = _mean_square_distance(means)
    if not np.isfinite(within + between):
        raise ValueError("points must be finite, and their squares too")
    if between == 0:
        raise ValueError("the means of all classes coincide")
    return float(np.sqrt(within / between))


def _mean_square_distance(means: NDArray[np.float64]) -> float:
    """The mean over pairs of points (C, d) of their squared distance: 2 C / (C - 1) times the mean
    squared distance to the center."""
    centered = means - means.mean(axis=0)
    return float(2 * np.square(centered).sum() / (len(means) - 1))
