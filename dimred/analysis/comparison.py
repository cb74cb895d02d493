"""Whether two sets of images are alike, judged in pixels, in H and in Z of a finished run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.chosen_sets import LEAST
from dimred.analysis.compared_sets import MOST, ImageSide, sides
from dimred.analysis.comparison_groups import (
    copies_of,
    groups_of,
    one_set_of_each,
    strata_of,
)
from dimred.analysis.comparison_words import notes_on, sentence_of, telling
from dimred.errors import InputError
from dimred.evaluation.near_duplicates import components
from dimred.evaluation.principal import principal_components
from dimred.evaluation.two_samples import Labelings, SpaceTest, holm, space_test
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

if TYPE_CHECKING:
    from dimred.analysis.new_images import Images
    from dimred.evaluation.half_split import HalfSplit

SPACES = ("pixels", "h", "z")
PIXEL_COMPONENTS = 50
MAX_PERMUTATIONS, MAX_IMAGES = 9_999, 20_000
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class CompareOptions:
    """How two sets are compared.

    spaces: of SPACES; None = all that there are. permutations: of the labels. most: images of each
    set, drawn by `seed` of more. alpha: the level of the test. within: a column, or "class", inside
    whose values labels are permuted: are the sets alike, given that? group: a column whose equal
    values belong together, such as the patient. nn: also make the paper's own tests, which know
    neither.
    Raises InputError for values that are out of range.
    """

    spaces: tuple[str, ...] | None = None
    permutations: int = 999
    most: int = MOST
    alpha: float = 0.05
    within: str | None = None
    group: str | None = None
    nn: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for space in self.spaces or ():
            if space not in SPACES:
                raise InputError(f"spaces={space}: must be of {', '.join(SPACES)}")
        if self.spaces == ():
            raise InputError(f"spaces: none; must be of {', '.join(SPACES)}")
        _check("permutations", self.permutations, 19, MAX_PERMUTATIONS)
        _check("most", self.most, LEAST, MAX_IMAGES)
        _check("seed", self.seed, 0, 2**32 - 1)
        if not 0 < self.alpha <= 0.5:
            raise InputError(f"alpha={self.alpha:g}: must be above 0 and at most 0.5")
        if self.nn and self.within is not None:
            raise InputError(
                f"nn with within={self.within}: the paper's tests permute nothing; leave one out"
            )


def _check(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InputError(f"{name}={value}: must be from {least:,} to {most:,}")


@dataclass(frozen=True)
class Comparison:
    """Two sets of images, and how they differ.

    a, b: the images that were tested, n_a and n_b. tests: by space; scores are of a's images, then
    b's. p: by space, corrected for their number (Holm). groups: (n_a + n_b,), from 0: images of one
    group were permuted as one. labelings: as tested. copies: (name in A, name in B, kind) of images
    that both sets had. lost: the images of A, and of B, that were left out for a copy in the other.
    strata: number of values of `within` that both sets have, or one; and of images without. left:
    what was noted of the sets. leading: the space that the
    sentence is about. different: whether any p is at most alpha. half_split: by space, by
    classifier.
    """

    a: ImageSide
    b: ImageSide
    tests: Mapping[str, SpaceTest]
    p: Mapping[str, float]
    options: CompareOptions
    labelings: Labelings
    copies: tuple[tuple[str, str, str], ...]
    lost: tuple[tuple[str, ...], tuple[str, ...]]
    strata: Mapping[str, int]
    left: tuple[str, ...]
    half_split: Mapping[str, Mapping[str, HalfSplit]]

    @property
    def alpha(self) -> float:
        """The level of the test."""
        return self.options.alpha

    @property
    def groups(self) -> Rows:
        """The group of each image of A, then B."""
        return self.labelings.groups

    @property
    def different(self) -> bool:
        """Whether a difference was found in any space."""
        return min(self.p.values()) <= self.alpha

    @property
    def leading(self) -> str:
        """The space of the smallest p, and of the largest effect among these."""
        return min(self.tests, key=lambda space: (self.p[space], -telling(self.tests[space])[1]))

    @property
    def sentence(self) -> str:
        """The answer."""
        return sentence_of(self)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to know, a line each."""
        return (*self.left, *notes_on(self))

    def __repr__(self) -> str:
        return f"<Comparison of {self.a.name} and {self.b.name}: {self.sentence}>"

    def result(self) -> dict[str, Any]:
        """The content of result.json."""
        return {
            "sentence": self.sentence,
            "different": self.different,
            "leading": self.leading,
            "a": _described(self.a),
            "b": _described(self.b),
            "options": vars(self.options) | {"spaces": list(self.tests)},
            "groups": int(self.groups.max()) + 1,
            "copies": [list(pair) for pair in self.copies],
            "left_out_as_copies": dict(zip("ab", map(list, self.lost), strict=True)),
            "strata": dict(self.strata),
            "spaces": {
                space: {
                    "p": self.p[space],
                    "p_uncorrected": test.p,
                    "own": vars(test.own),
                    "accuracy": vars(test.accuracy),
                    "auc": vars(test.auc),
                    "auc_interval": list(test.auc_interval),
                    "half_split": {
                        name: vars(of) for name, of in self.half_split.get(space, {}).items()
                    },
                }
                for space, test in self.tests.items()
            },
            "notes": list(self.notes),
        }


def _described(side: ImageSide) -> dict[str, Any]:
    return {
        "name": side.name,
        "images": len(side.names),
        "of": side.total,
        "left_out": [list(item) for item in side.left_out],
    }


