"""What an array in an .npz file is, known before it is read."""

from __future__ import annotations

import math
import zipfile
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

NPY = b"\x93NUMPY"
"""How an array begins."""


class Header(NamedTuple):
    """What the header of an array says.

    n_bytes: of values by shape and dtype. held: bytes of values that the archive says it holds.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_bytes: int
    held: int


def read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header | None:
    """The header of an array; None for a member that is no array.

    Raises ValueError for an array of anything but plain numbers and texts, and other exceptions for
    damaged content.
    """
    with archive.open(member) as file:
        if file.read(len(NPY)) != NPY:
            return None
        file.seek(0)
        versions = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        read = versions.get(npy.read_magic(file))
        if read is None:
            raise ValueError(f"{member.filename!r} is an array of structures")
        shape, _, dtype = read(file)
        if dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename!r} holds more than numbers and texts")
        n_bytes = math.prod(shape) * dtype.itemsize
        return Header(shape, dtype, n_bytes, member.file_size - file.tell())
