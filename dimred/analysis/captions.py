"""Text on images, pairs and clusters for tables, contact sheets and the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.composite import composite
from dimred.data.image_set import ImageSet
from dimred.plots.sheets import Picture
from dimred.plots.style import displayable
from dimred.run_folder.arrays import CLASS_SPLIT, LEARNED, UNSEEN

Pictures = Callable[[NDArray[np.int64], int], list[NDArray[np.uint8] | None]]

_SIDE = 176  # pixels of a picture on a sheet


class ShownImages:
    """Descriptions of the images of a run.

    rows: the row of embedding.npz of each image. pictures: gives whole pictures of such rows, with
    a longer side of so many pixels; None where the images are all that there is. pictured: makes a
    picture of an image.
    """

    def __init__(
        self,
        images: ImageSet,
        rows: NDArray[np.int64],
        pictures: Pictures | None = None,
        pictured: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] = composite,
    ):
        self.images, self._pictured = images, pictured
        self.rows = rows
        self._pictures = pictures
        self._read: dict[int, NDArray[np.uint8]] = {}

    def read(self, positions: NDArray[np.int64]) -> None:
        """Read the pictures of several images at once, which is faster than one by one."""
        if self._pictures is None:
            return
        new = np.array([i for i in np.unique(positions) if i not in self._read], np.int64)
        for i, picture in zip(new, self._pictures(self.rows[new], _SIDE), strict=True):
            if picture is not None:
                self._read[int(i)] = picture

    def line(self, i: int) -> dict[str, Any]:
        """The columns of a table that identify image i."""
        images = self.images
        line: dict[str, Any] = {"row": int(self.rows[i]), "index": int(images.index[i])}
        if images.sources:
            line["source"] = images.sources[i]
        if images.labels:
            line["class"] = images.labels.names[images.labels.values[i]]
        line["split"] = "test" if images.is_test[i] else "train"
        if images.is_unseen is not None:
            line[CLASS_SPLIT] = UNSEEN if images.is_unseen[i] else LEARNED
        return line

    def name(self, i: int) -> str:
        """Image i for the terminal: its file or its index, and its class."""
        line = self.line(i)
        name = displayable(line["source"], 60) if "source" in line else str(line["index"])
        return f"{name} ({displayable(line['class'])})" if "class" in line else name

    def picture(self, i: int, *notes: str) -> Picture:
        """Image i for a contact sheet, with its file or index, its class and notes below."""
        line = self.line(i)
        split = ", test" if line["split"] == "test" else ""
        split += f", {UNSEEN}" if line.get(CLASS_SPLIT) == UNSEEN else ""
        name = str(line.get("source", line["index"]))
        if "class" in line:
            name = name.removeprefix(f"{line['class']}/")
        named = (f"{name}{split}", *([line["class"]] if "class" in line else []))
        pixels = self._read.get(int(i))
        if pixels is None:
            pixels = self._pictured(self.images.images[int(i)].numpy())
        return Picture(pixels, (*named, *notes))


def cluster_caption(line: dict[str, Any]) -> str:
    """One line on a cluster. line: its line in the table."""
    dense = "∞" if line["density"] is None else f"{line['density']:.1f}"
    caption = f"{line['cluster']}: {line['size']:,} images, density {dense}"
    if "main_class" in line:
        caption += f", {line['main_share']:.0%} of class {displayable(line['main_class'])}"
    return caption


def with_colors(text: str, colors: str) -> str:
    """A text, and in what colors the pictures are that it is about; "" for nothing to say."""
    return f"{text}; {colors}" if colors else text


def number(value: float) -> float | None:
    """A number for tables: six digits, or None where it is not finite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def counted(count: int, what: str) -> str:
    """The count with its noun: 1 pair, 1,234 pairs."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def pair_caption(kind: str, shift: Sequence[int], ratio: float) -> str:
    """Kind, shift and ratio of a pair of near-duplicates. shift: to the right and down, pixels."""
    x, y = shift
    moved = f" by {x:+d}, {y:+d}" if x or y else ""
    return f"{kind}{moved}" + ("" if kind == "identical" else f", ratio {ratio:.2f}")
