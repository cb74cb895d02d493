"""Windows: the values that become 0 to 255."""

import math
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dimred.data.window import (
    MAX_SAMPLED,
    Sample,
    Window,
    check_inside,
    range_of_type,
    sampled,
    to_bytes,
)
from dimred.errors import InputError

LARGEST = sys.float_info.max
VALUES = {
    "u2": st.integers(0, 2**16 - 1),
    "i4": st.integers(-(2**31), 2**31 - 1),
    "f4": st.floats(-1e6, 1e6, width=32),
    "f8": st.floats(-1e300, 1e300),
}
IMAGES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda dtype: arrays(dtype, (2, 3, 4), elements=VALUES[dtype])
)


@given(IMAGES)
def test_the_chosen_window_is_monotone_and_finite(image):
    sample = Sample(2, image.dtype.name)
    sample.add(image)
    ranges = sample.ranges()
    for (low, high), values, found in zip(ranges, image, to_bytes(image, ranges), strict=True):
        assert np.isfinite([low, high]).all()
        assert low < high
        in_order = found.ravel()[np.argsort(values.ravel(), kind="stable")]
        assert (np.diff(in_order.astype(int)) >= 0).all()
    Window.from_json(Window({"x": ranges}).as_json(), "it")


@given(st.integers(-1000, 1000), st.integers(1, 1000))
def test_the_ends_of_a_range_are_0_and_255(low, width):
    values = np.array([low - 5, low, low + width, low + width + 5]).reshape(1, 1, 4)
    assert to_bytes(values, ((low, low + width),)).ravel().tolist() == [0, 0, 255, 255]


@given(arrays("u2", (1, 4, 4)))
def test_the_range_of_a_type_is_what_earlier_versions_took(image):
    expected = np.rint(image / 257.0)
    assert to_bytes(image, (range_of_type("uint16"),)).tolist() == expected.tolist()


def test_values_that_few_images_have_do_not_set_the_range():
    image = np.full((1, 100, 100), 100.0)
    image[0, :50] = 300
    image[0, 0, 0] = 1e9  # a hot pixel
    sample = Sample(1, "float64")
    sample.add(image)
    assert sample.ranges() == ((100.0, 300.0),)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.7], (0.0, 1.0)),  # shares of the whole
        ([0.0, 0.3], (0.0, 0.3)),
        ([5.0, 5.0], (5.0, 6.0)),  # no contrast
        ([-1.0, 1.0], (-1.0, 1.0)),
        ([0.0, 1e-310], (0.0, 1.0)),  # nothing that bytes could be spread over
        ([LARGEST, LARGEST], (math.nextafter(LARGEST, 0), LARGEST)),
        ([-LARGEST, -LARGEST], (-LARGEST, math.nextafter(-LARGEST, 0))),
    ],
)
def test_floats_have_the_range_that_they_use(values, expected):
    sample = Sample(1, "float64")
    image = np.array(values).repeat(8).reshape(1, 4, 4)
    sample.add(image)
    ((low, high),) = sample.ranges()
    assert (low, high) == pytest.approx(expected, rel=1e-12)
    assert low < high
    in_order = to_bytes(image, sample.ranges()).ravel()[:: len(image.ravel()) // 2].tolist()
    assert in_order == sorted(in_order)


@pytest.mark.parametrize("values", [[-1e308, 1e308], [0.0, float("inf")]])
def test_values_too_far_apart_are_refused(values):
    sample = Sample(1, "float64")
    sample.add(np.array(values).repeat(8).reshape(1, 4, 4))
    with pytest.raises(InputError, match=r"^dataset.window=auto: values of float64 go from "):
        sample.ranges()


def test_values_far_outside_a_range_are_its_ends():
    values = np.array([-LARGEST, LARGEST]).reshape(1, 1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert to_bytes(values, ((-1e307, 8e307),)).ravel().tolist() == [0, 255]


def test_samples_of_many_channels_take_little_memory():
    image = np.random.default_rng(0).random((16, 72, 72))
    sample = Sample(16, "float64")
    tracemalloc.start()
    for _ in range(MAX_SAMPLED // 10):
        sample.add(image)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 2**22 < kept < 8 * 2**20


def test_a_sample_of_gray_images_counts_for_all_channels():
    sample = Sample(3, "uint16")
    sample.add(np.arange(16, dtype=np.uint16).reshape(1, 4, 4))
    assert len(set(sample.ranges())) == 1


def test_samples_are_spaced_evenly():
    chosen = sampled(np.arange(10 * MAX_SAMPLED))
    assert len(set(chosen.tolist())) == MAX_SAMPLED
    assert (chosen[0], chosen[-1]) == (0, 10 * MAX_SAMPLED - 1)
    assert sampled(np.array([3, 8])).tolist() == [3, 8]


@pytest.mark.parametrize(
    ("values", "name"), [([-1, 5], "int16"), ([0.0, 1.5], "float32"), ([-0.1, 1], "float64")]
)
def test_values_outside_the_range_of_their_type_are_refused(values, name):
    with pytest.raises(ValueError, match=r"dataset\.window=auto"):
        check_inside(np.array(values), name)


@pytest.mark.parametrize(
    "content",
    [
        5,
        {"uint16": []},
        {"uint16": [[2, 1]]},
        {"uint16": [[0, None]]},
        {"uint16": [[0, 10**400]]},
        {"float64": [[0, float("inf")]]},
        {"float64": [[-1e308, 1e308]]},
        {"float64": [[0, 1e-307]]},
    ],
)
def test_what_no_run_writes_is_no_window(content):
    with pytest.raises(InputError, match="is no window as a run writes it"):
        Window.from_json(content, "it")
