"""Plots of the map of a run, in the style of `style`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from dimred.data.image_set import LabelSet
from dimred.evaluation.principal import PrincipalComponents, principal_components
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

_NAME_POINTS = 6.5


def map_figure(
    z: NDArray[np.floating], labels: LabelSet | None, title: str, subtitle: str
) -> Figure:
    """The map of an image set, colored by class.

    2-D: a scatter plot with equal scales. 1-D: one row of points per class, or a histogram without
    labels. 3-D and more: the first two principal components, labeled as such. Classes are named in
    a legend, or at their medians where there are more than 20.

    z: finite coordinates (N, d), N and d at least 1.
    labels: the classes of the N points, or None.
    title, subtitle: above the map; "" for none.
    Raises ValueError for z of another shape or not finite, or another number of labels.
    """
    if z.ndim != 2 or z.size == 0 or not np.isfinite(z).all():
        raise ValueError(f"z of shape {z.shape}: must be (N, d), not empty, and finite")
    if labels is not None and len(labels.values) != len(z):
        raise ValueError(f"{len(z)} points with {len(labels.values)} labels")
    points = z.astype(np.float64)
    with plot_style():
        if z.shape[1] > 1:
            figure, axes = _plane_map(points, labels)
        elif labels is not None:
            figure, axes = _rows_map(points[:, 0], labels)
        else:
            figure, axes = _histogram_map(points[:, 0])
        write_title(axes, title, subtitle)
    return figure


def _plane_map(z: Points, labels: LabelSet | None) -> tuple[Figure, Axes]:
    axis_labels = ("", "")
    if z.shape[1] > 2:
        plane = principal_components(z, 2)
        z, axis_labels = plane.coordinates.astype(np.float64), component_labels(plane)
    present = np.unique(labels.values) if labels else np.empty(0, dtype=np.int64)
    side = 6.0 if len(present) <= N_COLORS else 7.5
    figure, axes, scale = plane_axes(z, side, axis_labels)
    scatter(axes, z, labels)
    if labels and len(present) > N_COLORS:
        medians = np.stack([np.median(z[labels.values == c], axis=0) for c in present])
        write_names(axes, medians, [labels.names[c] for c in present], scale)
    elif labels:
        write_class_legend(axes, labels)
    return figure, axes


def component_labels(plane: PrincipalComponents) -> tuple[str, str]:
    """What the axes of a map say that shows the first two principal components."""
    first, second = plane.shares
    return (
        f"1st principal component ({first:.0%} of variance)",
        f"2nd principal component ({second:.0%} of variance)",
    )


def plane_axes(
    xy: Points, side: float, axis_labels: tuple[str, str] = ("", "")
) -> tuple[Figure, Axes, float]:
    """Axes of equal scales that hold all points (N, 2), the longer side in inches, and how many
    points (of print) a unit of the map has."""
    extent = 1.04 * np.ptp(xy, axis=0)
    # Limits must differ by more than rounding even for a collapsed map.
    longest = max(float(extent.max()), 1e-9 * float(np.abs(xy).max())) or 1.0
    extent = np.maximum(extent, longest / 2)
    low = (xy.min(axis=0) + xy.max(axis=0) - extent) / 2
    figure, axes = new_figure(*side * extent / longest)
    axes.set(xlim=(low[0], low[0] + extent[0]), ylim=(low[1], low[1] + extent[1]), aspect="equal")
    axes.set(xticks=[], yticks=[], xlabel=axis_labels[0], ylabel=axis_labels[1])
    axes.spines[:].set(visible=True, color="#cccccc")
    return figure, axes, 72 * side / longest


def write_class_legend(axes: Axes, labels: LabelSet) -> None:
    """A legend at the right of the axes with the classes that occur."""
    present = np.unique(labels.values)
    dots = [Line2D([], [], color=COLORS[c % N_COLORS], marker="o", ls="") for c in present]
    write_legend(axes, dots, [labels.names[c] for c in present])


def _rows_map(z: Points, labels: LabelSet) -> tuple[Figure, Axes]:
    """A 1-D map (N,) with a row for each class, the first at the top."""
    present, rows = np.unique(labels.values, return_inverse=True)
    spacing = 0.35 if len(present) <= N_COLORS else 0.13
    figure, axes = new_figure(7.0, spacing * (len(present) + 1))
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(z))
    scatter(axes, np.stack([z, rows + jitter], axis=1), labels)
    names = [displayable(labels.names[c]) for c in present]
    axes.set_yticks(range(len(present)), names, fontsize=min(9, 60 * spacing))
    axes.set(ylim=(len(present) - 0.4, -0.6), xlabel="coordinate in the 1-D map")
    return figure, axes


def _histogram_map(z: Points) -> tuple[Figure, Axes]:
    figure, axes = new_figure(7.0, 3.0)
    # Bins must differ by more than rounding even for a collapsed map.
    pad = 1e-9 * float(np.abs(z).max()) or 0.5
    limits = (z.min() - pad, z.max() + pad)
    axes.hist(z, min(100, 5 + len(z) // 10), range=limits, color=COLORS[0])
    axes.set(xlabel="coordinate in the 1-D map", ylabel="images")
    return figure, axes


def scatter(axes: Axes, xy: Points, labels: LabelSet | None) -> None:
    """Draw a 2-D map (N, 2), colored by class."""
    # Shuffled, so that no class covers the others everywhere.
    order = np.random.default_rng(0).permutation(len(xy))
    classes = np.zeros_like(order) if labels is None else labels.values[order]
    colors = [COLORS[c % N_COLORS] for c in classes]
    alpha = float(np.clip(1.15 - 0.05 * np.log(len(xy)), 0.6, 0.9))
    x, y = xy[order].T
    axes.scatter(x, y, c=colors, alpha=alpha, **dot_style(len(xy)))


def write_names(
    axes: Axes,
    medians: Points,
    names: Sequence[str],
    scale: float,
    size: float = _NAME_POINTS,
) -> None:
    """Names at the medians of what they name, moved where they would overlap. scale: points of
    print in a unit of the map. size: of the letters in points of print."""
    shown = [displayable(name, 16) for name in names]
    sizes = size * np.array([[0.58 * len(name) + 1, 1.3] for name in shown])
    places = _spread(medians * scale, sizes) / scale
    halo = patheffects.withStroke(linewidth=2, foreground="white")
    for name, median, place in zip(shown, medians, places, strict=True):
        if np.linalg.norm(place - median) * scale > 1.5 * size:
            axes.plot(*np.stack([median, place]).T, color="black", linewidth=0.4)
        text = axes.text(place[0], place[1], name, fontsize=size, ha="center", va="center")
        text.set_path_effects([halo])


def _spread(centers: Points, sizes: Points) -> Points:
    """Centers (n, 2) of boxes of these sizes (n, 2), moved until they barely overlap."""
    places = centers + np.random.default_rng(0).normal(scale=1e-3, size=centers.shape)
    apart = (sizes[:, None] + sizes[None]) / 2
    np.fill_diagonal(apart[..., 0], 0)
    for _ in range(500):
        offsets = places[:, None] - places[None]
        overlaps = np.maximum(apart - np.abs(offsets), 0)
        overlaps[(overlaps == 0).any(axis=2)] = 0
        if overlaps.max() < 0.5:
            break
        # Move along the axis with the smaller overlap.
        overlaps[overlaps > overlaps.min(axis=2, keepdims=True)] = 0
        places += 0.5 * (np.sign(offsets) * overlaps).sum(axis=1)
    return places
