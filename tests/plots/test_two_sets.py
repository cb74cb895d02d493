"""Figures of two sets of images."""

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from dimred.plots.sheets import Part, Picture, Tile, sheet, sheet_of_parts
from dimred.plots.style import to_png
from dimred.plots.two_sets import SET_COLORS, betraying_sheet, two_sets_figure

NASTY = ("A: $x^2$", "B: <img src=x>\n\x1b[0m\udcff" + "b" * 400)


def cloud(n, dims, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dims)).astype(np.float32)


def dots(axes):
    """The places and colors of the dots of the sets, which are drawn last."""
    last = axes.collections[-1]
    return np.asarray(last.get_offsets()), last.get_facecolors()[:, :3]


def of_color(axes, color):
    xy, colors = dots(axes)
    return xy[np.abs(colors - to_rgb(color)).max(axis=1) < 0.01]


def texts_of(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def sorted_rows(points):
    return points[np.lexsort(points.T)]


def test_each_set_has_its_color_and_neither_covers_the_other():
    z, a, b = cloud(500, 2), cloud(60, 2, 1), cloud(90, 2, 2) + 3
    figure = two_sets_figure(z, a, b, NASTY, "title", "subtitle", [("7", a), ("12", b)])
    axes = figure.axes[0]
    for points, color in zip((a, b), SET_COLORS, strict=True):
        assert np.allclose(sorted_rows(of_color(axes, color)), sorted_rows(points))
    runs = [len(set(map(tuple, colors))) for colors in np.array_split(dots(axes)[1], 10)]
    assert runs == [2] * 10  # in a random order
    low, high = np.sort(np.stack([axes.get_xlim(), axes.get_ylim()]), axis=1).T
    every = np.concatenate([z, a, b])
    assert (low < every.min(axis=0)).all()
    assert (every.max(axis=0) < high).all()
    assert texts_of(figure)[0] == "A: $x^2$, 60"
    assert texts_of(figure)[1].startswith("B: <img src=x>\\n\\x1b")
    assert texts_of(figure)[1].endswith("…, 90")
    assert texts_of(figure)[2] == "the run's map, 500"
    places = {text.get_text(): text.get_position() for text in axes.texts}
    np.testing.assert_allclose(places["7"], np.median(a, axis=0), atol=0.3)
    np.testing.assert_allclose(places["12"], np.median(b, axis=0), atol=0.3)
    assert to_png(figure).startswith(b"\x89PNG")


def test_of_more_dimensions_the_principal_components_of_the_run_are_shown():
    z = cloud(400, 5) * np.array([1, 9, 1, 4, 1], np.float32) + 50
    a, b = z[:30], z[30:50]
    figure = two_sets_figure(z, a, b, ("A: a", "B: b"), "", "", [("1", a)])
    axes = figure.axes[0]
    assert axes.get_xlabel().startswith("1st principal component")
    assert axes.get_ylabel().startswith("2nd principal component")
    of_run = np.asarray(axes.collections[0].get_offsets())
    # A and B are rows of the run, so they lie on them, and not where they lie on their own.
    for points, color in ((of_run[:30], SET_COLORS[0]), (of_run[30:50], SET_COLORS[1])):
        assert np.allclose(sorted_rows(of_color(axes, color)), sorted_rows(points), atol=1e-4)
    assert np.abs(np.corrcoef(of_run[:, 0], z[:, 1])[0, 1]) > 0.99


def test_a_map_of_one_dimension_has_a_row_for_each_set():
    z, a, b = cloud(100, 1), cloud(20, 1, 1), cloud(30, 1, 2)
    axes = two_sets_figure(z, a, b, ("A: a", "B: b"), "", "", [("1", a)]).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["A: a", "B: b"]
    for row, (points, color) in enumerate(zip((a, b), SET_COLORS, strict=True)):
        x, y = of_color(axes, color).T
        assert np.allclose(np.sort(x), np.sort(points[:, 0]))
        assert (np.abs(y - row) < 0.5).all()


@pytest.mark.parametrize("dims", [1, 2, 4])
def test_a_collapsed_map_is_drawn(dims):
    points = np.full((30, dims), 1e20)
    to_png(two_sets_figure(points, points[:1], points[:2], ("A: a", "B: b"), "", ""))


def test_points_that_cannot_be_drawn_are_refused():
    z = cloud(30, 2)
    for bad in (z[:0], z[:, :1], z[:, 0], np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="must be"):
            two_sets_figure(z, z, bad, ("A: a", "B: b"), "", "")


def colored(color, n):
    """Pictures of one color, with a caption."""
    image = np.broadcast_to(np.array(color, np.uint8)[:, None, None], (3, 8, 8))
    return [(image, (f"{i}", "a name that is rather long.png")) for i in range(n)]


def test_the_sheet_has_two_parts_with_titles_in_the_colors_of_the_sets():
    red, green = (250, 0, 0), (0, 250, 0)
    sets = (colored(red, 23), colored(green, 4))
    figure = betraying_sheet(sets, ("first part", "second part"), "title", "subtitle", "legend")
    axes = figure.axes[0]
    titles = {text.get_text(): text for text in axes.texts}
    assert titles["first part"].get_color() == SET_COLORS[0]
    assert titles["second part"].get_color() == SET_COLORS[1]
    between = titles["second part"].get_position()[1]
    lows = [image.get_extent()[3] for image in axes.images]
    assert titles["first part"].get_position()[1] < min(lows)
    assert [low < between for low in lows] == [True] * 23 + [False] * 4
    pixels = np.asarray(Image.open(io.BytesIO(to_png(figure))).convert("RGB"))
    rows = [np.flatnonzero((pixels == color).all(axis=2).any(axis=1)) for color in (red, green)]
    assert rows[0].max() < rows[1].min()
    assert sum(text.get_text() == "a name that is rather" for text in axes.texts) == 27


def test_a_part_may_be_empty_but_not_both():
    betraying_sheet((colored((0, 0, 0), 2), []), ("some", "none"), "", "", "")
    with pytest.raises(ValueError, match="no pictures"):
        betraying_sheet(([], []), ("none", "none"), "", "", "")


def test_a_sheet_of_one_part_without_a_title_is_a_sheet():
    tiles = [Tile((Picture(image, lines),), "heading") for image, lines in colored((9, 9, 9), 5)]
    one = to_png(sheet(tiles, 2, "title", "subtitle"))
    assert one == to_png(sheet_of_parts([Part(tiles)], 2, "title", "subtitle"))
    assert one != to_png(sheet_of_parts([Part(tiles, "part")], 2, "title", "subtitle"))
