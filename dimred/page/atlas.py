"""Thumbnails of many images, side by side in a few WebP sheets."""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

_SHEET = 1024  # side in pixels; a decoded sheet takes 4 MiB
_BLOCK = 16  # lossy WebP mixes colors within such blocks
_QUALITY = 92
_MAX_SIDE = 64
_MAX_LOSSLESS = 32  # side in pixels; lossless files of larger images would be several times as big
_MAX_PIXELS = 80_000_000  # of all thumbnails, so that a page stays below 150 MB
# Of whole pictures: the longer side at least, usually and at most; and the pixels of all of them
# where they are more than usual, and at most.
_PICTURE_SIDES = (16, 96, 224)
_PICTURE_PIXELS, _MAX_PICTURE_PIXELS = 30_000_000, 100_000_000
_PICTURE_QUALITY = 82
_PIXEL_ART = 64  # side in pixels, up to which a picture would show the lower quality
_NOT_THERE = 128  # gray
_THREADS = 8  # that compress sheets, at most

Pictures = Callable[[NDArray[np.int64]], Sequence[NDArray[np.uint8] | None]]
"""Reads the pictures of rows, uint8 (C, height, width) each, C = 1 or 3; None for one that is not
there."""


@dataclass(frozen=True)
class Atlas:
    """Thumbnails of N images.

    sheets: WebP files. slot: uint32 (N,), the position of each image: slot // per_sheet is its
        sheet, slot % per_sheet its cell there, row by row.
    width, height: of a thumbnail in pixels. cell: side of a cell in pixels. columns: cells in a
        row. size: (N, 2), width and height of each thumbnail, in the upper left corner of its
        cell; None where all have `width` and `height`.
    """

    sheets: tuple[bytes, ...]
    slot: NDArray[np.uint32]
    width: int
    height: int
    cell: int
    columns: int
    size: NDArray[np.integer] | None = None

    @property
    def per_sheet(self) -> int:
        """Cells of a sheet."""
        return self.columns**2


def thumbnail_side(count: int, longest: int) -> int:
    """Longer side of the thumbnails of `count` images whose longer side is `longest`, in pixels."""
    room = int((_MAX_PIXELS / count) ** 0.5)
    return max(min(longest, _MAX_SIDE, room), min(longest, 16))


