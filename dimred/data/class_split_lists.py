"""What the lists of the data sets of deep metric learning say: their images and classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from dimred.data.class_splits import ClassSplit, Place
from dimred.data.image_set import LabelSet
from dimred.errors import InputError
from dimred.files import printable, read_regular

PARTIAL = "dataset.partial=true takes what is there"
_SOP_FIELDS = ("image_id", "class_id", "super_class_id", "path")
_SUPERS = range(1, 13)
_CUB_CLASS = re.compile(r"(\d{3})\.[^/]+")


@dataclass(frozen=True)
class Listed:
    """N images as the lists name them, in their order.

    paths: below `dataset.root`, with "/" between parts. ids: int64 (N,), their class ids, from 1.
    names: name of each class that is listed, by id. superclass: a further labeling.
    said_by: the files that list the images of learned and of unseen classes, for messages.
    """

    paths: tuple[str, ...]
    ids: NDArray[np.int64]
    names: dict[int, str]
    said_by: tuple[str, str]
    superclass: LabelSet | None = None


@dataclass(frozen=True)
class Entry:
    """Where something stands in a list, for messages, and its fields."""

    file: Path
    place: str
    fields: tuple[str, ...] = ()

    def refuse(self, problem: str) -> NoReturn:
        """Raise InputError in one line with file, place and problem."""
        raise InputError(f"{str(self.file)!r}, {self.place}: {problem}")

    def number(self, at: int, name: str, allowed: range) -> int:
        """The field at a position as a whole number."""
        text = self.fields[at]
        whole = text.isascii() and text.isdigit() and len(text) < 10
        if not whole or int(text) not in allowed:
            self.refuse(f"{name}={text!r} must be a whole number from {_span(allowed)}")
        return int(text)

    def path(self, text: str, below: str) -> str:
        """A path of the list as one below the root. below: of the folder that it is relative to."""
        if "\0" in text or {"", ".", ".."} & set(text.split("/")):
            self.refuse(f"path {text!r} must lead to a file below the folder, without '..'")
        return below + text


def read_cub200(place: Place, split: ClassSplit, partial: bool) -> Listed:
    """The images of CUB-200-2011 in the order of images.txt (Wah et al. 2011). Classes are called
    as their folders, such as "001.Black_footed_Albatross". train_test_split.txt, which parts the
    images of each class, is another protocol and is not read.

    Raises InputError for malformed lists, and for such that contradict each other.
    """
    images_file, labels_file, classes_file = place.lists
    every = range(1, sum(split.classes) + 1)
    names = _cub_classes(classes_file, every)
    check_count(f"{str(classes_file)!r}", "classes", len(names), len(every), split, partial)
    labels: dict[int, int] = {}
    for entry in _entries(labels_file, ("image_id", "class_id")):
        image = _new_id(entry, labels)
        labels[image] = entry.number(1, "class_id", every)
        if labels[image] not in names:
            entry.refuse(f"class {labels[image]} is not in {classes_file.name}")
    paths: dict[str, int] = {}
    images: dict[int, str] = {}
    for entry in _entries(images_file, ("image_id", "path")):
        image = _new_id(entry, images)
        path = images[image] = entry.path(entry.fields[1], f"{place.below}images/")
        if image not in labels:
            entry.refuse(f"image {image} has no class in {labels_file.name}")
        folder, expected = entry.fields[1].partition("/")[0], names[labels[image]]
        if folder != expected:
            entry.refuse(
                f"{entry.fields[1]!r} is not in the folder {expected!r} of its class, "
                f"{labels[image]} in {labels_file.name}"
            )
        keep_path(entry, path, labels[image], paths)
    rest = labels.keys() - images.keys()
    if rest and not partial:
        raise InputError(
            f"{str(labels_file)!r}: {len(rest):,} of its images, {min(rest)} first, are not in "
            f"{images_file.name}; {PARTIAL}"
        )
    said_by = repr(str(images_file))
    return Listed(tuple(paths), ids_of(paths), names, (said_by, said_by))


def _cub_classes(file: Path, every: range) -> dict[int, str]:
    names: dict[int, str] = {}
    for entry in _entries(file, ("class_id", "name")):
        number, name = entry.number(0, "class_id", every), printable(entry.fields[1])
        named = _CUB_CLASS.fullmatch(entry.fields[1])
        if named is None or int(named[1]) != number:
            entry.refuse(f"class {number} is called {name!r}, which must begin with {number:03d}.")
        if number in names:
            entry.refuse(f"class {number} is listed already")
        names[number] = name
    return names


def read_stanford_online_products(place: Place, split: ClassSplit, partial: bool) -> Listed:
    """The images of Stanford Online Products, those of Ebay_train.txt first (Song et al. 2016).
    Super classes are called as their folders without "_final", classes by these and their numbers,
    such as "bicycle 1".

    Raises InputError for malformed lists, and for a class in the list of the other side.
    """
    first_unseen = split.classes[0] + 1
    sides = (range(1, first_unseen), range(first_unseen, sum(split.classes) + 1))
    paths: dict[str, int] = {}
    names: dict[int, str] = {}
    supers: list[int] = []
    folders: dict[int, str] = {}
    for file, classes in zip(place.lists, sides, strict=True):
        images: set[int] = set()
        for entry in _entries(file, _SOP_FIELDS, header=True):
            images.add(_new_id(entry, images))
            number = entry.number(1, "class_id", classes)
            supers.append(entry.number(2, "super_class_id", _SUPERS))
            path = entry.path(entry.fields[3], place.below)
            folder = entry.fields[3].rpartition("/")[0]
            if folders.setdefault(supers[-1], folder) != folder:
                entry.refuse(
                    f"{entry.fields[3]!r} is of super class {supers[-1]}, whose other images are "
                    f"in {folders[supers[-1]]!r}"
                )
            keep_path(entry, path, number, paths)
            names.setdefault(number, f"{_super_name(folder)} {number}")
    ids, values = np.unique(np.array(supers, dtype=np.int64), return_inverse=True)
    called = tuple(_super_name(folders[i]) for i in ids.tolist())
    if len(set(called)) < len(called):
        raise InputError(
            f"{str(place.lists[0])!r}: the images of two super classes are in one folder"
        )
    superclass = LabelSet(values.astype(np.int64), called)
    learned, unseen = (repr(str(file)) for file in place.lists)
    return Listed(tuple(paths), ids_of(paths), names, (learned, unseen), superclass)


def _super_name(folder: str) -> str:
    return printable(folder).removesuffix("_final")


def check_count(
    named: str, what: str, count: int, published: int, split: ClassSplit, partial: bool
) -> None:
    """Raise InputError where a file lists another number of things than the published set has.

    named: the file, and what: the things, for the message. partial: whether they may be fewer.
    """
    if count == published or (count < published and partial):
        return
    hint = f"; {PARTIAL}" if count < published else ""
    raise InputError(
        f"{named}: {count:,} {what} are listed, but {split.title} has {published:,}{hint}"
    )


def _entries(file: Path, fields: Sequence[str], header: bool = False) -> Iterator[Entry]:
    """The lines of a list, each with its fields; the last takes the rest of the line. Empty lines
    are passed over. header: whether the first line names the fields."""
    try:
        text = read_regular(file).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{str(file)!r} cannot be read: {error.strerror}") from error
    form = " ".join(fields)
    for number, line in enumerate(text.split("\n"), 1):
        entry = Entry(file, f"line {number}", tuple(line.strip().split(maxsplit=len(fields) - 1)))
        if header and number == 1:
            if entry.fields != tuple(fields):
                entry.refuse(f"is {printable(line.strip())[:80]!r}; must be {form!r}")
        elif line.strip():
            if len(entry.fields) != len(fields):
                entry.refuse(f"is {printable(line.strip())[:80]!r}; must be of the form {form!r}")
            yield entry


def _new_id(entry: Entry, known: dict[int, str] | dict[int, int] | set[int]) -> int:
    """The image id in the first field, refused where it is known."""
    image = entry.number(0, "image_id", range(1, 10**9))
    if image in known:
        entry.refuse(f"image {image} is listed already")
    return image


def keep_path(entry: Entry, path: str, class_id: int, paths: dict[str, int]) -> None:
    """Add an image's path and class, refused where the path is known."""
    if path in paths:
        entry.refuse(f"{path!r} is listed already")
    paths[path] = class_id


def ids_of(paths: dict[str, int]) -> NDArray[np.int64]:
    """The class id of each path, int64 (N,)."""
    return np.fromiter(paths.values(), np.int64, len(paths))


def _span(allowed: range) -> str:
    return f"{allowed.start:,} to {allowed.stop - 1:,}"
