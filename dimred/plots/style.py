"""The style of dimred's figures: colors, fonts, axes, titles, legends, and figures as files.

Uses neither pyplot, a display nor the user's matplotlib settings. Text is shown literally, without
mathematics, and characters that no font can show are escaped.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from matplotlib import font_manager, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

Points = NDArray[np.float64]

# Okabe and Ito's eight (https://jfly.uni-koeln.de/color/; yellow and black moved from the ends of
# the scale), then twelve far from these and from each other in OKLab, also as simulated for red-
# and green-blind eyes (Machado et al. 2009).
COLORS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#5B2A9B", "#DECB14"),
    *("#8C5A2B", "#2B2B2B", "#CC00FF", "#00E0A3", "#A31466", "#0000E0", "#005200", "#AD7AFF"),
    *("#D60AA3", "#660A52", "#FF3D70", "#85B899"),
)
N_COLORS = len(COLORS)
GRAY = "#666666"
# Used, if installed, for scripts that DejaVu Sans lacks.
_WIDER_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "Arial Unicode MS")


def to_png(figure: Figure) -> bytes:
    """The figure as a PNG file without date or version, so that equal figures give equal bytes."""
    file = io.BytesIO()
    with plot_style():
        figure.savefig(
            file, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None}
        )
    return file.getvalue()


def to_pdf(figure: Figure) -> bytes:
    """The figure as a PDF file, with text as text and dots of scatter plots rasterized."""
    file = io.BytesIO()
    with plot_style():
        figure.savefig(
            file,
            format="pdf",
            bbox_inches="tight",
            pad_inches=0.05,
            dpi=300,
            metadata={"CreationDate": None, "Creator": None, "Producer": None},
        )
    return file.getvalue()


def plot_style() -> AbstractContextManager[None]:
    """Context in which matplotlib uses dimred's settings."""
    settings = {
        "text.parse_math": False,
        "font.family": _families(),
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "figure.dpi": 160,
        "pdf.fonttype": 42,
        "legend.frameon": False,
        "legend.handletextpad": 0.4,
    }
    return style.context(["default", settings])


@cache
def _families() -> list[str]:
    installed = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _WIDER_FONTS if name in installed)]


@cache
def _characters() -> frozenset[int]:
    """The code points that the fonts can show."""
    files = [font_manager.findfont(name) for name in _families()]
    return frozenset().union(*(font_manager.get_font(file).get_charmap() for file in files))


def displayable(text: str, limit: int = 24) -> str:
    """Text with unprintable and unsupported characters escaped, cut to `limit` characters."""
    supported = _characters()
    shown = "".join(c if c.isprintable() and ord(c) in supported else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """Axes of this size in inches, with space for a title above and a legend at the right."""
    left, right, below, above = 0.8, 2.2, 0.6, 0.7
    w, h = left + width + right, below + height + above
    figure = Figure(figsize=(w, h))
    FigureCanvasAgg(figure)
    return figure, figure.add_axes((left / w, below / h, width / w, height / h))


def write_title(axes: Axes, title: str, subtitle: str, legend: str = "") -> None:
    """A title, with a subtitle and a legend in words below it."""
    lines = [*textwrap.wrap(displayable(subtitle, 270), 90)]
    lines += textwrap.wrap(displayable(legend, 270), 90)
    axes.set_title(displayable(title, 60), loc="left", fontsize=12, pad=6 + 12 * len(lines))
    axes.annotate("\n".join(lines), (0, 1), (0, 5), "axes fraction", "offset points", color=GRAY)


def write_legend(
    axes: Axes, handles: Sequence[Line2D], names: Sequence[str], limit: int = 24
) -> None:
    """A legend at the right of the axes."""
    # Names are set afterwards, as matplotlib omits those that start with an underscore.
    legend = axes.legend(handles, ["-"] * len(handles), loc="upper left", bbox_to_anchor=(1.01, 1))
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(displayable(name, limit))


def dot_style(n: int) -> dict[str, Any]:
    """Arguments for a scatter plot of n points."""
    size = float(np.clip(20 * (300 / n) ** 0.62, 0.5, 24))
    return {"s": size, "linewidths": 0, "rasterized": True}
