"""A comparison of two sets of images in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dimred.analysis.captions import counted
from dimred.evaluation.two_samples import detectable

if TYPE_CHECKING:
    from dimred.analysis.compared_sets import ImageSide
    from dimred.analysis.comparison import Comparison
    from dimred.evaluation.two_samples import SpaceTest

_NAMES = {"pixels": "pixels", "h": "H", "z": "Z"}
# How much more often than by chance images are judged rightly.
_SLIGHT, _STRONG = 0.05, 0.2
_POWER = 0.8
_UNLIKE = 0.1  # shares of images that the encoder learned from


def space_name(space: str) -> str:
    """The name of a space, as in prose."""
    return _NAMES[space]


def sentence_of(comparison: Comparison) -> str:
    """The answer: how different, how sure, in which space; or what would have been found."""
    it, space = comparison, comparison.leading
    test, name = it.tests[space], space_name(space)
    by_ridge, excess = telling(test)
    if not it.different:
        others = ", ".join(f"{p:.2g} in {space_name(other)}" for other, p in it.p.items())
        return f"no difference found (p {others}); {found_with(it)}"
    if by_ridge:
        low, high = test.auc_interval
        how = (
            f"a linear classifier of {name} puts {test.accuracy.value:.0%} of the images on the "
            f"right side, {test.accuracy.by_chance:.0%} by chance (AUC {test.auc.value:.2f}, "
            f"{low:.2f} to {high:.2f}; {test.auc.by_chance:.2f} by chance)"
        )
    else:
        how = (
            f"in {name} {test.own.value:.0%} of the nearest images are of an image's own set, "
            f"{test.own.by_chance:.0%} by chance"
        )
    word = "different"
    if excess < _SLIGHT:
        word = "slightly different"
    elif excess >= _STRONG:
        word = "very different"
    alike = [space_name(other) for other, p in it.p.items() if p > it.alpha]
    but = f"; no difference found in {' and '.join(alike)}" if alike else ""
    return f"{word}: {how}; p {p_text(it, space)}{but}"


def telling(test: SpaceTest) -> tuple[bool, float]:
    """Whether ridge regression, rather than the nearest images, tells two sets apart: by p, then by
    how much more often than by chance it is right. And how much that is."""
    by_ridge = (test.auc.p, -test.accuracy.excess) <= (test.own.p, -test.own.excess)
    return by_ridge, test.accuracy.excess if by_ridge else test.own.excess


def p_text(comparison: Comparison, space: str) -> str:
    """The corrected p of a space, which is a bound where no permutation came as far."""
    p = comparison.p[space]
    least = 2 / (1 + comparison.options.permutations)
    return f"{'at most ' if comparison.tests[space].p <= least else ''}{p:.2g}"


def found_with(comparison: Comparison) -> str:
    """What would have been found with so many images."""
    it, n_a, n_b = comparison, *_independent(comparison)
    least = detectable(n_a, n_b, it.alpha / len(it.tests), _POWER)
    what = "images" if len(it.groups) == n_a + n_b else "groups of images"
    return (
        f"with {n_a:,} and {n_b:,} {what}, a classifier that is right in {least:.0%} of cases "
        f"would be found with probability {_POWER:g}"
    )


def _independent(comparison: Comparison) -> tuple[int, int]:
    """The number of groups of each set."""
    groups, n_a = comparison.groups, len(comparison.a.names)
    return len(np.unique(groups[:n_a])), len(np.unique(groups[n_a:]))


def notes_on(comparison: Comparison) -> Iterator[str]:
    """What else to know, a line each."""
    it = comparison
    if it.different:
        yield found_with(it)
    for side, lost in zip((it.a, it.b), it.lost, strict=True):
        drawn = len(side) + len(lost)
        if side.total > drawn:
            yield f"{side.name}: {drawn:,} of {side.total:,} images, drawn by the seed"
        if side.left_out:
            name, reason = side.left_out[0]
            count = counted(len(side.left_out), "image")
            yield f"{side.name}: {count} left out, {name!r} first: {reason}"
    if it.copies:
        a, b, kind = it.copies[0]
        out = f"{counted(len(it.lost[0]), 'image')} of A and {len(it.lost[1]):,} of B left out"
        yield (
            f"{counted(len(it.copies), 'pair')} of copies, one image in each set, {a!r} and {b!r} "
            f"({kind}) first: {out}"
        )
    sizes = np.bincount(it.groups)
    if (sizes > 1).any():
        yield (
            f"{counted(int(sizes[sizes > 1].sum()), 'image')} in "
            f"{counted(int((sizes > 1).sum()), 'group')} that belong together: permuted as one"
        )
    if it.strata.get("unknown"):
        yield (
            f"within {it.options.within}: {counted(it.strata['unknown'], 'image')} without a "
            "value, permuted among themselves"
        )
    if it.strata.get("one"):
        yield (
            f"within {it.options.within}: {it.strata['one']} of "
            f"{it.strata['one'] + it.strata['both']} values occur in one set alone, which says "
            "nothing"
        )
    yield from _on_learning(it.a, it.b)


def _on_learning(a: ImageSide, b: ImageSide) -> Iterator[str]:
    shares = a.learned.mean(), b.learned.mean()
    if abs(shares[0] - shares[1]) > _UNLIKE:
        more, less = (a, b) if shares[0] > shares[1] else (b, a)
        yield (
            f"the encoder learned from {max(shares):.0%} of {more.name} and {min(shares):.0%} of "
            f"{less.name}: in H and Z that alone may make a difference; in pixels it cannot"
        )


def table_lines(comparison: Comparison) -> list[str]:
    """A table of the spaces: p, corrected and not, and how often an image is judged rightly, by its
    nearest and by ridge regression, beside chance."""
    heads = [
        "space",
        "p",
        "p alone",
        "nearest",
        "chance",
        "right",
        "chance",
        "AUC",
        "95 %",
        "chance",
    ]
    rows = [heads]
    for space, test in comparison.tests.items():
        low, high = test.auc_interval
        rows.append(
            [
                space_name(space),
                f"{comparison.p[space]:.3g}",
                f"{test.p:.3g}",
                *(f"{value:.3f}" for value in (test.own.value, test.own.by_chance)),
                *(f"{value:.3f}" for value in (test.accuracy.value, test.accuracy.by_chance)),
                f"{test.auc.value:.3f}",
                f"{low:.3f}-{high:.3f}",
                f"{test.auc.by_chance:.3f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def half_split_lines(comparison: Comparison) -> list[str]:
    """The paper's own tests, a line each; none where they were not asked for."""
    names = {"nn": "network of 20 hidden units", "knn": "kNN"}
    return [
        f"half split, {names[name]} on {space_name(space)}: right in {of.accuracy:.1%} of "
        f"{of.n_test:,} ({of.interval[0]:.1%} to {of.interval[1]:.1%}), p {of.p:.2g}, not corrected"
        for space, by_name in comparison.half_split.items()
        for name, of in by_name.items()
    ]
