"""Images, labels and split from the arrays of an .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.array_files import NPY, read_header
from dimred.data.first_look import Found
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.npz_presence import boxes_of, presence_of
from dimred.data.presence import Boxes, Presence
from dimred.data.spelling import composed, one_spelling
from dimred.errors import InputError
from dimred.files import expanded, memory, open_regular

_CHANNELS = (1, 3)
_ONE_AN_IMAGE = ("labels", "split")
_NAMES = ("images", "labels", "class_names", "split", "boxes")


def load_npz(path: str) -> ImageSet:
    """The images of an .npz file as `numpy.savez` writes it; `~` is expanded.

    images: uint8, or floats in [0, 1] (which are rounded to 256 steps), of shape (N, H, W),
        (N, H, W, C) or (N, C, H, W) with C = 1 or 3.
    labels: optional, (N,), integers or strings. The classes are the values that occur, sorted;
        strings that differ only in their Unicode form are one class. Or (N, K) of bool, or 0 and 1,
        K at least 2: which of K classes each image shows, any number of them.
    class_names: optional, (K,), unique strings. Integer labels are then positions in it, and
        string labels must be among its names. With a matrix, of its columns.
    boxes: optional, with a matrix, (M, 6): for each object the position of its image and class, and
        left, top, right and bottom in pixels, of which right and bottom are outside.
    split: optional, (N,), "train" or "test", or True or 1 for test. If all images are on one side,
        there is no split.

    Other arrays are ignored. mean and std are those of the training images.

    Raises InputError for a file that is missing, damaged or no .npz, for an array that is missing
    or invalid, and where memory does not suffice.
    """
    try:
        return _load(path)
    except MemoryError as error:
        raise InputError(
            f"dataset.path={path!r}: its images need more memory than there is; save fewer or "
            "smaller ones"
        ) from error


def _load(path: str) -> ImageSet:
    arrays = _Arrays(path, f"dataset.path={path!r}", _NAMES)
    images = _images(arrays)
    is_test = _is_test(arrays, len(images))
    n_test = int(is_test.sum())
    presence, boxes, labels = *_presence(arrays, images), None
    notes: list[str] = []
    if presence is None:
        labels, notes = _labels(arrays, len(images))
    mean, std = channel_statistics(images, is_test)
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=f"split array, {len(images) - n_test:,}/{n_test:,}" if n_test else "",
        labels=labels,
        index=np.arange(len(images), dtype=np.int64),
        found=Found(notes=tuple(notes)),
        presence=presence,
        boxes=boxes,
    )


def npz_images(path: str, named: str) -> Tensor:
    """The array `images` of an .npz file, uint8 (N, C, H, W), read as `load_npz` reads it.

    named: how error messages begin. Raises InputError as `load_npz`.
    """
    try:
        return _images(_Arrays(path, named, ("images",)))
    except MemoryError as error:
        raise InputError(f"{named}: its images need more memory than there is") from error


class _Arrays:
    """The arrays of an .npz file that have a known name. named: how error messages begin.

    What an array claims to be is known from its header before it is read, and refused where the
    file does not hold as much, or the machine could not.
    """

    def __init__(self, path: str, named: str, known_names: tuple[str, ...]):
        self.named, self.known_names = named, known_names
        try:
            with open_regular(expanded(path)) as opened:  # NumPy would leave a damaged file open
                self.all_names, self.arrays = self._read(opened)
        except OSError as error:
            raise self.error(error.strerror or "cannot be read") from error

    def error(self, problem: str) -> InputError:
        return InputError(f"{self.named}: {problem}")

    def get(self, name: str, n: int | None = None) -> NDArray[Any] | None:
        """An array, with bytes decoded to strings, or None. n: require the shape (n,)."""
        array = self.arrays.get(name)
        if array is None:
            return None
        if n is not None:
            self._check_shape(name, array.shape, n)
        if array.dtype.kind == "S":
            try:
                return np.char.decode(array, "utf-8")
            except UnicodeDecodeError as error:
                raise self.error(f"array '{name}' has bytes that are not UTF-8") from error
        return array

    def _check_shape(self, name: str, shape: tuple[int, ...], n: int) -> None:
        # One column alone may be meant as the class of each image.
        is_matrix = name == "labels" and len(shape) == 2 and shape[0] == n and shape[1] > 1
        if shape != (n,) and not is_matrix:
            matrix = f", or ({n}, K), K at least 2" if name == "labels" else ""
            raise self.error(f"array '{name}' has shape {shape}; {n} images need ({n},){matrix}")

    def _read(self, file: BinaryIO) -> tuple[list[str], dict[str, NDArray[Any]]]:
        """Names of all arrays, and the arrays with a known name."""
        if file.read(len(NPY)) == NPY:
            raise self.error("a single array, not an .npz file; write it with numpy.savez")
        file.seek(0)
        try:
            content = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self.error("not an .npz file, or damaged") from error
        names = list(content)
        arrays: dict[str, NDArray[Any]] = {}
        for name in self.known_names:
            if name in names:
                arrays[name] = self._array(content, name, arrays.get("images"))
        return names, arrays

    def _array(self, content: Any, name: str, images: NDArray[Any] | None) -> NDArray[Any]:
        try:
            archive = content.zip
            member = archive.NameToInfo.get(f"{name}.npy") or archive.getinfo(name)
            header = read_header(archive, member)
        except Exception as error:  # zipfile, zlib and NumPy raise different classes
            raise self._damaged(name) from error
        if header is not None:
            shape, _, n_bytes, held = header
            if images is not None and images.ndim and name in _ONE_AN_IMAGE:
                self._check_shape(name, shape, len(images))
            if n_bytes > held:
                raise self.error(
                    f"array '{name}' claims the shape {shape}, but the file holds {held:,} bytes "
                    f"of it instead of {n_bytes:,}"
                )
            there = memory()
            if n_bytes > there:
                raise self.error(
                    f"array '{name}' of shape {shape} needs {n_bytes / 2**30:,.1f} GiB of memory, "
                    f"and there are {there / 2**30:,.1f} GiB"
                )
        try:
            array = content[name]
        except MemoryError as error:
            size = "" if header is None else f" ({header.n_bytes / 2**30:,.1f} GiB)"
            raise self.error(
                f"array '{name}' needs more memory than there is{size}; save fewer or smaller "
                "images"
            ) from error
        except Exception as error:  # zipfile, zlib and NumPy raise different classes
            raise self._damaged(name) from error
        if not isinstance(array, np.ndarray):  # NumPy returns other members of a zip as bytes
            raise self.error(f"'{name}' is no array; write the file with numpy.savez")
        return array

    def _damaged(self, name: str) -> InputError:
        return self.error(
            f"array '{name}' is damaged, or of Python objects; write it with a plain dtype"
        )


def _images(arrays: _Arrays) -> Tensor:
    """uint8 (N, C, H, W)."""
    array = arrays.get("images")
    if array is None:
        names = ", ".join(repr(name) for name in arrays.all_names[:20]) or "none"
        raise arrays.error(f"no array 'images'; the arrays are {names}")
    return image_tensor(array, arrays.error)


def image_tensor(array: NDArray[Any], error: Callable[[str], InputError]) -> Tensor:
    """Images of any shape and type that `load_npz` accepts, as uint8 (N, C, H, W).

    error: makes an exception from a message; raised for any other array.
    """
    shape = f"array 'images' has shape {array.shape}"
    if array.ndim not in (3, 4):
        raise error(f"{shape}; must be (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if not array.size:
        raise error(f"{shape}: no pixels")
    if array.ndim == 3:
        array = array[:, np.newaxis]
    else:
        first, last = array.shape[1] in _CHANNELS, array.shape[3] in _CHANNELS
        if first and last:
            raise error(f"{shape}: which axis is the channel? Save gray images as (N, H, W)")
        if not (first or last):
            raise error(f"{shape}: one of axes 1 and 3 must be the channel, of 1 or 3")
        if last:
            array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8:
        array = _scaled(array, error)
    return torch.from_numpy(np.ascontiguousarray(array))


def _scaled(array: NDArray[Any], error: Callable[[str], InputError]) -> NDArray[np.uint8]:
    if array.dtype.kind != "f":
        raise error(f"array 'images' is {array.dtype}; must be uint8, or floats in [0, 1]")
    if not np.isfinite(array).all():
        raise error("array 'images' has NaN or infinite values")
    low, high = float(array.min()), float(array.max())
    if low < 0 or high > 1:
        raise error(
            f"array 'images' is {array.dtype} from {low:g} to {high:g}; "
            "floats must be in [0, 1], so scale them or save uint8"
        )
    scaled: NDArray[np.uint8] = np.rint(array * array.dtype.type(255)).astype(np.uint8)
    return scaled


def _presence(arrays: _Arrays, images: Tensor) -> tuple[Presence | None, Boxes | None]:
    """Which classes each image shows, and where, if the labels are a matrix."""
    labels, names, boxes = (arrays.get(name) for name in ("labels", "class_names", "boxes"))
    if labels is None or labels.ndim != 2:
        if boxes is not None:
            raise arrays.error("array 'boxes' without 'labels' as a matrix (N, K) of 0 and 1")
        return None, None
    class_names = None if names is None else _class_names(arrays, names)
    presence = presence_of(labels, class_names, arrays.error)
    if boxes is None:
        return presence, None
    height, width = images.shape[2:]
    return presence, boxes_of(boxes, presence, (height, width), arrays.error)


def _class_names(arrays: _Arrays, names: NDArray[Any]) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise arrays.error("array 'class_names' must be one row of strings")
    class_names = tuple(str(name) for name in names)
    if len({composed(name) for name in class_names}) < len(class_names):
        raise arrays.error("array 'class_names' has a name twice")
    return class_names


def _labels(arrays: _Arrays, n: int) -> tuple[LabelSet | None, list[str]]:
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


def _is_test(arrays: _Arrays, n: int) -> NDArray[np.bool_]:
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
