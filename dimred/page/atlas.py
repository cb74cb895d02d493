"""Thumbnails of many images, side by side in a few WebP sheets."""

from __future__ import annotations

import io
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Atlas:
    """Thumbnails of N images.

    sheets: WebP files. slot: uint32 (N,), the position of each image: slot // per_sheet is its
        sheet, slot % per_sheet its cell there, row by row.
    width, height: of a thumbnail in pixels. cell: side of a cell in pixels. columns: cells in a
        row. size: uint8 (N, 2), width and height of each thumbnail, in the upper left corner of its
        cell; None where all have `width` and `height`.
    """

    sheets: tuple[bytes, ...]
    slot: NDArray[np.uint32]
    width: int
    height: int
    cell: int
    columns: int
    size: NDArray[np.uint8] | None = None

    @property
    def per_sheet(self) -> int:
        """Cells of a sheet."""
        return self.columns**2


def thumbnail_side(count: int, longest: int) -> int:
    """Longer side of the thumbnails of `count` images whose longer side is `longest`, in pixels."""
    room = int((_MAX_PIXELS / count) ** 0.5)
    return max(min(longest, _MAX_SIDE, room), min(longest, 16))


def make_atlas(images: Tensor, places: NDArray[np.floating], side: int | None = None) -> Atlas:
    """An atlas in which images near one another on the map are on the same sheets, so that few
    sheets are decoded at a time.

    Gray images of up to 32 pixels are compressed without loss, others in WebP quality 92, in
    which the outermost pixels can take on some color of a neighboring image.

    images: uint8 (N, C, H, W), C = 1 or 3. places: (N, d), positions on the map; d at least 1.
    side: longer side of the thumbnails; None for that of the images, or smaller for many.
    """
    count, channels, *shape = images.shape
    side = side or thumbnail_side(count, max(shape))
    height, width = (max(round(s * side / max(shape)), 1) for s in shape)
    lossless = channels == 1 and max(height, width) <= _MAX_LOSSLESS
    block = 1 if lossless else _BLOCK
    cell = -(-max(height, width) // block) * block
    columns = max(_SHEET // cell, 1)
    order = _along_the_map(places)
    slot = np.empty(count, dtype=np.uint32)
    slot[order] = np.arange(count, dtype=np.uint32)
    sheets = []
    for first in range(0, count, columns**2):
        chosen = images[torch.from_numpy(order[first : first + columns**2])]
        sheets.append(_sheet(_resized(chosen, height, width), cell, columns, lossless))
    return Atlas(tuple(sheets), slot, width, height, cell, columns)


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


def _resized(images: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 (n, height, width, C)."""
    if images.shape[2:] != (height, width):
        small = F.interpolate(images.float(), (height, width), mode="bilinear", antialias=True)
        images = small.round_().clamp_(0, 255).byte()
    return images.permute(0, 2, 3, 1).numpy()


def _sheet(thumbnails: NDArray[np.uint8], cell: int, columns: int, lossless: bool) -> bytes:
    count, height, width, channels = thumbnails.shape
    rows = -(-count // columns)
    across = columns if rows > 1 else count
    cells = np.zeros((rows * columns, cell, cell, channels), dtype=np.uint8)
    # Edge pixels are repeated, so that compression does not mix in neighboring images.
    edges = ((0, 0), (0, cell - height), (0, cell - width), (0, 0))
    cells[:count] = np.pad(thumbnails, edges, mode="edge")
    table = cells.reshape(rows, columns, cell, cell, channels).transpose(0, 2, 1, 3, 4)
    pixels = table.reshape(rows * cell, columns * cell, channels)[:, : across * cell]
    picture = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "WEBP", lossless=lossless, quality=60 if lossless else _QUALITY, method=3)
    return file.getvalue()
