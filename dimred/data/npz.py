"""Images, labels and split from the arrays of an .npz file, or images alone from an .npy file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.array_file import IMAGES, SINGLE, ArrayFile
from dimred.data.array_shapes import channel_axis, shape_of
from dimred.data.array_source import ArraySource, Error, source_for, source_of
from dimred.data.found import Found
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.known_digests import KnownDigests
from dimred.data.npz_presence import boxes_of, presence_of
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.data.presence import Boxes, Presence
from dimred.data.reading import Reading
from dimred.data.spelling import composed, one_spelling
from dimred.data.stored_array import Rows
from dimred.data.window import AUTO

_NAMES = (IMAGES, *SINGLE, "labels", "class_names", "split", "boxes")

Learned = Callable[[ImageSet], NDArray[np.int64]]


def training_rows(images: ImageSet) -> NDArray[np.int64]:
    """The positions of the training images."""
    return np.flatnonzero(~images.is_test)


def load_npz(
    path: str,
    window: Any = AUTO,
    store: Store = Store.memory,
    folder: Path | None = None,
    learned: Learned = training_rows,
) -> ImageSet:
    """The images of an .npz file as `numpy.savez` writes it, or of an .npy file, which holds the
    images alone; `~` is expanded.

    images: of shape (N, H, W), (N, H, W, C) or (N, C, H, W), C from 1 to MAX_CHANNELS. The channel
        is axis 1 or 3, whichever alone is 1 or 3 long, else whichever alone is at most 16 long; the
        array `axes` decides where that does not. uint8 stay as they are; bool become 0 and 255;
        uint16, int16, uint32, int32 and floats become bytes by `window`.
    axes: optional, "NCHW" or "NHWC": what the four axes of the images are.
    rgb: optional, whether three channels are red, green and blue; True where it is missing.
    labels: optional, (N,), integers or strings. The classes are the values that occur, sorted;
        strings that differ only in their Unicode form are one class. Or (N, K) of bool, or 0 and 1,
        K at least 2: which of K classes each image shows, any number of them.
    class_names: optional, (K,), unique strings. Integer labels are then positions in it, and
        string labels must be among its names. With a matrix, of its columns.
    boxes: optional, with a matrix, (M, 6): for each object the position of its image and class, and
        left, top, right and bottom in pixels, of which right and bottom are outside.
    split: optional, (N,), "train" or "test", or True or 1 for test. If all images are on one side,
        there is no split.

    Other arrays are ignored, as are `axes` and `rgb` of other kinds, which is said. mean and std
    are those of the training images. Arrays that are stored uncompressed, image after image, are
    read in blocks; of others all are in memory while they become bytes.

    window: `dataset.window`. store, folder: of `load_pixels`. learned: the positions of the
        images that percentiles of `window` are of, from all images without pixels.
    Raises InputError for a file that is missing, damaged or of another kind, for an array that is
    missing or invalid, and where memory does not suffice.
    """
    named = f"dataset.path={path!r}"
    known = None if store is Store.memory or folder is None else KnownDigests(folder)
    arrays = ArrayFile(path, named, _NAMES, known)
    rows, axis = _images(arrays)
    is_test = _is_test(arrays, len(rows))
    n_test = int(is_test.sum())
    presence, boxes, labels = *_presence(arrays, shape_of(rows.shape, axis)[1:]), None
    notes: list[str] = []
    if presence is None:
        labels, notes = _labels(arrays, len(rows))
    outline = ImageSet(
        images=torch.empty(len(rows), 1, 0, 0, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=is_test,
        split_name="",
        labels=labels,
        index=np.arange(len(rows), dtype=np.int64),
        presence=presence,
    )
    source, chosen = source_of(rows, axis, window, lambda: learned(outline), arrays.error)
    there = None if store is Store.disk else source.as_they_are
    if there is None:
        images = load_pixels(source, store, folder, named, known).images
    else:
        images = torch.from_numpy(there)
    mean, std = channel_statistics(images, is_test)
    return replace(
        outline,
        images=images,
        mean=mean,
        std=std,
        split_name=f"split array, {len(images) - n_test:,}/{n_test:,}" if n_test else "",
        found=Found(notes=(*notes, *_notes_on_names(arrays))),
        boxes=boxes,
        is_rgb=_is_rgb(arrays),
        window=chosen,
    )


def npz_source(
    path: str,
    named: str,
    reading: Reading,
    known: tuple[int, int, int] | None = None,
) -> ArraySource:
    """The images of an .npz or .npy file as a run takes them.

    named: how error messages begin. reading, known: the run's, and the channels, height and width
    of its images, by which axes are told apart.
    Raises InputError as `load_npz`.
    """
    arrays = ArrayFile(path, named, (IMAGES, "axes", "rgb"))
    rows, axis = _images(arrays, known)
    source = source_for(rows, axis, reading, arrays.error)
    source.is_rgb = _is_rgb(arrays)
    return source


def array_source(
    array: NDArray[Any],
    error: Error,
    reading: Reading,
    known: tuple[int, int, int] | None = None,
) -> ArraySource:
    """`npz_source` of an array in memory. error: makes an exception from a message."""
    return source_for(array, channel_axis(array.shape, error, known=known), reading, error)


def _images(
    arrays: ArrayFile, known: tuple[int, int, int] | None = None
) -> tuple[Rows, int | None]:
    """The array of images, and its channel axis."""
    if arrays.images is None:
        names = ", ".join(repr(name) for name in arrays.all_names[:20]) or "none"
        raise arrays.error(f"no array 'images'; the arrays are {names}")
    axes = arrays.scalar("axes", "SU")
    return arrays.images, channel_axis(arrays.images.shape, arrays.error, axes, known)


def _is_rgb(arrays: ArrayFile) -> bool:
    return arrays.scalar("rgb", "b") is not False


def _notes_on_names(arrays: ArrayFile) -> Iterator[str]:
    """What to say of arrays that have a name by chance."""
    for name, kinds, wanted in (("axes", "SU", "NCHW or NHWC"), ("rgb", "b", "True or False")):
        if name in arrays.all_names and arrays.scalar(name, kinds) is None:
            yield f"array '{name}' is not {wanted}, and is ignored"


def _presence(arrays: ArrayFile, size: tuple[int, int]) -> tuple[Presence | None, Boxes | None]:
    """Which classes each image shows, and where, if the labels are a matrix.

    size: height and width of an image.
    """
    labels, names, boxes = (arrays.get(name) for name in ("labels", "class_names", "boxes"))
    if labels is None or labels.ndim != 2:
        if boxes is not None:
            raise arrays.error("array 'boxes' without 'labels' as a matrix (N, K) of 0 and 1")
        return None, None
    class_names = None if names is None else _class_names(arrays, names)
    presence = presence_of(labels, class_names, arrays.error)
    if boxes is None:
        return presence, None
    return presence, boxes_of(boxes, presence, size, arrays.error)


def _class_names(arrays: ArrayFile, names: NDArray[Any]) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise arrays.error("array 'class_names' must be one row of strings")
    class_names = tuple(str(name) for name in names)
    if len({composed(name) for name in class_names}) < len(class_names):
        raise arrays.error("array 'class_names' has a name twice")
    return class_names


def _labels(arrays: ArrayFile, n: int) -> tuple[LabelSet | None, list[str]]:
    """The labels, and what is worth saying about the names of classes."""
    labels, names = arrays.get("labels", n), arrays.get("class_names")
    if labels is None:
        if names is not None:
            raise arrays.error("array 'class_names' without an array 'labels'")
        return None, []
    if labels.dtype.kind not in "biuU":
        raise arrays.error(f"array 'labels' is {labels.dtype}; must be integers or strings")
    if names is None:
        values, ids = np.unique(labels, return_inverse=True)
        spelled, notes = one_spelling(str(value) for value in values)
        if len(set(spelled.values())) < len(values):
            values, ids = np.unique(
                np.array([spelled[str(value)] for value in values])[ids], return_inverse=True
            )
        return LabelSet(ids.astype(np.int64), tuple(str(value) for value in values)), notes
    class_names = _class_names(arrays, names)
    position = {composed(name): i for i, name in enumerate(class_names)}
    ids = labels
    if labels.dtype.kind == "U":
        ids = np.array([position.get(composed(str(label)), -1) for label in labels])
    wrong = labels[(ids < 0) | (ids >= len(class_names))]
    if len(wrong):
        raise arrays.error(
            f"array 'labels' has {wrong[0].item()!r}; with 'class_names' it must hold its names, "
            f"or positions 0 to {len(class_names) - 1} in it"
        )
    return LabelSet(ids.astype(np.int64), class_names), one_spelling(class_names)[1]


def _is_test(arrays: ArrayFile, n: int) -> NDArray[np.bool_]:
    split = arrays.get("split", n)
    if split is None:
        return np.zeros(n, dtype=np.bool_)
    test, train = ("test", "train") if split.dtype.kind == "U" else (1, 0)
    wrong = split[(split != test) & (split != train)] if split.dtype.kind in "biuU" else split
    if len(wrong):
        raise arrays.error(
            f"array 'split' has {wrong[0].item()!r}; must be 'train' or 'test', or 0, or 1 for test"
        )
    is_test: NDArray[np.bool_] = split == test
    return np.zeros_like(is_test) if is_test.all() else is_test
