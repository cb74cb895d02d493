"""Sheets of images with points and score maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dimred.plots.sheets import Picture, Tile, sheet
from dimred.plots.style import COLORS, N_COLORS

_COLUMNS = 4
_MOST_POINTS = 4  # of an image
_LEGEND = (
    "Rings: where the score of each class found is highest. Beside each image: the probability of "
    "the most probable class at every position alone, from dark (0) to bright (1)."
)
"""What the marks and colors mean."""


@dataclass(frozen=True)
class Scored:
    """An image with what was found in it.

    image: uint8 (C, H, W). points: number, probability, and x and y in pixels of each class found.
    best: the number of the most probable class. scores: its map (rows, columns). y, x: where
        rows and columns are in the image, in pixels.
    """

    name: str
    image: NDArray[np.uint8]
    points: Sequence[tuple[int, float, NDArray[np.float64]]]
    best: int
    scores: NDArray[np.floating]
    y: Sequence[float]
    x: Sequence[float]


def score_map_sheet(
    scored: Sequence[Scored], classes: Sequence[str], title: str, subtitle: str
) -> Figure:
    """Each image with the points of its classes, beside the score map of the most probable one.

    classes: names. Raises ValueError without images.
    """
    tiles = []
    for it in scored:
        most = sorted(it.points, key=lambda point: -point[1])[:_MOST_POINTS]
        marks = tuple((float(x), float(y), COLORS[k % N_COLORS]) for k, _, (x, y) in most)
        found = [f"{classes[k]}: {probability:.2f}" for k, probability, _ in most] or ["none"]
        high = 1 / (1 + np.exp(-spread(it.scores, it.y, it.x, it.image.shape[1:])))
        pictures = (
            Picture(it.image, (it.name.rpartition("/")[2] or it.name, ", ".join(found)), marks),
            Picture(heated(it.image, high), (f"map of {classes[it.best]}",)),
        )
        tiles.append(Tile(pictures))
    return sheet(tiles, _COLUMNS, title, subtitle, _LEGEND)


def spread(
    values: NDArray[np.floating], y: Sequence[float], x: Sequence[float], size: Sequence[int]
) -> NDArray[np.float64]:
    """Values at positions (rows, columns) at every pixel of an image of `size` (height, width):
    bilinearly between positions, outside these as at the nearest.

    y, x: of rows and columns, in pixels, ascending.
    """
    height, width = size
    across = np.stack([np.interp(np.arange(width) + 0.5, x, row) for row in values])
    down = np.stack([np.interp(np.arange(height) + 0.5, y, column) for column in across.T])
    return np.asarray(down.T, np.float64)


def heated(image: NDArray[np.uint8], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """An image (C, H, W) below colors for `heat` (H, W) in [0, 1]: uint8 (3, H, W)."""
    colors = mpl.colormaps["inferno"](heat)[..., :3]
    gray = image.mean(axis=0)[..., None] / 255
    blended = 0.65 * colors + 0.35 * gray
    return np.asarray((blended * 255).round().astype(np.uint8).transpose(2, 0, 1))
