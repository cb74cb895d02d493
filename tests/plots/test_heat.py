"""Sheets of images beside their heat."""

import numpy as np
import pytest

from dimred.plots.heat import Heated, heat_sheet


def of(heat):
    image = np.full((1, 8, 8), 90, np.uint8)
    point = np.array((6.0, 6.0))
    return Heated("folder/name.png", image, np.array(heat, float), (2, 6), (2, 6), point, "moves 3")


def pictures(heat):
    figure = heat_sheet([of(heat)], "title", "subtitle", "legend")
    return [np.asarray(image.get_array()) for image in figure.axes[0].images]


def test_the_largest_heat_is_bright_and_what_has_none_dark():
    image, heated = pictures([[0, -1], [0.5, 3]])
    assert (image == 90).all()
    light = heated.sum(axis=2)
    assert light[6, 6] == light.max()
    assert light[1, 1] < light[6, 1] < light[6, 6]
    assert light[1, 1] == light[1, 6], "less than none is none"


def test_without_any_heat_all_is_dark():
    _, heated = pictures([[0, -1], [-2, -3]])
    assert np.ptp(heated) <= 10
    with pytest.raises(ValueError, match="no pictures"):
        heat_sheet([], "title", "subtitle", "legend")
