"""Batches of a few classes with a few images of each."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions
from dimred.data.image_set import ImageSet, LabelSet
from dimred.errors import InputError
from dimred.pairing import ClassBatches, ClassPairs, PairingScope
from dimred.pairing.class_batch_options import ClassBatch

CPU = torch.device("cpu")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def unchanged(images, generator, part):
    return images[part] / 255


def batches(sizes, m, augment=unchanged):
    """A pairing of classes of these sizes; image i of class c is sample 100 c + i."""
    samples = torch.cat([100 * c + torch.arange(size) for c, size in enumerate(sizes)])
    order = torch.randperm(len(samples), generator=seeded(5))
    return ClassBatches(samples[order], samples[order] // 100, m, augment, CPU)


def drawn(pairing, size, seed=0):
    return pairing.select(pairing.anchors[:size], seeded(seed))


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    m=st.integers(2, 5),
    data=st.data(),
    seed=st.integers(0, 10_000),
)
def test_a_batch_has_c_classes_with_m_images_of_each(sizes, m, data, seed):
    c = data.draw(st.integers(2, len(sizes)))
    pairing = batches(sizes, m)
    # Which anchors are given does not matter, only how many, of which there may be a few more.
    batch = pairing.select(torch.zeros(c * m + m - 1), seeded(seed))
    assert batch.rows == len(batch.samples) == c * m
    values = batch.pairs.values.view(c, m)
    assert (values == values[:, :1]).all()
    assert len(values[:, 0].unique()) == c
    assert torch.equal(batch.samples // 100, batch.pairs.values)
    for row, samples in zip(values, (batch.samples % 100).view(c, m), strict=True):
        size = sizes[int(row[0])]
        assert (samples < size).all()
        counts = samples.unique(return_counts=True)[1]
        # Each image once; in a class with fewer, as evenly often as can be.
        assert len(counts) == min(m, size)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(("m", "paired"), [(2, 2), (3, 2), (5, 4)])
def test_two_and_two_rows_of_a_class_are_pairs(m, paired):
    pairs = drawn(batches([6, 6, 6], m), 3 * m).pairs
    assert isinstance(pairs, ClassPairs)
    expected = [(c * m + i, c * m + i + 1) for c in range(3) for i in range(0, paired, 2)]
    assert list(zip(pairs.anchor.tolist(), pairs.positive.tolist(), strict=True)) == expected


def test_classes_are_equally_likely_however_large():
    pairing = batches([2, 40, 5, 5, 9], 2)
    counts = np.zeros(5)
    for seed in range(2000):
        counts[drawn(pairing, 4, seed).pairs.values[::2].numpy()] += 1
    assert counts.sum() == 4000
    assert np.all(np.abs(counts - 800) < 5 * np.sqrt(2000 * 0.4 * 0.6))


def test_images_of_a_class_are_equally_likely_at_every_place():
    pairing = batches([3, 5], 2)
    counts = np.zeros((2, 5))
    for seed in range(2000):
        batch = drawn(pairing, 4, seed)
        for place, sample in enumerate(batch.samples[batch.samples >= 100].tolist()):
            counts[place, sample - 100] += 1
    assert np.all(np.abs(counts - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8))


def test_a_smaller_batch_has_two_classes_at_least():
    batch = drawn(batches([6, 6, 6], 4), 1)
    assert batch.rows == 8
    assert len(batch.pairs.values.unique()) == 2


def test_a_larger_batch_has_all_classes_once():
    batch = drawn(batches([4, 4, 4], 2), 12)
    assert batch.rows == 6
    assert batch.pairs.values.unique().tolist() == [0, 1, 2]


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=6),
    m=st.integers(2, 5),
    data=st.data(),
    seed=st.integers(0, 10_000),
)
def test_covering_batches_are_like_others_and_have_every_image(sizes, m, data, seed):
    c = data.draw(st.integers(2, len(sizes)))
    pairing = batches(sizes, m)
    every = list(pairing.covering(c * m, seeded(seed)))
    like = pairing.select(torch.zeros(c * m), seeded())
    for batch in every:
        assert batch.rows == len(batch.samples) == c * m
        assert torch.equal(batch.samples // 100, batch.pairs.values)
        assert len(batch.pairs.values.view(c, m)[:, 0].unique()) == c
        assert torch.equal(batch.pairs.anchor, like.pairs.anchor)
        assert torch.equal(batch.pairs.positive, like.pairs.positive)
        for row in batch.samples.view(c, m):
            assert len(row.unique()) == min(m, sizes[int(row[0]) // 100])
    seen = torch.cat([batch.samples for batch in every]).unique()
    assert seen.tolist() == sorted(100 * c + i for c, size in enumerate(sizes) for i in range(size))


def test_covering_batches_of_equal_classes_are_no_more_than_an_epoch_has():
    every = list(batches([12] * 6, 3).covering(9, seeded()))
    assert len(every) == 8
    assert torch.cat([batch.samples for batch in every]).unique(return_counts=True)[1].max() == 1


def test_one_large_class_does_not_make_an_epoch_of_batches_for_each_of_its_images():
    classes = torch.cat((torch.zeros(6000, dtype=torch.int64), 1 + torch.arange(99).repeat(2)))
    pairing = ClassBatches(torch.arange(6198), classes, 2, BatchAugmentation(), torch.device("cpu"))
    every = list(pairing.covering(200, seeded()))
    assert len(every) == 100
    seen = torch.cat([batch.samples for batch in every]).unique()
    assert len(seen) == 100 * 2 + 99 * 2  # of a step each two of the large class, and all others


def test_the_generator_decides_and_nothing_else():
    pairing = batches([9, 9, 9, 9], 3)
    state = torch.get_rng_state()
    first, again, other = (drawn(pairing, 9, seed) for seed in (0, 0, 1))
    assert torch.equal(first.samples, again.samples)
    assert not torch.equal(first.samples, other.samples)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("cut", [1, 4, 7])
def test_processes_make_parts_of_the_same_views(cut):
    pairing = batches([9, 9], 4, BatchAugmentation(AugmentationOptions(noise=0.1)))
    images = torch.randint(0, 256, (8, 3, 8, 8), dtype=torch.uint8, generator=seeded(1))
    whole = pairing.views(images, seeded(2))
    parts = [pairing.views(images, seeded(2), part) for part in (slice(cut), slice(cut, None))]
    assert whole.shape == (8, 3, 8, 8)
    torch.testing.assert_close(torch.cat(parts), whole)


# Options


def scope(labels, names=("cat", "dog", "owl", "fox", "elk"), positions=None):
    labels = None if labels is None else np.array(labels, dtype=np.int64)
    n = 12 if labels is None else len(labels)
    images = ImageSet(
        images=torch.zeros(n, 1, 4, 4, dtype=torch.uint8),
        mean=(0.5,),
        std=(0.5,),
        is_test=np.zeros(n, dtype=bool),
        split_name="",
        labels=None if labels is None else LabelSet(labels, names),
        index=np.arange(n),
    )
    positions = np.arange(n) if positions is None else np.array(positions)
    return PairingScope(images, 1, positions, None)


def built(labels, batch_size, m=None, **values):
    return ClassBatch(images_per_class=m).build(scope(labels, **values), batch_size, CPU)


def refusal(*arguments, **values):
    with pytest.raises(InputError) as error:
        built(*arguments, **values)
    assert "\n" not in str(error.value)
    return str(error.value)


FIVE = list(range(5)) * 20


@pytest.mark.parametrize(
    ("batch_size", "m"), [(4, 2), (10, 2), (12, 3), (20, 4), (120, 24), (14, 7), (64, 16)]
)
def test_by_itself_it_takes_as_few_images_of_a_class_as_the_classes_allow(batch_size, m):
    pairing = built(FIVE, batch_size)
    assert (pairing.images_per_class, pairing.n_classes) == (m, 5)
    batch = pairing.select(torch.zeros(batch_size), seeded())
    assert batch.rows == batch_size


@pytest.mark.parametrize(("batch_size", "m"), [(12, 4), (12, 6), (60, 12), (60, 30)])
def test_images_per_class_can_be_set(batch_size, m):
    pairing = built(FIVE, batch_size, m)
    assert pairing.images_per_class == m
    assert pairing.select(torch.zeros(batch_size), seeded()).rows == batch_size


@pytest.mark.parametrize(
    ("batch_size", "m", "parts"),
    [
        (
            23,
            None,
            [
                "schedule.batch_size=23: cannot be divided",
                "2 to 5 classes",
                "schedule.batch_size=20 can",
            ],
        ),
        (2, None, ["schedule.batch_size=2: cannot be divided"]),
        (3, 2, ["schedule.batch_size=3: cannot be divided"]),
        (
            60,
            5,
            [
                "pairing.images_per_class=5: schedule.batch_size=60 must be a multiple of it",
                "2 to 5 times",
                "here it can be 12, 15, 20, 30",
            ],
        ),
        (20, 20, ["pairing.images_per_class=20", "here it can be 4, 5, 10"]),
        (20, 3, ["pairing.images_per_class=3", "here it can be 4, 5, 10"]),
    ],
)
def test_a_batch_that_cannot_be_filled_is_refused_with_what_can(batch_size, m, parts):
    line = refusal(FIVE, batch_size, m)
    for part in parts:
        assert part in line


def test_images_without_labels_or_of_one_class_are_refused():
    assert "pairing=class_batches: these images have no labels" in refusal(None, 4)
    line = refusal([0, 0, 1, 1, 1, 0], 4, positions=[2, 3, 4])
    assert "all images to learn from are of class 'dog'; at least two classes" in line


def test_classes_are_counted_among_those_that_have_images_to_learn_from():
    labels = [4, 0, 2, 4, 2, 1, 4, 2]
    pairing = built(labels, 4, positions=[0, 2, 3, 4, 6, 7])  # classes 2 and 4
    assert pairing.n_classes == 2
    batch = pairing.select(torch.zeros(4), seeded())
    assert [labels[i] for i in batch.samples] == [2 + 2 * v for v in batch.pairs.values.tolist()]


def test_images_are_left_as_they_are_unless_told():
    images = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8, generator=seeded(1))
    views = built(FIVE, 4).views(images, seeded())
    torch.testing.assert_close(views, images / 255)
    flipped = ClassBatch(flip=1.0).build(scope(FIVE), 4, CPU).views(images, seeded())
    torch.testing.assert_close(flipped, images.flip(3) / 255)


def test_ranges_of_the_augmentation_are_checked():
    (line,) = ClassBatch(zoom=[2.0, 1.0]).problems()
    assert line.startswith("pairing.zoom=[2.0, 1.0]")
