"""Curves: loss and accuracy of a run, and of several.

Each function takes data and returns a matplotlib figure in the style of `style`. Curves are named
where they end, not in a legend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from dimred.plots.style import (
    COLORS,
    GRAY,
    N_COLORS,
    Points,
    displayable,
    new_figure,
    plot_style,
    write_legend,
    write_title,
)

# x and y of one run.
Curve = tuple[NDArray[np.float64], NDArray[np.float64]]
# Where a stage begins, in epochs over all stages, and its name.
Start = tuple[float, str]

_STYLES = ("-", "--", "-.", ":")
_NAME = 8.0  # points, the size of a curve's name
_LINE = 1.25 * _NAME
_LIMIT = 60  # letters of a name


@dataclass(frozen=True)
class Words:
    """The texts of a figure: title and subtitle ("" for none), and what x and y are."""

    title: str
    subtitle: str
    x: str
    y: str


def curves_figure(
    groups: Mapping[str, Sequence[Curve]],
    words: Words,
    *,
    log_y: bool = False,
    chance: Iterable[float] | None = None,
    starts: Sequence[Start] = (),
) -> Figure:
    """A line for each group: the mean of its runs, with a band of one standard deviation.

    groups: name -> the curves of its runs (x, y), which are averaged where all have a value.
    log_y: a logarithmic axis; means and deviations are then those of the logarithms.
    chance: y are accuracies in [0, 1], shown in per cent from the chance levels given here.
    starts: of the stages of the runs, marked and named.
    Raises ValueError without curves.
    """
    if not groups or not all(groups.values()):
        raise ValueError("no curves to draw")
    percent = 1 if chance is None else 100
    with plot_style():
        figure, axes = new_figure(5.5, 3.6)
        lines = []
        for i, curves in enumerate(groups.values()):
            x, *ys = _averaged(curves, log_y)
            mean, low, high = (percent * y for y in ys)
            lines += _line(axes, x, mean, i, len(groups))
            if len(curves) > 1:
                color = lines[-1].get_color()
                alpha = 0.2 if len(groups) < 3 else 0.1
                axes.fill_between(x, low, high, color=color, alpha=alpha, linewidth=0)
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        names = list(groups)
        if chance is not None:
            lines, names = accuracy_axis(axes, lines, names, chance)
        _finish(axes, lines, names, words, starts)
    return figure


def loss_figure(rows: Sequence[Mapping[str, Any]], title: str = "") -> Figure:
    """Loss against epochs counted over all stages, each with a color, and a mark where it starts.

    rows: one per epoch, in order, with "stage" (str), "epoch" (int, from 1 in each stage) and
        "loss" (float; a gap where it is not finite). Losses of different stages are not joined.
    Raises ValueError without rows.
    """
    if not rows:
        raise ValueError("no epochs to plot the loss of")
    stages: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        stages.setdefault(row["stage"], []).append((row["epoch"], row["loss"]))
    starts, start = list[Start](), 0
    with plot_style():
        figure, axes = new_figure(7.0, 4.0)
        for i, (name, curve) in enumerate(stages.items()):
            epochs, losses = np.array(curve, dtype=np.float64).T
            dots = "o" if len(curve) <= 30 else ""
            axes.plot(start + epochs, losses, COLORS[i % N_COLORS], marker=dots, markersize=3)
            starts.append((start, name))
            start += int(epochs.max())
        axes.set_xlim(0, start * 1.01)
        subtitle = f"{start:,} epochs in {len(stages)} stages, whose losses are not comparable"
        if len(stages) == 1:
            subtitle = f"{start:,} epochs"
        words = Words(title and f"{title}: loss", subtitle, "epoch", "loss, mean of an epoch")
        _finish(axes, [], [], words, starts)
    return figure


def knn_figure(
    curves: Mapping[str, Mapping[int, float]],
    chance: float | None,
    title: str = "",
    chance_of: str = "",
) -> Figure:
    """kNN accuracy against the number of neighbors k.

    curves: name, such as "Z, official split" -> k -> accuracy in [0, 1].
    chance: accuracy of the best constant answer, where the axis begins; None where unknown.
    chance_of: what it is of, as an addition to its name.
    """
    with plot_style():
        figure, axes = new_figure(7.0, 4.0)
        lines = []
        for i, curve in enumerate(curves.values()):
            ks = sorted(curve)
            percent = np.array([100 * curve[k] for k in ks])
            lines += _line(axes, np.array(ks), percent, i, len(curves))
        levels = [] if chance is None else [chance]
        lines, names = accuracy_axis(axes, lines, list(curves), levels, chance_of)
        subtitle = "test images whose class is the most frequent among their k nearest"
        words = Words(
            title and f"{title}: kNN accuracy",
            subtitle + " training images",
            "number of neighbors k",
            "kNN accuracy, %",
        )
        _finish(axes, lines, names, words)
    return figure


def _line(axes: Axes, x: Points, y: Points, i: int, n: int) -> list[Line2D]:
    """The i-th of n lines, narrower than those before, which show where it covers them."""
    marker = "." if len(x) <= 40 else ""
    width = 1.5 if n == 1 else 3.0 - 1.8 * i / (n - 1)
    line = _STYLES[i // N_COLORS % len(_STYLES)]
    color = COLORS[i % N_COLORS]
    style: dict[str, Any] = {
        "linestyle": line,
        "linewidth": width,
        "marker": marker,
        "markersize": 4 + width,
    }
    return axes.plot(x, y, color=color, **style)


def accuracy_axis(
    axes: Axes, lines: list[Line2D], names: list[str], chance: Iterable[float], of: str = ""
) -> tuple[list[Line2D], list[str]]:
    """An axis in per cent from chance, or the lowest curve, to at most 100. Returns the lines and
    names with those of chance."""
    levels = sorted({round(100 * level, 1) for level in chance})
    drawn = [axes.axhline(level, color=GRAY, linestyle=":") for level in levels]
    low, high = np.clip(axes.dataLim.intervaly, 0.0, 100.0)
    low, high = min([low, *levels]), max([high, *levels])
    room = max(0.05 * (high - low), 1.0)
    axes.set_ylim(max(low - room, -1.0), min(high + room, 100.0))
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if high + room > 100:  # dots at 100 are whole
        for line in lines:
            line.set_clip_on(False)
    return lines + drawn, names + [f"chance{of}, {level:.1f} %" for level in levels]


def _finish(
    axes: Axes,
    lines: Sequence[Line2D],
    names: Sequence[str],
    words: Words,
    starts: Sequence[Start] = (),
) -> None:
    """Axes, title, and names of lines and stages, when all is drawn."""
    axes.set(xlabel=words.x, ylabel=words.y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    _mark_stages(axes, starts)
    name_lines(axes, lines, names)
    if words.title or words.subtitle:
        write_title(axes, words.title, words.subtitle)


def name_lines(axes: Axes, lines: Sequence[Line2D], names: Sequence[str]) -> None:
    """Write the names of lines at their ends, moved where they would overlap; in a legend where
    they do not all fit beside the axes."""
    height = axes.get_window_extent().height * 72 / axes.figure.dpi
    shown = _cut(names)
    if len(lines) * _LINE > height:
        write_legend(axes, lines, shown, limit=max(map(len, shown)))
        return
    ends = [_end(axes, line) for line in lines]
    wanted = np.array([np.clip(y, 0, 1) * height for _, y in ends])
    places = spread(wanted, _LINE, height) / height
    for line, name, end, place in zip(lines, shown, ends, places, strict=True):
        axes.annotate(
            name,
            end,
            (1.04, place),
            xycoords="axes fraction",
            textcoords="axes fraction",
            color=line.get_color(),
            fontsize=_NAME,
            va="center",
            annotation_clip=False,
            arrowprops={
                **{"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.8},
                **{"linestyle": ":", "alpha": 0.7, "shrinkA": 1, "shrinkB": 2, "relpos": (0, 0.5)},
            },
        )


def _end(axes: Axes, line: Line2D) -> tuple[float, float]:
    """The last finite point of a line, in parts of the axes."""
    x, y = (np.asarray(values, dtype=float) for values in line.get_data())
    finite = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(finite):
        return 1.0, 0.5
    at = line.get_transform().transform((x[finite[-1]], y[finite[-1]]))
    right, up = axes.transAxes.inverted().transform(at)
    return float(right), float(up)


def _cut(names: Sequence[str]) -> list[str]:
    """The names as they can be shown, cut where they stay different."""
    whole = [displayable(name, 1_000) for name in names]
    cut = [displayable(name, _LIMIT) for name in names]
    return cut if len(set(cut)) == len(set(whole)) else whole


def _mark_stages(axes: Axes, starts: Sequence[Start]) -> None:
    """A dashed line where each stage begins, with its name at the top."""
    if not starts:
        return
    names: dict[float, list[str]] = {}
    for x, name in starts:
        names.setdefault(x, []).append(displayable(name))
    width = axes.get_window_extent().width * 72 / axes.figure.dpi
    at = sorted(names)
    for x in at:
        axes.axvline(x, color=GRAY, linewidth=0.8, linestyle="--")
    left, right = axes.get_xlim()
    wanted = np.array([(x - left) / (right - left) * width + 0.6 * _NAME for x in at])
    places = spread(wanted, _LINE, width) / width
    for x, place in zip(at, places, strict=True):
        text = " / ".join(dict.fromkeys(names[x]))
        style: dict[str, Any] = {"rotation": 90, "fontsize": _NAME - 1, "color": GRAY}
        style["path_effects"] = [patheffects.withStroke(linewidth=2, foreground="white")]
        axes.text(place, 0.99, text, transform=axes.transAxes, ha="center", va="top", **style)


def spread(positions: Points, gap: float, length: float) -> Points:
    """The positions (n,) on a line from 0 to `length` nearest to those given whose distances are at
    least `gap`, in the same order; n * gap is at most `length`."""
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(len(order))
    if not len(order):
        return positions
    even = isotonic_regression(positions[order] - steps).x
    places = np.empty(len(order))
    places[order] = np.clip(even, 0, max(length - steps[-1], 0)) + steps
    return places


def _averaged(curves: Sequence[Curve], log_y: bool) -> tuple[Points, Points, Points, Points]:
    """x, mean, and mean minus and plus a standard deviation (n - 1), where all curves have a value;
    computed on logarithms for a logarithmic axis."""
    shared = sorted(set.intersection(*(set(x.tolist()) for x, _ in curves)))
    if not shared:
        raise ValueError("the curves of a group have no x in common")
    values = np.array([y[np.isin(x, shared)] for x, y in curves])
    if log_y:
        values = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    mean = values.mean(axis=0)
    deviation = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(len(shared))
    low, high = mean - deviation, mean + deviation
    if log_y:
        mean, low, high = np.exp(mean), np.exp(low), np.exp(high)
    return np.array(shared), mean, low, high
