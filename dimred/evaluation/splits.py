"""Splits of images into training and test images of a measure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet, LabelSet
from dimred.evaluation.knn import can_stratify, random_split

Split = tuple[NDArray[np.int64], NDArray[np.int64]]

RANDOM_SPLIT_SEED = 0


class Splits:
    """The splits of labeled images, always the same for the same set.

    These are the "official" one, where the set has one, and a "random" stratified one, since both
    are in use: t-SimCNE's code takes the random one. Where some classes are not learned from,
    "unseen" comes first: images of these classes among one another, split as the set is, or at
    random where that leaves one side empty. There is none of a single class, which all images would
    be found in.

    images: with labels.
    random_test: number of test images of the random split; None for as many as in the official
        split, or a sixth of all without one.

    parts: training and test positions, by name of the split, that of the headline measure first.
    names: descriptions of the splits. drawn: those of them whose test images are drawn at random.
    Raises ValueError for fewer than two images or a random_test that is not below their number.
    """

    def __init__(self, images: ImageSet, random_test: int | None):
        assert images.labels is not None
        self.labels: LabelSet = images.labels
        self.parts: dict[str, Split] = {}
        self.names: dict[str, str] = {}
        self.drawn = {"random"}
        unseen = images.is_unseen
        if unseen is not None and len(np.unique(self.labels.values[unseen])) > 1:
            self.parts["unseen"], is_drawn = _unseen(images)
            self.drawn |= {"unseen"} if is_drawn else set()
            self.names["unseen"] = f"classes not learned from, {self._sizes('unseen')}"
        n_test = int(images.is_test.sum())
        official = 0 < n_test < len(images)
        if official:
            self.parts["official"] = (
                np.flatnonzero(~images.is_test),
                np.flatnonzero(images.is_test),
            )
            self.names["official"] = images.split_name + self._selected_note(images.split_name)
        n_random = random_test or (n_test if official else max(len(images) // 6, 1))
        self.parts["random"] = random_split(self.labels.values, n_random, RANDOM_SPLIT_SEED)
        kind = "random stratified" if can_stratify(self.labels.values, n_random) else "random"
        self.names["random"] = f"{kind} {self._sizes('random')}, seed {RANDOM_SPLIT_SEED}"

    def _sizes(self, split: str) -> str:
        return "/".join(f"{len(part):,}" for part in self.parts[split])

    def _selected_note(self, name: str) -> str:
        """A note on the sizes of the official split if only a part of its images is selected."""
        sizes = self._sizes("official")
        return "" if sizes in name else f", {sizes} of it here"

    @property
    def first(self) -> str:
        """The split of the headline measure."""
        return next(iter(self.parts))

    @property
    def sizes(self) -> dict[str, int]:
        """Number of test images by name of the split."""
        return {name: len(test) for name, (_, test) in self.parts.items()}

    @property
    def chance(self) -> float:
        """Expected accuracy on the first split of always predicting the largest training class:
        its share of the test images. Test images drawn at random, of which there may be one, stand
        for all images of the split. Of equally large classes, the mean."""
        train, test = self.parts[self.first]
        if self.first in self.drawn:
            train = test = np.concatenate([train, test])
        counts = np.bincount(self.labels.values[train])
        largest = np.flatnonzero(counts == counts.max())
        return float(np.isin(self.labels.values[test], largest).mean() / len(largest))

    @property
    def max_k(self) -> int:
        """The largest number of neighbors that every split allows."""
        return min(len(train) for train, _ in self.parts.values())


def _unseen(images: ImageSet) -> tuple[Split, bool]:
    """Training and test positions among the images of unseen classes, and whether these are drawn
    at random."""
    assert images.labels is not None
    assert images.is_unseen is not None
    train = np.flatnonzero(images.is_unseen & ~images.is_test)
    test = np.flatnonzero(images.is_unseen & images.is_test)
    if len(train) and len(test):
        return (train, test), False
    unseen = np.flatnonzero(images.is_unseen)
    n_test = max(len(unseen) // 6, 1)
    drawn = random_split(images.labels.values[unseen], n_test, RANDOM_SPLIT_SEED)
    return (unseen[drawn[0]], unseen[drawn[1]]), True
