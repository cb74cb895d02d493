"""Plots of a run: maps, loss, kNN accuracy.

Each function takes data and returns a matplotlib figure, without pyplot, a display or the user's
matplotlib settings. Text is shown as it is: no mathematics, and escapes for what no font can show.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from matplotlib import font_manager, patheffects, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dimred.data.image_set import LabelSet

Points = NDArray[np.float64]

# Okabe and Ito's eight (https://jfly.uni-koeln.de/color/; yellow and black moved from the ends of
# the scale), then twelve chosen to be far from them and from each other in OKLab, also as simulated
# for red- and green-blind eyes (Machado et al. 2009).
_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5B2A9B", "#DECB14"),
    *("#8C5A2B", "#2B2B2B", "#CC00FF", "#00E0A3", "#A31466", "#0000E0", "#005200", "#AD7AFF"),
    *("#D60AA3", "#660A52", "#FF3D70", "#85B899"),
)
_N_COLOURS = len(_COLOURS)
_GREY = "#666666"
_NAME_POINTS = 6.5
# For names in scripts that DejaVu Sans lacks, where one of these is installed.
_WIDER_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "Arial Unicode MS")


def map_figure(
    z: NDArray[np.floating], labels: LabelSet | None, title: str, subtitle: str
) -> Figure:
    """The map of an image set, coloured by class.

    2-D: a scatter plot at equal scales. 1-D: one row of points a class, or a histogram without
    labels. 3-D and more: the first two principal components, named so on the axes. Classes are
    named in a legend, or at their medians where there are more than 20.

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
    with _own_style():
        if z.shape[1] > 1:
            figure, axes = _plane_map(points, labels)
        elif labels is not None:
            figure, axes = _rows_map(points[:, 0], labels)
        else:
            figure, axes = _histogram_map(points[:, 0])
        _write_title(axes, title, subtitle)
    return figure


