"""Curves of runs: what is averaged, how lines are named, where axes of accuracy end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.plots.curves import Words, curves_figure, knn_figure, loss_figure, spread
from dimred.plots.style import to_png

X = np.array([1.0, 2.0, 3.0])
WORDS = Words("title", "", "x", "y")
NASTY = ["$x^2$", "_hidden", "a\nb"]


def lines_of(figure):
    """The curves; without lines that mark something."""
    return [line for line in figure.axes[0].lines if line.get_linestyle() not in ("--", ":")]


def names_of(figure):
    """The names beside the lines."""
    texts = [text for text in figure.axes[0].texts if getattr(text, "arrow_patch", None)]
    return [text.get_text() for text in texts]


def chances(figure):
    return [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"]


def test_the_line_of_a_group_is_the_mean_of_its_runs():
    figure = curves_figure({"a": [(X, X), (X, X + 2)], "b": [(X, X)]}, WORDS)
    a, b = lines_of(figure)
    assert a.get_ydata().tolist() == [2, 3, 4]
    assert b.get_ydata().tolist() == [1, 2, 3]
    (band,) = figure.axes[0].collections
    heights = band.get_paths()[0].get_extents()
    assert (heights.y0, heights.y1) == pytest.approx((2 - np.sqrt(2), 4 + np.sqrt(2)))
    assert names_of(figure) == ["a", "b"]


def test_runs_are_averaged_where_all_have_a_value():
    figure = curves_figure({"a": [(X, X), (X[:2], X[:2])]}, WORDS)
    assert lines_of(figure)[0].get_xdata().tolist() == [1, 2]
    with pytest.raises(ValueError, match="no x in common"):
        curves_figure({"a": [(X, X), (X + 10, X)]}, WORDS)
    with pytest.raises(ValueError, match="no curves"):
        curves_figure({}, WORDS)


def test_on_a_logarithmic_axis_the_band_stays_above_zero():
    curves = [(X, np.array([1e-6, 1, 1])), (X, np.array([1.0, 1, 1]))]
    figure = curves_figure({"a": curves}, WORDS, log_y=True)
    assert lines_of(figure)[0].get_ydata()[0] == pytest.approx(1e-3)
    assert figure.axes[0].collections[0].get_paths()[0].get_extents().y0 > 0


@pytest.mark.parametrize("values", [[0.99, 1, 1], [0.2, 0.3, 0.25], [0.0, 0.05, 0.02]])
def test_an_axis_of_accuracy_is_from_chance_to_100_at_most(values):
    curves = [(X, np.array(values)), (X, np.array(values[::-1]))]
    figure = curves_figure({"a": curves}, WORDS, chance=[0.1])
    low, high = figure.axes[0].get_ylim()
    assert low < min(10, 100 * min(values)) + 1e-9
    assert 100 * max(*values, 0.1) <= high <= 100
    assert chances(figure) == [10]
    assert names_of(figure) == ["a", "chance, 10.0 %"]


def test_knn_curves_are_in_per_cent_from_the_chance_level_which_is_dotted():
    figure = knn_figure({"Z, official split": {15: 0.995, 1: 0.99}, "_$H$": {1: 0.97}}, 0.1, "run")
    to_png(figure)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "run: kNN accuracy"
    assert names_of(figure) == ["Z, official split", "_$H$", "chance, 10.0 %"]
    first, second = lines_of(figure)
    assert (list(first.get_xdata()), list(first.get_ydata())) == ([1, 15], [99, 99.5])
    assert list(second.get_ydata()) == [97]
    assert chances(figure) == [10]
    assert axes.get_ylim()[0] < 10
    assert axes.get_ylim()[1] == 100
    assert names_of(knn_figure({"chance": {1: 0.5}}, None)) == ["chance"]


def test_names_that_do_not_fit_beside_the_axes_are_in_a_legend():
    figure = knn_figure({str(i): {1: 0.5} for i in range(60)}, None)
    assert names_of(figure) == []
    assert len(figure.axes[0].get_legend().get_texts()) == 60


def test_long_names_are_cut_where_they_stay_different():
    alike, other = "a" * 80, "a" * 80 + "b"
    assert names_of(knn_figure({alike: {1: 0.5}, other: {1: 0.5}}, None)) == [alike, other]
    assert len(names_of(knn_figure({alike: {1: 0.5}}, None))[0]) == 60


@given(st.lists(st.floats(0, 100), max_size=10))
def test_spread_positions_keep_their_order_and_a_distance(positions):
    places = spread(np.array(positions), 10.0, 100.0)
    order = np.argsort(positions, kind="stable")
    assert (np.diff(places[order]) >= 10 - 1e-9).all()
    assert ((places >= -1e-9) & (places <= 100 + 1e-9)).all()
    if len(positions) > 1 and (np.diff(np.sort(positions)) >= 10).all() and max(positions) <= 100:
        np.testing.assert_allclose(places, positions, atol=1e-9)


def rows_of(**epochs):
    return [
        {"stage": stage, "epoch": epoch, "loss": 5.0 / epoch}
        for stage, n in epochs.items()
        for epoch in range(1, n + 1)
    ]


def stages_of(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_rotation() == 90]


def test_the_loss_is_over_all_epochs_with_every_stage_marked():
    figure = loss_figure(rows_of(pretrain=40, readout=2, finetune=10), "run")
    to_png(figure)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "run: loss"
    assert stages_of(figure) == ["pretrain", "readout", "finetune"]
    marks = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in marks] == [0, 40, 42]
    curves = lines_of(figure)
    np.testing.assert_array_equal(
        np.concatenate([line.get_xdata() for line in curves]), np.arange(1, 53)
    )
    np.testing.assert_array_equal(curves[1].get_ydata(), [5.0, 2.5])


def test_stages_of_several_runs_are_named():
    starts = [(0, "pretrain"), (2, "finetune"), (3, "finetune"), (2, "readout")]
    figure = curves_figure({"a": [(X, X)]}, WORDS, starts=starts)
    assert stages_of(figure) == ["pretrain", "finetune / readout", "finetune"]


def test_a_loss_of_one_epoch_or_not_finite_is_drawn_and_names_of_stages_are_literal():
    to_png(loss_figure(rows_of(pretrain=1)))
    rows = [{"stage": name, "epoch": 1, "loss": float("nan")} for name in NASTY]
    figure = loss_figure(rows)
    to_png(figure)
    assert stages_of(figure)[0] == "$x^2$"
    with pytest.raises(ValueError, match="no epochs"):
        loss_figure([])
