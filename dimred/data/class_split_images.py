"""The images of the data sets of deep metric learning, from their lists and files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.cars196 import read_cars196
from dimred.data.class_split_lists import (
    PARTIAL,
    Listed,
    check_count,
    read_cub200,
    read_stanford_online_products,
)
from dimred.data.class_splits import CLASS_SPLITS, ClassSplit, place_of
from dimred.data.folder_source import DecodedFiles, decode_files
from dimred.data.image_folder import found_in
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.errors import InputError
from dimred.files import expanded, printable

_READERS = {
    "cub200": read_cub200,
    "cars196": read_cars196,
    "stanford_online_products": read_stanford_online_products,
}


def load_class_split(
    name: str,
    root: str,
    image_size: int,
    partial: bool,
    select: Callable[[ImageSet], ImageSet] = lambda images: images,
) -> ImageSet:
    """A data set of deep metric learning, uint8 (N, 3, image_size, image_size), in the order of its
    lists, with its classes as labels and the papers' split by class as `is_unseen`.

    name: "cub200", "cars196" or "stanford_online_products"; the last has the extra labels
        "superclass". root: the folder of the set, or the one that holds this; `~` is expanded.
    image_size: the largest central square of each image is resized to it, as `load_image_folder`
        does. partial: take fewer images or classes than the published set has.
    select: chooses the images to read; it receives all of them without their pixels, and only
        those it returns are opened.

    There is no image split (`is_test` is all False): CUB's train_test_split.txt and the test flags
    of Cars196 part the images of each class, which is another protocol. `index` is the position in
    the lists, whose images need not all be there. Files that cannot be read are left out, and their
    names are `unreadable`. Classes without images are dropped. Where all selected images are of
    unseen classes these are learned from, `is_unseen` is None, and the first look says so.
    mean and std are those of the learned images.

    Raises InputError for lists that are missing, malformed or of other counts than published, for
    images that are missing, and where none can be read.
    """
    split = CLASS_SPLITS[name]
    listed, is_there = _listed_images(name, root, partial)
    chosen = select(_outline(listed, is_there, split))
    folder = str(expanded(root))
    paths = [f"{folder}/{listed.paths[i]}" for i in chosen.index]
    try:
        decoded = decode_files(paths, (image_size, image_size))
    except MemoryError as error:
        raise InputError(
            f"dataset.image_size={image_size}: {len(paths):,} such images need more memory than "
            "there is; set a smaller size"
        ) from error
    unreadable = {
        source: problem
        for source, problem in zip(chosen.sources or (), decoded.problems, strict=True)
        if problem is not None
    }
    if len(unreadable) == len(chosen):
        source, problem = next(iter(unreadable.items()))
        raise InputError(
            f"dataset.root={root!r}: none of its {len(chosen):,} images can be read; the first, "
            f"{source!r}: {problem}"
        )
    images = _with_pixels(chosen, decoded)
    notes = _notes_on_missing(listed, is_there, split)
    unseen = images.is_unseen
    if unseen is not None and unseen.all():
        notes.append(f"all images are of classes that are unseen in {split.title}: learned from")
    if unseen is not None and (unseen.all() or not unseen.any()):
        unseen = None
    mean, std = channel_statistics(images.images, images.is_test if unseen is None else unseen)
    about = [image for image in decoded.about if image is not None]
    found = replace(found_in(about, unreadable), files=int(is_there.sum()), notes=tuple(notes))
    return replace(
        images, mean=mean, std=std, is_unseen=unseen, found=found, unreadable=tuple(unreadable)
    )


def _listed_images(name: str, root: str, partial: bool) -> tuple[Listed, NDArray[np.bool_]]:
    """The images in the lists of a set, and bool (N,), which of their files are there. Raises
    InputError where these are not those of the published set, or, if partial, none."""
    split, place = CLASS_SPLITS[name], place_of(name, root)
    listed = _READERS[name](place, split, partial)
    _check_counts(listed, split, partial)
    if not len(listed.paths):
        raise InputError(f"{listed.said_by[0]}: lists no image")
    is_there = _are_there(place.root, listed.paths)
    if is_there.all() or (partial and is_there.any()):
        return listed, is_there
    missing = np.flatnonzero(~is_there)
    raise InputError(
        f"dataset.root={root!r}: {len(missing):,} of the {len(is_there):,} images listed are "
        f"missing, {printable(listed.paths[missing[0]])!r} first"
        + (f"; {PARTIAL}" if is_there.any() else "")
    )


def _check_counts(listed: Listed, split: ClassSplit, partial: bool) -> None:
    """Refuse lists of other numbers of images and classes of either side than published."""
    learned = split.classes[0]
    spans = f"1 to {learned:,}", f"{learned + 1:,} to {sum(split.classes):,}"
    for side, named in enumerate(listed.said_by):
        ids = listed.ids[(listed.ids > learned) == bool(side)]
        counts = (
            ("images", len(ids), split.images[side]),
            ("classes with images", len(np.unique(ids)), split.classes[side]),
        )
        for what, count, published in counts:
            what = f"{what} of classes {spans[side]}" if what == "images" else what
            check_count(named, what, count, published, split, partial)


def _are_there(root: Path, paths: Sequence[str]) -> NDArray[np.bool_]:
    """bool (N,), whether there is each of the files below `root`. Lists each folder once, which is
    faster than to look for each file."""
    inside: dict[str, set[str]] = {}
    there = np.empty(len(paths), dtype=np.bool_)
    for i, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        if folder not in inside:
            try:
                inside[folder] = {entry.name for entry in os.scandir(root / folder)}
            except (FileNotFoundError, NotADirectoryError):
                inside[folder] = set()
            except OSError as error:
                raise InputError(
                    f"{str(root / folder)!r} cannot be read: {error.strerror}"
                ) from error
        there[i] = name in inside[folder]
    return there


def _outline(listed: Listed, is_there: NDArray[np.bool_], split: ClassSplit) -> ImageSet:
    """The images that are there, without pixels."""
    ids = np.array(sorted(listed.names), dtype=np.int64)
    labels = LabelSet(
        np.searchsorted(ids, listed.ids).astype(np.int64), tuple(listed.names[i] for i in ids)
    )
    n = len(listed.paths)
    every = ImageSet(
        images=torch.empty(n, 3, 0, 0, dtype=torch.uint8),
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        is_test=np.zeros(n, dtype=np.bool_),
        split_name="",
        labels=labels,
        index=np.arange(n, dtype=np.int64),
        extra_labels={} if listed.superclass is None else {"superclass": listed.superclass},
        sources=tuple(map(printable, listed.paths)),
        is_unseen=listed.ids > split.classes[0],
    )
    return every.take(np.flatnonzero(is_there))


def _with_pixels(chosen: ImageSet, decoded: DecodedFiles) -> ImageSet:
    """The chosen images that can be read, with their pixels. Moves those of `decoded`."""
    readable = np.flatnonzero([problem is None for problem in decoded.problems])
    pixels = decoded.pixels
    for position, i in enumerate(readable):  # one by one: a copy of all may not fit in memory
        if position != i:
            pixels[position] = pixels[i]
    kept = chosen.take(readable)
    assert kept.labels is not None
    return replace(
        kept,
        images=torch.from_numpy(pixels[: len(readable)]),
        labels=_occurring(kept.labels),
        extra_labels={name: _occurring(labels) for name, labels in kept.extra_labels.items()},
    )


def _occurring(labels: LabelSet) -> LabelSet:
    """The labels without the classes that no image is of."""
    ids, values = np.unique(labels.values, return_inverse=True)
    return LabelSet(values.astype(np.int64), tuple(labels.names[i] for i in ids))


def _notes_on_missing(listed: Listed, is_there: NDArray[np.bool_], split: ClassSplit) -> list[str]:
    """What a partial set lacks of the published one; nothing where it is whole."""
    ids = listed.ids[is_there]
    unseen = ids > split.classes[0]
    counts = [(int(of.sum()), len(np.unique(ids[of]))) for of in (~unseen, unseen)]
    published = [*zip(split.images, split.classes, strict=True)]
    if counts == published:
        return []
    parts = [
        f"{have[0]:,} of {all_of[0]:,} images and {have[1]:,} of {all_of[1]:,} classes that are "
        f"{called}"
        for have, all_of, called in zip(counts, published, ("learned", "unseen"), strict=True)
    ]
    note = f"{split.title} is not whole (dataset.partial=true): {' and '.join(parts)} are there"
    missing = np.flatnonzero(~is_there)
    if len(missing):
        first = printable(listed.paths[missing[0]])
        note += f"; {len(missing):,} listed files are missing, {first!r} first"
    return [note]
