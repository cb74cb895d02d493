"""Arrays that stay in their file until rows of them are asked for."""

from __future__ import annotations

import math
import zlib
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from dimred.data.file_version import Version, version_of
from dimred.errors import InputError
from dimred.files import open_regular

_CHUNK = 2**22  # bytes read at a time for a checksum


class Rows(Protocol):
    """What is asked of an array of N rows, whether it is in memory or in a file."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice, /) -> NDArray[Any]: ...


class StoredArray:
    """An array of N rows that lie one after the other in a file, uncompressed.

    start: where the first begins. named: how error messages begin. version: of the file.
    Reading rows raises InputError where the file has changed since; it is safe from any thread.
    """

    def __init__(
        self,
        path: str,
        start: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        named: str,
        version: Version,
    ):
        self.path, self.start, self.shape, self.dtype = path, start, shape, dtype
        self.named, self._version = named, version

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, stop, step = rows.indices(len(self))
        if step != 1:
            raise ValueError(f"rows are read one after the other, not in steps of {step}")
        values = np.empty((max(stop - first, 0), *self.shape[1:]), self.dtype)
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        self._read_into(values.reshape(-1).view(np.uint8), self.start + first * size)
        return values

    def _read_into(self, values: NDArray[np.uint8], start: int) -> None:
        try:
            with open_regular(self.path) as file:
                file.seek(start)
                count = file.readinto(values)  # type: ignore[attr-defined]
                if count < len(values) or version_of(file) != self._version:
                    raise InputError(f"{self.named}: has changed while it was read")
        except OSError as error:
            reason = error.strerror or "cannot be read"
            raise InputError(f"{self.named}: {reason}") from error


def checksum(file: BinaryIO, start: int, size: int) -> int:
    """The CRC-32 of `size` bytes of an open file, as zip archives have it. Raises OSError."""
    total = 0
    file.seek(start)
    while size and (part := file.read(min(size, _CHUNK))):
        total = zlib.crc32(part, total)
        size -= len(part)
    return total
