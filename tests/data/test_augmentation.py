"""The batched augmentation against torchvision's, image by image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chisquare, ks_2samp, kstest
from torch._subclasses.fake_tensor import FakeTensorMode
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions

OFF = {
    "crop_scale": (1, 1),
    "crop_ratio": (1, 1),
    "flip": 0,
    "jitter": 0,
    "brightness": 0,
    "contrast": 0,
    "saturation": 0,
    "hue": 0,
    "grayscale": 0,
}
AFFINE = {"translate": 0.3, "rotate": 40, "zoom": (0.7, 1.4), "shear": 20}
SHAPES = [(6, 1, 8, 8), (6, 3, 16, 16), (6, 3, 12, 20), (6, 1, 20, 9)]


def only(**settings):
    """An augmentation with nothing switched on but `settings`."""
    return BatchAugmentation(AugmentationOptions(**(OFF | settings)))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_images(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=seeded(seed))


def augmented(augment, images, seed=0):
    """The augmented images and the parameters that were drawn for them."""
    return augment(images, seeded(seed)), augment.draw(images, seeded(seed))


def spread(columns):
    """How many different values a column has, the least over the columns."""
    return min(len(column.unique()) for column in columns.reshape(len(columns), -1).T)


class TestContract:
    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("settings", [{}, AFFINE | {"noise": 0.2, "fill": 0.5}])
    def test_output_is_float_in_unit_range_and_the_input_stays(self, shape, settings):
        images = random_images(*shape)
        before = images.clone()
        result = BatchAugmentation(AugmentationOptions(**settings))(images, seeded())
        assert result.dtype == torch.float32
        assert result.shape == shape
        assert result.is_contiguous()
        assert not result.requires_grad
        assert 0 <= result.min() <= result.max() <= 1
        assert torch.equal(images, before)

    @settings(max_examples=30)
    @given(
        seed=st.integers(0, 2**32),
        shape=st.tuples(
            st.integers(1, 4), st.sampled_from([1, 3]), st.integers(1, 12), st.integers(1, 12)
        ),
        low=st.floats(0.01, 1),
        ratio=st.floats(0.2, 1),
        strength=st.floats(0, 3),
        hue=st.floats(0, 0.5),
        degrees=st.floats(0, 80),
        fill=st.floats(0, 1),
        constant=st.sampled_from([None, 0, 255]),
    )
    def test_any_settings_stay_in_range(
        self, seed, shape, low, ratio, strength, hue, degrees, fill, constant
    ):
        augment = BatchAugmentation(
            AugmentationOptions(
                crop_scale=(low, 1),
                crop_ratio=(ratio, 1 / ratio),
                jitter=1,
                brightness=strength,
                contrast=strength,
                saturation=strength,
                hue=hue,
                translate=fill,
                rotate=degrees,
                shear=degrees,
                zoom=(low, 1 / low),
                noise=strength,
                fill=fill,
            )
        )
        images = random_images(*shape) if constant is None else torch.full(shape, constant).byte()
        result = augment(images, seeded(seed))
        assert result.shape == shape
        assert result.isfinite().all()
        assert 0 <= result.min() <= result.max() <= 1
        crop = augment.draw(images, seeded(seed)).crop
        assert (crop is None) == (low == ratio == 1)
        if crop is None:
            return
        assert (crop[:, :2] >= 0).all()
        assert (crop[:, 2:] >= 1).all()
        assert (crop[:, :2] + crop[:, 2:] <= torch.tensor(shape[2:])).all()

    def test_every_image_draws_its_own(self):
        images = random_images(1, 3, 32, 32).expand(64, -1, -1, -1)
        augment = BatchAugmentation(AugmentationOptions(jitter=1, **AFFINE))
        result, drawn = augmented(augment, images)
        assert spread(drawn.crop) >= 8
        assert spread(drawn.affine) == spread(drawn.factors) == spread(drawn.hue[:, None]) == 64
        assert len(drawn.order.unique(dim=0)) == 6
        assert 0 < drawn.flip.sum() < 64
        assert 0 < drawn.grayscale.sum() < 64
        assert len(result.flatten(1).unique(dim=0)) == 64

    def test_the_generator_decides_and_the_global_state_does_not(self):
        augment = BatchAugmentation(AugmentationOptions(noise=0.1, **AFFINE))
        images = random_images(8, 3, 16, 16)
        state = torch.get_rng_state()
        generator = seeded(5)
        first, second = augment(images, generator), augment(images, generator)
        assert torch.equal(torch.get_rng_state(), state)
        with torch.random.fork_rng():
            torch.manual_seed(123)
            assert torch.equal(augment(images, seeded(5)), first)
        assert not torch.equal(first, second)

    def test_large_batches_are_cut_without_a_trace(self, monkeypatch):
        images = random_images(11, 3, 8, 8)
        augment = BatchAugmentation(AugmentationOptions(noise=0.1, **AFFINE))
        expected = augment(images, seeded())
        monkeypatch.setattr("dimred.data.augmentation._SLICE", 4 * images[0].numel() + 1)
        assert torch.equal(augment(images, seeded()), expected)

    @given(first=st.integers(0, 7), count=st.integers(1, 8))
    def test_a_part_is_the_same_as_of_the_whole(self, first, count):
        images = random_images(7, 3, 8, 8)
        augment = BatchAugmentation(AugmentationOptions(noise=0.1, **AFFINE))
        part = slice(first, first + count)
        assert torch.equal(augment(images, seeded(), part), augment(images, seeded())[part])

    def test_nothing_waits_for_the_device(self):
        """Fake tensors have no values: whatever needs one on the host raises."""
        augment = BatchAugmentation(AugmentationOptions(noise=0.1, fill=0.5, **AFFINE))
        with FakeTensorMode():
            images = torch.empty(4, 3, 16, 16, dtype=torch.uint8)
            assert augment(images, torch.Generator()).shape == images.shape

    @pytest.mark.gpu
    @pytest.mark.parametrize("settings", [{}, AFFINE | {"noise": 0.1, "fill": 0.5}])
    def test_on_a_gpu(self, settings, nothing_waits):
        images = random_images(64, 3, 32, 32).cuda()
        augment = BatchAugmentation(AugmentationOptions(**settings))
        generator = torch.Generator("cuda").manual_seed(0)
        with nothing_waits():
            result = augment(images, generator)
        assert result.device == images.device
        assert 0 <= result.min() <= result.max() <= 1
        assert torch.equal(augment(images, generator.manual_seed(0)), result)

    def test_the_default_dtype_changes_nothing(self):
        augment = BatchAugmentation(AugmentationOptions(noise=0.1, **AFFINE))
        images = random_images(4, 3, 8, 8)
        expected = augment(images, seeded())
        torch.set_default_dtype(torch.float64)
        try:
            assert torch.equal(augment(images, seeded()), expected)
        finally:
            torch.set_default_dtype(torch.float32)

    def test_empty_batch(self):
        assert BatchAugmentation()(random_images(0, 3, 8, 8), seeded()).shape == (0, 3, 8, 8)

    @pytest.mark.parametrize("shape", SHAPES)
    def test_nothing_switched_on_returns_the_images(self, shape):
        images = random_images(*shape)
        assert torch.equal(only()(images, seeded()), images / 255)

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize(
        "settings",
        [
            {"jitter": 1},
            {"zoom": (1, 1), "translate": 1e-9, "fill": 0.3},
            {"crop_scale": (0.999, 1)},
            {"jitter": 1, "hue": 1e-9, "contrast": 1e-9, "saturation": 1e-9, "brightness": 1e-9},
        ],
    )
    def test_neutral_parameters_return_the_images(self, shape, settings):
        images = random_images(*shape)
        if "crop_scale" in settings:
            settings = settings | {"crop_ratio": (shape[3] / shape[2],) * 2}
        result = only(**settings)(images, seeded())
        torch.testing.assert_close(result, images / 255, atol=3e-6, rtol=0)

    def test_gray_images_ignore_the_operations_on_color(self):
        images = random_images(6, 1, 8, 8)
        augment = only(jitter=1, saturation=1, hue=0.5, grayscale=1)
        result, drawn = augmented(augment, images)
        assert torch.equal(result, images / 255)
        assert drawn.blends == ()
        assert drawn.hue is drawn.grayscale is None


class TestInvalidArguments:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("crop_scale", (0, 1)),
            ("crop_scale", (0.5, 0.2)),
            ("crop_scale", (0.5, 1.2)),
            ("crop_scale", (0.5,)),
            ("crop_ratio", (-1, 1)),
            ("crop_ratio", (1, math.inf)),
            ("flip", 1.1),
            ("flip", -0.1),
            ("jitter", 2),
            ("brightness", -1),
            ("brightness", math.inf),
            ("contrast", -1),
            ("saturation", math.nan),
            ("hue", 0.6),
            ("grayscale", 1.5),
            ("translate", 1.5),
            ("rotate", 181),
            ("zoom", (0, 1)),
            ("zoom", (2, 1)),
            ("shear", 90),
            ("noise", -0.1),
            ("fill", 2),
            ("vertical_flip", 2),
            ("quarter_turns", -1),
            ("blur", 1.5),
            ("blur_sigma", (0, 1)),
            ("blur_sigma", (2, 1)),
            ("erase", 2),
            ("erase_area", (0.1, 1.5)),
            ("erase_area", (0.5,)),
            ("channel_drop", 1),
        ],
    )
    def test_is_named(self, name, value):
        with pytest.raises(ValueError, match=rf"^{name}="):
            BatchAugmentation(AugmentationOptions(**{name: value}))

    @pytest.mark.parametrize(
        "images",
        [torch.zeros(2, 3, 4, 4), random_images(3, 4, 4), random_images(2, 17, 4, 4)],
        ids=["float", "no batch", "17 channels"],
    )
    def test_images_of_another_kind(self, images):
        with pytest.raises(ValueError, match=r"images: .* must be uint8"):
            BatchAugmentation()(images, seeded())


class TestGeometry:
    @pytest.mark.parametrize("shape", SHAPES)
    def test_crop_and_flip(self, shape):
        images = random_images(*shape)
        result, drawn = augmented(only(crop_scale=(0.2, 1), crop_ratio=(0.5, 2), flip=0.5), images)
        assert 0 < drawn.flip.sum() < len(images)
        for image, row, box, flip in zip(images / 255, result, drawn.crop, drawn.flip, strict=True):
            top, left, height, width = box.int().tolist()
            expected = F.resized_crop(
                image, top, left, height, width, list(image.shape[1:]), antialias=False
            )
            expected = F.horizontal_flip(expected) if flip else expected
            torch.testing.assert_close(row, expected, atol=1e-5, rtol=0)

    def test_flip_alone(self):
        images = random_images(3, 3, 7, 10)
        torch.testing.assert_close(
            only(flip=1)(images, seeded()), images.flip(-1) / 255, atol=1e-6, rtol=0
        )

    @pytest.mark.parametrize("shape", SHAPES)
    @pytest.mark.parametrize("fill", [0.0, 0.7])
    @pytest.mark.parametrize("which", [[name] for name in AFFINE] + [list(AFFINE)])
    def test_affine(self, shape, fill, which):
        """Equal but for pixels at the border, where torchvision applies its mask twice with a fill.

        Its affine without a fill finds 0 outside, so shifted by the fill it is right there too.
        """
        images = random_images(*shape)
        chosen = {name: AFFINE[name] for name in which}
        result, drawn = augmented(only(fill=fill, **chosen), images)
        for image, row, (angle, x, y, shear, zoom) in zip(
            images / 255, result, drawn.affine.tolist(), strict=True
        ):

            def affine(image, fill=None, args=(angle, [x, y], zoom, [shear, 0.0])):
                return F.affine(image, *args, v2.InterpolationMode.BILINEAR, fill=fill)

            torch.testing.assert_close(row, affine(image - fill) + fill, atol=1e-4, rtol=0)
            mask = affine(torch.ones_like(image))
            whole = (mask < 1e-6) | (mask > 1 - 1e-6)
            expected = affine(image, fill)
            torch.testing.assert_close(row[whole], expected[whole], atol=1e-4, rtol=0)

    def test_affine_comes_before_crop_and_flip(self):
        """On a ramp, where bilinear sampling is exact, one sampling equals three in a row."""
        ramp = 3 * torch.arange(32)[:, None] + 4 * torch.arange(32)
        images = ramp.byte().expand(12, 1, 32, 32)
        mild = {"translate": 0.1, "rotate": 20, "shear": 10, "zoom": (0.9, 1.5)}
        result, drawn = augmented(only(crop_scale=(0.3, 0.8), flip=0.5, **mild), images)
        compared = 0
        for i, (angle, x, y, shear, zoom) in enumerate(drawn.affine.tolist()):
            top, left, height, width = drawn.crop[i].int().tolist()

            def reference(
                image,
                affine=(angle, [x, y], zoom, [shear, 0.0]),
                box=(top, left, height, width),
                i=i,
            ):
                image = F.affine(image, *affine, v2.InterpolationMode.BILINEAR)
                image = F.resized_crop(image, *box, [32, 32], antialias=False)
                return F.horizontal_flip(image) if drawn.flip[i] else image

            inside = reference(torch.ones(1, 32, 32)) > 1 - 1e-5
            difference = (result[i] - reference(images[i] / 255)).abs()[inside]
            assert difference.max() < 1e-4
            compared += inside.sum()
        assert compared > 0.7 * result.numel()

    def test_a_crop_reads_nothing_outside_the_image(self):
        images = torch.full((50, 1, 8, 8), 255).byte()
        result = only(crop_scale=(0.1, 1), crop_ratio=(0.5, 2), flip=0.5)(images, seeded())
        torch.testing.assert_close(result, torch.ones_like(result), atol=1e-6, rtol=0)


def adjusted(image, drawn, i):
    """torchvision's adjustments of one image in the order that was drawn for it."""
    for blend in drawn.order[i].tolist():
        adjust = getattr(F, f"adjust_{drawn.blends[blend]}")
        image = adjust(image, drawn.factors[i, blend].item())
    if drawn.hue is not None:
        image = F.adjust_hue(image, drawn.hue[i].item())
    if drawn.grayscale is not None and drawn.grayscale[i]:
        image = F.rgb_to_grayscale(image, num_output_channels=image.shape[0])
    return image