def loss_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Loss against epochs counted over all stages: a colour for each, a mark where it starts.

    rows: one an epoch, in order, with "stage" (str), "epoch" (int, from 1 in each stage) and "loss"
        (float; a gap where it is not finite). Losses of different stages are not joined.
    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("no epochs to plot the loss of")
    stages: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        stages.setdefault(row["stage"], []).append((row["epoch"], row["loss"]))
    with _own_style():
        figure, axes = _new_figure(7.0, 4.0)
        start, lines = 0, []
        for i, curve in enumerate(stages.values()):
            epochs, losses = np.array(curve, dtype=np.float64).T
            axes.axvline(start, color=_GREY, linewidth=0.8, linestyle="--")
            dots = "o" if len(curve) <= 30 else ""
            colour = _COLOURS[i % _N_COLOURS]
            lines += axes.plot(start + epochs, losses, colour, marker=dots, markersize=3)
            start += int(epochs.max())
        axes.set(xlim=(0, start * 1.01), xlabel="epoch", ylabel="loss, mean of an epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        _write_legend(axes, lines, list(stages))
    return figure


def knn_figure(curves: Mapping[str, Mapping[int, float]], chance: float | None) -> Figure:
    """kNN accuracy against the number of neighbours k.

    curves: name, such as "Z, official split" -> k -> accuracy in [0, 1].
    chance: accuracy of the best constant answer, named in the legend and a dotted line, where the
        curves come near it; None for neither.
    """
    with _own_style():
        figure, axes = _new_figure(7.0, 4.0)
        named = {}
        for i, (name, curve) in enumerate(curves.items()):
            ks = sorted(curve)
            percent = [100 * curve[k] for k in ks]
            named[name] = axes.plot(ks, percent, _COLOURS[i % _N_COLOURS], marker=".")[0]
        if chance is not None:
            limits = axes.get_ylim()
            line = axes.axhline(100 * chance, color=_GREY, linestyle=":")
            named[f"chance, {100 * chance:.1f} %"] = line
            axes.set_ylim(limits)
        axes.set(xlabel="number of neighbours k", ylabel="kNN accuracy, %")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        _write_legend(axes, list(named.values()), list(named))
    return figure


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file; equal figures give equal bytes, with no date or version in them."""
    file = io.BytesIO()
    with _own_style():
        figure.savefig(
            file, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None}
        )
    return file.getvalue()


def _own_style() -> AbstractContextManager[None]:
    own = {
        "text.parse_math": False,
        "font.family": _families(),
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 160,
        "legend.frameon": False,
        "legend.handletextpad": 0.4,
    }
    return style.context(["default", own])


@cache
def _families() -> list[str]:
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _WIDER_FONTS if name in installed)]


@cache
def _characters() -> frozenset[int]:
    """The code points that the fonts can show."""
    files = [font_manager.findfont(name) for name in _families()]
    return frozenset().union(*(font_manager.get_font(file).get_charmap() for file in files))


def _literal(text: str, limit: int = 24) -> str:
    """Text that can be shown in any case: what is not printable escaped, cut to `limit`."""
    known = _characters()
    shown = "".join(c if c.isprintable() and ord(c) in known else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Axes of this size in inches, with room for a title above and for names at the right."""
    left, right, below, above = 0.8, 2.2, 0.6, 0.7
    w, h = left + width + right, below + height + above
    figure = Figure(figsize=(w, h))
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((left / w, below / h, width / w, height / h))


def _write_title(axes: Axes, title: str, subtitle: str) -> None:
    lines = textwrap.wrap(_literal(subtitle, 270), 90)
    axes.set_title(_literal(title, 60), loc="left", fontsize=12, pad=6 + 12 * len(lines))
    axes.annotate("\n".join(lines), (0, 1), (0, 5), "axes fraction", "offset points", color=_GREY)


def _write_legend(axes: Axes, handles: Sequence[Line2D], names: Sequence[str]) -> None:
    """A legend at the right of the axes."""
    # Names are set afterwards: matplotlib leaves out those that start with an underscore.
    legend = axes.legend(handles, ["-"] * len(handles), loc="upper left", bbox_to_anchor=(1.01, 1))
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(_literal(name))


def _plane_map(z: Points, labels: LabelSet | None) -> tuple[Figure, Axes]:
    xlabel = ylabel = ""
    if z.shape[1] > 2:
        z, (first, second) = _principal_components(z)
        xlabel = f"1st principal component ({first:.0%} of variance)"
        ylabel = f"2nd principal component ({second:.0%} of variance)"
    present = np.unique(labels.values) if labels else np.empty(0, dtype=np.int64)
    side = 6.0 if len(present) <= _N_COLOURS else 7.5

    extent = 1.04 * np.ptp(z, axis=0)
    # Of a collapsed map too, limits must differ by more than rounding.
    longest = max(float(extent.max()), 1e-9 * float(np.abs(z).max())) or 1.0
    extent = np.maximum(extent, longest / 2)
    low = (z.min(axis=0) + z.max(axis=0) - extent) / 2
    figure, axes = _new_figure(*side * extent / longest)
    axes.set(xlim=(low[0], low[0] + extent[0]), ylim=(low[1], low[1] + extent[1]), aspect="equal")
    axes.set(xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel)
    axes.spines[:].set(visible=True, color="#cccccc")
    _scatter(axes, z, labels)
    if labels and len(present) > _N_COLOURS:
        medians = np.stack([np.median(z[labels.values == c], axis=0) for c in present])
        _write_names(axes, medians, [labels.names[c] for c in present], 72 * side / longest)
    elif labels:
        dots = [Line2D([], [], color=_COLOURS[c % _N_COLOURS], marker="o", ls="") for c in present]
        _write_legend(axes, dots, [labels.names[c] for c in present])
    return figure, axes


def _rows_map(z: Points, labels: LabelSet) -> tuple[Figure, Axes]:
    """The 1-D map (N,), a row for each class, the first at the top."""
    present, rows = np.unique(labels.values, return_inverse=True)
    spacing = 0.35 if len(present) <= _N_COLOURS else 0.13
    figure, axes = _new_figure(7.0, spacing * (len(present) + 1))
    jitter = np.random.default_rng(0).uniform(-0.35, 0.35, len(z))
    _scatter(axes, np.stack([z, rows + jitter], axis=1), labels)
    names = [_literal(labels.names[c]) for c in present]
    axes.set_yticks(range(len(present)), names, fontsize=min(9, 60 * spacing))
    axes.set(ylim=(len(present) - 0.4, -0.6), xlabel="coordinate in the 1-D map")
    return figure, axes


def _histogram_map(z: Points) -> tuple[Figure, Axes]:
    figure, axes = _new_figure(7.0, 3.0)
    # Of a collapsed map too, bins must differ by more than rounding.
    pad = 1e-9 * float(np.abs(z).max()) or 0.5
    limits = (z.min() - pad, z.max() + pad)
    axes.hist(z, min(100, 5 + len(z) // 10), range=limits, color=_COLOURS[0])
    axes.set(xlabel="coordinate in the 1-D map", ylabel="images")
    return figure, axes


def _scatter(axes: Axes, xy: Points, labels: LabelSet | None) -> None:
    # Shuffled, so that no class lies on top of another everywhere.
    order = np.random.default_rng(0).permutation(len(xy))
    classes = np.zeros_like(order) if labels is None else labels.values[order]
    colours = [_COLOURS[c % _N_COLOURS] for c in classes]
    alpha = float(np.clip(1.15 - 0.05 * np.log(len(xy)), 0.6, 0.9))
    x, y = xy[order].T
    axes.scatter(x, y, c=colours, alpha=alpha, **_dot_style(len(xy)))


def _dot_style(n: int) -> dict[str, Any]:
    """Of each of n points in a scatter plot."""
    size = float(np.clip(20 * (300 / n) ** 0.62, 0.5, 24))
    return {"s": size, "linewidths": 0, "rasterized": True}


def _principal_components(z: Points) -> tuple[Points, Points]:
    """The first two principal components (N, 2) and their shares of the variance (2,)."""
    centred = z - z.mean(axis=0)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    # Not scikit-learn's PCA: it warns where all points are equal, as in a collapsed embedding.
    shares = variances[[-1, -2]] / (variances.sum() or 1.0)
    return centred @ directions[:, [-1, -2]], np.clip(shares, 0, 1)


def _write_names(axes: Axes, medians: Points, names: Sequence[str], scale: float) -> None:
    """Class names at the medians, moved where they would overlap; scale: points a map unit."""
    shown = [_literal(name, 16) for name in names]
    sizes = _NAME_POINTS * np.array([[0.58 * len(name) + 1, 1.3] for name in shown])
    places = _spread(medians * scale, sizes) / scale
    halo = patheffects.withStroke(linewidth=2, foreground="white")
    for name, median, place in zip(shown, medians, places, strict=True):
        if np.linalg.norm(place - median) * scale > 1.5 * _NAME_POINTS:
            axes.plot(*np.stack([median, place]).T, color="black", linewidth=0.4)
        text = axes.text(place[0], place[1], name, fontsize=_NAME_POINTS, ha="center", va="center")
        text.set_path_effects([halo])


def _spread(centres: Points, sizes: Points) -> Points:
    """Centres (n, 2) of boxes of these sizes (n, 2), moved until hardly any two overlap."""
    places = centres + np.random.default_rng(0).normal(scale=1e-3, size=centres.shape)
    apart = (sizes[:, None] + sizes[None]) / 2
    np.fill_diagonal(apart[..., 0], 0)
    for _ in range(500):
        offsets = places[:, None] - places[None]
        overlaps = np.maximum(apart - np.abs(offsets), 0)
        overlaps[(overlaps == 0).any(axis=2)] = 0
        if overlaps.max() < 0.5:
            break
        # Along the axis where less is to move.
        overlaps[overlaps > overlaps.min(axis=2, keepdims=True)] = 0
        places += 0.5 * (np.sign(offsets) * overlaps).sum(axis=1)
    return places
