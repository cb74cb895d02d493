"""The label-efficiency curve: accuracy against the number of labeled images a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dimred.plots.curves import accuracy_axis, name_lines
from dimred.plots.style import COLORS, new_figure, plot_style, write_title


@dataclass(frozen=True)
class LabelCurve:
    """A line: what it is of, labels a class (n,), ascending, and for each the mean accuracy and
    that of the lowest and highest draw, in [0, 1]."""

    name: str
    labels: Sequence[float]
    mean: Sequence[float]
    lowest: Sequence[float]
    highest: Sequence[float]


def label_curve_figure(
    curves: Sequence[LabelCurve], chance: float, title: str = "", subtitle: str = ""
) -> Figure:
    """A line a method, with a band from the lowest to the highest draw, on a logarithmic axis.

    chance: accuracy of the best constant answer. Raises ValueError without curves.
    """
    if not curves:
        raise ValueError("no curves to draw")
    with plot_style():
        figure, axes = new_figure(6.0, 4.0)
        lines = []
        for i, curve in enumerate(curves):
            color = COLORS[i % len(COLORS)]
            x = np.asarray(curve.labels, dtype=float)
            mean, low, high = (
                100 * np.asarray(part) for part in (curve.mean, curve.lowest, curve.highest)
            )
            axes.fill_between(x, low, high, color=color, alpha=0.12, linewidth=0)
            lines += axes.plot(x, mean, color=color, marker="o", markersize=4)
        ticks = sorted({label for curve in curves for label in curve.labels})
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.set(xlabel="labeled images a class", ylabel="accuracy on test images, %")
        lines, names = accuracy_axis(axes, lines, [curve.name for curve in curves], [chance])
        name_lines(axes, lines, names)
        band = "line: mean of the draws of labels; band: lowest to highest draw"
        write_title(axes, title, subtitle, band)
    return figure
