"""Squares that hide a part of an image."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimred.models import ConvNetBackbone, Encoder
from dimred.models.occlusion import squares
from dimred.training.compute import Compute
from dimred.training.occlusion import occluded

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(SIZES, st.floats(0.01, 1))
def test_squares_cover_the_image_and_stay_inside(size, share):
    of = squares(size, share)
    hidden = np.zeros(size, int)
    for top in of.tops:
        for left in of.lefts:
            hidden[top : top + of.side, left : left + of.side] += 1
            assert top + of.side <= size[0]
            assert left + of.side <= size[1]
    assert (hidden > 0).all()
    for starts in (of.tops, of.lefts):
        assert (np.diff(starts) <= max(of.side // 2, 1)).all()
        even = np.linspace(starts[0], starts[-1], len(starts))
        assert np.abs(starts - even).max() <= 0.5, "as the page draws them"


def test_a_quarter_of_the_side_by_default_and_half_of_a_square_on():
    of = squares((64, 48))
    assert of.side == 12
    assert of.lefts == (0, 6, 12, 18, 24, 30, 36)
    assert of.x[0] == 6


def test_each_square_is_hidden_alone_in_the_color_given():
    images = torch.rand(2, 3, 8, 6)
    of, color = squares((8, 6), 0.5), torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    places = [(top, left) for top in of.tops for left in of.lefts]
    for (top, left), hidden in zip(places, of.hide(images, color), strict=True):
        expected = images.clone()
        for c in range(3):
            expected[:, c, top : top + 3, left : left + 3] = color[c]
        assert torch.equal(hidden, expected)


def test_the_hottest_square_by_its_center():
    of = squares((8, 16), 0.5)
    heat = np.zeros((2, *of.shape))
    heat[0, 1, 3], heat[1, 2, 0] = 1, 2
    assert of.hottest(heat).tolist() == [[8, 4], [2, 6]]


def test_places_below_squares_are_those_of_the_images_with_them():
    torch.manual_seed(0)
    encoder = Encoder(ConvNetBackbone(1, [3, 4]), [0.4], [0.2], 5, 2)
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    of, color = squares((8, 8), 0.5), encoder.mean
    compute = Compute(torch.device("cpu"))
    parts = list(occluded(encoder, images, of, color, 2, compute))
    z, below = (np.concatenate(part) for part in zip(*parts, strict=True))
    assert encoder.training, "its mode is as it was"
    encoder.eval()
    one = images[3:4].float() / 255
    one[..., 2:6, 4:8] = 0.4
    with torch.no_grad():
        expected = encoder(one)[1]
        own = encoder(images.float() / 255)[1]
    np.testing.assert_allclose(z, own, atol=1e-6)
    row, column = of.tops.index(2), of.lefts.index(4)
    np.testing.assert_allclose(below[3, row, column], expected[0], atol=1e-6)
    assert below.shape == (5, *of.shape, 2)
    assert np.abs(below - z[:, None, None]).max() > 1e-3
