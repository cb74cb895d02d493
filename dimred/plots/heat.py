"""Sheets of images beside what matters in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dimred.plots.score_maps import heated, spread
from dimred.plots.sheets import Picture, Tile, sheet
from dimred.plots.style import COLORS

_COLUMNS = 4
_RING = COLORS[0]


@dataclass(frozen=True)
class Heated:
    """An image and what matters in it.

    image: uint8 (C, H, W). heat: (rows, columns). y, x: where its rows and columns are in the
        image, in pixels. point: where it is largest, x and y. caption: below the heat.
    """

    name: str
    image: NDArray[np.uint8]
    heat: NDArray[np.floating]
    y: Sequence[float]
    x: Sequence[float]
    point: NDArray[np.floating]
    caption: str


def heat_sheet(images: Sequence[Heated], title: str, subtitle: str, legend: str) -> Figure:
    """Each image beside its heat, from 0 or less (dark) to its largest (bright), with a ring at
    the largest.

    Raises ValueError without images.
    """
    return sheet([Tile(_pictures(it)) for it in images], _COLUMNS, title, subtitle, legend)


def _pictures(it: Heated) -> tuple[Picture, Picture]:
    x, y = it.point
    ring = ((float(x), float(y), _RING),)
    most = max(float(it.heat.max()), float(np.finfo(np.float32).tiny))
    share = np.clip(it.heat / most, 0, 1)
    colors = heated(it.image, spread(share, it.y, it.x, it.image.shape[1:]))
    name = it.name.rpartition("/")[2] or it.name
    return Picture(it.image, (name,), ring), Picture(colors, (it.caption,), ring)
