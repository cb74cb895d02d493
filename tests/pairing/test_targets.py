"""Fixed targets, and images that are shifted at random."""

import pytest
import torch

from dimred.pairing import FixedTargets, Targets, randomly_shifted
from dimred.pairing.protocol import ALL
from dimred.scaling import resized

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(n=40, channels=2, height=6, width=9):
    """No two pixels are likely to agree, and none is black."""
    shape = (n, channels, height, width)
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=seeded(1))


def shifted(image, across, down):
    """Pixel by pixel, to the right and down."""
    _, height, width = image.shape
    result = torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            if 0 <= y + down < height and 0 <= x + across < width:
                result[:, y + down, x + across] = image[:, y, x]
    return result


def shift_of(image, moved, most):
    """The one shift up to `most` that makes the image the moved one."""
    found = [
        (across, down)
        for across in range(-most[0], most[0] + 1)
        for down in range(-most[1], most[1] + 1)
        if torch.equal(shifted(image, across, down), moved)
    ]
    assert len(found) == 1, f"{len(found)} shifts explain the image"
    return found[0]


@pytest.mark.parametrize("most", [(2, 1), (0, 3), (4, 0), (1, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_moved_as_a_whole_by_its_own_shift_both_ways(most, channels):
    images = pictures(60, channels)
    moved = randomly_shifted(images, most, seeded())
    assert moved.dtype == torch.uint8
    assert moved.shape == images.shape
    shifts = {shift_of(*pair, most) for pair in zip(images, moved, strict=True)}
    assert {across for across, _ in shifts} == set(range(-most[0], most[0] + 1))
    assert {down for _, down in shifts} == set(range(-most[1], most[1] + 1))


def test_both_directions_are_independent():
    images = pictures(150)
    moved = randomly_shifted(images, (1, 1), seeded())
    shifts = [shift_of(*pair, (1, 1)) for pair in zip(images, moved, strict=True)]
    assert len(set(shifts)) == 9


def test_black_comes_in():
    images = torch.full((200, 1, 4, 4), 255, dtype=torch.uint8)
    moved = randomly_shifted(images, (6, 0), seeded())
    whites = {tuple(row.tolist()) for row in moved[:, 0, 0]}
    bright = 255
    assert whites == {
        tuple(bright if 0 <= x - across < 4 else 0 for x in range(4)) for across in range(-6, 7)
    }


def test_no_shift_leaves_the_images():
    images = pictures()
    assert torch.equal(randomly_shifted(images, (0, 0), seeded()), images)


def test_the_generator_decides():
    generator = seeded()
    first, second = (randomly_shifted(pictures(), (3, 3), generator) for _ in range(2))
    assert torch.equal(randomly_shifted(pictures(), (3, 3), seeded()), first)
    assert not torch.equal(first, second)


def test_images_come_with_their_targets():
    values = torch.arange(15.0).view(5, 3)
    pairing = FixedTargets(torch.tensor([20, 4, 7, 9, 1]), values, CPU)
    assert pairing.anchors.tolist() == [0, 1, 2, 3, 4]
    selection = pairing.select(torch.tensor([3, 0]), seeded())
    assert selection.samples.tolist() == [9, 20]
    assert isinstance(selection.pairs, Targets)
    assert selection.pairs.values.tolist() == [[9, 10, 11], [0, 1, 2]]
    assert pairing.n_values == 3


def test_classes_stay_whole_numbers():
    pairing = FixedTargets(torch.arange(4), torch.tensor([2, 0, 1, 2]), CPU, n_classes=10)
    selection = pairing.select(torch.tensor([0, 1]), seeded())
    assert selection.pairs.values.dtype == torch.int64
    assert selection.pairs.values.tolist() == [2, 0]
    assert pairing.n_values == 10


class Dimmed(FixedTargets):
    """Views of its own."""

    def views(self, images, generator, part=ALL):
        return super().views(images, generator, part) / 2


def test_a_subclass_with_views_of_its_own_does_not_say_that_they_are_fixed():
    given = torch.arange(4), torch.zeros(4, 1), CPU
    assert FixedTargets(*given).fixed_views
    assert not FixedTargets(*given, shift=(0, 1)).fixed_views
    assert not Dimmed(*given).fixed_views


@pytest.mark.parametrize("shift", [(0, 0), (2, 0), (0, 2), (3, 1)])
def test_views_are_the_shifted_images_scaled(shift):
    images = pictures()
    original = images.clone()
    pairing = FixedTargets(torch.arange(40), torch.zeros(40, 1), CPU, shift=shift)
    made = pairing.views(images, seeded())
    assert made.dtype == torch.float32
    assert torch.equal(made, randomly_shifted(images, shift, seeded()).float() / 255)
    assert torch.equal(made, images.float() / 255) == (shift == (0, 0))
    assert torch.equal(images, original)


def test_a_batch_is_resized_by_one_factor_between_the_two():
    images = pictures(6, height=10, width=20)
    pairing = FixedTargets(torch.arange(6), torch.zeros(6, 1), CPU, scales=(0.5, 2.0))
    assert not pairing.same_size
    generator = seeded()
    heights = set()
    for _ in range(60):
        views = pairing.views(images, generator)
        assert views.shape[:2] == images.shape[:2]
        height, width = views.shape[2:]
        assert abs(width - 2 * height) <= 1
        heights.add(height)
        assert 0 <= views.min() <= views.max() <= 1
    assert {min(heights), max(heights)} <= {5, 6, 19, 20}
    assert len(heights) > 10


def test_resized_images_show_the_same_at_the_same_place():
    """A bright square stays where it is, in parts of the image."""
    images = torch.zeros(1, 1, 40, 40)
    images[..., 10:20, 20:40] = 1
    for scale in (0.5, 1.5, 2.0):
        views = resized(images, scale)
        side = views.shape[-1]
        assert side == 40 * scale
        inside = views[..., side // 4 + 2 : side // 2 - 2, side // 2 + 2 :]
        assert inside.min() == 1
        assert views.sum() == pytest.approx(200 * scale**2, rel=0.02)
