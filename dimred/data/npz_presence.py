"""The arrays of an .npz file whose images show several classes each: a matrix of labels, boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.presence import Boxes, Presence, are_inside
from dimred.errors import InputError

Error = Callable[[str], InputError]


def presence_of(labels: NDArray[Any], names: tuple[str, ...] | None, error: Error) -> Presence:
    """What an array `labels` of shape (N, K) says, bool, or 0 and 1.

    names: of the K classes; None calls them by their positions.
    error: makes an exception from a message; raised for another array.
    """
    classes = labels.shape[1]
    rule = "as a matrix it must hold bool, or 0 and 1"
    if labels.dtype.kind not in "biuf":
        raise error(f"array 'labels' is {labels.dtype} {labels.shape}; {rule}")
    wrong = labels[(labels != 0) & (labels != 1)]
    if len(wrong):
        raise error(f"array 'labels' has {wrong[0].item()!r}; {rule}")
    if names is not None and len(names) != classes:
        raise error(
            f"array 'class_names' has {len(names)} names for the {classes} columns of 'labels'"
        )
    return Presence(labels.astype(np.bool_), names or tuple(map(str, range(classes))))


def boxes_of(rows: NDArray[Any], presence: Presence, size: tuple[int, int], error: Error) -> Boxes:
    """What an array `boxes` of shape (M, 6) says: position of the image, position of the class,
    left, top, right and bottom of each object.

    size: height and width of the images. error: as of `presence_of`.
    """
    if rows.ndim != 2 or rows.shape[1] != 6 or rows.dtype.kind not in "iuf":
        raise error(
            f"array 'boxes' is {rows.dtype} {rows.shape}; must be numbers (M, 6): image, class, "
            "left, top, right, bottom"
        )
    numbers = rows.astype(np.float64)
    n, classes = presence.values.shape
    for column, (what, count) in enumerate((("image", n), ("class", classes))):
        values = numbers[:, column]
        wrong = ~((values >= 0) & (values < count) & (values == np.floor(values)))
        if wrong.any():
            row = int(wrong.argmax())
            raise error(
                f"array 'boxes', row {row}: {what} {values[row]:g}; must be a position from 0 to "
                f"{count - 1}"
            )
    image, kind = numbers[:, :2].astype(np.int64).T
    inside = are_inside(numbers[:, 2:], size)
    if not inside.all():
        row = int((~inside).argmax())
        corners = ", ".join(f"{value:g}" for value in numbers[row, 2:])
        raise error(
            f"array 'boxes', row {row}: {corners}; must be left < right and top < bottom, from 0 "
            f"to {size[1]} across and to {size[0]} down"
        )
    shown = presence.values[image, kind]
    if not shown.all():
        row = int((~shown).argmax())
        raise error(
            f"array 'boxes', row {row}: a box of class {presence.names[kind[row]]!r}, which image "
            f"{image[row]} does not show by 'labels'"
        )
    return Boxes(image.copy(), kind.copy(), np.ascontiguousarray(numbers[:, 2:]))
