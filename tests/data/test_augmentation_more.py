"""The operations beyond SimCLR's on photographs, against loops over images in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare, kstest
from torch._subclasses.fake_tensor import FakeTensorMode

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions, Outside
from dimred.data.augmentation_parameters import ERASE_RATIO

OFF = {"crop_scale": [1.0, 1.0], "crop_ratio": [1.0, 1.0], "flip": 0, "jitter": 0, "grayscale": 0}
MORE = {
    "vertical_flip": 0.5,
    "quarter_turns": 0.6,
    "outside": Outside.border,
    "rotate": 30,
    "blur": 0.5,
    "erase": 0.5,
    "channel_drop": 0.3,
    "noise": 0.1,
    "jitter": 0.8,
}


def only(is_rgb=True, **settings):
    """An augmentation with nothing switched on but `settings`."""
    return BatchAugmentation(AugmentationOptions(**(OFF | settings)), is_rgb)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))


def augmented(augment, images, seed=0):
    """The augmented images in float64, and the parameters that were drawn for them."""
    views = augment(images, seeded(seed))
    return views.double().numpy(), augment.draw(images, seeded(seed))


def border_of(image):
    """Mean of the outermost pixels of each channel, pixel by pixel."""
    channels, height, width = image.shape
    edges = [
        image[:, y, x]
        for y in range(height)
        for x in range(width)
        if y in (0, height - 1) or x in (0, width - 1)
    ]
    return np.mean(edges, axis=0).reshape(channels, 1, 1)


@pytest.mark.parametrize("shape", [(40, 1, 6, 6), (40, 5, 7, 7), (40, 3, 6, 9), (40, 2, 9, 4)])
def test_quarter_turns_are_those_of_numpy(shape):
    images = random_images(*shape)
    views, drawn = augmented(only(quarter_turns=0.7), images)
    for view, image, turns in zip(views, images.numpy() / 255, drawn.turns.tolist(), strict=True):
        np.testing.assert_allclose(view, np.rot90(image, turns, (1, 2)), atol=1e-7)
    assert set(drawn.turns.tolist()) == ({0, 1, 2, 3} if shape[2] == shape[3] else {0, 2})


def test_how_often_images_are_turned():
    turns = only(quarter_turns=0.6).draw(torch.empty(4000, 1, 2, 2).byte(), seeded()).turns
    counts = np.bincount(turns, minlength=4)
    assert chisquare(counts, [1600, 800, 800, 800]).pvalue > 0.01


def test_vertical_flip():
    images = random_images(3, 4, 7, 10)
    views, _ = augmented(only(vertical_flip=1), images)
    np.testing.assert_allclose(views, images.flip(-2).numpy() / 255, atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 1, 1, 1), (5, 3, 1, 6), (5, 2, 6, 1), (5, 5, 2, 2)])
def test_what_is_far_outside_has_the_color_of_the_border(shape):
    images = random_images(*shape)
    views, _ = augmented(only(zoom=[1e-4, 1e-4], outside=Outside.border), images)
    for view, image in zip(views, images.numpy() / 255, strict=True):
        outside = np.ones(view.shape, dtype=bool)
        middle = [(size - 1) // 2 for size in view.shape[1:]]
        outside[:, middle[0] :, middle[1] :] = False  # where the shrunken image may be
        expected = np.broadcast_to(border_of(image), view.shape)
        np.testing.assert_allclose(view[outside], expected[outside], atol=1e-6)


def test_a_border_of_one_color_goes_on_outside():
    images = torch.full((30, 2, 16, 16), 90, dtype=torch.uint8)
    images[:, 1] = 200
    images[:, :, 5:11, 5:11] = random_images(30, 2, 6, 6)
    mild = {"rotate": 180, "translate": 0.1, "zoom": [0.7, 0.9]}
    views, _ = augmented(only(outside=Outside.border, **mild), images)
    np.testing.assert_allclose(views[:, 0, 0], 90 / 255, atol=1e-6)
    np.testing.assert_allclose(views[:, 1, :, -1], 200 / 255, atol=1e-6)


def blurred_pixel_by_pixel(image, sigma):
    """A Gaussian of its own deviation over the whole plane, edge pixels repeated, in float64."""
    reach = math.ceil(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    result = np.zeros_like(image)
    for dy, down in enumerate(weights):
        for dx, across in enumerate(weights):
            part = padded[:, dy : dy + image.shape[1], dx : dx + image.shape[2]]
            result += down * across * part
    return result


@pytest.mark.parametrize("shape", [(8, 1, 9, 9), (8, 3, 8, 13), (8, 5, 3, 2), (8, 16, 1, 5)])
def test_blur_is_a_gaussian_of_each_image(shape):
    images = random_images(*shape)
    views, drawn = augmented(only(blur=0.7, blur_sigma=[0.4, 2.0]), images)
    is_blurred = drawn.sigma > 0
    assert 0 < is_blurred.sum() < len(images)
    for view, image, sigma in zip(views, images.numpy() / 255, drawn.sigma.tolist(), strict=True):
        if sigma:
            assert 0.4 <= sigma <= 2
            np.testing.assert_allclose(view, blurred_pixel_by_pixel(image, sigma), atol=3e-3)
        else:
            np.testing.assert_allclose(view, image, atol=1e-7)


def test_how_often_and_how_much_images_are_blurred():
    sigma = (
        only(blur=0.3, blur_sigma=[1, 3]).draw(torch.empty(4000, 1, 2, 2).byte(), seeded()).sigma
    )
    assert binomtest(int((sigma > 0).sum()), 4000, 0.3).pvalue > 0.01
    assert kstest(sigma[sigma > 0], "uniform", (1, 2)).pvalue > 0.01


@pytest.mark.parametrize("outside", Outside)
@pytest.mark.parametrize("shape", [(40, 1, 9, 9), (40, 5, 8, 14), (40, 3, 1, 20)])
def test_one_box_of_an_image_is_erased(shape, outside):
    images = random_images(*shape)
    settings = {"erase": 0.6, "outside": outside, "fill": 0.25}
    views, drawn = augmented(only(**settings), images)
    assert 0 < (drawn.erased[:, 2] > 0).sum() < len(images)
    for view, image, box in zip(views, images.numpy() / 255, drawn.erased.tolist(), strict=True):
        top, left, height, width = map(int, box)
        expected = image.copy()
        color = 0.25 if outside is Outside.fill else border_of(image)
        expected[:, top : top + height, left : left + width] = color
        np.testing.assert_allclose(view, expected, atol=1e-6)


def test_how_large_erased_boxes_are():
    options = {"erase": 0.5, "erase_area": [0.1, 0.2]}
    box = only(**options).draw(torch.empty(4000, 1, 200, 200).byte(), seeded()).erased
    box = box[box[:, 2] > 0].double()
    assert binomtest(len(box), 4000, 0.5).pvalue > 0.01
    (top, left, height, width), side = box.T, 200
    assert kstest(height * width / side**2, "uniform", (0.1, 0.1)).pvalue > 0.01
    ratio = (width / height).log()
    low, high = np.log(ERASE_RATIO)
    assert kstest(ratio, "uniform", (low, high - low)).pvalue > 0.01
    for start, length in ((top, height), (left, width)):
        assert kstest(start / (side - length), "uniform").pvalue > 0.01


def test_a_box_that_never_fits_erases_nothing():
    """0.9 of a square in a ratio of at most 10/3 times another fits; 2 pixels high it does not."""
    images = random_images(20, 1, 2, 200)
    views, _ = augmented(only(erase=1, erase_area=[0.9, 0.9]), images)
    np.testing.assert_allclose(views, images.numpy() / 255, atol=1e-7)


@pytest.mark.parametrize("channels", [2, 5, 16])
def test_channels_are_dropped_and_one_stays(channels):
    images = random_images(2000, channels, 2, 2) // 2 + 100
    views, drawn = augmented(only(channel_drop=0.5), images)
    is_gone = (views == 0).all((2, 3))
    assert np.array_equal(is_gone, drawn.dropped.numpy())
    np.testing.assert_allclose(views[~is_gone], images.numpy()[~is_gone] / 255, atol=1e-7)
    assert is_gone.sum(1).max() < channels
    expected = 0.5 - 0.5**channels / channels  # where all would go, any of them stays
    assert binomtest(int(is_gone[:, 0].sum()), 2000, expected).pvalue > 0.01


def test_one_channel_alone_stays():
    images = random_images(50, 1, 4, 4)
    augment = only(channel_drop=0.9)
    assert augment.draw(images, seeded()).dropped is None
    assert torch.equal(augment(images, seeded()), images / 255)


def channelwise(image, drawn, i):
    """Brightness and contrast of each channel of an image, in the order drawn for it."""
    image = image.copy()
    for blend in drawn.order[i].tolist():
        for channel, plane in enumerate(image):
            factor = drawn.factors[i, blend, channel].item()
            other = plane.mean() if drawn.blends[blend] == "contrast" else 0
            image[channel] = (factor * plane + (1 - factor) * other).clip(0, 1)
    return image


@pytest.mark.parametrize(("channels", "is_rgb"), [(2, True), (3, False), (5, True), (16, False)])
def test_brightness_and_contrast_of_each_channel(channels, is_rgb):
    images = random_images(24, channels, 6, 9)
    strengths = {"brightness": 0.8, "contrast": 1.5, "saturation": 0.5, "hue": 0.3}
    augment = only(is_rgb, jitter=0.8, **strengths | {"grayscale": 1})
    views, drawn = augmented(augment, images)
    assert drawn.blends == ("brightness", "contrast")
    assert drawn.hue is drawn.grayscale is None
    jittered = drawn.factors != 1
    assert torch.equal(jittered.any(2).any(1), jittered.all(2).all(1))  # all of an image or none
    assert 0 < jittered.all(2).all(1).sum() < 24
    assert len(drawn.factors[jittered].unique()) == jittered.sum()
    for i, image in enumerate(images.numpy() / 255):
        np.testing.assert_allclose(views[i], channelwise(image, drawn, i), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    shape=st.tuples(
        *(st.integers(1, limit) for limit in (5, 16, 12, 12)),
    ),
    is_rgb=st.booleans(),
    strength=st.floats(0.01, 0.99),
    outside=st.sampled_from(Outside),
    first=st.integers(0, 4),
)
def test_any_settings_stay_in_range_and_a_part_is_of_the_whole(
    seed, shape, is_rgb, strength, outside, first
):
    names = ("vertical_flip", "quarter_turns", "blur", "erase", "channel_drop", "noise", "fill")
    options = AugmentationOptions(
        rotate=90, zoom=[0.5, 2], outside=outside, **dict.fromkeys(names, strength)
    )
    augment = BatchAugmentation(options, is_rgb)
    images = random_images(*shape)
    views = augment(images, seeded(seed))
    assert views.shape == shape
    assert views.isfinite().all()
    assert 0 <= views.min() <= views.max() <= 1
    part = augment(images, seeded(seed), slice(first, first + 2))
    # A convolution over fewer images may sum in another order.
    torch.testing.assert_close(part, views[first : first + 2], atol=1e-6, rtol=0)


def test_large_batches_are_cut_without_a_trace(monkeypatch):
    images = random_images(11, 5, 8, 8)
    augment = BatchAugmentation(AugmentationOptions(**MORE))
    expected = augment(images, seeded())
    monkeypatch.setattr("dimred.data.augmentation._SLICE", 4 * images[0].numel() + 1)
    torch.testing.assert_close(augment(images, seeded()), expected, atol=1e-6, rtol=0)


def test_nothing_waits_for_the_device():
    """Fake tensors have no values: whatever needs one on the host raises."""
    with FakeTensorMode():
        images = torch.empty(4, 5, 16, 16, dtype=torch.uint8, device="cuda")
        views = BatchAugmentation(AugmentationOptions(**MORE))(images, torch.Generator())
        assert views.shape == images.shape


@pytest.mark.parametrize("shape", [(6, 1, 8, 8), (6, 3, 12, 20), (6, 5, 8, 8)])
def test_what_is_off_changes_nothing_and_what_is_on_no_other_number(shape):
    images = random_images(*shape)
    plain, unused = (
        BatchAugmentation(AugmentationOptions(noise=0.1, rotate=30, **ranges))
        for ranges in ({}, {"blur_sigma": [3, 4], "erase_area": [0.3, 0.4]})
    )
    before, after = seeded(5), seeded(5)
    assert torch.equal(plain(images, before), unused(images, after))
    assert torch.equal(before.get_state(), after.get_state())
    drawn = plain.draw(images, seeded(5))
    again = BatchAugmentation(AugmentationOptions(**MORE)).draw(images, seeded(5))
    for name in ("crop", "flip", "affine", "factors", "order"):
        assert torch.equal(getattr(drawn, name), getattr(again, name)), name


@pytest.mark.parametrize(("channels", "blends"), [(1, 2), (3, 3)])
def test_gray_and_rgb_draw_what_earlier_versions_drew(channels, blends):
    """Number by number; a run of an earlier version goes on with the same views."""
    images, count, ours, theirs = random_images(50, channels, 8, 8), 50, seeded(7), seeded(7)

    def uniform(low, high, *columns):
        return torch.empty(count, *columns).uniform_(low, high, generator=theirs)

    drawn = BatchAugmentation().draw(images, ours)
    uniform(0.2, 1, 10), uniform(math.log(3 / 4), math.log(4 / 3), 10)  # areas and ratios of crops
    uniform(0, 1), uniform(0, 1)  # where they are
    assert torch.equal(drawn.flip, uniform(0, 1) < 0.5)
    jittered = uniform(0, 1) < 0.8
    uniform(1, 1, blends)
    factors = [torch.where(jittered, uniform(0.6, 1.4), 1) for _ in range(blends)]
    assert torch.equal(drawn.factors[..., 0], torch.stack(factors, 1))
    assert torch.equal(drawn.order, uniform(0, 1, blends).argsort(1))
    if channels == 3:
        assert torch.equal(drawn.hue, uniform(-0.1, 0.1) * jittered)
        assert torch.equal(drawn.grayscale, uniform(0, 1) < 0.2)
    assert torch.equal(ours.get_state(), theirs.get_state())
