"""The verdict on a map: whether it is any good, in words, from numbers with their sampling errors.

With labels: the kNN accuracy of Z on test images, against the same of raw pixels, of their first
two principal components, of the network before training, and against chance. Without labels:
whether images are found by another view of them in Z, which orders maps of one set as the accuracy
does but says nothing on how good the best of them are (docs/fidelity.md has the evidence).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

ERRORS = 2.0
"""Standard errors that a difference must exceed to be called one."""
LONG = 1_000
"""Epochs from which on training longer is no advice: what would help then is not known."""
FACTOR = 5
"""How much longer a run is advised to train."""
HALF_WAY = 0.5
"""Share of the way from chance to perfect that a good map has gone."""
MUCH = 0.1
"""A difference that is not taken for none where the test images are too few to show it."""
MOST = 0.5
"""Share of images found by another view from which on an unlabeled map is called good,"""
TIMES = 2
"""and how many times that of raw pixels it must be."""

GOOD, FAIR, POOR, UNKNOWN = "good", "fair", "poor", "not known"
_NAMES = {
    "chance": "chance",
    "pixels": "raw pixels",
    "pca2": "PCA in 2-D",
    "untrained_z": "Z before training",
}
# What a map of which nothing was learned is no better than.
_NOTHING = {"chance": "chance", "untrained_z": "before training"}


class Difference(IntEnum):
    """How a share compares with a reference's."""

    worse = -1
    none_found = 0
    better = 1


_FINDINGS = {
    Difference.worse: "worse than {}",
    Difference.none_found: "about as good as {}",
    Difference.better: "better than {}",
}
# The words for maps that have not gone half of the way from chance to perfect, and that have.
_LEVELS = {
    Difference.worse: (POOR, FAIR),
    Difference.none_found: (FAIR, GOOD),
    Difference.better: (FAIR, GOOD),
}


