"""Two augmented views of each image."""

import pytest
import torch

from dimred.data.augmentation import BatchAugmentation
from dimred.pairing import PositivePairs, TwoViews


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(count=5):
    return torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=seeded(1))


def made(augment, batch, generator):
    """The views of a batch, and the pairs among them."""
    pairing = TwoViews(torch.arange(100), augment)
    selection = pairing.select(torch.arange(7, 7 + len(batch)), seeded())
    assert selection.samples.tolist() == list(range(7, 7 + len(batch)))
    return pairing.views(batch, generator), selection.pairs


def test_rows_i_and_i_plus_b_are_views_of_image_i():
    def unchanged(batch, generator, part):
        return batch[part] / 255

    batch = images()
    views, pairs = made(unchanged, batch, seeded())
    assert isinstance(pairs, PositivePairs)
    assert torch.equal(views, torch.cat((batch, batch)) / 255)
    assert pairs.partner.dtype == torch.int64
    assert pairs.partner.tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]
    assert torch.equal(views[pairs.partner], views)


def test_one_image():
    _, pairs = made(BatchAugmentation(), images(1), seeded())
    assert pairs.partner.tolist() == [1, 0]


def test_partners_point_at_each_other():
    _, pairs = made(BatchAugmentation(), images(), seeded())
    rows = torch.arange(10)
    assert torch.equal(pairs.partner[pairs.partner], rows)
    assert (pairs.partner != rows).all()


def test_the_two_views_of_an_image_differ():
    views, _ = made(BatchAugmentation(), images(), seeded())
    assert views.shape == (10, 3, 8, 8)
    assert views.dtype == torch.float32
    assert (views[:5] != views[5:]).flatten(1).any(1).all()


def test_the_generator_decides():
    views = TwoViews(torch.arange(5), BatchAugmentation()).views
    batch = images()
    generator = seeded()
    first, second = views(batch, generator), views(batch, generator)
    assert torch.equal(views(batch, seeded()), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("count", [1, 4, 5])
def test_parts_of_the_rows_make_up_the_whole(count):
    views = TwoViews(torch.arange(5), BatchAugmentation()).views
    whole = views(images(), seeded())
    parts = [views(images(), seeded(), slice(i, i + count)) for i in range(0, 10, count)]
    assert torch.equal(torch.cat(parts), whole)