def compare(
    run: FinishedRun,
    a: Images,
    b: Images | None = None,
    options: CompareOptions | None = None,
    typed: str = "",
) -> Comparison:
    """Compare two sets of images; see `LoadedRun.compare`.

    typed: how the run was named, which may stand for RUN in a selector.
    Raises InputError for sets, spaces and columns that cannot be used.
    """
    options = options or CompareOptions()
    side_a, side_b = sides(run, a, b, options.most, options.seed, typed)
    device = run.compute().device
    features = _features(side_a, side_b, options.spaces)
    n_a, n = len(side_a.names), len(side_a.names) + len(side_b.names)
    is_b = np.arange(n) >= n_a
    with step("looking for copies"):
        pairs, kinds = copies_of(side_a, side_b, device)
    class_names = run.map.class_names
    names = (*side_a.names, *side_b.names)
    copies = tuple(
        (names[i], names[j], kind)
        for (i, j), kind in zip(pairs.tolist(), kinds, strict=True)
        if is_b[i] != is_b[j]
    )
    alike = components(n, pairs)
    kept = one_set_of_each(alike, is_b, options.seed)
    lost = tuple(
        tuple(names[i] for i in np.flatnonzero(~kept & (is_b == of_b))) for of_b in (False, True)
    )
    side_a, side_b = _taken(side_a, kept[:n_a]), _taken(side_b, kept[n_a:])
    groups = groups_of(side_a, side_b, alike[kept], options.group, class_names)
    for side in (side_a, side_b):
        if len(side.names) < LEAST:
            raise InputError(
                f"{side.name}: {len(side.names)} images are left without those that both sets "
                f"have ({len(copies)} pairs, {copies[0][0]!r} and {copies[0][1]!r} first); must be "
                f"{LEAST} at least"
            )
    strata, counts = strata_of(side_a, side_b, options.within, class_names)
    labelings = Labelings(is_b[kept], groups, strata, options.permutations, seed=options.seed)
    _check_reach(labelings, len(features), options)
    tests, halves = {}, {}
    for space, points in features.items():
        with step(f"testing {space}"):
            tests[space] = space_test(points[kept], labelings, device)
            if options.nn:
                halves[space] = _half_splits(points[kept], labelings, options.seed)
    p = holm({space: test.p for space, test in tests.items()})
    left = tuple(note for side in (side_a, side_b) for note in side.notes)
    return Comparison(
        side_a,
        side_b,
        tests,
        p,
        options,
        labelings,
        copies,
        (lost[0], lost[1]),
        counts,
        left,
        halves,
    )


def _check_reach(labelings: Labelings, spaces: int, options: CompareOptions) -> None:
    """Raise InputError where no difference whatever could be found."""
    wanted = 2 * spaces / options.alpha  # two statistics may each have a labeling that comes as far
    where = f"{spaces} spaces" if spaces > 1 else "a space"
    if options.permutations + 1 < wanted:
        raise InputError(
            f"permutations={options.permutations}: too few for p up to {options.alpha:g} in "
            f"{where}; must be {math.ceil(wanted) - 1} at least"
        )
    if labelings.ways < math.log(wanted):
        n_groups = int(labelings.groups.max()) + 1
        raise InputError(
            f"{n_groups} groups of images can be permuted in {round(math.exp(labelings.ways))} "
            f"ways, too few for p up to {options.alpha:g} in {where}; must be "
            f"{math.ceil(wanted)} at least"
        )


def _half_splits(
    points: NDArray[np.floating], labelings: Labelings, seed: int
) -> dict[str, HalfSplit]:
    from dimred.evaluation.half_split import CLASSIFIERS, half_split_test

    return {
        name: half_split_test(points, labelings.is_b, name, seed, labelings.groups)
        for name in CLASSIFIERS
    }


def _features(
    a: ImageSide, b: ImageSide, asked: Sequence[str] | None
) -> dict[str, NDArray[np.floating]]:
    """The points of both sets in each space, A before B. Raises InputError for a space that the
    run cannot give."""
    found: dict[str, NDArray[np.floating]] = {}
    if a.pixels is not None and b.pixels is not None:
        pixels = np.concatenate([a.pixels, b.pixels]).reshape(len(a.names) + len(b.names), -1)
        with step("principal components of the pixels"):
            parts = principal_components(pixels.astype(np.float32), PIXEL_COMPONENTS)
        found["pixels"] = parts.coordinates[:, parts.shares > 0]
    if a.h is not None and b.h is not None:
        found["h"] = np.concatenate([a.h, b.h])
    found["z"] = np.concatenate([a.z, b.z])
    if found.get("pixels", np.empty((0, 1))).shape[1] == 0:
        raise InputError(f"{a.name}, {b.name}: all images have the same pixels")
    for space in asked or ():
        if space not in found:
            raise InputError(
                f"spaces={space}: the run's images are gone, and it has kept only "
                f"{', '.join(found)}; --root says where they are"
            )
    return {space: points for space, points in found.items() if not asked or space in asked}


def _taken(side: ImageSide, kept: NDArray[np.bool_]) -> ImageSide:
    """Some of the images of a set."""
    rows = np.flatnonzero(kept)
    return replace(
        side,
        names=tuple(side.names[i] for i in rows),
        files=tuple(side.files[i] for i in rows),
        items=side.items[rows],
        rows=side.rows[rows],
        pixels=None if side.pixels is None else side.pixels[rows],
        h=None if side.h is None else side.h[rows],
        z=side.z[rows],
        labels=side.labels[rows],
        columns={name: values[rows] for name, values in side.columns.items()},
        learned=side.learned[rows],
        image=side.image[rows],
    )
