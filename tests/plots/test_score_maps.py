"""Score maps over images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimred.plots.score_maps import Scored, heated, score_map_sheet, spread
from dimred.plots.style import COLORS, to_png

Y, X = (0.5, 4.5, 8.5), (1.0, 3.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_values_are_kept_where_positions_are_and_lie_between_them_elsewhere(seed):
    values = np.random.default_rng(seed).normal(size=(3, 2))
    wide = spread(values, Y, X, (11, 5))
    assert wide.shape == (11, 5)
    assert values.min() - 1e-9 <= wide.min()
    assert wide.max() <= values.max() + 1e-9
    # Pixel (4, 0) is at 4.5, 0.5: on the second row, left of the first column.
    assert wide[4, 0] == pytest.approx(values[1, 0])
    assert wide[10, 4] == pytest.approx(values[2, 1])
    assert wide[2, 2] == pytest.approx(
        np.interp(2.5, [0.5, 4.5], 0.25 * values[:2, 0] + 0.75 * values[:2, 1])
    )


def test_heat_brightens_and_the_image_is_still_seen():
    image = np.zeros((1, 2, 2), np.uint8)
    image[0, 0] = 255
    cold, hot = heated(image, np.zeros((2, 2))), heated(image, np.ones((2, 2)))
    assert cold.shape == (3, 2, 2)
    assert (hot > cold).all()
    assert (cold[:, 0] > cold[:, 1]).all()


def test_rings_are_at_the_points_of_what_was_found():
    image = np.zeros((1, 8, 16), np.uint8)
    points = [(0, 0.6, np.array([4.0, 2.0])), (1, 0.9, np.array([16.0, 8.0]))]
    scored = Scored("folder/a.png", image, points, 1, np.zeros((3, 2)), Y, X)
    figure = score_map_sheet([scored], ["cat", "dog"], "title", "subtitle")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    assert {"a.png", "dog: 0.90, cat: 0.60", "map of dog"} <= set(texts)
    rings = [line for line in axes.lines if line.get_markeredgecolor() != "white"]
    assert [ring.get_markeredgecolor() for ring in rings] == [COLORS[1], COLORS[0]]
    # The last corner of the first picture, and a quarter of its way.
    left, right, bottom, top = axes.images[0].get_extent()
    corner, quarter = ((float(r.get_xdata()[0]), float(r.get_ydata()[0])) for r in rings)
    assert corner == pytest.approx((right, bottom))
    assert quarter == pytest.approx((left + (right - left) / 4, top + (bottom - top) / 4))
    assert to_png(figure).startswith(b"\x89PNG")


def test_an_image_without_any_class_has_no_ring_and_the_map_of_the_most_probable_one():
    scored = Scored("a.png", np.zeros((3, 8, 8), np.uint8), [], 0, np.zeros((3, 2)), Y, X)
    (axes,) = score_map_sheet([scored], ["cat", "dog"], "title", "subtitle").axes
    assert not axes.lines
    assert {"none", "map of cat"} <= {text.get_text() for text in axes.texts}
