"""Mean and deviation of pixels, which are counted some images at a time."""

import numpy as np
import pytest
import torch

from dimred.data import image_set
from dimred.data.image_set import channel_statistics


@pytest.mark.parametrize("block", [1, 3, 4, 4096])
@pytest.mark.parametrize("channels", [1, 3])
def test_they_are_those_of_the_learned_pixels_whatever_is_counted_at_a_time(
    monkeypatch, block, channels
):
    monkeypatch.setattr(image_set, "_BYTES_AT_A_TIME", block * channels * 20)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (11, channels, 5, 4), dtype=np.uint8)
    is_test = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1], dtype=bool)
    mean, std = channel_statistics(torch.from_numpy(pixels), is_test)
    learned = pixels[~is_test] / 255
    assert mean == pytest.approx(learned.mean((0, 2, 3)), rel=1e-12)
    assert std == pytest.approx(learned.std((0, 2, 3)), rel=1e-12)


def test_constant_images_have_a_deviation_to_divide_by():
    images = torch.full((3, 1, 4, 4), 51, dtype=torch.uint8)
    mean, std = channel_statistics(images, np.zeros(3, dtype=bool))
    assert mean == pytest.approx((0.2,))
    assert std == (0.001,)
