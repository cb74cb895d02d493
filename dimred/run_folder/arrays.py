"""The arrays of a run, read with NumPy alone and checked before they are read."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dimred.array_files import Header, read_header
from dimred.errors import InputError
from dimred.run_folder.files import RunFiles

_MAX_WIDTH = 2**16  # of H and Z; those of networks have some thousands


class RunArrays:
    """The arrays of an .npz file of a run, each checked and then read on access. Only plain numbers
    and texts are read, never code, and no more than the file has bytes.

    name: of the file in the run's folder.
    Raises InputError for a file that is missing or damaged.
    """

    def __init__(self, files: RunFiles, name: str):
        self.files = files
        self.name = name
        self.file = files.folder / name
        try:
            with files.open(name) as opened, zipfile.ZipFile(opened) as archive:
                size = opened.seek(0, 2)
                self._described = {
                    member.filename.removesuffix(".npy"): self._describe(archive, member, size)
                    for member in archive.infolist()
                }
        except InputError:
            raise
        except FileNotFoundError as error:
            raise InputError(f"{self.file}: is missing") from error
        except Exception as error:  # damaged content makes zipfile and NumPy raise many kinds
            reason = error.strerror if isinstance(error, OSError) else error
            raise InputError(f"{self.file}: holds no arrays of a run ({reason})") from error
        self._arrays: dict[str, NDArray[Any]] = {}

    @staticmethod
    def _describe(archive: zipfile.ZipFile, member: zipfile.ZipInfo, size: int) -> Header:
        """The header of an array. Raises ValueError for one that is not as NumPy saves it:
        compressed, with objects, or larger than the file."""
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > size:
            raise ValueError(f"{member.filename!r} is not stored as it is")
        header = read_header(archive, member)
        if header is None:
            raise ValueError(f"{member.filename!r} is no array")
        if header.n_bytes != header.held or not header.dtype.itemsize:
            raise ValueError(f"{member.filename!r} has other values than its shape")
        return header

    def __contains__(self, name: str) -> bool:
        return name in self._described

    def kind(self, name: str) -> str | None:
        """The dtype kind of an array, such as "f"; None without such an array."""
        return self._described[name].dtype.kind if name in self._described else None

    def get(self, name: str, kind: str, n: int | None = None, dims: int = 1) -> NDArray[Any]:
        """A non-empty array of this dtype kind ("f", "i", "b", "U"), number of dimensions and,
        unless None, number of rows n.

        Raises InputError for any other array, and for points (dims=2) that are not finite.
        """
        array = self._described.get(name)
        if array is None:
            raise self.error(name, "is missing")
        shape, dtype = array.shape, array.dtype
        wide = max(shape[1:], default=0) > _MAX_WIDTH
        if dtype.kind != kind or len(shape) != dims or not math.prod(shape) or wide:
            raise self.error(name, f"is {dtype} {shape}, not as a run writes it")
        if n is not None and shape[0] != n:
            raise self.error(name, f"has {shape[0]} rows, the run {n}")
        if name not in self._arrays:
            self._arrays[name] = self._read(name, points=dims == 2 and kind == "f")
        return self._arrays[name]

    def whole(self, name: str) -> NDArray[Any]:
        """An array of any kind."""
        shape, dtype = self._described[name][:2]
        return self.get(name, dtype.kind, dims=len(shape))

    def _read(self, name: str, points: bool) -> NDArray[Any]:
        try:
            with self.files.open(self.name) as opened, zipfile.ZipFile(opened) as archive:
                member = archive.getinfo(f"{name}.npy")
                with archive.open(member) as file:
                    array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
                    file.read(1)  # the end, where the checksum is verified
        except InputError:
            raise
        except Exception as error:
            raise self.error(name, f"cannot be read ({error})") from error
        if (array.shape, array.dtype) != self._described[name][:2]:
            raise self.error(name, "has changed while it was read")
        if points:
            with np.errstate(over="ignore"):
                finite = np.isfinite(array.astype(np.float32, copy=False)).all()
            if not finite:
                raise self.error(name, "has values that are not finite, or not as float32")
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._described)

    def error(self, name: str, problem: str) -> InputError:
        """The InputError for a problem of an array."""
        return InputError(f"{self.file}: array {name!r} {problem}")


KNOWN = {"z", "h", "index", "split", "label", "class_names", "source"}
"""Arrays of embedding.npz that are no further columns."""
CLASS_SPLIT = "class_split"
"""One more, texts, where some classes are not learned from. In runs of early versions that name may
be a column of a table, which holds no texts."""
PRESENCE = "presence"
"""Another one, bool (N, K), where images may show several classes. In runs of early versions that
name may be a column of a table."""
LEARNED, UNSEEN = "learned", "unseen"
"""What `CLASS_SPLIT` says of an image's class."""


class RunMap:
    """The content of embedding.npz: N samples, which are each image in n_variants variants,
    image-major, the untransformed image first.

    z: float32 (N, d). h: float32 (N, h), or None where the run did not save it.
    index: int64 (N,), the position of each sample's image in the data set.
    split: (N,), "train" or "test".
    class_split: (N,), "learned" or "unseen", whether the class of each image is learned from; None
        where all are.
    labels: int64 (N,), positions in class_names; None without labels.
    presence: bool (N, K), which of class_names each image shows; None where none shows several.
    sources: (N,), file names; None where images have no files.

    n_images: number of images.
    Raises InputError for arrays that are not as a run writes them.
    """

    def __init__(self, arrays: RunArrays, n_images: int, n_variants: int):
        self._arrays = arrays
        self.n_variants = n_variants
        n = n_images * n_variants
        self.z: NDArray[np.float32] = arrays.get("z", "f", n, dims=2)
        self.index: NDArray[np.int64] = arrays.get("index", "i", n)
        self.split: NDArray[np.str_] = arrays.get("split", "U", n)
        if not np.isin(self.split, ("train", "test")).all():
            raise arrays.error("split", "must hold train and test only")
        self.class_split: NDArray[np.str_] | None = None
        self._known = set(KNOWN)
        if arrays.kind(CLASS_SPLIT) == "U":
            self._known.add(CLASS_SPLIT)
            self.class_split = arrays.get(CLASS_SPLIT, "U", n)
            if not np.isin(self.class_split, (LEARNED, UNSEEN)).all():
                raise arrays.error(CLASS_SPLIT, f"must hold {LEARNED} and {UNSEEN} only")
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
        self.presence: NDArray[np.bool_] | None = None
        if arrays.kind(PRESENCE) == "b":
            self._known.add(PRESENCE)
            self.presence = arrays.get(PRESENCE, "b", n, dims=2)
            self.class_names = tuple(arrays.get("class_names", "U").tolist())
            if self.presence.shape[1] != len(self.class_names):
                raise arrays.error(PRESENCE, f"must have {len(self.class_names)} columns")
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
                values = self._arrays.get(name, "i", len(self))
                if not 0 <= values.min() <= values.max() < len(names):
                    raise self._arrays.error(name, f"must be from 0 to {len(names) - 1}")
                columns[name] = names[values]
            elif name not in self._known and not name.endswith("_names"):
                columns[name] = self._arrays.get(name, "f", len(self))
        return columns
