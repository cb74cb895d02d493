"""Small NORB: toys from all around, from its original files (LeCun, Huang and Bottou, 2004)."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.image_set import Factor, ImageSet, LabelSet, channel_statistics
from dimred.errors import InputError
from dimred.files import expanded, open_regular

_URL = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/"
_TRAIN = "smallnorb-5x46789x9x18x6x2x96x96-training"
_TEST = "smallnorb-5x01235x9x18x6x2x96x96-testing"
_MAX_PAIRS = 24300  # in each part; guards against a damaged header
_CAMERAS = ("left", "right")
_CATEGORIES = ("animal", "human", "airplane", "truck", "car")
_SIZE = 96
_BLOCK = 128  # image pairs read at a time, 2.4 MB

# Columns of a table and their allowed values: the content of cat, then that of info.
_ALLOWED = {
    "category": range(5),
    "instance": range(10),
    "elevation": range(9),
    "azimuth": range(0, 36, 2),
    "lighting": range(6),
}


@dataclass(frozen=True)
class _FileFormat:
    """Format of one of the three files of a part.

    magic: its first four bytes, a little-endian integer that names the type of the values.
    shape: of the values for one image pair.
    """

    magic: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


_FORMATS = {
    "dat": _FileFormat(0x1E3D4C55, np.dtype("u1"), (len(_CAMERAS), _SIZE, _SIZE)),
    "cat": _FileFormat(0x1E3D4C54, np.dtype("<i4"), ()),
    "info": _FileFormat(0x1E3D4C54, np.dtype("<i4"), (4,)),
}


def load_norb_small(
    root: str,
    category: str | None,
    instance: int | None,
    camera: int | None,
    n_test: int | None,
    seed: int,
) -> ImageSet:
    """Small NORB's images, uint8 (N, 1, 96, 96), the train part first; all 97,200, or a selection.

    root: the folder of the six files smallnorb-*-{dat,cat,info}.mat, packed (.mat.gz) or not; where
        both forms exist, the unpacked one is read. `~` is expanded.
    category: animal, human, airplane, truck or car; None for all five.
    instance: 0 to 9, one toy of each category; None for all ten.
    camera: 0 for the left one, 1 for the right one; None for the images of both.
    n_test: number of test images, drawn by `seed` from those selected; None for the official split
        by instance. A selection that lies on one side of that has no split.

    `index` is the position in the files, where left and right images alternate. The labels are
    the categories, None where there is only one; the extra labels are "category", "instance",
    "camera" and "lighting"; all keep only the classes that occur. The factors "elevation" (30 to
    70, above the horizontal) and "azimuth" are in degrees; where azimuth 0 lies differs between
    toys. mean and std are those of the training images.

    Raises InputError for an unknown choice, a selection without images, an n_test that leaves no
    training image, and files that are missing, damaged or inconsistent.
    """
    for key, value, choices in (
        ("category", category, _CATEGORIES),
        ("instance", instance, range(10)),
        ("camera", camera, range(2)),
    ):
        _check_choice(key, value, choices)
    folder = expanded(root)
    parts = [
        {kind: _find(folder, f"{part}-{kind}") for kind in _FORMATS} for part in (_TRAIN, _TEST)
    ]
    tables = [_read_table(paths) for paths in parts]
    columns = _per_image(tables)
    selected = _selected(columns, category, instance, camera)
    if not selected.any():
        raise InputError(
            f"dataset.category={_null(category)}, dataset.instance={_null(instance)}, "
            f"dataset.camera={_null(camera)}: no image in {str(folder)!r} is of these"
        )
    index = np.flatnonzero(selected)
    n_train = len(_CAMERAS) * len(tables[0])
    is_test, split_name = _split(index >= n_train, n_test, seed)
    pixels = np.empty((len(index), 1, _SIZE, _SIZE), dtype=np.uint8)
    border = int((index < n_train).sum())
    _read_images(parts[0], selected[:n_train].reshape(-1, len(_CAMERAS)), pixels[:border])
    _read_images(parts[1], selected[n_train:].reshape(-1, len(_CAMERAS)), pixels[border:])
    return _assemble(
        pixels,
        {name: values[index] for name, values in columns.items()},
        is_test,
        split_name,
        index,
    )


def _check_choice(key: str, value: str | int | None, choices: Sequence[str] | range) -> None:
    if value is not None and value not in choices:
        allowed = ", ".join(str(choice) for choice in choices)
        raise InputError(f"dataset.{key}={value!r}: must be one of {allowed}, or null for all")


def _null(value: str | int | None) -> str:
    return "null" if value is None else str(value)


def _per_image(tables: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
    """The columns of all tables by name, and "camera", with one value for each image."""
    pairs = np.concatenate(tables)
    columns = {name: np.repeat(pairs[:, i], len(_CAMERAS)) for i, name in enumerate(_ALLOWED)}
    columns["camera"] = np.tile(np.arange(len(_CAMERAS), dtype=np.int64), len(pairs))
    return columns


def _selected(
    columns: dict[str, NDArray[np.int64]],
    category: str | None,
    instance: int | None,
    camera: int | None,
) -> NDArray[np.bool_]:
    selected = np.ones(len(columns["camera"]), dtype=np.bool_)
    chosen = None if category is None else _CATEGORIES.index(category)
    for column, value in (("category", chosen), ("instance", instance), ("camera", camera)):
        if value is not None:
            selected &= columns[column] == value
    return selected


def _split(
    official: NDArray[np.bool_], n_test: int | None, seed: int
) -> tuple[NDArray[np.bool_], str]:
    """is_test and the name of the split; official: is_test of the official split."""
    n = len(official)
    is_test, name = official, "official {}"
    if n_test is not None:
        if not 0 <= n_test < n:
            raise InputError(
                f"dataset.n_test={n_test}: must be from 0 to {n - 1}, below the {n} images selected"
            )
        is_test, name = np.zeros(n, dtype=np.bool_), f"random {{}}, seed {seed}"
        is_test[np.random.default_rng(seed).permutation(n)[:n_test]] = True
    count = int(is_test.sum())
    if count in (0, n):
        return np.zeros(n, dtype=np.bool_), ""
    return is_test, name.format(f"{n - count:,}/{count:,}")


def _assemble(
    pixels: NDArray[np.uint8],
    columns: dict[str, NDArray[np.int64]],
    is_test: NDArray[np.bool_],
    split_name: str,
    index: NDArray[np.int64],
) -> ImageSet:
    images = torch.from_numpy(pixels)
    mean, std = channel_statistics(images, is_test)
    category = _labels(columns["category"], _CATEGORIES)
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=split_name,
        labels=category if len(category.names) > 1 else None,
        index=index,
        extra_labels={
            "category": category,
            "instance": _labels(columns["instance"], range(10)),
            "camera": _labels(columns["camera"], _CAMERAS),
            "lighting": _labels(columns["lighting"], range(6)),
        },
        factors={
            "elevation": Factor((30 + 5 * columns["elevation"]).astype(np.float64), "degrees"),
            "azimuth": Factor((10 * columns["azimuth"]).astype(np.float64), "degrees", 360.0),
        },
    )


def _labels(values: NDArray[np.int64], names: Sequence[str] | range) -> LabelSet:
    """The classes that occur among `values`, which are positions in `names`."""
    kept, ids = np.unique(values, return_inverse=True)
    return LabelSet(ids.astype(np.int64), tuple(str(names[i]) for i in kept))


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.mat", folder / f"{name}.mat.gz"):
        try:
            if path.is_file():
                return path
        except OSError as error:  # such as a folder that may not be entered
            raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error
    raise InputError(
        f"dataset.root={str(folder)!r}: no {name}.mat or {name}.mat.gz there; fetch the six files "
        f"from {_URL}, and set dataset.root=FOLDER to the folder that holds them"
    )


def _read_table(paths: dict[str, Path]) -> NDArray[np.int64]:
    """The values for the n image pairs of a part, int64 (n, 5): the columns of _ALLOWED."""
    columns = []
    for kind in ("cat", "info"):
        with _opened(paths[kind], kind) as matrix:
            columns.append(matrix.rows(matrix.n).reshape(matrix.n, -1).astype(np.int64))
            matrix.finish()
    cat, info = columns
    _check_counts(paths["info"], len(info), paths["cat"], len(cat))
    table = np.concatenate([cat, info], axis=1)
    for i, (name, allowed) in enumerate(_ALLOWED.items()):
        wrong = np.flatnonzero(~np.isin(table[:, i], allowed))
        if len(wrong):
            path = paths["cat" if name == "category" else "info"]
            raise _damaged(
                path,
                f"gives image pair {wrong[0]} the {name} {table[wrong[0], i]}; "
                f"must be one of {', '.join(str(value) for value in allowed)}",
            )
    return table


def _read_images(
    paths: dict[str, Path], selected: NDArray[np.bool_], pixels: NDArray[np.uint8]
) -> None:
    """Fill `pixels` (k, 1, 96, 96) with the k images of a part that `selected` (n, 2) marks."""
    with _opened(paths["dat"], "dat") as matrix:
        _check_counts(paths["dat"], matrix.n, paths["cat"], len(selected))
        if not len(pixels):  # saves unpacking some 200 MB
            return
        filled = 0
        for first in range(0, matrix.n, _BLOCK):
            block = selected[first : first + _BLOCK]
            images = matrix.rows(len(block))[block]
            pixels[filled : filled + len(images), 0] = images
            filled += len(images)
        matrix.finish()


def _check_counts(path: Path, n: int, other: Path, n_other: int) -> None:
    if n != n_other:
        raise _damaged(path, f"is of {n} image pairs, but {other.name} of {n_other}")


class _Matrix:
    """A file of NORB's binary matrix format: `n` image pairs, read one after the other.

    The header is the magic number, the number of dimensions, and at least three sizes, of which
    those beyond the number of dimensions are ignored. All are little-endian int32.
    """

    def __init__(self, path: Path, file: BinaryIO | gzip.GzipFile, form: _FileFormat):
        self.path, self.file, self.format = path, file, form
        magic, ndim = struct.unpack("<Ii", self._bytes(8))
        if magic != form.magic:
            raise _damaged(path, f"begins with {magic:#010x}; must be {form.magic:#010x}")
        expected = 1 + len(form.shape)
        if ndim != expected:
            raise _damaged(path, f"has {ndim} dimensions; must have {expected}")
        sizes = max(3, ndim)
        shape = struct.unpack(f"<{sizes}i", self._bytes(4 * sizes))[:ndim]
        if not 1 <= shape[0] <= _MAX_PAIRS or shape[1:] != form.shape:
            allowed = ", ".join(["N", *(str(size) for size in form.shape)])
            limits = f"N from 1 to {_MAX_PAIRS}"
            raise _damaged(path, f"has shape {shape}; must be ({allowed}), {limits}")
        self.n: int = shape[0]

    def rows(self, count: int) -> NDArray[Any]:
        """The values of the next `count` image pairs: (count, ...)."""
        size = count * int(np.prod(self.format.shape)) * self.format.dtype.itemsize
        values = np.frombuffer(self._bytes(size), dtype=self.format.dtype)
        return values.reshape(count, *self.format.shape)

    def finish(self) -> None:
        """Refuse data after the last pair; in a packed file, verify the checksum."""
        if self.file.read(1):
            raise _damaged(self.path, f"is longer than the {self.n} image pairs of its header")

    def _bytes(self, count: int) -> bytes:
        content = self.file.read(count)
        if len(content) < count:
            raise _damaged(self.path, "is truncated: it ends before what its header says")
        return content


@contextmanager
def _opened(path: Path, kind: str) -> Iterator[_Matrix]:
    try:
        with open_regular(path) as opened:
            file = gzip.GzipFile(fileobj=opened) if path.suffix == ".gz" else opened
            yield _Matrix(path, file, _FORMATS[kind])
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, "is damaged or not a whole gzip file") from error
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(f"{str(path)!r} {problem}; fetch it again from {_URL}")
