"""Images, labels and split from the arrays of an .npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.errors import InputError
from dimred.files import expanded

_CHANNELS = (1, 3)


def load_npz(path: str) -> ImageSet:
    """The images of an .npz file as `numpy.savez` writes it; `~` is expanded.

    images: uint8, or floats in [0, 1] (which are rounded to 256 steps), of shape (N, H, W),
        (N, H, W, C) or (N, C, H, W) with C = 1 or 3.
    labels: optional, (N,), integers or strings. The classes are the values that occur, sorted.
    class_names: optional, (K,), unique strings. Integer labels are then positions in it, and
        string labels must be among its names.
    split: optional, (N,), "train" or "test", or True or 1 for test. If all images are on one side,
        there is no split.

    Other arrays are ignored. mean and std are those of the training images.

    Raises InputError for a file that is missing, damaged or no .npz, and for an array that is
    missing or invalid.
    """
    arrays = _Arrays(path, f"dataset.path={path!r}", ("images", "labels", "class_names", "split"))
    images = _images(arrays)
    is_test = _is_test(arrays, len(images))
    n_test = int(is_test.sum())
    mean, std = channel_statistics(images, is_test)
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=f"split array, {len(images) - n_test:,}/{n_test:,}" if n_test else "",
        labels=_labels(arrays, len(images)),
        index=np.arange(len(images), dtype=np.int64),
    )


def npz_images(path: str, named: str) -> Tensor:
    """The array `images` of an .npz file, uint8 (N, C, H, W), read as `load_npz` reads it.

    named: how error messages begin. Raises InputError as `load_npz`.
    """
    return _images(_Arrays(path, named, ("images",)))


class _Arrays:
    """The arrays of an .npz file that have a known name. named: how error messages begin."""

    def __init__(self, path: str, named: str, known_names: tuple[str, ...]):
        self.named, self.known_names = named, known_names
        file = expanded(path)
        try:
            with file.open("rb") as opened:  # NumPy would leave a damaged file open
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
        if n is not None and array.shape != (n,):
            raise self.error(f"array '{name}' has shape {array.shape}; {n} images need ({n},)")
        if array.dtype.kind == "S":
            try:
                return np.char.decode(array, "utf-8")
            except UnicodeDecodeError as error:
                raise self.error(f"array '{name}' has bytes that are not UTF-8") from error
        return array

    def _read(self, file: BinaryIO) -> tuple[list[str], dict[str, NDArray[Any]]]:
        """Names of all arrays, and the arrays with a known name."""
        try:
            content = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, zipfile.BadZipFile) as error:
            raise self.error("not an .npz file, or damaged") from error
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise self.error("a single array, not an .npz file; write it with numpy.savez")
        names = list(content)
        return names, {
            name: self._array(content, name) for name in self.known_names if name in names
        }

    def _array(self, content: Any, name: str) -> NDArray[Any]:
        try:
            array = content[name]
        except Exception as error:  # zipfile, zlib and NumPy raise different classes
            raise self.error(
                f"array '{name}' is damaged, or of Python objects; write it with a plain dtype"
            ) from error
        if not isinstance(array, np.ndarray):  # NumPy returns other members of a zip as bytes
            raise self.error(f"'{name}' is no array; write the file with numpy.savez")
        return array


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


def _labels(arrays: _Arrays, n: int) -> LabelSet | None:
    labels, names = arrays.get("labels", n), arrays.get("class_names")
    if labels is None:
        if names is not None:
            raise arrays.error("array 'class_names' without an array 'labels'")
        return None
    if labels.dtype.kind not in "biuU":
        raise arrays.error(f"array 'labels' is {labels.dtype}; must be integers or strings")
    if names is None:
        values, ids = np.unique(labels, return_inverse=True)
        return LabelSet(ids.astype(np.int64), tuple(str(value) for value in values))
    if names.ndim != 1 or names.dtype.kind != "U":
        raise arrays.error("array 'class_names' must be one row of strings")
    if len(np.unique(names)) != len(names):
        raise arrays.error("array 'class_names' has a name twice")
    class_names = tuple(str(name) for name in names)
    ids = labels
    if labels.dtype.kind == "U":
        position = {name: i for i, name in enumerate(class_names)}
        ids = np.array([position.get(str(label), -1) for label in labels])
    wrong = labels[(ids < 0) | (ids >= len(class_names))]
    if len(wrong):
        raise arrays.error(
            f"array 'labels' has {wrong[0].item()!r}; with 'class_names' it must hold its names, "
            f"or positions 0 to {len(class_names) - 1} in it"
        )
    return LabelSet(ids.astype(np.int64), class_names)


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