class TestColor:
    @pytest.mark.parametrize(
        "settings",
        [
            {"brightness": 0.8},
            {"contrast": 1.5},
            {"saturation": 1.5},
            {"hue": 0.5},
            {"jitter": 0, "grayscale": 0.5},
            {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5},
            {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1, "grayscale": 0.2},
        ],
        ids=lambda settings: "+".join(settings),
    )
    @pytest.mark.parametrize("channels", [1, 3])
    def test_against_torchvision(self, settings, channels):
        images = random_images(24, channels, 6, 9)
        images[:2] = images[:2, :1]  # gray pixels have no hue
        images[2:4, :, 2:] //= 64  # many equal channels, many at 0
        result, drawn = augmented(only(**({"jitter": 1} | settings)), images)
        for i, image in enumerate(images / 255):
            torch.testing.assert_close(result[i], adjusted(image, drawn, i), atol=1e-4, rtol=0)

    @pytest.mark.parametrize("shift", np.linspace(-0.5, 0.5, 11).tolist())
    def test_hue_of_every_corner_and_edge_of_the_cube(self, shift, monkeypatch):
        levels = torch.tensor([0, 1, 128, 254, 255], dtype=torch.uint8)
        colors = torch.cartesian_prod(levels, levels, levels)  # (125, 3)
        images = colors.T[None, :, :, None]
        augment = only(jitter=1, hue=0.5)
        drawn = augment.draw(images, seeded())
        drawn.hue.fill_(shift)
        monkeypatch.setattr(augment, "draw", lambda *_: drawn)
        expected = F.adjust_hue(images[0] / 255, shift)
        torch.testing.assert_close(augment(images, seeded())[0], expected, atol=1e-5, rtol=0)

    def test_noise(self):
        images = torch.full((20, 1, 32, 32), 128).byte()
        noise = only(noise=0.1)(images, seeded()) - 128 / 255
        assert kstest(noise.flatten() / 0.1, "norm").pvalue > 0.01


