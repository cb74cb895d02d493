"""Contact sheets of captioned pictures, in the style of `style`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from dimred.plots.style import GRAY, displayable, plot_style, write_title

_CELL = 1.2  # inches, of a picture with the gap beside it
_PICTURE = 1.1
_LINE = 0.115
_GAP = 0.18  # between tiles
_PART = 0.35  # inches, of the title of a part
_TEXT, _PART_TEXT = 6.5, 10  # points
_LETTERS = 22  # fit under a picture
_LETTERS_AN_INCH = 18
_MAX_LINES = 3  # that a line below a picture is broken into
_PIXEL_ART = 64  # pixels; smaller images show their pixels


@dataclass(frozen=True)
class Picture:
    """A picture with lines below it.

    image: uint8 (C, H, W), C = 1 or 3. rings: around points, x and y in pixels from its upper left
        corner, and a color.
    """

    image: NDArray[np.uint8]
    lines: tuple[str, ...] = ()
    rings: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True)
class Tile:
    """Pictures side by side, with a line above them; "" for none."""

    pictures: tuple[Picture, ...]
    heading: str = ""


@dataclass(frozen=True)
class Part:
    """Tiles below a title of their own, "" for none. color: of the title."""

    tiles: Sequence[Tile]
    title: str = ""
    color: str = "black"


def sheet(
    tiles: Sequence[Tile], columns: int, title: str, subtitle: str, legend: str = ""
) -> Figure:
    """`sheet_of_parts` with one part, without a title of its own."""
    return sheet_of_parts([Part(tiles)], columns, title, subtitle, legend)


def sheet_of_parts(
    parts: Sequence[Part], columns: int, title: str, subtitle: str, legend: str = ""
) -> Figure:
    """Parts one below the other, each with tiles in rows, all as wide as the one with most
    pictures.

    columns: tiles in a row. legend: what captions mean, below the subtitle.

    Raises ValueError without tiles, or with one that has no pictures.
    """
    tiles = [tile for part in parts for tile in part.tiles]
    if not tiles or not all(tile.pictures for tile in tiles):
        raise ValueError("no pictures to draw")
    columns = min(columns, max(len(part.tiles) for part in parts))
    wide = _CELL * max(len(tile.pictures) for tile in tiles)
    lines = max(len(_broken(picture.lines)) for tile in tiles for picture in tile.pictures)
    heading = _LINE * 1.4 * any(tile.heading for tile in tiles)
    tall = heading + _PICTURE + _LINE * lines + _GAP
    width = columns * wide + (columns - 1) * _GAP
    rows = [-(-len(part.tiles) // columns) for part in parts]
    titled = [_PART * bool(part.title) for part in parts]
    height = tall * sum(rows) + sum(titled)
    with plot_style():
        figure = Figure(figsize=(max(width, 6.0), height + 0.8))
        FigureCanvasAgg(figure)
        w, h = figure.get_size_inches()
        axes = figure.add_axes((0, 0, width / w, height / h))
        top = 0.0
        for part, its_rows, above in zip(parts, rows, titled, strict=True):
            if part.title:
                letters = int(w * _LETTERS_AN_INCH * _TEXT / _PART_TEXT)
                text = displayable(part.title, letters)
                place = (0, top + above * 0.6)
                axes.text(*place, text, fontsize=_PART_TEXT, color=part.color, weight="bold")
            for number, tile in enumerate(part.tiles):
                row, column = divmod(number, columns)
                left = column * (wide + _GAP)
                _draw(axes, tile, left, top + above + row * tall, wide, heading)
            top += above + its_rows * tall
        axes.set(xlim=(0, width), ylim=(height, 0), aspect="auto")
        axes.set_axis_off()
        write_title(axes, title, subtitle, legend)
    return figure


def _draw(axes: Axes, tile: Tile, x: float, y: float, wide: float, heading: float) -> None:
    """A tile whose upper left corner is at x, y."""
    if tile.heading:
        text = displayable(tile.heading, int(wide * _LETTERS_AN_INCH))
        axes.text(x, y + heading / 2, text, fontsize=_TEXT + 0.5, va="center")
    for i, picture in enumerate(tile.pictures):
        left, top = x + i * _CELL, y + heading
        height, width = picture.image.shape[1:]
        longest = max(height, width)
        across, down = _PICTURE * width / longest, _PICTURE * height / longest
        shown = np.moveaxis(np.broadcast_to(picture.image, (3, height, width)), 0, 2)
        left_edge, low = left + (_PICTURE - across) / 2, top + _PICTURE
        extent = (left_edge, left_edge + across, low, low - down)
        smooth = "auto" if longest > _PIXEL_ART else "nearest"
        axes.imshow(shown, extent=extent, interpolation=smooth)
        corner = (left_edge, low - down)
        axes.add_patch(Rectangle(corner, across, down, fill=False, ec="#cccccc", lw=0.4))
        for x_in, y_in, color in picture.rings:
            place = (left_edge + x_in / width * across, corner[1] + y_in / height * down)
            for edge, wide in (("white", 2.4), (color, 1.2)):  # seen on any ground
                axes.plot(*place, "o", ms=7, mfc="none", mec=edge, mew=wide)
        for number, (text, is_first) in enumerate(_broken(picture.lines)):
            color = "black" if is_first else GRAY
            below = low + _LINE * (number + 0.7)
            axes.text(left, below, text, fontsize=_TEXT, color=color, va="center")


def _broken(lines: Sequence[str]) -> list[tuple[str, bool]]:
    """Lines that fit under a picture, and whether each is of the first of those given."""
    broken = []
    for number, line in enumerate(lines):
        text = displayable(line, _LETTERS * _MAX_LINES)
        parts = textwrap.wrap(text, _LETTERS, break_on_hyphens=False)[:_MAX_LINES]
        broken += [(part, number == 0) for part in parts]
    return broken
