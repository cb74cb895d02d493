"""Which images of two sets belong together, and which are in both, for a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.compared_sets import ImageSide
from dimred.errors import InputError
from dimred.evaluation.near_duplicates import components, near_duplicates

_MOST_VALUES = 20  # of a number that labels are permuted within; more are cut in tenths

_UNKNOWN = -1

Rows = NDArray[np.int64]


def copies_of(a: ImageSide, b: ImageSide, device: torch.device) -> tuple[Rows, list[str]]:
    """Pairs (M, 2) of images that are copies of one another, A's from 0, then B's; and of which
    kind."""
    if a.pixels is None or b.pixels is None or a.h is None or b.h is None:
        return np.empty((0, 2), np.int64), []
    pixels = torch.from_numpy(np.concatenate([a.pixels, b.pixels]))
    found = near_duplicates(pixels, np.concatenate([a.h, b.h]), device)
    return found.pairs, found.kinds


def groups_of(
    a: ImageSide, b: ImageSide, copies: Rows, column: str | None, class_names: Sequence[str]
) -> Rows:
    """A number for each image, A's before B's: the same for copies (n,), for transformations of one
    image, and for equal values of a column, of which unknown ones are no group. Raises InputError
    for a value of both sets."""
    n_a, n = len(a), len(a) + len(b)
    images = [np.unique(side.image, return_inverse=True)[1] for side in (a, b)]
    edges = [_to_first(copies), _to_first(np.concatenate([images[0], images[1] + n_a]))]
    if column is not None:
        codes, values = _codes(a, b, column, "group", class_names)
        shared = np.setdiff1d(np.intersect1d(codes[:n_a], codes[n_a:]), [_UNKNOWN])
        if len(shared):
            more = f" and {len(shared) - 1} other values" if len(shared) > 1 else ""
            raise InputError(
                f"group={column}: {values[shared[0]]!r}{more} of both sets; a group must be of one "
                f"set (within={column} compares inside each)"
            )
        alone = n + np.arange(n)
        edges.append(_to_first(np.where(codes == _UNKNOWN, alone, codes)))
    return components(n, np.concatenate(edges))


def _to_first(codes: Rows) -> Rows:
    """Pairs (n, 2) of each image with the first of its code."""
    _, first, number = np.unique(codes, return_index=True, return_inverse=True)
    return np.stack([np.arange(len(codes)), first[number]], axis=1)


def _codes(
    a: ImageSide, b: ImageSide, column: str, option: str, class_names: Sequence[str]
) -> tuple[Rows, list[str]]:
    """The number of each image's value in a column, A's images before B's, _UNKNOWN where it has
    none; and the values."""
    parts = []
    for side in (a, b):
        if column == "class" and (side.labels < 0).any():
            raise InputError(f"{option}=class: {side.name} has images without a class")
        if column == "class":
            parts.append(np.array(class_names, object)[side.labels])
        elif column in side.columns:
            parts.append(np.asarray(side.columns[column], object))
        else:
            known = "only images of the run have columns"
            if side.columns:
                known = f"it has {', '.join(side.columns)}"
            raise InputError(f"{option}={column}: {side.name} has no such column; {known}")
    texts = np.array([str(value) for value in np.concatenate(parts)])
    values, codes = np.unique(texts, return_inverse=True)
    return np.where(np.isin(texts, ("", "nan")), _UNKNOWN, codes), values.tolist()


def strata_of(
    a: ImageSide, b: ImageSide, column: str | None, class_names: Sequence[str]
) -> tuple[Rows | None, dict[str, int]]:
    """A number for each image, within whose equals labels are permuted, _UNKNOWN for those without
    a value; and the number of these by what they hold: both sets, or one, of which they say
    nothing; and of images without a value."""
    if column is None:
        return None, {}
    numbers = [side.columns.get(column) for side in (a, b)]
    if all(part is not None and part.dtype.kind == "f" for part in numbers):
        values = np.concatenate([part for part in numbers if part is not None])
        codes = np.unique(values, return_inverse=True)[1]
        if codes.max() >= _MOST_VALUES:
            codes = np.searchsorted(np.nanquantile(values, np.linspace(0, 1, 11)[1:-1]), values)
        codes = np.where(np.isnan(values), _UNKNOWN, codes)
    else:
        codes, _ = _codes(a, b, column, "within", class_names)
    in_both = np.intersect1d(codes[: len(a)], codes[len(a) :])
    if not len(in_both):
        raise InputError(f"within={column}: no value that both sets have")
    counts = {"both": len(in_both), "one": len(np.unique(codes)) - len(in_both)}
    return codes.astype(np.int64), counts | {"unknown": int((codes == _UNKNOWN).sum())}


def one_set_of_each(groups: Rows, is_b: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Which images are tested: of copies that both sets have, those of one set, by chance."""
    n_groups = int(groups.max()) + 1
    has_b = np.bincount(groups, is_b, n_groups) > 0
    has_a = np.bincount(groups, ~is_b, n_groups) > 0
    keeps_b = np.random.default_rng([seed, 2]).random(n_groups) < 0.5
    of_both = (has_a & has_b)[groups]
    kept: NDArray[np.bool_] = ~of_both | (is_b == keeps_b[groups])
    return kept
