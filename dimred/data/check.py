"""Validation of an image set when it is loaded: a faulty dataset gets a one-line error before
training instead of a crash during it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from dimred.data.found import Found
from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.data.presence import Boxes, Presence, are_inside
from dimred.data.window import MAX_CHANNELS
from dimred.errors import InputError


def check_image_set(name: str, images: ImageSet) -> None:
    """Raise InputError for an image set that breaks the contract of `ImageSet`. Pixel values are
    not checked.

    name: of the dataset, for messages.
    """
    if not isinstance(images, ImageSet):
        raise InputError(f"dataset={name}: gives {type(images).__name__}; it must be an ImageSet")
    for fault in _faults(images):
        raise InputError(f"dataset={name}: {fault}")


def _faults(images: ImageSet) -> Iterator[str]:
    pixels, n = images.images, len(images)
    if (
        pixels.dtype != torch.uint8
        or pixels.ndim != 4
        or not 1 <= pixels.shape[1] <= MAX_CHANNELS
        or not pixels.numel()
    ):
        kind = str(pixels.dtype).removeprefix("torch.")
        must = f"uint8 (N, C, H, W), C from 1 to {MAX_CHANNELS}"
        yield f"images are {kind} {tuple(pixels.shape)}; they must be {must}"
    if images.is_test.dtype != np.bool_ or images.is_test.shape != (n,):
        yield f"is_test is {_described(images.is_test)}; it must be bool ({n},)"
    unseen = images.is_unseen
    if unseen is not None and (unseen.dtype != np.bool_ or unseen.shape != (n,)):
        yield f"is_unseen is {_described(unseen)}; it must be bool ({n},) or None"
    if images.index.dtype != np.int64 or images.index.shape != (n,):
        yield f"index is {_described(images.index)}; it must be int64 ({n},)"
    channels = pixels.shape[1]
    if len(images.mean) != channels or len(images.std) != channels or min(images.std) <= 0:
        yield f"mean={images.mean}, std={images.std}: must be {channels} numbers, std above 0"
    labelings = {"labels": images.labels} if images.labels else {}
    for key, labels in (labelings | images.extra_labels).items():
        yield from _faults_of_labels(key, labels, n)
    for key, factor in images.factors.items():
        yield from _faults_of_factor(key, factor, n)
    for key, column in images.columns.items():
        if isinstance(column, LabelSet):
            yield from _faults_of_labels(f"column {key!r}", column, n)
        elif column.dtype != np.float64 or column.shape != (n,):
            yield f"column {key!r} is {_described(column)}; it must be float64 ({n},), or labels"
    if images.presence is not None:
        yield from _faults_of_presence(images.presence, n)
        if images.labels is not None:
            yield "labels beside presence: must be None where images show several classes"
    if images.boxes is not None:
        yield from _faults_of_boxes(images.boxes, images)
    if images.sources is not None and len(images.sources) != n:
        yield f"sources: {len(images.sources)} file names for {n} images"
    found: object = images.found  # a plug-in can give anything
    if not isinstance(found, Found | None):
        yield f"found is {type(found).__name__}; it must be a Found or None"


def _faults_of_labels(key: str, labels: LabelSet, n: int) -> Iterator[str]:
    values, classes = labels.values, len(labels.names)
    if values.dtype != np.int64 or values.shape != (n,):
        yield f"{key} are {_described(values)}; they must be int64 ({n},)"
    elif not 0 <= values.min() <= values.max() < classes:
        yield f"{key}: must be from 0 to {classes - 1}, one for each of {classes} names"


def _faults_of_presence(presence: Presence, n: int) -> Iterator[str]:
    values, classes = presence.values, len(presence.names)
    if not classes:
        yield "presence: has no class"
    if values.dtype != np.bool_ or values.shape != (n, classes):
        yield f"presence is {_described(values)}; it must be bool ({n}, {classes}), as the names"
    if len(set(presence.names)) < classes:
        yield "presence: has a class twice"


def _faults_of_boxes(boxes: Boxes, images: ImageSet) -> Iterator[str]:
    image, kind, corners = boxes.image, boxes.kind, boxes.corners
    if images.presence is None:
        yield "boxes without presence, whose classes they would be of"
        return
    m, (height, width) = len(image), images.images.shape[2:]
    for key, values, shape in (("image", image, (m,)), ("kind", kind, (m,))):
        if values.dtype != np.int64 or values.shape != shape:
            yield f"{key} of boxes is {_described(values)}; it must be int64 {shape}"
            return
    if corners.dtype != np.float64 or corners.shape != (m, 4):
        yield f"corners of boxes are {_described(corners)}; they must be float64 ({m}, 4)"
        return
    classes = len(images.presence.names)
    if ((image < 0) | (image >= len(images)) | (kind < 0) | (kind >= classes)).any():
        yield f"boxes must be of images 0 to {len(images) - 1} and classes 0 to {classes - 1}"
        return
    inside = are_inside(corners, (height, width))
    if not inside.all():
        yield (
            f"box {corners[~inside][0].tolist()}: must have left < right and top < bottom inside "
            f"the {width}x{height} pixels of an image"
        )
    if not images.presence.values[image, kind].all():
        yield "boxes are of classes that their images do not show"


def _faults_of_factor(key: str, factor: Factor, n: int) -> Iterator[str]:
    values = factor.values
    if values.dtype != np.float64 or values.shape != (n,) or not np.isfinite(values).all():
        yield f"factor {key!r} is {_described(values)}; it must be finite float64 ({n},)"
    if factor.period is not None and not factor.period > 0:
        yield f"factor {key!r}: period={factor.period} must be above 0"


def _described(values: np.ndarray) -> str:
    return f"{values.dtype} {values.shape}"
