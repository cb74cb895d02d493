"""Plots of what a map has learned: images on it, lines through copies, measured factors.

Figures are in the style of `style`. Random selections have a fixed seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib import colormaps, patheffects, rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray
from PIL import Image

from dimred.data.composite import composite
from dimred.data.image_set import Factor, LabelSet
from dimred.plots.style import (
    COLORS,
    N_COLORS,
    Points,
    displayable,
    dot_style,
    new_figure,
    plot_style,
    write_legend,
    write_title,
)

Images = NDArray[np.uint8]

_ENDS = colormaps["viridis"]
# Matplotlib's cyclic maps are nearly white somewhere, where points on white would be lost.
_CYCLE = LinearSegmentedColormap.from_list(
    "cycle",
    [
        *("#3B1F6B", "#2B56A8", "#2F93BF", "#7DB98A", "#E0C541", "#DE8A2C", "#B8423A", "#76214F"),
        "#3B1F6B",
    ],
)
_THUMBNAIL = 56  # pixels of the longer side, about
_PADDING = 4  # pixels around a thumbnail that stay free
INK = "#333333"


def thumbnail_figure(
    z: NDArray[np.floating],
    images: Images,
    title: str,
    subtitle: str,
    count: int = 60,
    labels: LabelSet | None = None,
    axes: tuple[int, int] = (0, 1),
) -> Figure:
    """Two dimensions of a map, with non-overlapping images centered at their points.

    Scales are equal and without ticks unless one range is over three times the other.

    z: finite coordinates (N, d), d at least 2.
    images: (N, C, H, W); see `composite` for how C channels are shown.
    count: maximum number of images shown.
    labels: colors points and frames, with a legend of up to 20 classes; None for gray.
    axes: the two dimensions, from 0.
    Raises ValueError for other shapes, another number of images or labels, z not finite, axes that
    z does not have, or a negative count.
    """
    values = None if labels is None else labels.values
    points = checked(z, {"images": images, "labels": values})
    xy = points[:, _checked_choice(z, images, axes, count)]
    colors = np.full(len(z), "#b4b4b4")
    if values is not None:
        colors = np.array(COLORS)[values % N_COLORS]
    with plot_style():
        figure, panel = _new_panel(xy, axes, 0.6 * _THUMBNAIL)
        _add_dots(panel, xy, colors, alpha=0.6)
        for i in _apart(panel.transData.transform(xy), _box(images), count):
            frame = INK if labels is None else colors[i]
            _add_image(panel, images[i], xy[i], frame)
        present = {} if labels is None else dict(zip(labels.values, colors, strict=True))
        if labels is not None and len(present) <= N_COLORS:
            keys = [Line2D([], [], color=present[c], marker="o", ls="") for c in sorted(present)]
            write_legend(panel, keys, [labels.names[c] for c in sorted(present)])
        write_title(panel, title, subtitle)
    return figure


def lines_figure(
    z: NDArray[np.floating],
    images: Images,
    groups: NDArray[np.int64],
    order: NDArray[np.floating],
    title: str,
    subtitle: str,
    axes: tuple[int, int] = (0, 1),
    count: int = 6,
    order_name: str = "strength",
) -> Figure:
    """Two dimensions of a map, colored by strength, with lines through the copies of some images.

    A line joins the points of one group in increasing strength. Images are placed beside it where
    they cover no line and no other image: first that of the strength nearest 0 and those of both
    ends, then others.

    z, images, axes: as in `thumbnail_figure`.
    groups: (N,), the original image of each point.
    order: (N,), the strength of the transformation of the original, finite.
    count: maximum number of lines; groups of a single point have none.
    order_name: label of the color bar.
    Raises ValueError as `thumbnail_figure` does, and where no group has two points.
    """
    points = checked(z, {"images": images, "groups": groups, "order": order})
    xy = points[:, _checked_choice(z, images, axes, count)]
    strength = Factor(np.asarray(order, dtype=np.float64), "")
    lines = _some_lines(groups, strength.values, count)
    with plot_style():
        figure, panel = _new_panel(xy, axes, 1.5 * _THUMBNAIL)
        values, color = colored(strength)
        _add_dots(panel, xy, values, alpha=0.35, **color)
        halo = [patheffects.withStroke(linewidth=3, foreground="white")]
        for i, line in enumerate(lines):
            edge = COLORS[i % N_COLORS]
            x, y = xy[line].T
            panel.plot(x, y, color=edge, linewidth=1.4, path_effects=halo, zorder=3)
            panel.scatter(x, y, c=values[line], s=26, edgecolors=edge, zorder=4, **color)
        _add_bar(panel, strength, order_name, (1.03, 0.15, 0.03, 0.7))
        _add_images_beside(panel, images, xy, lines, strength.values)
        write_title(panel, title, subtitle)
    return figure


def factor_figure(
    z: NDArray[np.floating], factors: Mapping[str, Factor], title: str, subtitle: str
) -> Figure:
    """A map colored by measured factors: a row for each, for 3-D maps with a panel of dimensions 1
    and 2 and a panel of dimensions 1 and 3.

    All panels have one scale and no ticks unless the ranges differ more than threefold. A cyclic
    factor has cyclic colors, by its values modulo the period.

    z: finite coordinates (N, 2) or (N, 3).
    factors: at least one, with N finite values each.
    Raises ValueError for z of another shape or not finite, or invalid or no factors.
    """
    points = checked(z, {name: factor.values for name, factor in factors.items()})
    if z.shape[1] > 3 or not factors:
        raise ValueError(
            f"z of shape {z.shape}, {len(factors)} factors: must be 2-D or 3-D, with factors"
        )
    columns = [[0, 1], [0, 2]][: z.shape[1] - 1]
    extent, to_scale = extent_of(points)
    limits = 1.06 * (np.full(z.shape[1], extent.max()) if to_scale else extent)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    with plot_style():
        figure, panels = _new_grid(len(factors), len(columns))
        for (name, factor), row in zip(factors.items(), panels, strict=True):
            values, color = colored(factor)
            for panel, chosen in zip(row, columns, strict=True):
                _frame(panel, middle[chosen], limits[chosen], chosen, to_scale)
                _add_dots(panel, points[:, chosen], values, alpha=0.9, **color)
            _add_bar(row[-1], factor, name, (1.06, 0.05, 0.045, 0.9))
        write_title(panels[0][0], title, subtitle)
    return figure


def checked(z: NDArray[np.floating], parts: Mapping[str, Sized | None]) -> Points:
    if z.ndim != 2 or z.shape[1] < 2 or len(z) == 0 or not np.isfinite(z).all():
        raise ValueError(
            f"z of shape {z.shape}: must be (N, d), d at least 2, not empty, and finite"
        )
    for name, part in parts.items():
        if part is not None and len(part) != len(z):
            raise ValueError(f"{len(z)} points with {len(part)} of {name}")
    return z.astype(np.float64)


def _checked_choice(
    z: NDArray[np.floating], images: Images, axes: tuple[int, int], count: int
) -> list[int]:
    """The two dimensions, after checking the arguments. Raises ValueError."""
    if images.ndim != 4 or not images.shape[1] or images.dtype != np.uint8:
        raise ValueError(f"images {images.shape}, {images.dtype}: must be (N, C, H, W), uint8")
    if len(set(axes)) != 2 or not all(0 <= axis < z.shape[1] for axis in axes) or count < 0:
        raise ValueError(f"axes {axes} of {z.shape[1]} dimensions, count {count}")
    return list(axes)


def extent_of(z: Points) -> tuple[Points, bool]:
    """Ranges (d,), all above 0, and whether they are similar enough for one scale."""
    extent = np.ptp(z, axis=0)
    # Limits must differ by more than rounding even for a collapsed map.
    longest = max(float(extent.max()), 1e-9 * float(np.abs(z).max())) or 1.0
    extent = np.where(extent < 1e-6 * longest, longest, extent)
    return extent, bool(3 * extent.min() >= extent.max())


def _new_panel(xy: Points, axes: tuple[int, int], margin: float) -> tuple[Figure, Axes]:
    """Axes around points, with a margin in pixels on each side."""
    extent, to_scale = extent_of(xy)
    free = 2 * margin / rcParams["figure.dpi"]
    sides = np.array([6.0, 4.5])
    if to_scale:
        sides = np.maximum((6.0 - free) * extent / extent.max() + free, 3.0)
    scales = extent / (sides - free)
    if to_scale:
        scales[:] = extent.max() / (6.0 - free)
    figure, panel = new_figure(*sides)
    _frame(panel, (xy.min(axis=0) + xy.max(axis=0)) / 2, sides * scales, axes, to_scale)
    return figure, panel


def _new_grid(rows: int, columns: int) -> tuple[Figure, list[list[Axes]]]:
    """Square axes, with room for a title above and for a color bar at the right of each row."""
    side, across, down, above = (3.2 if columns > 1 else 4.2), 0.65, 0.5, 0.8
    w, h = 0.7 + columns * (side + across) + 0.4, above + rows * (side + down)
    figure = Figure(figsize=(w, h))
    FigureCanvasAgg(figure)

    def place(row: int, column: int) -> tuple[float, float, float, float]:
        left, top = 0.7 + column * (side + across), above + row * (side + down)
        return left / w, 1 - (top + side) / h, side / w, side / h

    return figure, [[figure.add_axes(place(r, c)) for c in range(columns)] for r in range(rows)]


def _frame(
    panel: Axes, center: Points, extent: Points, axes: Sequence[int], to_scale: bool
) -> None:
    low, high = center - extent / 2, center + extent / 2
    panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    panel.set(xlabel=f"dimension {axes[0] + 1}", ylabel=f"dimension {axes[1] + 1}")
    panel.spines[:].set(visible=True, color="#cccccc")
    if to_scale:
        panel.set(xticks=[], yticks=[], aspect="equal")
    else:
        panel.tick_params(color="#cccccc", labelsize=7)


def _add_dots(panel: Axes, xy: Points, colors: NDArray[Any], **style: Any) -> None:
    # Shuffled, so that no value covers the others everywhere.
    order = np.random.default_rng(0).permutation(len(xy))
    x, y = xy[order].T
    panel.scatter(x, y, c=colors[order], **dot_style(len(xy)), **style)


def colored(factor: Factor) -> tuple[Points, dict[str, Any]]:
    """The values (N,) to plot, and arguments "norm" and "cmap" that color them."""
    values = np.asarray(factor.values, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"values of a factor of shape {values.shape}: must be (N,), and finite")
    if factor.period is not None:
        return values % factor.period, {"norm": Normalize(0, factor.period), "cmap": _CYCLE}
    low, high = float(values.min()), float(values.max())
    if low == high:
        low, high = low - 0.5, high + 0.5
    return values, {"norm": Normalize(low, high), "cmap": _ENDS}


def with_unit(name: str, factor: Factor) -> str:
    return displayable(f"{name} ({factor.unit})" if factor.unit else name, 40)


def _add_bar(
    panel: Axes, factor: Factor, name: str, place: tuple[float, float, float, float]
) -> None:
    ticks = None if factor.period is None else np.linspace(0, factor.period, 5)
    mappable = ScalarMappable(**colored(factor)[1])
    bar = panel.figure.colorbar(mappable, cax=panel.inset_axes(place), ticks=ticks)
    bar.outline.set_visible(False)
    bar.set_label(with_unit(name, factor))


def _thumbnail(image: Images) -> Images:
    """(C, H, W) as (h, w, 3), enlarged by a whole number or reduced."""
    picture = np.moveaxis(composite(image), 0, 2)
    pixels = np.broadcast_to(picture, (*image.shape[1:], 3))
    longest = max(pixels.shape)
    times = max(1, round(_THUMBNAIL / longest))
    if longest <= 1.25 * _THUMBNAIL:
        return pixels.repeat(times, axis=0).repeat(times, axis=1)
    width, height = (max(1, round(n * _THUMBNAIL / longest)) for n in image.shape[:0:-1])
    reduced = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(reduced.resize((width, height), Image.Resampling.LANCZOS))


def _box(images: Images) -> Points:
    """Width and height in pixels of a thumbnail with its padding."""
    height, width, _ = _thumbnail(images[0]).shape
    return np.array([width, height], dtype=np.float64) + 2 * _PADDING


def _add_image(panel: Axes, image: Images, at: Points, frame: str, **options: Any) -> None:
    # One pixel of the thumbnail is one pixel of the figure.
    pixels = OffsetImage(_thumbnail(image), zoom=72 / panel.figure.dpi, interpolation="nearest")
    edge = {"edgecolor": frame, "linewidth": 1.6}
    options = {"pad": 0, "bboxprops": edge, **options}
    panel.add_artist(AnnotationBbox(pixels, (at[0], at[1]), **options)).set_zorder(5)


def _apart(places: Points, box: Points, count: int) -> list[int]:
    """Positions of boxes that do not overlap, chosen greedily in a random order."""
    order = np.random.default_rng(0).permutation(len(places))
    chosen: list[int] = []
    while len(order) and len(chosen) < count:
        chosen.append(int(order[0]))
        order = order[(np.abs(places[order] - places[order[0]]) >= box).any(axis=1)]
    return chosen


def _some_lines(groups: NDArray[np.int64], order: Points, count: int) -> list[NDArray[np.int64]]:
    """Positions of the members of some groups, in increasing strength."""
    if groups.ndim != 1 or order.ndim != 1 or not np.isfinite(order).all():
        raise ValueError(f"groups {groups.shape}, order {order.shape}: must be (N,), and finite")
    names, sizes = np.unique(groups, return_counts=True)
    if sizes.max() < 2:
        raise ValueError("groups of one point each: no lines to draw")
    chosen = np.random.default_rng(0).permutation(names[sizes > 1])[:count]
    sorted_ = np.argsort(order, kind="stable")
    return [sorted_[groups[sorted_] == name] for name in chosen]


def _add_images_beside(
    panel: Axes, images: Images, xy: Points, lines: Sequence[NDArray[np.int64]], order: Points
) -> None:
    """Images beside their points on the lines, each joined to its point."""
    places = panel.transData.transform(xy)
    background = np.random.default_rng(0).permutation(places)[:2000]
    covered = np.concatenate([_dense(places[line]) for line in lines] or [places[:0]])
    taken = np.empty((0, 2))
    box = _box(images)
    inside = np.array(panel.bbox.extents).reshape(2, 2) + np.outer([1, -1], box / 2)
    candidates: list[tuple[int, int]] = []
    for rank in range(max(map(len, lines), default=0)):
        for i, line in enumerate(lines):
            first = [np.abs(order[line]).argmin(), 0, len(line) - 1]
            ranked = list(dict.fromkeys([*first, *range(len(line))]))
            candidates += [(i, int(line[ranked[rank]]))] if rank < len(line) else []
    for i, member in candidates:
        place = _free_place(places[member], box, covered, taken, background, inside)
        if place is None:
            continue
        frame = COLORS[i % N_COLORS]
        taken = np.vstack([taken, place])
        covered = np.vstack([covered, _dense(np.stack([places[member], place]))])
        offset = (place - places[member]) * 72 / panel.figure.dpi
        arrow = {"arrowstyle": "-", "color": frame, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 2}
        beside = {"xybox": tuple(offset), "boxcoords": "offset points", "arrowprops": arrow}
        _add_image(panel, images[member], xy[member], frame, **beside)


def _dense(path: Points) -> Points:
    """Points at most 4 apart on a path (n, 2)."""
    pieces = [path[-1:]]
    for start, end in pairwise(path):
        n = 1 + int(np.linalg.norm(end - start) / 4)
        pieces.append(start + np.arange(n)[:, None] / n * (end - start))
    return np.concatenate(pieces)


def _free_place(
    point: Points, box: Points, covered: Points, taken: Points, background: Points, inside: Points
) -> Points | None:
    """The center, near `point`, of a box that covers no point in `covered` and no box in `taken`;
    None if there is none."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    best, lowest = None, np.inf
    for distance in (0.8, 1.1, 1.5, 2.0):
        for center in point + distance * box.max() * ring:
            leader = _dense(np.stack([point, center]))
            crosses = np.abs(leader[:, None] - taken) < box / 2
            if (
                (center < inside[0]).any()
                or (center > inside[1]).any()
                or (np.abs(taken - center) < box).all(axis=1).any()
                or (np.abs(covered - center) < box / 2 + 3).all(axis=1).any()
                or crosses.all(axis=2).any()
            ):
                continue
            hidden = (np.abs(background - center) < box / 2).all(axis=1).sum()
            cost = distance + 10 * hidden / len(background)
            if cost < lowest:
                best, lowest = center, cost
    return best
