"""What an array in an .npz or .npy file is, known before it is read."""

from __future__ import annotations

import math
import struct
import zipfile
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

NPY = b"\x93NUMPY"
"""How an array begins."""
_LOCAL_HEADER = struct.Struct("<26xHH")  # of a member of a zip file, before its name


class Header(NamedTuple):
    """What the header of an array says.

    n_bytes: of values by shape and dtype. held: bytes of values that the file says it holds.
    start: bytes of the header. in_c_order: whether the last axis is the one that varies fastest.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    n_bytes: int
    held: int
    start: int
    in_c_order: bool


def read_header(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Header | None:
    """The header of an array in an .npz file; None for a member that is no array.

    Raises ValueError for an array of anything but plain numbers and texts, and other exceptions for
    damaged content.
    """
    with archive.open(member) as file:
        return header_of(file, member.file_size, member.filename)


def header_of(file: IO[bytes], size: int, name: str) -> Header | None:
    """The header of an array that begins at the start of an open file of `size` bytes.

    Returns and raises as `read_header`. name: of the array in messages.
    """
    if file.read(len(NPY)) != NPY:
        return None
    file.seek(0)
    versions = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    read = versions.get(npy.read_magic(file))
    if read is None:
        raise ValueError(f"{name!r} is an array of structures")
    shape, is_fortran, dtype = read(file)
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(f"{name!r} holds more than numbers and texts")
    n_bytes = math.prod(shape) * dtype.itemsize
    return Header(shape, dtype, n_bytes, size - file.tell(), file.tell(), not is_fortran)


def content_of(file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where the content of an uncompressed member begins in the open file of an archive, from which
    it can be read (`read_header`)."""
    file.seek(member.header_offset)
    name, extra = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    start: int = member.header_offset + _LOCAL_HEADER.size + name + extra
    return start
