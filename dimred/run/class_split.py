"""Which classes a run learns from and which it is measured on, for its record and its figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.spelling import listed
from dimred.measures.protocol import Setting
from dimred.plots.style import N_COLORS, displayable
from dimred.run_folder.arrays import LEARNED, UNSEEN

_NAMED = 10  # classes
_LETTERS = 15  # of a class in a legend, which leaves room for the note


def class_split_part(setting: Setting) -> dict[str, Any]:
    """The part `class_split` of the dataset in summary.json; {} where all classes are learned from.

    Numbers of classes and images, `learned` and `unseen`; of the unseen ones also how many images
    are `measured`: a distance between images is measured on these.
    """
    images = setting.images
    if images.is_unseen is None or images.labels is None:
        return {}
    part: dict[str, dict[str, int]] = {}
    for name, rows in ((LEARNED, ~images.is_unseen), (UNSEEN, images.is_unseen)):
        classes = len(np.unique(images.labels.values[rows]))
        part[name] = {"classes": classes, "images": int(rows.sum())}
    part[UNSEEN]["measured"] = len(setting.measured)
    return {"class_split": part}


def class_names(images: ImageSet) -> str:
    """The names of the learned and of the unseen classes, the first ones of many."""
    assert images.labels is not None
    assert images.is_unseen is not None
    parts = []
    for name, rows in ((LEARNED, ~images.is_unseen), (UNSEEN, images.is_unseen)):
        numbers = np.unique(images.labels.values[rows])
        named = (images.labels.names[i] for i in numbers)
        parts.append(f"{name}: {listed(named, _NAMED)}")
    return "; ".join(parts)


def with_unseen_named(images: ImageSet) -> LabelSet | None:
    """The labels of images for a legend, in which the names of unseen classes say so; where there
    are too many classes for a legend, the labels as they are."""
    labels = images.labels
    if labels is None or images.is_unseen is None or len(np.unique(labels.values)) > N_COLORS:
        return labels
    unseen = set(labels.values[images.is_unseen].tolist())
    names = [
        f"{displayable(name, _LETTERS)} ({UNSEEN})" if i in unseen else name
        for i, name in enumerate(labels.names)
    ]
    return replace(labels, names=tuple(names))


def unseen_note(images: ImageSet) -> str:
    """What a figure that is colored by class says of unseen classes; "" where there are none."""
    labels = images.labels
    if labels is None or images.is_unseen is None:
        return ""
    unseen = len(np.unique(labels.values[images.is_unseen]))
    return f", {unseen} of {len(np.unique(labels.values))} classes not learned from"
