"""Arrays of more than bytes: the window by which their values become bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.array_source import source_for, source_of
from dimred.data.npz import array_source, load_npz
from dimred.data.own_options import ImageFolder, Npz
from dimred.data.reading import Reading
from dimred.data.window import Window
from dimred.errors import InputError

RNG = np.random.default_rng(0)
RAMP = np.arange(4096).reshape(4, 32, 32)
WIDE = ("uint16", "int16", "uint32", "int32", "float16", "float32", "float64", ">u2", ">f8")


def load(tmp_path, window="auto", **arrays):
    np.savez(tmp_path / "mine.npz", **arrays)
    return load_npz(str(tmp_path / "mine.npz"), window)


def refused(tmp_path, window="auto", **arrays):
    with pytest.raises(InputError) as error:
        load(tmp_path, window, **arrays)
    assert "\n" not in str(error.value)
    return str(error.value)


def source(array, window="auto", axis=None):
    return source_of(array, axis, window, lambda: np.arange(len(array)), InputError)


@pytest.mark.parametrize("dtype", WIDE)
def test_a_ramp_of_12_bits_keeps_its_levels(tmp_path, dtype):
    values = np.minimum(RAMP, 2047) if dtype == "float16" else RAMP  # which has whole ones to 2048
    found = load(tmp_path, images=values.astype(dtype))
    assert len(found.images.unique()) >= 250
    ((low, high),) = found.window.by_type[np.dtype(dtype).newbyteorder("=").name]
    assert (low, high) == pytest.approx(np.percentile(values, [0.1, 99.9]), abs=1)
    expected = np.rint((values - low) * (255 / (high - low))).clip(0, 255)
    assert np.array_equal(found.images[:, 0].numpy(), expected)


def test_values_below_zero_and_steps_that_float32_does_not_know(tmp_path):
    low = load(tmp_path, images=(RAMP - 3000).astype(np.int16))
    far = load(tmp_path, images=(RAMP + 2**30).astype(np.int32))
    assert np.array_equal(low.images.numpy(), far.images.numpy())
    assert len(far.images.unique()) >= 250


def test_each_channel_has_a_range_of_its_own(tmp_path):
    images = np.stack([RAMP[0], RAMP[0] * 16, RAMP[0] // 1024], -1).astype(np.uint16)[np.newaxis]
    found = load(tmp_path, images=images, axes="NHWC")
    assert found.images.shape == (1, 3, 32, 32)
    assert found.images[0, 0].equal(found.images[0, 1])
    assert found.images[0, 2].unique().tolist() == [0]  # without contrast
    assert len(found.window.by_type["uint16"]) == 3


def test_ranges_are_those_of_training_images(tmp_path):
    images = np.concatenate([RAMP, RAMP * 16]).astype(np.uint16)
    found = load(tmp_path, images=images, split=[0] * 4 + [1] * 4)
    assert found.window == load(tmp_path, images=images[:4]).window
    assert found.images[4:].float().mean() > 200


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_floats_in_0_to_1_give_the_bytes_they_gave_before_windows(tmp_path, dtype):
    values = RNG.random((5, 9, 11, 3)).astype(dtype)
    values[..., 2] *= values.dtype.type(0.4)  # a dim channel
    before = np.rint(values * values.dtype.type(255)).astype(np.uint8).transpose(0, 3, 1, 2)
    for window in ("auto", "type"):
        assert np.array_equal(load(tmp_path, window, images=values).images.numpy(), before)


def test_bytes_and_bool_stay_as_they_are(tmp_path):
    images = RNG.integers(0, 40, (3, 8, 9), dtype=np.uint8)
    for window in ("auto", "type"):
        found = load(tmp_path, window, images=images)
        assert np.array_equal(found.images[:, 0].numpy(), images)
        assert found.window is None
        assert load(tmp_path, window, images=images > 20).images.unique().tolist() == [0, 255]


def test_a_range_is_of_the_values_whatever_their_type(tmp_path):
    for dtype in ("uint8", "int32", "float32"):
        images = np.array([[[0, 10, 15], [20, 30, 40]]] * 2, dtype)
        found = load(tmp_path, [10, 20], images=images)
        assert found.images[0, 0].tolist() == [[0, 0, 128], [255, 255, 255]]
        assert found.window.as_json() == {"any": [[10.0, 20.0]]}


def test_a_list_has_a_range_for_each_channel(tmp_path):
    images = np.full((2, 2, 20, 20), 10, np.uint16)
    found = load(tmp_path, [[0, 10], [0, 20]], images=images)
    assert found.images[0, :, 0, 0].tolist() == [255, 128]
    message = refused(tmp_path, [[0, 10]] * 3, images=images)
    assert "has 3 ranges, but the images have 2 channels" in message


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([0, 257, 65535], np.uint16), [0, 1, 255]),
        (np.array([0, 129, 32767], np.int16), [0, 1, 255]),
    ],
)
def test_the_range_of_a_type(tmp_path, array, expected):
    found = load(tmp_path, "type", images=array.reshape(1, 1, 3))
    assert found.images.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("window", "array", "part"),
    [
        ("type", RAMP.astype(np.int32), "32-bit integers is not known"),
        ("type", RAMP.astype(np.uint32), "32-bit integers is not known"),
        ("type", (RAMP - 1).astype(np.int16), "go below 0"),
        ("type", RAMP.astype(np.float32), "from 0 to 4095, not 0 to 1"),
        ("auto", np.where(RAMP == 7, np.nan, RAMP), "NaN or infinite values; make numbers"),
        ([0, 1], np.where(RAMP == 7, np.inf, RAMP), "infinite"),
        ("auto", RAMP.astype(np.int64), "is int64; must be bool, uint8, uint16"),
        ("auto", RAMP.astype(np.longdouble), "must be bool, uint8"),
    ],
)
def test_values_that_no_window_is_for(tmp_path, window, array, part):
    message = refused(tmp_path, window, images=array)
    assert message.startswith("dataset.path=")
    assert part in message


def test_images_that_were_not_sampled_are_checked_too(tmp_path):
    """Which take up to 1,000 images."""
    images = np.zeros((1500, 4, 4), np.float32)
    images[:, 0, 0] = 1
    images[1499, 1, 1] = 3e38
    found = load(tmp_path, images=images, split=[0] * 1499 + [1])
    assert found.images[1499, 0, 1, 1] == 255
    images[1498, 1, 1] = np.nan
    assert "NaN" in refused(tmp_path, images=images, split=[0] * 1498 + [1] * 2)


@given(st.integers(1, 7), st.sampled_from(["uint8", "uint16", "float32"]), st.booleans())
def test_blocks_give_the_same_bytes_as_all_at_once(step, dtype, is_last):
    values = (RNG.random((7, 3, 18, 20)) * 200).astype(dtype)
    values = values.transpose(0, 2, 3, 1) if is_last else values
    read, _ = source(values, axis=3 if is_last else 1)
    parts = [read.read(i, min(i + step, 7)).pixels for i in range(0, 7, step)]
    assert np.array_equal(np.concatenate(parts), read.read(0, 7).pixels)
    assert all(part.flags.c_contiguous for part in parts)


def test_the_key_is_of_the_values_and_what_is_made_of_them():
    array = RNG.integers(0, 999, (4, 3, 18, 20)).astype(np.uint16)
    changed = array.copy()
    changed[3, 2, 17, 19] += 1
    given_range = Window({"any": ((0.0, 9.0),)})
    keys = [
        source(array, "type", 1)[0].key(),
        source(changed, "type", 1)[0].key(),
        source(array.astype(np.uint8), "type", 1)[0].key(),
        source(array, [0, 9], 1)[0].key(),
        source(array.reshape(4, 3, 20, 18), "type", 1)[0].key(),
    ]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 32 for key in keys)
    assert source_for(array, 1, Reading(given_range), InputError).key() == keys[3]


def test_a_run_takes_new_images_by_its_window():
    window = source(RAMP.astype(np.uint16))[1]
    new = RAMP.astype(np.uint16) // 2
    ((low, high),) = window.by_type["uint16"]
    expected = np.rint((new - low) * (255 / (high - low))).clip(0, 255)
    found = array_source(new, InputError, Reading(window)).read(0, 4).pixels[:, 0]
    assert np.array_equal(found, expected)
    bytes_ = array_source((new % 255).astype(np.uint8), InputError, Reading(window))
    assert np.array_equal(bytes_.read(0, 4).pixels[:, 0], new % 255)


def test_floats_of_another_precision_have_the_windows_range():
    window = source((RAMP - 9).astype(np.float32))[1]
    found = [
        array_source((RAMP - 9).astype(dtype), InputError, Reading(window)).read(0, 4).pixels
        for dtype in ("float32", "float64")
    ]
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("window", "array", "part"),
    [
        (None, RAMP.astype(np.uint16), "is uint16, where the run learned from 8 bits"),
        (
            Window({"uint16": ((0, 1),)}),
            RAMP.astype(np.int32),
            "where the run's dataset.window is of uint16",
        ),
        (None, RAMP.astype(np.float32), "from 0 to 4095, not 0 to 1"),
        (Window({"any": ((0, 1), (0, 2))}), RAMP.astype(np.uint8), "has 1 channel"),
    ],
)
def test_what_a_run_has_no_window_for(window, array, part):
    with pytest.raises(InputError, match="array 'images'") as error:
        array_source(array, InputError, Reading(window)).read(0, 4)
    assert part in str(error.value)


def test_bool_and_floats_in_0_to_1_need_no_window():
    for array in (RAMP > 500, (RAMP > 500).astype(np.float64)):
        assert array_source(array, InputError, Reading()).read(0, 4).pixels.max() == 255


@pytest.mark.parametrize(
    ("options", "high"),
    [
        ({}, 30.0),
        ({"fit_classes": ["a"]}, 10.0),
        ({"classes": ["b"]}, 30.0),
        ({"classes": ["a"]}, 10.0),
        ({"window": "type"}, 65535.0),
    ],
)
def test_the_window_is_of_what_is_learned_from_as_in_a_folder(tmp_path, options, high):
    """Classes a and b of up to 10 and 30, and a test image of 900."""
    labels, split = ["a"] * 3 + ["b"] * 3, ["train", "train", "test"] * 2
    images = np.broadcast_to(np.linspace(0, 1, 8), (6, 8, 8)).copy()
    images *= np.array([10, 10, 900, 30, 30, 900])[:, None, None]
    images = images.astype(np.uint16)
    np.savez(tmp_path / "mine.npz", images=images, labels=labels, split=split)
    for values, name, side in zip(images, labels, split, strict=True):
        file = tmp_path / f"files/{side}/{name}/{len(list(tmp_path.rglob('*.npy')))}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, values)
    of_file = Npz(path=str(tmp_path / "mine.npz"), **options).load(0)
    of_folder = ImageFolder(root=str(tmp_path / "files"), image_size=8, **options).load(0)
    (pair,) = of_file.window.by_type["uint16"]
    assert pair == (0.0, high)
    assert of_folder.window == of_file.window
