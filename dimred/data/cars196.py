"""What the MATLAB files of Cars196 (Stanford Cars) list (Krause et al. 2013)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.class_split_lists import Entry, Listed, check_count, ids_of, keep_path
from dimred.data.class_splits import ClassSplit, Place
from dimred.errors import InputError
from dimred.files import printable, read_regular

_MAX_BYTES = 2**26  # the published files have less than 2^20


def read_cars196(place: Place, split: ClassSplit, partial: bool) -> Listed:
    """The images of Cars196 in the order of cars_annos.mat or, for the devkit, of its train and
    then of its test annotations. Classes are called as in `class_names`, such as "AM General Hummer
    SUV 2000". The split of the images of each class, `test` in cars_annos.mat and the two files of
    the devkit, is another protocol and does not matter.

    Raises InputError for files that are damaged or of other content.
    """
    if len(place.lists) == 1:
        file = place.lists[0]
        annotations = [(file, "relative_im_path", "")]
        names_file = file
    else:
        train, test, names_file = place.lists
        annotations = [(train, "fname", "cars_train/"), (test, "fname", "cars_test/")]
    every = sum(split.classes)
    names = _class_names(names_file)
    check_count(f"{str(names_file)!r}", "class names", len(names), every, split, partial)
    paths: dict[str, int] = {}
    for file, key, folder in annotations:
        for entry in _annotations(file, key):
            class_id = entry.number(0, "class", range(1, len(names) + 1))
            path = entry.path(entry.fields[1], place.below + folder)
            keep_path(entry, path, class_id, paths)
    said_by = " and ".join(repr(str(file)) for file, _, _ in annotations)  # of both sides
    return Listed(tuple(paths), ids_of(paths), names, (said_by, said_by))


def _class_names(file: Path) -> dict[int, str]:
    names: dict[int, str] = {}
    for number, cell in enumerate(_variable(file, "class_names").ravel(), 1):
        entry = Entry(file, f"class_names({number})")
        name = printable(_text(entry, cell))
        if name in names.values():
            entry.refuse(f"{name!r} is the name of another class too")
        names[number] = name
    return names


def _annotations(file: Path, key: str) -> Iterator[Entry]:
    """Class and path of each annotation, as text. key: the field of the path."""
    values = _variable(file, "annotations")
    lacking = {"class", key} - set(values.dtype.names or ())
    if lacking:
        raise InputError(f"{str(file)!r}: annotations have no field {min(lacking)!r}")
    for number, (class_id, path) in enumerate(
        zip(values["class"].ravel(), values[key].ravel(), strict=True), 1
    ):
        entry = Entry(file, f"annotations({number})")
        whole = np.asarray(class_id)
        if whole.size != 1 or whole.dtype.kind not in "iuf":
            entry.refuse(f"class is {whole.dtype} {whole.shape}; must be one number")
        yield Entry(file, entry.place, (f"{whole.item():g}", _text(entry, path)))


def _text(entry: Entry, cell: object) -> str:
    """The text in a cell of MATLAB, which is an array of one string."""
    text = np.asarray(cell)
    if text.size != 1 or text.dtype.kind != "U":
        entry.refuse(f"is {text.dtype} {text.shape}; must be a text")
    return str(text.item())


def _variable(file: Path, name: str) -> NDArray[Any]:
    """A variable of a MATLAB file of version 5, which holds plain data and no code."""
    from scipy.io import loadmat

    try:
        content = read_regular(file)
        if len(content) > _MAX_BYTES:
            raise InputError(f"{str(file)!r}: is longer than {_MAX_BYTES:,} bytes")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what else is in the file
            variables = loadmat(io.BytesIO(content), variable_names=[name])
    except OSError as error:
        raise InputError(
            f"{str(file)!r} cannot be read: {error.strerror or 'it is damaged'}"
        ) from error
    except InputError:
        raise
    except Exception as error:  # damaged files make SciPy raise many kinds
        raise InputError(f"{str(file)!r}: is damaged, or no MATLAB file of version 5") from error
    if name not in variables:
        raise InputError(f"{str(file)!r}: has no variable {name!r}")
    return np.asarray(variables[name])
