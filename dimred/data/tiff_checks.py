"""Whether a TIFF holds what it says that it does."""

from __future__ import annotations

import math
import re
from typing import Any

from tifffile import TiffFile, TiffFrame, TiffPage

from dimred.data.reading import check_size

UNCOMPRESSED = 1
"""A compression."""
TOO_SHORT = "claims more pixels than the file holds: it is damaged"
_OME_SIZES = re.compile(r'\bSize([ZCT])="(\d+)"')
_MAX_PLANES = 1_000_000  # of OME: tifffile lists all that are said, here or in other files


def check_planes(file: TiffFile) -> None:
    """Raise ValueError for OME that speaks of far more planes than the file has."""
    sizes: dict[str, int] = {}
    for axis, size in _OME_SIZES.findall(file.ome_metadata or ""):
        sizes[axis] = max(sizes.get(axis, 0), int(size))
    if math.prod(sizes.values()) > max(_MAX_PLANES, len(file.pages)):
        raise ValueError(TOO_SHORT)


def check_chain(file: TiffFile) -> None:
    """Raise ValueError where the last page names a next one beyond the end of the file."""
    format_, content = file.tiff, file.filehandle
    offset = file.pages[-1].offset
    content.seek(offset)
    count = int.from_bytes(content.read(format_.tagnosize), _order(format_.byteorder))
    content.seek(offset + format_.tagnosize + count * format_.tagsize)
    following = content.read(format_.offsetsize)
    if int.from_bytes(following, _order(format_.byteorder)) >= content.size:
        raise ValueError("its pages end too early: it is damaged")


def check_segments(page: TiffPage | TiffFrame, first: TiffPage, file: TiffFile) -> None:
    """Raise ValueError where the strips or tiles of a page are not all there, of which tifffile
    makes black, or where one of them would need far more memory than the file.

    first: the page of the series with what all of its pages have alike.
    """
    itemsize = 0 if first.dtype is None else first.dtype.itemsize
    for height, width in ((first.imagelength, first.imagewidth), first.chunks[:2]):
        check_size(width, height, height * width * itemsize)
    counts = page.databytecounts
    is_short = 0 < len(counts) < math.prod(first.chunked)
    is_compressed = first.compression != UNCOMPRESSED
    if is_short or (is_compressed and max(counts, default=0) > file.filehandle.size):
        raise ValueError(TOO_SHORT)


def _order(mark: str) -> Any:
    return "little" if mark == "<" else "big"
