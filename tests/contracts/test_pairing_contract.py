"""What every pairing must be, held for all of them."""

import pytest
import torch
from contracts.pairings import BATCH, CPU, each_pairing

from dimred.pairing import ClassPairs, LabeledPairs, PositivePairs, Targets, check_pairing


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def selected(pairing, seed=0):
    """A random batch of anchors and what is made of it."""
    order = torch.randperm(len(pairing.anchors), generator=seeded(seed))
    return pairing.select(pairing.anchors[order[:BATCH]], seeded(seed))


def viewed(case, pairing, batch, seed=0, **part):
    return pairing.views(case.images()[batch.samples], seeded(seed), **part)


def parts_of(batch):
    return [batch.samples, *vars(batch.pairs).values()]


@each_pairing
def test_anchors_are_there_once(case):
    anchors = case.make().anchors
    assert anchors.dtype == torch.int64
    assert anchors.ndim == 1
    assert len(anchors) >= BATCH
    assert len(anchors.unique()) == len(anchors)


@each_pairing
@pytest.mark.parametrize("seed", range(5))
def test_batches_hold_what_the_protocol_says(case, seed):
    batch = selected(case.make(), seed)
    assert batch.samples.dtype == torch.int64
    assert len(batch.samples.unique()) == len(batch.samples), "each is embedded once"
    assert batch.samples.min() >= 0
    assert batch.samples.max() < case.n_samples
    assert batch.rows % len(batch.samples) == 0
    rows, pairs = torch.arange(batch.rows), batch.pairs
    if isinstance(pairs, PositivePairs):
        assert torch.equal(pairs.partner[pairs.partner], rows)
        assert (pairs.partner != rows).all()
    elif isinstance(pairs, LabeledPairs):
        assert pairs.similar.dtype == torch.bool
        assert pairs.similar.shape == pairs.weight.shape == (len(pairs.left), pairs.weight.shape[1])
        assert (pairs.left != pairs.right).all()
        for ends in (pairs.left, pairs.right):
            assert ends.dtype == torch.int64
            assert set(ends.tolist()) <= set(rows.tolist())
        assert (pairs.weight >= 0).all()
        assert (pairs.weight > 0).any(0).all()
    elif isinstance(pairs, ClassPairs):
        assert pairs.values.shape == (batch.rows,)
        assert torch.equal(pairs.values[pairs.anchor], pairs.values[pairs.positive])
        ends = torch.cat((pairs.anchor, pairs.positive))
        assert sorted(ends.tolist()) == rows.tolist()
    else:
        assert isinstance(pairs, Targets)
        assert len(pairs.values) == batch.rows


@each_pairing
def test_random_numbers_come_from_the_generator_alone(case):
    """Or a resumed run would not go on as it would have."""
    results = []
    for unrelated in (1, 2):
        torch.manual_seed(unrelated)
        batch = selected(case.make())
        results.append([*parts_of(batch), viewed(case, case.make(), batch)])
    for first, second in zip(*results, strict=True):
        assert torch.equal(first, second)


@each_pairing
def test_batches_of_the_same_size_have_as_many_rows_where_it_says_so(case):
    pairing = case.make()
    if pairing.same_size:
        assert len({selected(pairing, seed).rows for seed in range(5)}) == 1


@each_pairing
def test_views_are_one_for_each_row_between_0_and_1(case):
    pairing = case.make()
    batch = selected(pairing)
    images = case.images()[batch.samples]
    before = images.clone()
    views = pairing.views(images, seeded())
    assert views.dtype == torch.float32
    assert views.shape[:2] == (batch.rows, images.shape[1])
    assert views.shape[2:] == images.shape[2:] or not pairing.same_size
    assert 0 <= views.min() <= views.max() <= 1
    assert views.std() > 0.1, "they show something"
    assert torch.equal(images, before)


@each_pairing
@pytest.mark.parametrize("size", [1, 3])
def test_parts_of_the_rows_make_up_the_whole(case, size):
    """Several processes share a step."""
    pairing = case.make()
    batch = selected(pairing)
    whole = viewed(case, pairing, batch)
    parts = [
        viewed(case, pairing, batch, part=slice(first, first + size))
        for first in range(0, batch.rows, size)
    ]
    assert torch.equal(torch.cat(parts), whole)


@each_pairing
def test_it_passes_its_check(case):
    batch = check_pairing("mine", case.make(), BATCH, case.images(), CPU)
    assert batch.rows > 0
