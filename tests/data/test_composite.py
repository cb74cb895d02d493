"""Images of any number of channels as pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dimred.data.composite import as_channels, composite, in_words
from dimred.errors import InputError

SHADES = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1)]


def by_hand(image, channels):
    """A picture, pixel by pixel."""
    shades = {1: [(1, 1, 1)], 2: [(0, 1, 0), (1, 0, 1)]}.get(len(channels), SHADES)
    picture = np.zeros((3, *image.shape[1:]), int)
    for y in range(image.shape[1]):
        for x in range(image.shape[2]):
            for channel, shade in zip(channels, shades, strict=False):
                for k in range(3):
                    picture[k, y, x] += int(image[channel, y, x]) * shade[k]
    return picture.clip(0, 255)


@given(st.data())
def test_pictures_are_those_made_by_hand(data):
    count = data.draw(st.integers(1, 16))
    images = data.draw(arrays(np.uint8, (2, count, 2, 3)))
    some = st.lists(st.integers(0, count - 1), min_size=1, max_size=7, unique=True)
    channels = data.draw(st.none() | some)
    shown = composite(images, channels)
    assert shown.dtype == np.uint8
    assert shown.shape[1] in (1, 3)
    for image, picture in zip(images, shown, strict=True):
        expected = by_hand(image, range(min(count, 3)) if channels is None else channels)
        assert (np.broadcast_to(picture, expected.shape) == expected).all()
        assert (composite(image, channels) == picture).all()  # one image, without a batch


@pytest.mark.parametrize(("count", "is_rgb"), [(1, False), (1, True), (3, True)])
def test_gray_and_rgb_are_as_they_are_without_a_word(count, is_rgb):
    images = np.arange(4 * count * 6, dtype=np.uint8).reshape(4, count, 2, 3)
    assert np.shares_memory(composite(images), images)
    assert (composite(images) == images).all()
    assert in_words(None, count, is_rgb) == ""


@pytest.mark.parametrize(
    ("channels", "count", "said"),
    [
        (None, 3, "channels 0, 1, 2 as red, green, blue"),
        (None, 2, "channels 0, 1 as green, magenta"),
        (None, 5, "channels 0, 1, 2 as red, green, blue"),
        ([4], 5, "channel 4 in gray"),
        ([4, 0], 5, "channels 4, 0 as green, magenta"),
        ([3, 2, 1, 0], 16, "channels 3, 2, 1, 0 as red, green, blue, cyan"),
    ],
)
def test_what_is_shown_is_said(channels, count, said):
    assert in_words(channels, count, is_rgb=False) == said


def test_channels_are_typed_or_given():
    assert as_channels("0,2,3", 5) == as_channels([0, 2, 3], 5) == (0, 2, 3)
    assert as_channels(" 4 , 1", 5) == (4, 1)
    assert as_channels(np.array([1]), 2) == (1,)


@pytest.mark.parametrize(
    ("channels", "count", "message"),
    [
        ("0,9", 5, "--channels 0,9: the images have channels 0 to 4"),
        ("-1,0", 5, "--channels -1,0: the images have channels 0 to 4"),
        ("3", 3, "--channels 3: the images have channels 0 to 2"),
        ("1", 1, "--channels 1: the images have only channel 0"),
        ("0,0", 5, "--channels 0,0: must be 1 to 7 different channels"),
        ("0,1,2,3,4,5,6,7", 16, "must be 1 to 7 different channels"),
        ("", 5, "--channels : must be numbers, as in 0,2,3"),
        ("red", 5, "--channels red: must be numbers, as in 0,2,3"),
        ("0,,1", 5, "--channels 0,,1: must be numbers, as in 0,2,3"),
        ([0, 5], 5, r"^channels=\[0,5\]: the images have channels 0 to 4"),
        ([], 5, r"^channels=\[\]: must be 1 to 7 different channels"),
        ([0.5], 5, r"^channels=\[0.5\]: must be whole numbers"),
        ([True], 5, r"^channels=\[True\]: must be whole numbers"),
    ],
)
def test_channels_that_are_not_there_are_refused(channels, count, message):
    with pytest.raises(InputError, match=message):
        as_channels(channels, count)