def compared(share: float, reference: float, error: float) -> Difference:
    """How a share compares with a reference's: as better or worse only where they differ by more
    than two standard errors of the difference."""
    difference = share - reference
    if abs(difference) <= ERRORS * error * (1 + 1e-9):  # equal but for rounding
        return Difference.none_found
    return Difference.better if difference > 0 else Difference.worse


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    labeled: whether shares are accuracies on test images; else of images found by another view.
    unseen: whether these are of classes that were not learned from, among one another.
    retrieval: whether shares are those of images whose nearest other one is of their class,
        Recall@1, instead of the accuracy of k neighbors.
    k: number of neighbors. images: how many are counted.
    shares: in [0, 1], by space: "z", "h" and, where measured, "chance", "pixels", "pca2",
        "untrained_z" and "untrained_h".
    errors: standard errors of the difference of Z from a space, by the space; of "z-h" too.
    dims: of Z. trust: trustworthiness of Z against H, "" without; untrained_trust: the same of the
        network before training.
    """

    labeled: bool
    k: int
    images: int
    shares: Mapping[str, float]
    errors: Mapping[str, float] = field(default_factory=dict)
    dims: int = 2
    trust: float | None = None
    untrained_trust: float | None = None
    unseen: bool = False
    retrieval: bool = False

    def z_against(self, space: str) -> Difference | None:
        """How Z compares with another space; None where that is not measured."""
        if space not in self.shares:
            return None
        return compared(self.shares["z"], self.shares[space], self._error(space))

    def _error(self, space: str) -> float:
        if space in self.errors:
            return self.errors[space]
        share = self.shares[space]  # that of the share itself, had Z the same
        return math.sqrt(share * (1 - share) / self.images)

    @property
    def numbers(self) -> dict[str, float]:
        """All of it, by name."""
        numbers = {"images": self.images, "k": self.k, **self.shares}
        numbers |= {f"error_{space}": self._error(space) for space in self.shares if space != "z"}
        trusts = {"trustworthiness": self.trust, "untrained_trustworthiness": self.untrained_trust}
        return numbers | {name: value for name, value in trusts.items() if value is not None}


@dataclass(frozen=True)
class Training:
    """How a run was trained, for advice.

    epochs: of each stage, as trained. scale: its `schedule.epochs_scale`. trains_all: the stages
    that train more than the readout.
    """

    epochs: Mapping[str, int]
    scale: float = 1.0
    trains_all: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """A word, a sentence that says why and gives its numbers, and what to do, if that is known."""

    word: str
    text: str
    advice: str | None
    numbers: Mapping[str, float]

    def as_json(self) -> dict[str, Any]:
        """As in summary.json."""
        return {**vars(self), "numbers": dict(self.numbers)}


def verdict(evidence: Evidence, training: Training) -> Verdict:
    """The verdict on a map."""
    word, finding = _with_labels(evidence) if evidence.labeled else _without_labels(evidence)
    text = f"{finding[0].upper()}{finding[1:]}: {_counted(evidence)}{_beside(evidence)}"
    return Verdict(word, text, _advice(word, evidence, training), evidence.numbers)


def _with_labels(it: Evidence) -> tuple[str, str]:
    """A word and a finding. A map that is better in Z is never called worse."""
    nothing = _learned_nothing(it)
    if nothing:
        return POOR, nothing
    word, finding = _level(it)
    untold = [words for space, words in _NOTHING.items() if _untold(it, space)]
    if word != POOR and untold:
        return UNKNOWN, f"too few test images to tell it from {' and '.join(untold)}"
    return word, finding


def _level(it: Evidence) -> tuple[str, str]:
    """A word and a finding on a map that has learned something."""
    chance = it.shares.get("chance", 0.0)
    half_way = it.shares["z"] - chance >= HALF_WAY * (1 - chance)
    beaten = {space: it.z_against(space) for space in ("pixels", "pca2") if space in it.shares}
    for difference, words in _FINDINGS.items():
        named = [_NAMES[space] for space, against in beaten.items() if against is difference]
        if named:
            worst = beaten.get("pca2") is Difference.worse  # a map that takes no training
            word = POOR if worst else _LEVELS[difference][half_way]
            others = [
                _NAMES[space]
                for space, against in beaten.items()
                if against is Difference.better is not difference
            ]
            also = f", better than {others[0]}" if others else ""
            return word, f"{words.format(' and '.join(named))}{also}"
    return GOOD if half_way else FAIR, "better than chance"


def _without_labels(it: Evidence) -> tuple[str, str]:
    """A word and a finding. A map between those that are surely poor and surely learned is not
    known to be either."""
    nothing = _learned_nothing(it)
    if nothing is None and it.z_against("pca2") in (Difference.none_found, Difference.worse):
        nothing = f"no better than {_NAMES['pca2']}"
    if nothing:
        return POOR, nothing
    pixels = it.shares.get("pixels", 1.0)
    beyond = it.z_against("pixels") is Difference.better
    if beyond and it.shares["z"] >= max(MOST, TIMES * pixels):
        return GOOD, "most images are found by another view, and twice as many as in raw pixels"
    if pixels >= MOST:
        return UNKNOWN, "these views are too easy to judge a map by, as raw pixels find most too"
    return UNKNOWN, "it has learned something; whether enough, only labels or a look can tell"


def _learned_nothing(it: Evidence) -> str | None:
    """What a map of which nothing was learned is no better than; None for others."""
    for space, words in _NOTHING.items():
        against = it.z_against(space)
        if against not in (None, Difference.better) and not _untold(it, space):
            return f"no better than {words}"
    return None


def _untold(it: Evidence, space: str) -> bool:
    """Whether Z is better than a reference by much, on too few test images to be sure."""
    unsure = it.labeled and it.z_against(space) is Difference.none_found
    return unsure and it.shares["z"] - it.shares[space] >= MUCH


def _counted(it: Evidence) -> str:
    share = _written(it, "z")
    if it.labeled:
        of = " of classes not learned from" if it.unseen else ""
        if it.retrieval:
            return f"Recall@1 {share} of {it.images:,} images{of}"
        return f"knn{it.k} {share} of {it.images:,} test images{of}"
    return (
        f"{share} of {it.images:,} images have their other view among the {it.k} nearest in "
        f"Z ({it.dims}-D)"
    )


def _beside(it: Evidence) -> str:
    return "".join(f", {name} {_written(it, s)}" for s, name in _NAMES.items() if s in it.shares)


def _written(it: Evidence, space: str) -> str:
    """A share with as many digits as the number of images gives."""
    return f"{it.shares[space]:.{2 if it.images <= 200 else 3}f}"


def _advice(word: str, it: Evidence, training: Training) -> str | None:
    """A command that may improve the map; None where none is known to."""
    if word in (GOOD, UNKNOWN) or not training.epochs:
        return None
    total = sum(training.epochs.values())
    h = it.shares.get("h")
    if it.labeled and h is not None and "pixels" in it.shares and len(training.trains_all) > 1:
        lost = compared(h, it.shares["z"], it._error("h")) is Difference.better
        if lost and h >= it.shares["pixels"]:
            last = training.trains_all[-1]
            epochs = FACTOR * training.epochs[last]
            key = f"schedule.stages.{last}.epochs={max(round(epochs / training.scale), 1)}"
            return f"H knows more ({_written(it, 'h')}); train the last stage longer: {key}"
    if total >= LONG:
        return None
    scale = f"schedule.epochs_scale={FACTOR * training.scale:g}"
    return f"train longer: {scale} (about {FACTOR * total:,} epochs instead of {total:,})"


def with_more_time(advice: str, minutes: float, most: float) -> str:
    """Advice for a run that was planned for a budget: a larger one, where that makes more epochs.

    most: how many times as many epochs a larger budget can make.
    """
    factor = min(FACTOR, most)
    if factor < 1.5:
        return advice
    finding, semicolon, _ = advice.rpartition("; ")
    budget = f"budget_minutes={math.ceil(factor * minutes)} instead of {minutes:g}"
    return f"{finding}{semicolon}train longer: {budget}"