def picture_side(count: int, longest: int) -> int:
    """Longer side of the thumbnails of `count` whole pictures of at most `longest` pixels: 96, more
    for few, less for more than 10,000."""
    least, usual, most = _PICTURE_SIDES
    plenty, scarce = ((n / count) ** 0.5 for n in (_PICTURE_PIXELS, _MAX_PICTURE_PIXELS))
    side = min(max(plenty, min(usual, scarce)), most)
    return max(min(int(side) // _BLOCK * _BLOCK, longest), min(least, longest))


def make_atlas(
    images: Tensor,
    places: NDArray[np.floating],
    side: int | None = None,
    pictured: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
) -> Atlas:
    """An atlas in which images near one another on the map are on the same sheets, so that few
    sheets are decoded at a time.

    Gray images of up to 32 pixels are compressed without loss, others in WebP quality 92, in
    which the outermost pixels can take on some color of a neighboring image.

    images: uint8 (N, C, H, W). places: (N, d), positions on the map; d at least 1.
    side: longer side of the thumbnails; None for that of the images, or smaller for many.
    pictured: makes pictures, (n, 1 or 3, h, w), of thumbnails, (n, C, h, w); None for images that
        have 1 or 3 channels.
    """
    count, *shape = len(images), *images.shape[2:]
    channels = images.shape[1] if pictured is None else pictured(images[:1].numpy()).shape[1]
    side = side or thumbnail_side(count, max(shape))
    height, width = (max(round(s * side / max(shape)), 1) for s in shape)
    lossless = channels == 1 and max(height, width) <= _MAX_LOSSLESS
    block = 1 if lossless else _BLOCK
    cell = -(-max(height, width) // block) * block
    columns = max(_SHEET // cell, 1)
    order = _along_the_map(places)
    slot = np.empty(count, dtype=np.uint32)
    slot[order] = np.arange(count, dtype=np.uint32)

    def cells_of(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        shown = resized(images[torch.from_numpy(rows)], height, width)
        if pictured is not None:
            shown = pictured(shown.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        # Edge pixels are repeated, so that compression does not mix in neighboring images.
        edges = ((0, 0), (0, cell - height), (0, cell - width), (0, 0))
        return np.pad(shown, edges, mode="edge")

    cells = map(cells_of, np.split(order, range(columns**2, count, columns**2)))
    sheets = _sheets(cells, cell, columns, lossless, 60 if lossless else _QUALITY)
    return Atlas(sheets, slot, width, height, cell, columns)


def picture_atlas(read: Pictures, places: NDArray[np.floating], side: int) -> Atlas:
    """An atlas of pictures of any shape, ordered as by `make_atlas`, in WebP quality 82, or 92 for
    those of up to 64 pixels.

    read: gives pictures whose longer side is at most `side`, a sheet at a time. places: (N, d).
    """
    count = len(places)
    cell = -(-side // _BLOCK) * _BLOCK
    columns = max(_SHEET // cell, 1)
    order = _along_the_map(places)
    slot = np.empty(count, dtype=np.uint32)
    slot[order] = np.arange(count, dtype=np.uint32)
    size = np.empty((count, 2), dtype=np.uint8 if cell < 256 else np.uint16)

    def cells_of(rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        cells, size[rows] = _cells(read(rows), cell)
        return cells

    cells = map(cells_of, np.split(order, range(columns**2, count, columns**2)))
    sheets = _sheets(cells, cell, columns, lossless=False, quality=_quality(side))
    return Atlas(sheets, slot, side, side, cell, columns, size)


def extended(atlas: Atlas, pictures: Sequence[NDArray[np.uint8] | None]) -> Atlas:
    """An atlas with further pictures, none larger than its cells, on sheets of their own."""
    size = atlas.size
    if size is None:
        size = np.tile([atlas.width, atlas.height], (len(atlas.slot), 1))
    sheets, sizes = list(atlas.sheets), [size]
    first_slot = len(sheets) * atlas.per_sheet
    for first in range(0, len(pictures), atlas.per_sheet):
        cells, of_cells = _cells(pictures[first : first + atlas.per_sheet], atlas.cell)
        quality = _quality(atlas.cell)
        sheets.append(_sheet(cells, atlas.cell, atlas.columns, lossless=False, quality=quality))
        sizes.append(of_cells)
    more = np.arange(first_slot, first_slot + len(pictures), dtype=np.uint32)
    return replace(
        atlas,
        sheets=tuple(sheets),
        slot=np.concatenate([atlas.slot, more]),
        size=np.concatenate(sizes),
    )


def _quality(side: int) -> int:
    return _QUALITY if side <= _PIXEL_ART else _PICTURE_QUALITY


def _cells(
    pictures: Sequence[NDArray[np.uint8] | None], cell: int
) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Pictures in cells, (n, cell, cell, 3), and their widths and heights, (n, 2)."""
    cells = np.full((len(pictures), cell, cell, 3), _NOT_THERE, dtype=np.uint8)
    size = np.full((len(pictures), 2), cell)
    for i, picture in enumerate(pictures):
        if picture is not None:
            height, width = picture.shape[1:]
            shown = np.broadcast_to(picture, (3, height, width)).transpose(1, 2, 0)
            around = ((0, cell - height), (0, cell - width), (0, 0))
            cells[i], size[i] = np.pad(shown, around, mode="edge"), (width, height)
    return cells, size


def _along_the_map(places: NDArray[np.floating]) -> NDArray[np.int64]:
    """Rows in Z-order (Morton 1966) of their first two coordinates."""
    plane = places[:, :2].astype(np.float64)
    low, high = plane.min(axis=0), plane.max(axis=0)
    steps = ((plane - low) / np.maximum(high - low, 1e-12) * 1023).astype(np.int64)
    code = np.zeros(len(plane), dtype=np.int64)
    for bit in range(10):
        for axis in range(plane.shape[1]):
            code |= ((steps[:, axis] >> bit) & 1) << (2 * bit + axis)
    return np.argsort(code, kind="stable")


def resized(images: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """Images, uint8 (n, C, H, W), at another size: uint8 (n, height, width, C)."""
    if images.shape[2:] != (height, width):
        small = F.interpolate(images.float(), (height, width), mode="bilinear", antialias=True)
        images = small.round_().clamp_(0, 255).byte()
    return images.permute(0, 2, 3, 1).numpy()


def _sheets(
    cells: Iterable[NDArray[np.uint8]], cell: int, columns: int, lossless: bool, quality: int
) -> tuple[bytes, ...]:
    """The WebP files of sheets, each with cells (n, cell, cell, C), compressed in threads while the
    next are read."""
    threads = min(os.cpu_count() or 1, _THREADS)
    sheets: list[bytes] = []
    begun: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for shown in cells:
            begun.append(pool.submit(_sheet, shown, cell, columns, lossless, quality))
            if len(begun) > threads:
                sheets.append(begun.popleft().result())
        sheets += [each.result() for each in begun]
    return tuple(sheets)


def _sheet(
    shown: NDArray[np.uint8], cell: int, columns: int, lossless: bool, quality: int
) -> bytes:
    """A WebP file of n cells, uint8 (n, cell, cell, C), in rows."""
    count, channels = len(shown), shown.shape[3]
    rows = -(-count // columns)
    across = columns if rows > 1 else count
    cells = np.zeros((rows * columns, cell, cell, channels), dtype=np.uint8)
    cells[:count] = shown
    table = cells.reshape(rows, columns, cell, cell, channels).transpose(0, 2, 1, 3, 4)
    pixels = table.reshape(rows * cell, columns * cell, channels)[:, : across * cell]
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=lossless, quality=quality, method=3)
    return file.getvalue()
