"""Text on images, pairs and clusters for tables, contact sheets and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dimred.data.image_set import ImageSet
from dimred.plots.sheets import Picture
from dimred.plots.style import displayable


class ShownImages:
    """Descriptions of the images of a run. n_variants: rows of embedding.npz for each image."""

    def __init__(self, images: ImageSet, n_variants: int):
        self.images = images
        self.n_variants = n_variants

    def line(self, i: int) -> dict[str, Any]:
        """The columns of a table that identify image i."""
        images = self.images
        line: dict[str, Any] = {"row": int(i) * self.n_variants, "index": int(images.index[i])}
        if images.sources:
            line["source"] = images.sources[i]
        if images.labels:
            line["class"] = images.labels.names[images.labels.values[i]]
        return {**line, "split": "test" if images.is_test[i] else "train"}

    def name(self, i: int) -> str:
        """Image i for the terminal: its file or its index, and its class."""
        line = self.line(i)
        name = displayable(line["source"], 60) if "source" in line else str(line["index"])
        return f"{name} ({displayable(line['class'])})" if "class" in line else name

    def picture(self, i: int, *notes: str) -> Picture:
        """Image i for a contact sheet, with its index, its class and notes below."""
        line = self.line(i)
        split = ", test" if line["split"] == "test" else ""
        named = (f"{line['index']}{split}", *([line["class"]] if "class" in line else []))
        return Picture(self.images.images[int(i)].numpy(), (*named, *notes))


def cluster_caption(line: dict[str, Any]) -> str:
    """One line on a cluster. line: its line in the table."""
    dense = "∞" if line["density"] is None else f"{line['density']:.1f}"
    caption = f"{line['cluster']}: {line['size']:,} images, density {dense}"
    if "main_class" in line:
        caption += f", {line['main_share']:.0%} of class {displayable(line['main_class'])}"
    return caption


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
