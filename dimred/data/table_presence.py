"""The column `classes` of a user's table: all classes that each image shows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dimred.data.folder_layout import File
from dimred.data.presence import Presence
from dimred.data.spelling import listed, one_spelling

COLUMN = "classes"
_SEPARATOR = re.compile("[;|]")
_LIKE_SEPARATORS = re.compile("[,/]")


def classes_in(cell: str) -> tuple[str, ...]:
    """The names in a cell, which are separated by semicolons or vertical bars; () for an image that
    shows none of the classes."""
    return tuple(name for part in _SEPARATOR.split(cell) if (name := part.strip()))


def with_one_spelling(files: Sequence[File]) -> tuple[list[File], list[str]]:
    """The files with one spelling for names of their classes that differ in their Unicode form
    only; and what is worth saying."""
    spelled, notes = one_spelling(name for file in files for name in file.classes or ())
    unsplit = sorted(name for name in set(spelled.values()) if _LIKE_SEPARATORS.search(name))
    if unsplit:
        names = listed(map(repr, unsplit))
        notes.append(
            f"names of classes are separated by ; or |, so that each of these is one: {names}"
        )
    return [
        file
        if file.classes is None
        else replace(file, classes=tuple(spelled[name] for name in file.classes))
        for file in files
    ], notes


def presence_in(files: Sequence[File], every: Sequence[File] | None = None) -> Presence | None:
    """Which classes each file shows, those that occur in order of their names; None where files
    have one class each, or none is known.

    every: all files of the set, whose classes count as well: these do not depend on which files are
        chosen, or can be read.
    """
    names = sorted({name for file in every or files for name in file.classes or ()})
    if not names:
        return None
    position = {name: i for i, name in enumerate(names)}
    values = np.zeros((len(files), len(names)), dtype=np.bool_)
    for row, file in enumerate(files):
        values[row, [position[name] for name in file.classes or ()]] = True
    return Presence(values, tuple(names))
