"""The arrays of a run, read with NumPy alone and checked when they are asked for."""

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
    """The arrays of an .npz file of a run, of plain numbers and texts: nothing that it holds is
    executed. Raises InputError for one that is gone or bad."""
    try:
        with file.open("rb") as opened:  # NumPy would leave a damaged file open
            content = np.load(opened, allow_pickle=False)
            if not isinstance(content, np.lib.npyio.NpzFile):
                raise ValueError("a single array")
            arrays = dict(content)
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise ValueError("something else than arrays")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{file}: holds no arrays of a run ({error})") from error
    return arrays


class RunArrays:
    """The arrays of an .npz file of a run; each is checked when it is asked for. Raises InputError
    for a file that is gone or bad."""

    def __init__(self, file: Path):
        self.file = file
        self._arrays = read_arrays(file)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def get(self, name: str, kind: str, n: int | None = None, dims: int = 1) -> NDArray[Any]:
        """An array of a kind ("f", "i", "U") and so many dimensions, with n rows if n is given, at
        least one. Raises InputError for another; numbers that are not finite are refused in
        arrays of points (dims=2)."""
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
        """What is wrong with an array."""
        return InputError(f"{self.file}: array {name!r} {problem}")


_KNOWN = {"z", "h", "index", "split", "label", "class_names", "source"}


class RunMap:
    """What embedding.npz says of the N samples of a run: each image in its n_variants
    transformations, image-major, the image itself first.

    z: float32 (N, d). h: float32 (N, h), or None where the run did not keep it.
    index: int64 (N,), the position of each sample's image in the data set.
    split: (N,), "train" or "test".
    labels: int64 (N,), positions in class_names; None without labels. class_names: one a class.
    sources: (N,), file names; None where images have no files.

    Raises InputError for arrays that are not as a run writes them.
    """

    def __init__(self, arrays: RunArrays, n_variants: int):
        self._arrays = arrays
        self.n_variants = n_variants
        self.z: NDArray[np.float32] = arrays.get("z", "f", dims=2)
        n = len(self.z)
        if n % n_variants:
            raise arrays.error("z", f"has {n} rows, which {n_variants} an image do not divide")
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
        """int64 (n,), the rows of the images themselves, untransformed."""
        return np.arange(0, len(self), self.n_variants)

    @property
    def training_images(self) -> NDArray[np.int64]:
        """int64 (n,), the rows of the images of the train split, untransformed; of all images where
        there is no split."""
        rows = self.images
        learned = rows[self.split[rows] == "train"]
        return learned if len(learned) else rows

    @property
    def further_columns(self) -> dict[str, NDArray[Any]]:
        """What else the run wrote of each sample, by name, each (N,): further labels as names, and
        factors, such as angles, as numbers."""
        found: dict[str, NDArray[Any]] = {}
        for name in self._arrays:
            if f"{name}_names" in self._arrays:
                names = self._arrays.get(f"{name}_names", "U").astype(object)
                found[name] = names[self._arrays.get(name, "i", len(self))]
            elif name not in _KNOWN and not name.endswith("_names"):
                found[name] = self._arrays.get(name, "f", len(self))
        return found