class TestDistributions:
    """Seeds are fixed: a p-value under 0.01 is a change of distribution, not chance."""

    size = 4000

    def theirs(self, transform, image):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return [transform.make_params([image]) for _ in range(self.size)]

    @pytest.mark.parametrize("height_width", [(32, 32), (24, 40), (8, 8), (16, 40)])
    def test_crop(self, height_width):
        image = torch.empty(3, *height_width)
        transform = v2.RandomResizedCrop(height_width, scale=(0.2, 1.0))
        theirs = self.theirs(transform, image)
        reference = np.array(
            [[box[key] for key in ("top", "left", "height", "width")] for box in theirs]
        )
        images = torch.empty(self.size, 3, *height_width, dtype=torch.uint8)
        crop = BatchAugmentation().draw(images, seeded(7)).crop.double().numpy()

        def statistics(crop):
            top, left, height, width = crop.T
            free = np.maximum(1, np.array(height_width) - crop[:, 2:]).T
            return top, left, height, width, height * width, width / height, *(crop[:, :2].T / free)

        for ours, expected in zip(statistics(crop), statistics(reference), strict=True):
            assert ks_2samp(ours, expected).pvalue > 0.01

    @pytest.mark.parametrize("height_width", [(8, 64), (64, 9), (7, 31)])
    def test_crop_that_never_fits(self, height_width):
        """The fallback: the largest central box of an allowed ratio."""
        transform = v2.RandomResizedCrop(height_width, scale=(0.95, 1.0))
        theirs = transform.make_params([torch.empty(3, *height_width)])
        images = torch.empty(20, 3, *height_width, dtype=torch.uint8)
        crop = (
            BatchAugmentation(AugmentationOptions(crop_scale=(0.95, 1.0)))
            .draw(images, seeded())
            .crop
        )
        expected = [theirs[key] for key in ("top", "left", "height", "width")]
        assert crop.tolist() == [expected] * 20

    def test_color_jitter(self):
        images = torch.empty(self.size, 3, 1, 1, dtype=torch.uint8)
        strengths = {"brightness": 0.4, "contrast": 1.5, "saturation": 0.9, "hue": 0.1}
        theirs = self.theirs(v2.ColorJitter(**strengths), images[0])
        drawn = BatchAugmentation(AugmentationOptions(jitter=1, **strengths)).draw(images, seeded())
        assert drawn.blends == ("brightness", "contrast", "saturation")
        ours = dict(zip(drawn.blends, drawn.factors[..., 0].T, strict=True)) | {"hue": drawn.hue}
        for name, values in ours.items():
            reference = [params[f"{name}_factor"] for params in theirs]
            assert ks_2samp(values, reference).pvalue > 0.01
        _, counts = drawn.order.unique(dim=0, return_counts=True)
        assert len(counts) == 6
        assert chisquare(counts).pvalue > 0.01

    def test_affine(self):
        images = torch.empty(self.size, 3, 10, 20, dtype=torch.uint8)
        affine = only(**AFFINE).draw(images, seeded()).affine.T
        bounds = [(-40, 40), (-6, 6), (-3, 3), (-20, 20), (0.7, 1.4)]
        for values, (low, high) in zip(affine, bounds, strict=True):
            assert kstest(values, "uniform", (low, high - low)).pvalue > 0.01

    @pytest.mark.parametrize(
        ("name", "probability"),
        [
            *(("flip", 0.5), ("flip", 0.1), ("grayscale", 0.2), ("jitter", 0.8)),
            ("vertical_flip", 0.3),
        ],
    )
    def test_probabilities(self, name, probability):
        images = torch.empty(self.size, 3, 1, 1, dtype=torch.uint8)
        drawn = BatchAugmentation(AugmentationOptions(**{name: probability})).draw(images, seeded())
        happened = (drawn.factors != 1).any((1, 2)) if name == "jitter" else getattr(drawn, name)
        if name == "jitter":
            assert torch.equal(happened, drawn.hue != 0)
        assert binomtest(int(happened.sum()), self.size, probability).pvalue > 0.01
