"""The label-efficiency curve."""

import numpy as np
import pytest

from dimred.plots.label_curve import LabelCurve, label_curve_figure
from dimred.plots.style import to_png

CURVES = [
    LabelCurve(
        "linear probe", [1, 10, 5880.8], [0.5, 0.8, 0.9], [0.4, 0.75, 0.9], [0.6, 0.85, 0.9]
    ),
    LabelCurve("pixels <b>$x$", [10], [0.7], [0.6], [0.8]),
]


def test_lines_are_means_and_bands_go_from_the_lowest_to_the_highest_draw():
    figure = label_curve_figure(CURVES, 0.2, "title", "subtitle")
    axes = figure.axes[0]
    lines = [line for line in axes.lines if len(line.get_xdata()) in (1, 3)]
    np.testing.assert_allclose(lines[0].get_ydata(), [50, 80, 90])
    np.testing.assert_allclose(lines[1].get_xdata(), [10])
    band = axes.collections[0].get_paths()[0].vertices
    assert {(1.0, 40.0), (1.0, 60.0), (10.0, 75.0), (10.0, 85.0)} <= set(map(tuple, band.round(6)))
    assert axes.get_xscale() == "log"
    assert axes.get_xticks().tolist() == [1, 10, 5880.8]
    assert [axes.xaxis.get_major_formatter()(x, 0) for x in (1, 5880.8)] == ["1", "5,881"]
    texts = [text.get_text() for text in axes.texts]
    assert {"linear probe", "pixels <b>$x$", "chance, 20.0 %"} <= set(texts)
    assert to_png(figure).startswith(b"\x89PNG")


def test_no_curves_are_refused():
    with pytest.raises(ValueError, match="no curves"):
        label_curve_figure([], 0.2)
