"""Predictability of the known causes of variation from a map: all measures, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet
from dimred.evaluation.knn import knn_accuracy, random_split
from dimred.evaluation.measurement import Measurement
from dimred.evaluation.predictability import (
    circular_correlation,
    factor_r2,
    invariance_ratio,
    one_hot,
    rank_correlation,
    rank_correlation_ceiling,
    targets_of,
    transformed_embedding_r2,
)

Positions = NDArray[np.int64]
Points = NDArray[np.floating]
_MAX_MOVES = 20_000
_MAX_K = 15
_MAX_DIMS = 10  # of maps whose dimensions are named one by one


@dataclass(frozen=True)
class _Cause:
    """One cause of variation of N samples.

    values: (N,), numbers or classes. period: as in Factor. targets: float (N, q), for regression.
    ordered: whether the values have an order. fixed: (N,), a number that is equal for samples that
    differ in this cause only.
    """

    values: NDArray[np.float64]
    targets: NDArray[np.float64]
    period: float | None
    ordered: bool
    fixed: Positions


class FactorMeasures:
    """Measures maps of images that vary by known factors, on held-out images.

    samples: the images in all their variants, image by image.
    n_variants: number of variants of each image, itself included.
    groups: sizes of the groups of dimensions, None for one of all; they are named by their
        dimensions, such as z12 and z3.

    Test samples are the variants of the official test images; where there are none, of a random
    sixth of the images. The measures (those of single dimensions and `transformed_r2` for maps of
    up to 10 dimensions only):
    `spearman_shift_z3`, `circular_azimuth_z12`: correlation of dimensions with a factor;
    `order_shift_z3`: Spearman's over the largest that the ties of the factor allow, at most 1.
    `r2_shift_z12`: how well a group predicts a factor (k-nearest-neighbor regression).
    `invariance_shift_z12`: share of a group's variance that is due to the factor alone.
    `transformed_r2_shift`: how well Z of the original predicts Z of the transformed image.
    `knn15_class_z12`: kNN accuracy of the class in a group, of the untransformed images.
    """

    def __init__(self, samples: ImageSet, n_variants: int, groups: Sequence[int] | None):
        self.n_variants = n_variants
        self.groups = groups
        image = np.arange(len(samples)) // self.n_variants
        test_image = samples.is_test[:: self.n_variants]
        if not 0 < test_image.sum() < len(test_image):
            _, chosen = random_split(
                np.zeros(len(test_image), int), max(len(test_image) // 6, 1), 0
            )
            test_image = np.isin(np.arange(len(test_image)), chosen)
        is_test = test_image[image]
        self.train, self.test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        self.labels = samples.labels.values if samples.labels else None
        self.causes = _causes(samples, image)
        self.moves = {name: self._moves(cause) for name, cause in self.causes.items()}

    def measure(self, z: Points) -> Iterator[Measurement]:
        """Every measure of Z, float (samples, d)."""
        test = self.test
        fits = self.groups is not None and sum(self.groups) == z.shape[1]
        groups = _named(self.groups if self.groups and fits else [z.shape[1]])
        for name, cause in self.causes.items():
            for group, dims in groups.items():
                yield from self._correlations(name, cause, z, range(z.shape[1])[dims])
                r2 = self._r2(cause, z[:, dims])
                if r2 is not None:
                    yield Measurement(r2, "r2", group, part=name)
                if len(np.unique(cause.fixed[test])) < len(test):
                    ratio = invariance_ratio(z[test, dims], cause.fixed[test])
                    yield Measurement(ratio, "invariance", group, part=name)
            moves = self.moves[name]
            if moves is not None and z.shape[1] <= _MAX_DIMS:
                (a, b, strength), (c, d, other) = moves
                r2 = transformed_embedding_r2(z[a], strength, z[b], z[c], other, z[d])
                yield Measurement(r2, "transformed_r2", part=name)
        yield from self._class_accuracy(z, groups)

    def _r2(self, cause: _Cause, z: Points) -> float | None:
        """R^2 of a cause from some dimensions, fitted on training and scored on test samples; None
        where either is missing.

        Where training samples differ from a test sample in the cause only (other lightings of the
        same view), they would reveal which values the test sample does not have. Such groups are
        split in halves, and each half is scored by a regression fitted on the other.
        """
        train, test, fixed = self.train, self.test, cause.fixed
        if len(np.intersect1d(fixed[train], fixed[test])):
            numbers = np.unique(fixed)
            half = np.random.default_rng(0).permutation(numbers)[: len(numbers) // 2]
            first = np.isin(fixed, half)
            sides = [(train[~first[train]], test[first[test]])]
            sides.append((train[first[train]], test[~first[test]]))
        else:
            sides = [(train, test)]
        scores = [
            factor_r2(
                z[fit], cause.targets[fit], z[score], cause.targets[score], min(_MAX_K, len(fit))
            )
            for fit, score in sides
            if len(fit) and len(score)
        ]
        return float(np.mean(scores)) if scores else None

    def _correlations(
        self, name: str, cause: _Cause, z: Points, dims: Sequence[int]
    ) -> Iterator[Measurement]:
        z, values = z[self.test], cause.values[self.test]
        if cause.period is not None:
            angles = values * (2 * np.pi / cause.period)
            # Groups of up to three dimensions have few enough planes to name each.
            for pair in combinations(dims, 2) if len(dims) <= 3 else ():
                correlation = circular_correlation(z[:, list(pair)], angles)
                yield Measurement(correlation, "circular", _name(pair), part=name)
        elif cause.ordered and z.shape[1] <= _MAX_DIMS:
            # With ties in the factor, even perfectly ordered coordinates correlate less than 1.
            ceiling = rank_correlation_ceiling(values)
            for dim in dims:
                correlation = rank_correlation(z[:, dim], values)
                yield Measurement(correlation, "spearman", _name([dim]), part=name)
                order = min(1.0, correlation / ceiling) if ceiling else 0.0
                yield Measurement(order, "order", _name([dim]), part=name)

    def _class_accuracy(self, z: Points, groups: dict[str, slice]) -> Iterator[Measurement]:
        if self.labels is None:
            return
        train, test = (part[part % self.n_variants == 0] for part in (self.train, self.test))
        k, y = min(_MAX_K, len(train)), self.labels
        for group, dims in groups.items():
            accuracy = knn_accuracy(z[train, dims], y[train], z[test, dims], y[test], [k])[k]
            yield Measurement(accuracy, "knn", group, k=k, part="class")

    def _moves(self, cause: _Cause) -> tuple[_Move, _Move] | None:
        """Pairs of samples that differ in this cause only, and by how much: of the training and of
        the test samples."""
        if not (cause.ordered or cause.period is not None):
            return None
        random = np.random.default_rng(0)
        sides = []
        for part in (self.train, self.test):
            # Sorted by `fixed`, samples that differ in this cause only are adjacent.
            order = part[np.argsort(cause.fixed[part], kind="stable")]
            left, right = _partners(cause.fixed[order])
            if not len(left):
                return None
            chosen = random.permutation(len(left))[:_MAX_MOVES]
            a, b = order[left[chosen]], order[right[chosen]]
            difference = targets_of(cause.values[b] - cause.values[a], cause.period)
            sides.append((a, b, difference))
        return sides[0], sides[1]


_Move = tuple[Positions, Positions, NDArray[np.float64]]


def _partners(fixed: Positions) -> tuple[Positions, Positions]:
    """All ordered pairs of different positions with equal values in a sorted array."""
    _, starts, sizes = np.unique(fixed, return_index=True, return_counts=True)
    left, right = [], []
    for size in np.unique(sizes):
        a, b = np.nonzero(~np.eye(size, dtype=bool))
        of_size = starts[sizes == size][:, None]
        left.append((of_size + a).ravel())
        right.append((of_size + b).ravel())
    return np.concatenate(left), np.concatenate(right)


def _causes(samples: ImageSet, image: Positions) -> dict[str, _Cause]:
    """The causes of variation of a set: its factors and extra labels."""
    factors = {name: factor.values for name, factor in samples.factors.items()}
    nominal = {
        name: labels.values.astype(np.float64)
        for name, labels in samples.extra_labels.items()
        if name != "transformation" and len(np.unique(labels.values)) > 1
    }
    by_name = {**factors, **nominal}
    # A cause that varies among the variants of one image is a transformation.
    first = np.searchsorted(image, image)
    transformations = {name for name, values in by_name.items() if (values != values[first]).any()}
    causes = {}
    for name, values in by_name.items():
        others = [v for other, v in by_name.items() if other != name]
        if name in transformations:
            others.append(image.astype(np.float64))
        elif transformations.issuperset(factors):
            # Images whose only factors are transformations also differ in unknown ways.
            others.append(np.arange(len(samples), dtype=np.float64))
        fixed = _numbered(others, len(samples))
        factor = samples.factors.get(name)
        targets = targets_of(values, factor.period) if factor else one_hot(values.astype(np.int64))
        period = factor.period if factor else None
        causes[name] = _Cause(values, targets, period, factor is not None and period is None, fixed)
    return causes


def _numbered(columns: Sequence[NDArray[np.float64]], n: int) -> Positions:
    """A number for each row of these columns, the same for equal rows."""
    rows = np.stack([*columns, np.zeros(n)], axis=1)
    _, numbers = np.unique(rows, axis=0, return_inverse=True)
    return numbers.astype(np.int64)


def _named(groups: Sequence[int]) -> dict[str, slice]:
    """The dimensions of each group, by the group's name."""
    ends = np.cumsum(groups).tolist()
    places = [slice(end - size, end) for size, end in zip(groups, ends, strict=True)]
    return {_name(range(place.start, place.stop)): place for place in places}


def _name(dims: Sequence[int]) -> str:
    """z12 for dimensions 0 and 1; z1-20 where numbers have two digits."""
    if max(dims) >= 9:
        return f"z{dims[0] + 1}-{dims[-1] + 1}" if len(dims) > 1 else f"z{dims[0] + 1}"
    return "z" + "".join(str(dim + 1) for dim in dims)
