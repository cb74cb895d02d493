"""kept.npz: what a run keeps of its image files, so that it can be looked at when they are gone.

`digest`: BLAKE2b of each file, uint8 (N, 16). `others`: "" and the names of files in the folder
that are not of the run. For up to MAX_IMAGES images also `h`, float32 (N, m), and thumbnails as on
the page: `sheet0`, ..., WebP files; `slot`, uint32 (N,); `size`, uint8 (N, 2); `grid`, int64 (2,),
the side of a cell and the cells in a row.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.known_digests import DIGEST
from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.arrays import RunArrays
from dimred.run_folder.files import RunFiles

MAX_IMAGES = 20_000
"""Images of which thumbnails and H are kept: with 96 pixels a side, some 50 MB."""
MAX_OTHERS = 20_000
CHANGED = 255
"""Each byte of the digest of a file that had changed before the training ended."""
_MAX_H = 100_000_000  # bytes
_MAX_CELL = 256  # pixels
_MAX_SHEET = 1024


@dataclass(frozen=True)
class Thumbnails:
    """Thumbnails of N images, as in `dimred.page.Atlas`."""

    sheets: tuple[bytes, ...]
    slot: NDArray[np.uint32]
    size: NDArray[np.uint8]
    cell: int
    columns: int


@dataclass(frozen=True)
class Kept:
    """What a run keeps of its N images.

    digests: uint8 (N, DIGEST), 0 for files that could not be read again, CHANGED for those that
        were no longer what the run learned from.
    others: names of other image files that were there; None where there were too many.
    h: float32 (N, m), and thumbnails; None where there were too many images.
    """

    digests: NDArray[np.uint8]
    others: frozenset[str] | None
    h: NDArray[np.float32] | None
    thumbnails: Thumbnails | None

    def content(self) -> memoryview:
        """The content of kept.npz; equal for equal values."""
        arrays: dict[str, NDArray[Any]] = {"digest": self.digests}
        if self.others is not None and len(self.others) <= MAX_OTHERS:
            arrays["others"] = np.array(["", *sorted(self.others)])
        if self.h is not None and self.h.nbytes <= _MAX_H:
            arrays["h"] = self.h
        if self.thumbnails is not None:
            of = self.thumbnails
            arrays |= {"slot": of.slot, "size": of.size, "grid": np.array([of.cell, of.columns])}
            for number, sheet in enumerate(of.sheets):
                arrays[f"sheet{number}"] = np.frombuffer(sheet, np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getbuffer()


def read_kept(files: RunFiles, n: int) -> Kept | None:
    """What a run of n images has kept; None for runs without, such as of earlier versions.

    Raises InputError for a file that is not as a run writes it.
    """
    if not files.exists(layout.KEPT):
        return None
    arrays = RunArrays(files, layout.KEPT)
    digests = arrays.get("digest", "u", n, dims=2)
    if digests.shape[1] != DIGEST:
        raise arrays.error("digest", f"has {digests.shape[1]} columns, not {DIGEST}")
    others = frozenset(arrays.get("others", "U").tolist()) if "others" in arrays else None
    h = arrays.get("h", "f", n, dims=2) if "h" in arrays else None
    return Kept(digests, others, h, _thumbnails(arrays, n) if "slot" in arrays else None)


def _thumbnails(arrays: RunArrays, n: int) -> Thumbnails:
    cell, columns = map(int, arrays.get("grid", "i", 2))
    if not (1 <= cell <= _MAX_CELL and columns == max(_MAX_SHEET // cell, 1)):
        raise arrays.error("grid", "is not as a run writes it")
    slot, size = arrays.get("slot", "u", n), arrays.get("size", "u", n, dims=2)
    count = -(-n // columns**2)
    if slot.max() >= n or size.shape[1] != 2 or not 1 <= size.min() <= size.max() <= cell:
        raise arrays.error("slot", "names cells that are not there")
    sheets = tuple(arrays.get(f"sheet{i}", "u").tobytes() for i in range(count))
    for number, sheet in enumerate(sheets):
        try:
            with Image.open(io.BytesIO(sheet), formats=("WEBP",)) as image:  # reads no pixels
                shape = image.size
        except Exception as error:  # damaged content makes Pillow raise many kinds
            raise arrays.error(f"sheet{number}", "is no picture") from error
        cells = min(n - number * columns**2, columns**2)
        across, down = min(cells, columns), -(-cells // columns)
        if shape != (across * cell, down * cell):
            raise arrays.error(f"sheet{number}", f"has {shape[0]}x{shape[1]} pixels")
    return Thumbnails(sheets, slot.astype(np.uint32), size.astype(np.uint8), cell, columns)


def pictures_of(thumbnails: Thumbnails, rows: NDArray[np.integer]) -> list[NDArray[np.uint8]]:
    """The thumbnails of rows, uint8 (3, height, width) each.

    Raises InputError for a sheet that is damaged.
    """
    of, decoded = thumbnails, -1
    pictures: dict[int, NDArray[np.uint8]] = {}
    for i in np.argsort(of.slot[rows], kind="stable"):
        number, place = divmod(int(of.slot[rows[i]]), of.columns**2)
        if number != decoded:
            sheet, decoded = _decoded(of.sheets[number], number), number
        top, left = (j * of.cell for j in divmod(place, of.columns))
        width, height = map(int, of.size[rows[i]])
        part = sheet[top : top + height, left : left + width]
        pictures[i] = np.ascontiguousarray(part.transpose(2, 0, 1))
    return [pictures[i] for i in range(len(rows))]


def _decoded(sheet: bytes, number: int) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(sheet), formats=("WEBP",)) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:
        raise InputError(f"{layout.KEPT}: array 'sheet{number}' is no picture") from error
