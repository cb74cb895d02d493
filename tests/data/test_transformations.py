"""Known transformations: what each does to pixels, and how transformed images are laid out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.data.transformations import Transformation, TransformationKind, transformed

SHIFT, ROTATION, SHEAR, BLUR = TransformationKind


def pictures(n=2, channels=1, height=7, width=9, seed=0):
    # No black, so that the black that comes in shows.
    size = (n, channels, height, width)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, size, dtype=torch.uint8, generator=generator)


def image_set(n=3, **fields):
    known = {
        "images": pictures(n),
        "mean": (0.5,),
        "std": (0.25,),
        "is_test": np.arange(n) == n - 1,
        "split_name": "last",
        "labels": LabelSet(np.arange(n, dtype=np.int64) % 2, ("even", "odd")),
        "index": 10 + np.arange(n, dtype=np.int64),
        "extra_labels": {"lighting": LabelSet(np.arange(n, dtype=np.int64), tuple("abcdef"[:n]))},
        "factors": {"azimuth": Factor(20.0 * np.arange(n), "degrees", period=360.0)},
        "sources": tuple(f"{i}.png" for i in range(n)),
        "unreadable": ("bad.png",),
    }
    return ImageSet(**{**known, **fields})


def naive_shift(images, pixels):
    moved = torch.zeros_like(images)
    width = images.shape[-1]
    for column in range(width):
        if 0 <= column + pixels < width:
            moved[..., column + pixels] = images[..., column]
    return moved


def naive_blur(images, radius):
    """The mean of (2 radius + 1)^2 pixels, black outside."""
    height, width = images.shape[-2:]
    mean = torch.zeros(images.shape, dtype=torch.float64)
    for y in range(height):
        for x in range(width):
            rows = slice(max(y - radius, 0), y + radius + 1)
            columns = slice(max(x - radius, 0), x + radius + 1)
            mean[:, :, y, x] = images[:, :, rows, columns].double().sum((2, 3))
    return mean / (2 * radius + 1) ** 2


# What each kind does


@given(pixels=st.integers(-12, 12), channels=st.sampled_from([1, 3]))
def test_a_shift_is_the_naive_loops(pixels, channels):
    images = pictures(channels=channels)
    moved = Transformation(SHIFT, float(pixels))(images)
    assert moved.dtype == torch.uint8
    assert torch.equal(moved, naive_shift(images, pixels))


def test_a_positive_shift_is_to_the_right_and_black_comes_in():
    row = torch.tensor([[[[1, 2, 3, 4]]]], dtype=torch.uint8)
    assert Transformation(SHIFT, 1)(row).flatten().tolist() == [0, 1, 2, 3]
    assert Transformation(SHIFT, -3)(row).flatten().tolist() == [4, 0, 0, 0]


@pytest.mark.parametrize("pixels", [-100, -9, 9, 100])
def test_a_shift_of_the_whole_width_leaves_black(pixels):
    assert not Transformation(SHIFT, pixels)(pictures(width=9)).any()


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize(("degrees", "quarters"), [(90, 1), (-90, -1), (180, 2)])
def test_a_rotation_is_clockwise_about_the_center(side, degrees, quarters):
    images = pictures(channels=3, height=side, width=side)
    turned = Transformation(ROTATION, degrees)(images)
    # rot90 turns counterclockwise where rows run downwards.
    assert torch.equal(turned, torch.rot90(images, -quarters, (-2, -1)))


def test_a_small_rotation_moves_the_top_to_the_right():
    images = torch.zeros(1, 1, 21, 21, dtype=torch.uint8)
    images[..., 2, 10] = 255
    turned = Transformation(ROTATION, 30)(images)[0, 0].double()
    rows, columns = torch.meshgrid(torch.arange(21.0), torch.arange(21.0), indexing="ij")
    center = [float((turned * where).sum() / turned.sum()) for where in (rows, columns)]
    expected = [10 - 8 * np.cos(np.pi / 6), 10 + 8 * np.sin(np.pi / 6)]
    assert center == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_shear_moves_rows_by_their_height_above_the_center(sign):
    """At 45 degrees each row by whole pixels, the upper ones to the right."""
    images = pictures(height=7, width=9)
    sheared = Transformation(SHEAR, 45 * sign)(images)
    for row in range(7):
        expected = naive_shift(images[:, :, row : row + 1], sign * (3 - row))
        assert torch.equal(sheared[:, :, row : row + 1], expected), row


@pytest.mark.parametrize("radius", [1, 2, 10])
def test_a_blur_is_the_mean_of_the_square(radius):
    images = pictures(channels=3)
    blurred = Transformation(BLUR, radius)(images)
    assert blurred.dtype == torch.uint8
    difference = blurred.double() - naive_blur(images, radius)
    # Rounded to the nearest; a mean just at half a step may go either way.
    assert float(difference.abs().max()) <= 0.5 + 1e-4
    assert abs(float(difference.mean())) < 0.1


def test_a_blur_of_a_point_spreads_it_evenly():
    images = torch.zeros(1, 1, 5, 5, dtype=torch.uint8)
    images[..., 2, 2] = 90
    blurred = Transformation(BLUR, 1)(images)[0, 0]
    expected = torch.zeros(5, 5, dtype=torch.uint8)
    expected[1:4, 1:4] = 10
    assert torch.equal(blurred, expected)


@pytest.mark.parametrize("kind", TransformationKind)
@pytest.mark.parametrize(("height", "width"), [(7, 9), (8, 6)])
def test_strength_zero_leaves_an_image_as_it_is(kind, height, width):
    images = pictures(channels=3, height=height, width=width)
    assert torch.equal(Transformation(kind, 0.0)(images), images)


@pytest.mark.parametrize("kind", TransformationKind)
def test_a_transformation_leaves_its_input(kind):
    images = pictures()
    before = images.clone()
    assert not torch.equal(Transformation(kind, 2.0)(images), before)
    assert torch.equal(images, before)


def test_names_tell_kind_and_strength():
    assert str(Transformation(SHIFT, -3.0)) == "shift -3"
    assert str(Transformation(ROTATION, 7.5)) == "rotation +7.5"


# Whole sets

MIXED = [
    Transformation(SHIFT, -3.0),
    Transformation(SHIFT, 3.0),
    Transformation(ROTATION, 15.0),
    Transformation(BLUR, 1.0),
]


def test_image_i_in_transformation_t_is_at_i_times_t_plus_t_the_untransformed_first():
    images = image_set()
    items = transformed(images, MIXED)
    assert len(items) == 3 * 5
    assert items.images.shape == (15, 1, 7, 9)
    assert items.images.dtype == torch.uint8
    for i in range(3):
        image = images.images[i : i + 1]
        versions = [image, *(change(image) for change in MIXED)]
        for t, version in enumerate(versions):
            assert torch.equal(items.images[i * 5 + t], version[0]), (i, t)


def test_each_kind_is_a_factor_and_zero_for_the_others():
    factors = transformed(image_set(2), MIXED).factors
    assert list(factors) == ["azimuth", "shift", "rotation", "blur"]
    expected = {
        "shift": ([0, -3, 3, 0, 0], "pixels"),
        "rotation": ([0, 0, 0, 15, 0], "degrees"),
        "blur": ([0, 0, 0, 0, 1], "pixels"),
    }
    for name, (strengths, unit) in expected.items():
        factor = factors[name]
        assert factor.values.dtype == np.float64
        assert factor.values.tolist() == strengths * 2
        assert (factor.unit, factor.period) == (unit, None)


def test_a_kind_given_in_two_places_is_one_factor():
    items = transformed(image_set(2), [MIXED[0], MIXED[2], MIXED[1]])
    assert items.factors["shift"].values.tolist() == [0, -3, 0, 3] * 2
    assert items.factors["rotation"].values.tolist() == [0, 0, 15, 0] * 2


def test_what_is_known_of_an_image_goes_with_each_of_its_versions():
    images = image_set()
    items = transformed(images, MIXED)
    for i in range(3):
        for at in range(i * 5, i * 5 + 5):
            assert items.labels.values[at] == images.labels.values[i]
            assert items.is_test[at] == images.is_test[i]
            assert items.index[at] == images.index[i]
            assert items.sources[at] == images.sources[i]
            assert items.extra_labels["lighting"].values[at] == i
            assert items.factors["azimuth"].values[at] == 20 * i
    assert items.factors["azimuth"].period == 360
    assert items.labels.names == images.labels.names
    for name in ("mean", "std", "split_name", "unreadable"):
        assert getattr(items, name) == getattr(images, name)


def test_the_transformation_is_an_extra_label():
    which = transformed(image_set(2), MIXED).extra_labels["transformation"]
    assert which.names == ("none", "shift -3", "shift +3", "rotation +15", "blur +1")
    assert which.values.dtype == np.int64
    assert which.values.tolist() == [0, 1, 2, 3, 4] * 2


def test_a_set_without_labels_or_files_stays_so():
    items = transformed(image_set(labels=None, sources=None), MIXED[:1])
    assert items.labels is None
    assert items.sources is None
    assert len(items) == 6


def test_no_transformation_gives_the_set_as_it_is():
    images = image_set()
    assert transformed(images, []) is images
