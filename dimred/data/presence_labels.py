"""Images that show several classes at once: what their sets are made of, in words and colors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.presence import Presence
from dimred.data.spelling import listed
from dimred.errors import InputError

_MOST_COMBINATIONS = 100  # colors say little of more
NONE = "none"
"""What images are called that show no class."""


def with_combinations(image_set: ImageSet) -> ImageSet:
    """The same images with a column "classes" of all classes that each shows, such as "3, 5", where
    these are few combinations; other sets as they are.

    Names that could be taken for something else there, such as one with a comma, are quoted.
    """
    if image_set.presence is None:
        return image_set
    labels = _combinations(image_set.presence)
    if labels is None:
        return image_set
    return replace(image_set, columns={"classes": labels, **image_set.columns})


def _combinations(presence: Presence) -> LabelSet | None:
    # In order of their number of classes, then of the first, then of the next.
    keys = np.column_stack((presence.values.sum(1), ~presence.values))
    rows, values = np.unique(keys, axis=0, return_inverse=True)
    if len(rows) > _MOST_COMBINATIONS:
        return None
    each = [repr(name) if _is_ambiguous(name) else name for name in presence.names]
    names = (", ".join(each[i] for i in np.flatnonzero(row[1:] == 0)) for row in rows)
    return LabelSet(values.reshape(-1).astype(np.int64), tuple(name or NONE for name in names))


def _is_ambiguous(name: str) -> bool:
    """Whether a name looks like several, like that of no class, or like a quoted one."""
    return name in ("", NONE) or "," in name or name[0] in "'\""


def refuse_single_classes(options: Mapping[str, Any]) -> None:
    """Raise InputError for an option, by its key, that chooses images by their class."""
    for key, value in options.items():
        if value is not None:
            raise InputError(
                f"dataset.{key}={value}: an image may show several classes here, and so is of none "
                f"of them; set dataset.{key}=null"
            )


def notes_on_presence(images: ImageSet) -> Iterator[str]:
    """What is worth saying about the classes that images show, a line each."""
    presence = images.presence
    if presence is None:
        return
    shown = presence.values.sum(1)
    parts = f"{shown.mean():.1f} classes an image on average, {shown.max()} at most"
    yield (
        f"several labels an image, of {len(presence.names)} classes: "
        f"{listed(map(repr, presence.names))}; {parts}; "
        f"{int((shown == 0).sum()):,} of {len(images):,} images show none"
    )
    for which, rows in (("training", ~images.is_test), ("test", images.is_test)):
        absent = np.flatnonzero(~presence.values[rows].any(0))
        if rows.any() and len(absent):
            names = listed(repr(presence.names[i]) for i in absent)
            yield f"{len(absent)} of {len(presence.names)} classes are in no {which} image: {names}"
