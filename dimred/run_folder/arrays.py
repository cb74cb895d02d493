"""The arrays of a run, read with NumPy alone and checked on access."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.errors import InputError


def read_arrays(file: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file of a run. Only plain numbers and texts are read, never code.

    Raises InputError for a file that is missing or damaged.
    """
    try:
        with file.open("rb") as opened:  # NumPy would leave a damaged file open
            content = np.load(opened, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            arrays = dict(content)
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("not only arrays")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file}: holds no arrays of a run ({error})") from error
    return arrays


class RunArrays:
    """The arrays of an .npz file of a run, each checked on access.

    Raises InputError for a file that is missing or damaged.
    """

    def __init__(self, file: Path):
        self.file = file
        self._arrays = read_arrays(file)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def get(self, name: str, kind: str, n: int | None = None, dims: int = 1) -> NDArray[Any]:
        """A non-empty array of this dtype kind ("f", "i", "U"), number of dimensions and, unless
        None, number of rows n.

        Raises InputError for any other array, and for points (dims=2) that are not finite.
        """
        array = self._arrays.get(name)
        if array is None:
            raise self.error(name, "is missing")
        if array.dtype.kind != kind or array.ndim != dims or not array.size:
            raise self.error(name, f"is {array.dtype} {array.shape}, not as a run writes it")
        if n is not None and len(array) != n:
            raise self.error(name, f"has {len(array)} rows, the run {n}")
        if dims == 2 and kind == "f" and not np.isfinite(array).all():
            raise self.error(name, "has values that are not finite")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def error(self, name: str, problem: str) -> InputError:
        """The InputError for a problem of an array."""
        return InputError(f"{self.file}: array {name!r} {problem}")


_KNOWN = {"z", "h", "index", "split", "label", "class_names", "source"}


class RunMap:
    """The content of embedding.npz: N samples, which are each image in n_variants variants,
    image-major, the untransformed image first.

    z: float32 (N, d). h: float32 (N, h), or None where the run did not save it.
    index: int64 (N,), the position of each sample's image in the data set.
    split: (N,), "train" or "test".
    labels: int64 (N,), positions in class_names; None without labels.
    sources: (N,), file names; None where images have no files.

    Raises InputError for arrays that are not as a run writes them.
    """

    def __init__(self, arrays: RunArrays, n_variants: int):
        self._arrays = arrays
        self.n_variants = n_variants
        self.z: NDArray[np.float32] = arrays.get("z", "f", dims=2)
        n = len(self.z)
        if n % n_variants:
            raise arrays.error("z", f"has {n} rows, no multiple of {n_variants} an image")
        self.index: NDArray[np.int64] = arrays.get("index", "i", n)
        self.split: NDArray[np.str_] = arrays.get("split", "U", n)
        self.h: NDArray[np.float32] | None = None
        if "h" in arrays:
            self.h = arrays.get("h", "f", n, dims=2)
        self.labels: NDArray[np.int64] | None = None
        self.class_names: tuple[str, ...] = ()
        if "label" in arrays:
            self.labels = arrays.get("label", "i", n)
            self.class_names = tuple(arrays.get("class_names", "U").tolist())
            if not 0 <= self.labels.min() <= self.labels.max() < len(self.class_names):
                raise arrays.error("label", f"must be from 0 to {len(self.class_names) - 1}")
        self.sources: NDArray[np.object_] | None = None
        if "source" in arrays:
            self.sources = arrays.get("source", "U", n).astype(object)

    def __len__(self) -> int:
        return len(self.z)

    @property
    def images(self) -> NDArray[np.int64]:
        """int64 (n,), the rows of the untransformed images."""
        return np.arange(0, len(self), self.n_variants)

    @property
    def training_images(self) -> NDArray[np.int64]:
        """int64 (n,), the rows of the untransformed images of the train split, or of all images
        without a split."""
        rows = self.images
        training = rows[self.split[rows] == "train"]
        return training if len(training) else rows

    @property
    def extra_columns(self) -> dict[str, NDArray[Any]]:
        """Other columns of the samples by name, each (N,): further labels as class names; factors,
        such as angles, as numbers."""
        columns: dict[str, NDArray[Any]] = {}
        for name in self._arrays:
            if f"{name}_names" in self._arrays:
                names = self._arrays.get(f"{name}_names", "U").astype(object)
                columns[name] = names[self._arrays.get(name, "i", len(self))]
            elif name not in _KNOWN and not name.endswith("_names"):
                columns[name] = self._arrays.get(name, "f", len(self))
        return columns
