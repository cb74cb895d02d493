"""Arrays of images: which axis is the channel, and whether channels are colors."""

import numpy as np
import pytest

from dimred.data.array_shapes import AXES, channel_axis, channels_first, shape_of
from dimred.data.npz import array_source, load_npz, npz_source
from dimred.data.reading import Reading
from dimred.errors import InputError

RNG = np.random.default_rng(0)


def load(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return load_npz(str(tmp_path / "mine.npz"))


def refused(tmp_path, **arrays):
    with pytest.raises(InputError) as error:
        load(tmp_path, **arrays)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("axes", AXES)
def test_each_number_of_channels_on_either_side(tmp_path, channels, axes):
    first = RNG.integers(0, 256, (4, channels, 18, 20), dtype=np.uint8)
    images = first if axes == "NCHW" else first.transpose(0, 2, 3, 1)
    found = load(tmp_path, images=images)
    assert np.array_equal(found.images.numpy(), first)
    assert len(found.mean) == len(found.std) == channels


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 1, 8, 8), 1),  # one or three channels win over other small numbers
        ((2, 8, 8, 3), 3),
        ((2, 3, 16, 5), 1),
        ((2, 40, 40, 5), 3),
        ((2, 16, 17, 17), 1),
        ((2, 8, 8), None),
    ],
)
def test_the_axis_that_alone_can_be_the_channel(shape, expected):
    assert channel_axis(shape, InputError) == expected
    images = RNG.integers(0, 256, shape, dtype=np.uint8)
    assert channels_first(images, expected).shape[1:] == shape_of(shape, expected)


def test_where_both_or_none_can_be_the_channel_it_is_asked_for(tmp_path):
    both = np.zeros((2, 5, 8, 8), np.uint8)
    message = refused(tmp_path, images=both)
    assert "(2, 5, 8, 8): which axis is the channel?" in message
    assert "axes='NCHW' or 'NHWC'" in message
    assert load(tmp_path, images=both, axes="NCHW").images.shape == (2, 5, 8, 8)
    assert load(tmp_path, images=both, axes=b"NHWC").images.shape == (2, 8, 5, 8)
    none = refused(tmp_path, images=np.zeros((2, 17, 20, 17), np.uint8))
    assert "one of axes 1 and 3 must be the channel, of 1 to 16" in none
    assert "of 1 to 16" in refused(tmp_path, images=np.zeros((2, 17, 5, 5), np.uint8), axes="NCHW")


def test_axes_in_other_words_are_refused(tmp_path):
    images = np.zeros((2, 3, 8, 8), np.uint8)
    assert "array 'axes' is 'NCWH'" in refused(tmp_path, images=images, axes="NCWH")


@pytest.mark.parametrize(
    ("arrays", "wanted"),
    [
        ({"axes": 5}, "NCHW or NHWC"),
        ({"axes": ["NCHW", "NHWC"]}, "NCHW or NHWC"),
        ({"axes": [0.5, 1.0, 2.0]}, "NCHW or NHWC"),
        ({"rgb": "no"}, "True or False"),
        ({"rgb": np.zeros((2, 8, 8, 3), np.uint8)}, "True or False"),
    ],
)
def test_arrays_that_have_such_names_by_chance_are_ignored_and_said(tmp_path, arrays, wanted):
    images = RNG.integers(0, 256, (2, 3, 8, 8), dtype=np.uint8)
    found = load(tmp_path, images=images, **arrays)
    assert np.array_equal(found.images, images)
    assert found.is_rgb
    (name,) = arrays
    assert found.found.notes == (f"array '{name}' is not {wanted}, and is ignored",)


def test_axes_of_gray_images_are_refused(tmp_path):
    message = refused(tmp_path, images=np.zeros((2, 8, 8), np.uint8), axes="NHWC")
    assert "has shape (2, 8, 8); must be NCHW or NHWC, of four axes" in message


@pytest.mark.parametrize(("said", "expected"), [(None, True), (True, True), (False, False)])
def test_three_channels_are_colors_unless_said_otherwise(tmp_path, said, expected):
    arrays = {} if said is None else {"rgb": said}
    found = load(tmp_path, images=np.zeros((2, 3, 8, 8), np.uint8), **arrays)
    assert found.is_rgb is expected


def test_what_a_run_takes_decides_which_axis_is_the_channel(tmp_path):
    images = RNG.integers(0, 256, (2, 8, 5, 8), dtype=np.uint8)
    assert array_source(images, InputError, Reading(), known=(8, 5, 8)).shape == (8, 5, 8)
    np.save(tmp_path / "a.npy", images.transpose(0, 2, 3, 1))  # (2, 5, 8, 8)
    named = str(tmp_path / "a.npy")
    assert npz_source(named, "a.npy", Reading(), known=(5, 8, 8)).shape == (5, 8, 8)
    assert npz_source(named, "a.npy", Reading(), known=(8, 5, 8)).shape == (8, 5, 8)
    with pytest.raises(InputError, match=r"^a.npy: .*which axis is the channel"):
        npz_source(named, "a.npy", Reading(), known=(5, 9, 9))
