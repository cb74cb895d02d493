"""Plots of two sets of images: where they are on the map of a run, and what betrays them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from dimred.evaluation.principal import principal_components
from dimred.plots.maps import component_labels, plane_axes, write_names
from dimred.plots.sheets import Part, Picture, Tile, sheet_of_parts
from dimred.plots.style import (
    COLORS,
    Points,
    displayable,
    dot_style,
    new_figure,
    plot_style,
    write_legend,
    write_title,
)

SET_COLORS = (COLORS[0], COLORS[5])  # blue and vermilion, apart for all eyes
_MAP_COLOR = "#d0d0d0"
_ACROSS = 10  # pictures
_SIDE = 6.0  # inches, of the map
_MARK = 10.0  # points

Names = tuple[str, str]
Pictures = Sequence[tuple[NDArray[np.uint8], Sequence[str]]]


def two_sets_figure(
    z: NDArray[np.floating],
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    names: Names,
    title: str,
    subtitle: str,
    marks: Sequence[tuple[str, NDArray[np.floating]]] = (),
) -> Figure:
    """Two sets of images on the map of a run, which is light gray.

    2-D: a scatter plot with equal scales. 1-D: a row for each set. 3-D and more: the first two
    principal components of the run's Z, labeled as such.

    z: (N, d), of the run. a, b: (n, d) and (m, d), of the sets. names: of the sets. marks: a text
        and the points (k, d) at whose median it is written; not in 1-D.
    Raises ValueError for points of other shapes, none, or not finite.
    """
    for points in (z, a, b):
        is_flat = points.ndim == 2 and points.shape[1] == z.shape[1] and points.size
        if not is_flat or not np.isfinite(points).all():
            raise ValueError(f"points of shape {points.shape}: must be (n, d), and finite")
    run, *sets = (points.astype(np.float64) for points in (z, a, b))
    with plot_style():
        if z.shape[1] == 1:
            figure, axes = _rows(run[:, 0], sets[0][:, 0], sets[1][:, 0], names)
        else:
            figure, axes = _plane(run, sets, [(text, of.astype(np.float64)) for text, of in marks])
        texts = [
            f"{displayable(text, 30)}, {len(points):,}"
            for text, points in zip((*names, "the run's map"), (a, b, z), strict=True)
        ]
        dots = [Line2D([], [], color=c, marker="o", ls="") for c in (*SET_COLORS, _MAP_COLOR)]
        write_legend(axes, dots, texts, 60)
        write_title(axes, title, subtitle)
    return figure


def _plane(
    run: Points, sets: Sequence[Points], marks: Sequence[tuple[str, Points]]
) -> tuple[Figure, Axes]:
    axis_labels = ("", "")
    if run.shape[1] > 2:
        plane = principal_components(run, 2)
        mean, axis_labels = run.mean(axis=0), component_labels(plane)
        run, *sets = ((part - mean) @ plane.directions.T for part in (run, *sets))
        marks = [(text, (points - mean) @ plane.directions.T) for text, points in marks]
    figure, axes, scale = plane_axes(np.concatenate([run, *sets]), _SIDE, axis_labels)
    _draw(axes, run, sets)
    if marks:
        medians = np.stack([np.median(points, axis=0) for _, points in marks])
        write_names(axes, medians, [text for text, _ in marks], scale, _MARK)
    return figure, axes


def _rows(run: NDArray[np.float64], a: Points, b: Points, names: Names) -> tuple[Figure, Axes]:
    figure, axes = new_figure(7.0, 2.0)
    rng = np.random.default_rng(0)

    def row(values: Points, number: int) -> Points:
        return np.stack([values, number + rng.uniform(-0.35, 0.35, len(values))], axis=1)

    _draw(axes, np.concatenate([row(run, 0), row(run, 1)]), [row(a, 0), row(b, 1)])
    axes.set_yticks(range(2), [displayable(name) for name in names])
    axes.set(ylim=(1.6, -0.6), xlabel="coordinate in the 1-D map")
    return figure, axes


def _draw(axes: Axes, run: Points, sets: Sequence[Points]) -> None:
    """The points of the run, then those of the sets in a random order, so that neither covers the
    other."""
    x, y = run.T
    axes.scatter(x, y, c=_MAP_COLOR, **dot_style(len(run)))
    xy = np.concatenate(sets)
    order = np.random.default_rng(0).permutation(len(xy))
    colors = np.repeat(SET_COLORS, [len(points) for points in sets])[order]
    x, y = xy[order].T
    axes.scatter(x, y, c=colors, alpha=0.8, **dot_style(len(xy)))


def betraying_sheet(
    sets: tuple[Pictures, Pictures], titles: Names, title: str, subtitle: str, legend: str
) -> Figure:
    """The images that betray either set, a part each, the most telling first.

    sets: the picture, uint8 (C, H, W), and the lines below it of each image. titles: of the parts.
    Raises ValueError without images.
    """
    parts = []
    for images, its_title, color in zip(sets, titles, SET_COLORS, strict=True):
        pictures = [Picture(image, tuple(lines)) for image, lines in images]
        rows = [Tile(tuple(pictures[i : i + _ACROSS])) for i in range(0, len(pictures), _ACROSS)]
        parts.append(Part(rows, its_title, color))
    return sheet_of_parts(parts, 1, title, subtitle, legend)
