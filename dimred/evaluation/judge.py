"""All measures of a map, taken together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet, LabelSet
from dimred.evaluation.knn import can_stratify, knn_accuracy, random_split
from dimred.evaluation.neighbourhood import neighbour_overlap, trustworthiness

Split = tuple[NDArray[np.int64], NDArray[np.int64]]

RANDOM_SPLIT_SEED = 0
MAX_TRUSTWORTHINESS_POINTS = 5_000
CURVE_MAX_K = 30


class Judge:
    """Measures maps of one image set, always on the same splits.

    With labels: kNN accuracy in Z and H on the set's own split ("official") and on a random
    stratified one ("random"), as both are in use (t-SimCNE's code takes the random one); of further
    labellings, such as CIFAR-100's superclasses, too (t-SimCNE paper, Table A.1). Without:
    trustworthiness of Z and the overlap of neighbours between H and Z.

    ks: numbers of neighbours, the first the headline.
    random_test: test images of the random split; None for as many as the official, or a sixth.
    device: where neighbours are searched; None for the CPU. Trustworthiness always takes the CPU.

    All distances are Euclidean, those in maps of the cosine loss too. Raises ValueError for fewer
    than two images or a random_test that is not below their number.
    """

    def __init__(
        self,
        images: ImageSet,
        ks: Sequence[int],
        random_test: int | None,
        device: torch.device | None = None,
    ):
        self.device = device
        self.labels = images.labels
        self.extra = images.extra_labels if images.labels else {}
        self.ks = list(ks)
        self.n_images = len(images)
        self.splits: dict[str, Split] = {}
        self.split_names: dict[str, str] = {}
        if self.labels is None:
            self.headline = f"trustworthiness{self.ks[0]}_z"
            return
        n_test = int(images.is_test.sum())
        own_split = 0 < n_test < len(images)
        if own_split:
            self.splits["official"] = (
                np.flatnonzero(~images.is_test),
                np.flatnonzero(images.is_test),
            )
            self.split_names["official"] = images.split_name + self._left_of(images.split_name)
        n_random = random_test or (n_test if own_split else max(len(images) // 6, 1))
        self.splits["random"] = random_split(self.labels.values, n_random, RANDOM_SPLIT_SEED)
        kind = "random stratified" if can_stratify(self.labels.values, n_random) else "random"
        self.split_names["random"] = f"{kind} {self._sizes('random')}, seed {RANDOM_SPLIT_SEED}"
        self.headline = f"knn{self.ks[0]}_z_{next(iter(self.splits))}"

    def _sizes(self, split: str) -> str:
        return "/".join(f"{len(part):,}" for part in self.splits[split])

    def _left_of(self, name: str) -> str:
        """What a selection of classes or images leaves of the set's own split."""
        sizes = self._sizes("official")
        return "" if sizes in name else f", {sizes} of it here"

    @property
    def chance(self) -> float:
        """What the headline split gives to whoever always answers the class that is the largest
        among its training points; without labels, the overlap of neighbours drawn at random.
        """
        if self.labels is None:
            return self.ks[0] / (self.n_images - 1)
        train, test = next(iter(self.splits.values()))
        largest = np.bincount(self.labels.values[train]).argmax()
        return float(np.mean(self.labels.values[test] == largest))

    @property
    def max_k(self) -> int:
        """The largest number of neighbours that every split allows."""
        if self.labels is None:
            # scikit-learn's trustworthiness needs k below half of the points.
            return (min(self.n_images, MAX_TRUSTWORTHINESS_POINTS) - 1) // 2
        return min(len(train) for train, _ in self.splits.values())

    def measure(self, h: NDArray[Any], z: NDArray[Any]) -> dict[str, float]:
        """Every measure of a map by name, from H (N, h) and Z (N, d)."""
        if self.labels is None:
            found: dict[str, float] = {}
            for k in self.ks:
                trust = trustworthiness(h, z, k, MAX_TRUSTWORTHINESS_POINTS, seed=0)
                found |= {
                    f"trustworthiness{k}_z": trust,
                    f"overlap{k}_hz": neighbour_overlap(h, z, k, self.device),
                }
            return found
        return {**self.knn("z", z), **self.knn("h", h)}

    def knn(self, space: str, points: NDArray[Any]) -> dict[str, float]:
        """kNN accuracy in one space on every split, for every k."""
        assert self.labels is not None
        found = {}
        for split in self.splits:
            for k, accuracy in self._accuracies(points, split, self.ks, self.labels).items():
                found[f"knn{k}_{space}_{split}"] = accuracy
            for name, labels in self.extra.items() if space == "z" else ():
                for k, accuracy in self._accuracies(points, split, self.ks, labels).items():
                    found[f"knn{k}_{name}_{space}_{split}"] = accuracy
        return found

    def curve(self, points: NDArray[Any], split: str) -> dict[int, float]:
        """kNN accuracy for k = 1..30 (t-SimCNE paper, figure A.3)."""
        limit = min(CURVE_MAX_K, len(self.splits[split][0]))
        assert self.labels is not None
        return self._accuracies(points, split, range(1, limit + 1), self.labels)

    def _accuracies(
        self, points: NDArray[Any], split: str, ks: Sequence[int], labels: LabelSet
    ) -> dict[int, float]:
        train, test = self.splits[split]
        y = labels.values
        return knn_accuracy(points[train], y[train], points[test], y[test], ks, self.device)
