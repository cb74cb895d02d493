"""Maps of several runs, or of several stages of one, side by side.

Each function takes data and returns a matplotlib figure in the style of `style`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.linalg import orthogonal_procrustes

from dimred.data.image_set import LabelSet
from dimred.evaluation.principal import principal_components
from dimred.plots.maps import scatter, write_class_legend
from dimred.plots.style import (
    COLORS,
    N_COLORS,
    Points,
    displayable,
    plot_style,
)

_PANEL = 3.0  # inches
_PANELS_A_ROW = 4


def panels_figure(
    maps: Sequence[tuple[str, NDArray[np.floating]]],
    labels: LabelSet | None,
    shared_axes: bool = False,
    heading: str = "",
) -> Figure:
    """2-D maps of the same images side by side, each with its own scale, with one legend.

    Maps of more dimensions are shown in their first two principal components, noted in the title.

    maps: title and coordinates (N, d), d at least 2. labels: the classes of the N images, or None.
    shared_axes: project all on the principal components of the first; all must have its dimension.
    heading: above all maps.
    Raises ValueError without maps, or for maps of one dimension.
    """
    if not maps or any(z.ndim != 2 or z.shape[1] < 2 for _, z in maps):
        raise ValueError("no maps of two or more dimensions to draw")
    with plot_style():
        figure, panels = _panels(len(maps))
        for axes, (title, z) in zip(panels, maps, strict=True):
            points = z.astype(np.float64)
            if z.shape[1] > 2:
                shown = maps[0][1] if shared_axes else z
                plane = principal_components(shown.astype(np.float64), 2).directions
                points, title = points @ plane.T, f"{title}, PCA of {z.shape[1]}-D"
            low, high = points.min(axis=0), points.max(axis=0)
            half = 0.52 * max(float((high - low).max()), 1e-9)
            middle = (low + high) / 2
            axes.set(xlim=(middle[0] - half, middle[0] + half))
            axes.set(ylim=(middle[1] - half, middle[1] + half), aspect="equal")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(visible=True, color="#cccccc")
            axes.set_title(displayable(title, 60), fontsize=7.5)
            scatter(axes, points, labels)
        _write_heading(panels[0], heading)
        if labels and len(np.unique(labels.values)) <= N_COLORS:
            write_class_legend(panels[min(len(panels), _PANELS_A_ROW) - 1], labels)
    return figure


def norms_figure(
    norms: Sequence[tuple[str, NDArray[np.floating]]], labels: LabelSet, heading: str = ""
) -> Figure:
    """Norms of Z by class, a panel for each run: box from quartile to quartile, line at the
    median, whiskers to the 5th and 95th percentile (t-SimCNE paper, figure 4).

    norms: title and norms (N,) for each run. heading: above all panels.
    Raises ValueError without any.
    """
    if not norms:
        raise ValueError("no norms to draw")
    present = np.unique(labels.values)
    with plot_style():
        figure, panels = _panels(len(norms), height=2.4, gap=0.75)
        for axes, (title, lengths) in zip(panels, norms, strict=True):
            boxes = axes.boxplot(
                [lengths[labels.values == c] for c in present],
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                widths=0.7,
                medianprops={"color": "black"},
            )
            for box, c in zip(boxes["boxes"], present, strict=True):
                box.set(facecolor=COLORS[c % N_COLORS], linewidth=0.6)
            names = [displayable(labels.names[c], 14) for c in present]
            size = 7 if len(names) <= N_COLORS else 4
            axes.set_xticks(range(1, len(names) + 1), names, rotation=90, fontsize=size)
            axes.set(ylabel="‖z‖", ylim=(0, None))
            axes.set_title(displayable(title, 60), fontsize=7.5)
        _write_heading(panels[0], heading)
    return figure


def _write_heading(first: Axes, heading: str) -> None:
    """Write a heading above the first of several panels."""
    first.annotate(displayable(heading, 120), (0, 1), (0, 20), "axes fraction", "offset points")


def aligned(z: NDArray[np.floating], reference: NDArray[np.floating]) -> Points:
    """`z` centered, then rotated and mirrored to match the centered `reference` (orthogonal
    Procrustes).

    z, reference: (N, d), rows of the same images. Returns (N, d); distances are those of `z`.
    """
    points, towards = z.astype(np.float64), reference.astype(np.float64)
    points -= points.mean(axis=0)
    rotation, _ = orthogonal_procrustes(points, towards - towards.mean(axis=0))
    rotated: Points = points @ rotation
    return rotated


def eigenvalues(z: NDArray[np.floating]) -> Points:
    """Eigenvalues of the covariance of Z (N, d), the largest first, as shares of their sum (d,)."""
    return principal_components(z.astype(np.float64), z.shape[1]).shares.astype(np.float64)


def _panels(count: int, height: float = _PANEL, gap: float = 0.45) -> tuple[Figure, list[Any]]:
    """Panels in rows of up to four, with space for a legend at the right."""
    columns = min(count, _PANELS_A_ROW)
    rows = -(-count // columns)
    right = 1.8
    width = columns * (_PANEL + gap) + right
    tall = rows * (height + gap) + gap
    figure = Figure(figsize=(width, tall))
    FigureCanvasAgg(figure)
    axes: list[Axes] = []
    for i in range(count):
        row, column = divmod(i, columns)
        left = (gap + column * (_PANEL + gap)) / width
        bottom = (tall - (row + 1) * (height + gap)) / tall
        axes.append(figure.add_axes((left, bottom, _PANEL / width, height / tall)))
    return figure, axes
