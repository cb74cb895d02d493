"""What a map says of the known causes of variation: every predictability measure, by name."""

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
    """One cause of variation of N items.

    values: (N,), numbers or classes. period: as in Factor. targets: float (N, q), for regression.
    ordered: whether the values have an order. fixed: (N,), equal where all other causes are.
    """

    values: NDArray[np.float64]
    targets: NDArray[np.float64]
    period: float | None
    ordered: bool
    fixed: Positions


class FactorMeasures:
    """Measures maps of images that vary by known factors, on held-out images.

    items: the images, each in its T transformations, image-major.
    n_transformations: T.
    groups: sizes of the groups of dimensions, None for one of all; their names are those of their
        dimensions, such as z12 and z3.

    Test items are the set's own test images; where there are none, a random sixth of the images.
    The names of the measures (those of single dimensions, and `transformed_r2`, up to 10-D):
    `spearman_shift_z3`, `circular_azimuth_z12`: correlation of dimensions with a factor;
    `order_shift_z3`: Spearman's over the largest that the ties of the factor allow, at most 1.
    `r2_shift_z12`: how well a group tells a factor (k-nearest-neighbor regression).
    `invariance_shift_z12`: share of a group's variance that the factor alone makes.
    `transformed_r2_shift`: how well Z of the transformed image follows from Z of the original.
    `knn15_class_z12`: accuracy of the class from a group, untransformed images.
    """

    def __init__(self, items: ImageSet, n_transformations: int, groups: Sequence[int] | None):
        self.t = n_transformations
        self.groups = groups
        image = np.arange(len(items)) // self.t
        test_image = items.is_test[:: self.t]
        if not 0 < test_image.sum() < len(test_image):
            _, chosen = random_split(
                np.zeros(len(test_image), int), max(len(test_image) // 6, 1), 0
            )
            test_image = np.isin(np.arange(len(test_image)), chosen)
        is_test = test_image[image]
        self.train, self.test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
        self.labels = items.labels.values if items.labels else None
        self.causes = _causes(items, image)
        self.moves = {name: self._moves(cause) for name, cause in self.causes.items()}

    def measure(self, z: Points) -> Iterator[Measurement]:
        """Every measure of Z, float (items, d)."""
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
        """R^2 of a cause from some dimensions, fitted on training and scored on test items; None
        where no split of them has both.

        Where test items have training items beside them that differ in the cause only (the other
        lightings of a view), those would tell what the item is not: such groups are halved, and
        each half is scored by what is fitted on the other.
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
            # Three dimensions of one group have three planes; larger ones none to name.
            for pair in combinations(dims, 2) if len(dims) <= 3 else ():
                found = circular_correlation(z[:, list(pair)], angles)
                yield Measurement(found, "circular", _name(pair), part=name)
        elif cause.ordered and z.shape[1] <= _MAX_DIMS:
            # Ties of the factor keep even a perfect order of distinct places below 1.
            ceiling = rank_correlation_ceiling(values)
            for dim in dims:
                found = rank_correlation(z[:, dim], values)
                yield Measurement(found, "spearman", _name([dim]), part=name)
                order = min(1.0, found / ceiling) if ceiling else 0.0
                yield Measurement(order, "order", _name([dim]), part=name)

    def _class_accuracy(self, z: Points, groups: dict[str, slice]) -> Iterator[Measurement]:
        if self.labels is None:
            return
        train, test = (part[part % self.t == 0] for part in (self.train, self.test))
        k, y = min(_MAX_K, len(train)), self.labels
        for group, dims in groups.items():
            accuracy = knn_accuracy(z[train, dims], y[train], z[test, dims], y[test], [k])[k]
            yield Measurement(accuracy, "knn", group, k=k, part="class")

    def _moves(self, cause: _Cause) -> tuple[_Move, _Move] | None:
        """Pairs of items that differ in this cause only, and by how much, of either split."""
        if not (cause.ordered or cause.period is not None):
            return None
        random = np.random.default_rng(0)
        sides = []
        for part in (self.train, self.test):
            # In the order of `fixed`, partners are neighbors in the list.
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
    """All ordered pairs of different places with equal values in a sorted array."""
    _, starts, sizes = np.unique(fixed, return_index=True, return_counts=True)
    left, right = [], []
    for size in np.unique(sizes):
        a, b = np.nonzero(~np.eye(size, dtype=bool))
        of_size = starts[sizes == size][:, None]
        left.append((of_size + a).ravel())
        right.append((of_size + b).ravel())
    return np.concatenate(left), np.concatenate(right)


def _causes(items: ImageSet, image: Positions) -> dict[str, _Cause]:
    """The causes of variation of a set: its factors, and what it has further labels for."""
    values = {name: factor.values for name, factor in items.factors.items()}
    nominal = {
        name: labels.values.astype(np.float64)
        for name, labels in items.extra_labels.items()
        if name != "transformation" and len(np.unique(labels.values)) > 1
    }
    known = {**values, **nominal}
    # What varies among the versions of one image was done to it.
    first = np.searchsorted(image, image)
    done = {name for name, own in known.items() if (own != own[first]).any()}
    causes = {}
    for name, own in known.items():
        others = [v for other, v in known.items() if other != name]
        if name in done:
            others.append(image.astype(np.float64))
        elif done.issuperset(values):
            # Images without factors of their own differ by more than what is known of them.
            others.append(np.arange(len(items), dtype=np.float64))
        fixed = _numbered(others, len(items))
        factor = items.factors.get(name)
        targets = targets_of(own, factor.period) if factor else one_hot(own.astype(np.int64))
        period = factor.period if factor else None
        causes[name] = _Cause(own, targets, period, factor is not None and period is None, fixed)
    return causes


def _numbered(columns: Sequence[NDArray[np.float64]], n: int) -> Positions:
    """A number for each row of these columns, equal for equal rows."""
    rows = np.stack([*columns, np.zeros(n)], axis=1)
    _, numbers = np.unique(rows, axis=0, return_inverse=True)
    return numbers.astype(np.int64)


def _named(groups: Sequence[int]) -> dict[str, slice]:
    """The dimensions of each group by its name."""
    ends = np.cumsum(groups).tolist()
    places = [slice(end - size, end) for size, end in zip(groups, ends, strict=True)]
    return {_name(range(place.start, place.stop)): place for place in places}


def _name(dims: Sequence[int]) -> str:
    """z12 for dimensions 0 and 1; z1-20 for a long row of them."""
    if max(dims) >= 9:
        return f"z{dims[0] + 1}-{dims[-1] + 1}" if len(dims) > 1 else f"z{dims[0] + 1}"
    return "z" + "".join(str(dim + 1) for dim in dims)
