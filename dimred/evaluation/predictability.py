"""How predictably a factor of variation moves a map: numbers for "distortion-predictable".

Angel, Distortion-Predictable Embedding of Neural Networks, 2015, shows such maps in plots only.
Arrays of points are (n, dimensions); all sums are computed in float64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from dimred.evaluation.knn import Labels
from dimred.evaluation.neighbors import Features

Float64 = NDArray[np.float64]

# det(U'U) / n^2 of unit vectors U within about a microradian of one line, the precision of float32
# points on a line.
_ON_ONE_LINE = 1e-12


def rank_correlation(values: Features, factor: Features) -> float:
    """|Spearman's rank correlation| of one embedding dimension with an ordered factor.

    Ties get their mean rank.

    values, factor: (n,) each.
    Returns a number in [0, 1]; 0 where either is constant.
    Raises ValueError for arrays that are empty, not finite or of different length.
    """
    values, factor = _checked(("values", values, 1), ("factor", factor, 1))
    if np.ptp(values) == 0 or np.ptp(factor) == 0:
        return 0.0
    return abs(float(spearmanr(values, factor).statistic))


def rank_correlation_ceiling(factor: Features) -> float:
    """The largest |Spearman's rank correlation| that distinct values can have with a factor.

    Below 1 where the factor has ties: sqrt(1 - 1 / L^2) for L equally frequent values, 0.980 for 5.

    factor: (n,). Returns 0 for a constant factor. Raises ValueError as `rank_correlation`.
    """
    (factor,) = _checked(("factor", factor, 1))
    return rank_correlation(np.argsort(np.argsort(factor, kind="stable")), factor)


def circular_correlation(points: Features, angles: Features) -> float:
    """|Circular correlation| of the direction of 2-D points, seen from their mean, with angles.

    Fisher and Lee 1983 (Biometrika 70(2), 327-332):
    sum_{i<j} sin(a_i - a_j) sin(b_i - b_j) = S(a, b), over sqrt(S(a, a) S(b, b)). Unlike the
    coefficient of Jammalamadaka and Sarma (Jammalamadaka and SenGupta 2001, 8.2), it needs no mean
    direction, which is arbitrary where angles are uniform, as the azimuths of an object are.

    a_i = atan2 of point i minus the mean of all points (0 for a point at that mean), so position,
    size, rotation and direction of the curve do not matter. 1 for a circle traversed once at even
    speed in either direction, if the mean is its center; this assumes evenly distributed angles.
    About 0 for random points and for a curve that goes round twice. 0 where the directions of the
    points, or the angles, all lie on one line through the center (a collapsed group; angles 0 and
    pi only).

    points: (n, 2), a group of two embedding dimensions.
    angles: (n,), radians.
    Returns a number in [0, 1].
    Raises ValueError for points not (n, 2), or arrays that are empty, not finite or of different
    length.
    """
    points, angles = _checked(("points", points, 2), ("angles", angles, 1))
    if points.shape[1] != 2:
        raise ValueError(f"points have {points.shape[1]} dimensions: a circle needs 2")
    x, y = (points - points.mean(axis=0)).T
    u, v = _directions(np.arctan2(y, x)), _directions(angles)
    # By the Cauchy-Binet identity the determinant of U'V is the sum over pairs.
    spread_u, spread_v = np.linalg.det(u.T @ u), np.linalg.det(v.T @ v)
    if min(spread_u, spread_v) <= _ON_ONE_LINE * len(points) ** 2:
        return 0.0
    return min(1.0, abs(float(np.linalg.det(u.T @ v) / np.sqrt(spread_u * spread_v))))


def factor_r2(
    train_points: Features,
    train_targets: Features,
    test_points: Features,
    test_targets: Features,
    k: int = 15,
) -> float:
    """R^2 of predicting a factor from points by the mean of the k nearest training points.

    Euclidean, without scaling the map. Nonlinear on purpose: a linear regression would miss factors
    that vary along curves in the map. 1 minus squared error over squared deviation of the test
    targets from their own mean, both summed over points and columns. Use `targets_of` or `one_hot`
    for the targets.

    train_points, test_points: (n, d) and (m, d).
    train_targets, test_targets: (n, q) and (m, q).
    k: number of neighbors, from 1 to n.
    Returns a number of at most 1: about -1/k where the points carry no information on the factor,
    less where they mislead, 0 where the test targets are constant.
    Raises ValueError for a bad k, or arrays that are empty, not finite or do not fit together.
    """
    train_points, train_targets = _checked(
        ("train_points", train_points, 2), ("train_targets", train_targets, 2)
    )
    test_points, test_targets = _checked(
        ("test_points", test_points, 2), ("test_targets", test_targets, 2)
    )
    _check_widths("points", train_points, test_points)
    _check_widths("targets", train_targets, test_targets)
    if not 1 <= k <= len(train_points):
        raise ValueError(f"k = {k}: must be from 1 to the {len(train_points)} training points")
    regression = KNeighborsRegressor(n_neighbors=k).fit(train_points, train_targets)
    return _r2(regression.predict(test_points), test_targets)


def targets_of(values: Features, period: float | None) -> Float64:
    """Regression targets of a factor with ordered or cyclic values.

    values: (n,).
    period: of a cyclic factor, in the unit of the values; None for an ordered one.
    Returns (n, 1) the values, or (n, 2) cosine and sine of 2 pi values / period.
    Raises ValueError for a period not positive and finite, or values that are empty or not finite.
    """
    (values,) = _checked(("values", values, 1))
    if period is None:
        return values[:, None]
    if not 0 < period < np.inf:
        raise ValueError(f"period = {period}: must be positive and finite")
    return _directions(2 * np.pi / period * values)


def one_hot(classes: Labels) -> Float64:
    """Regression targets of a factor whose values have no order.

    One column for each value that occurs, in rising order: encode before splitting into train and
    test, or the columns may differ.

    classes: (n,), C different values.
    Returns (n, C) of 0 and 1.
    Raises ValueError for classes that are empty or not finite.
    """
    _checked(("classes", classes, 1))
    columns: Float64 = np.equal.outer(classes, np.unique(classes)).astype(np.float64)
    return columns


def invariance_ratio(points: Features, groups: Labels) -> float:
    """Share of the map's variance that is due to a nuisance factor.

    Mean squared distance of the points from the mean of their group, over that from the mean of
    all. 0 for a map that the factor does not move; (N - G) / (N - 1) is expected of G groups of N
    points placed without regard to the groups. 1 for a map collapsed to one point, which
    cannot tell images apart and so is not called invariant.

    points: (n, d).
    groups: (n,), equal for points that differ in the nuisance factor only, such as the number of
        the image.
    Returns a number in [0, 1].
    Raises ValueError where no group has two points, or for arrays that are empty, not finite or of
    different length.
    """
    points, _ = _checked(("points", points, 2), ("groups", groups, 1))
    _, first, codes, sizes = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    if sizes.max() == 1:
        raise ValueError("no group has two points, so the effect of the nuisance factor is unknown")
    total = _variance(points)
    if total == 0:
        return 1.0
    # Relative to the first point of each group, so that equal points differ by exactly 0.
    deviations = points - points[first][codes]
    means = np.zeros((len(sizes), points.shape[1]))
    np.add.at(means, codes, deviations)
    means /= sizes[:, None]
    within = np.sum((deviations - means[codes]) ** 2) / len(points)
    return min(1.0, float(within / total))


def transformed_embedding_r2(
    train_from: Features,
    train_strength: Features,
    train_to: Features,
    test_from: Features,
    test_strength: Features,
    test_to: Features,
) -> float:
    """R^2 of predicting where a transformation moves a point of the map, as Angel (2015) proposes.

    Ridge regression (alpha 1e-3) on all monomials of degree 1 to 3 in the coordinates of the
    original and the strength. Both these and the monomials are standardized, so that alpha
    means the same for each. Degree 3 covers a shift (degree 1), a rotation by a given angle
    (coordinate times cosine or sine, degree 2), and one degree more for curved maps. Memory is
    N * C(d + q + 3, 3) doubles: meant for maps of a few dimensions.

    R^2 as in `factor_r2`, over all dimensions of the map together. It is high also for a map that
    the transformation barely moves, so read it together with `invariance_ratio`.

    train_from, test_from: embeddings of the originals, (n, d) and (m, d).
    train_strength, test_strength: `targets_of` the transformation's strength, (n, q) and (m, q).
    train_to, test_to: embeddings of the transformed images, (n, e) and (m, e).
    Returns a number of at most 1: 0 or less where the regression is no better than the mean, 0
    where test_to is constant.
    Raises ValueError for arrays that are empty, not finite or do not fit together.
    """
    train = _checked(
        ("train_from", train_from, 2), ("train_strength", train_strength, 2), ("to", train_to, 2)
    )
    test = _checked(
        ("test_from", test_from, 2), ("test_strength", test_strength, 2), ("to", test_to, 2)
    )
    for what, in_train, in_test in zip(("from", "strength", "to"), train, test, strict=True):
        _check_widths(what, in_train, in_test)
    regression = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(degree=3, include_bias=False),
        StandardScaler(),
        Ridge(alpha=1e-3),
    )
    regression.fit(np.hstack(train[:2]), train[2])
    return _r2(regression.predict(np.hstack(test[:2])).reshape(test[2].shape), test[2])


def _r2(predicted: Float64, truth: Float64) -> float:
    total = _variance(truth)
    if total == 0:
        return 0.0
    return 1.0 - float(np.sum((truth - predicted) ** 2)) / (len(truth) * total)


def _variance(x: Float64) -> float:
    """Mean squared distance from the mean; exactly 0 where all rows are equal."""
    # The mean of equal numbers can differ from them by rounding, but not that of zeros.
    return float((x - x[0]).var(axis=0).sum())


def _directions(angles: Float64) -> Float64:
    """Unit vectors (n, 2) of angles (n,) in radians."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _checked(*arrays: tuple[str, Features, int]) -> list[Float64]:
    """The arrays as float64, after checking them. arrays: (name, array, number of axes) each."""
    for name, array, n_axes in arrays:
        if np.ndim(array) != n_axes:
            raise ValueError(f"{name}: {np.ndim(array)} axes, must be {n_axes}")
        if np.size(array) == 0:
            raise ValueError(f"{name}: empty")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: not all finite")
    if len({len(array) for _, array, _ in arrays}) > 1:
        lengths = ", ".join(f"{len(array)} {name}" for name, array, _ in arrays)
        raise ValueError(f"not of one length: {lengths}")
    return [np.asarray(array, dtype=np.float64) for _, array, _ in arrays]


def _check_widths(what: str, train: Float64, test: Float64) -> None:
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"{what}: {train.shape[1]} columns in train, {test.shape[1]} in test")
