"""Negatives drawn by their distance: Wu et al. 2017, section 4."""

import math

import numpy as np
import pytest
import torch
from contracts.loss_cases import points, seeded, squared_distance
from contracts.metric_losses import class_pairs, distance, positives
from pytorch_metric_learning.miners import DistanceWeightedMiner, distance_weighted_miner

from dimred.losses import Average, Mining, StepContext, TripletLoss, check_loss, loss_of
from dimred.losses.triplet import drawn, negative_weights
from dimred.pairing import ClassPairs, StepBatch

N = 24


def context(z, seed=0):
    return StepContext(z, seeded(seed))


def loss(**options):
    return TripletLoss(mining=Mining.distance_weighted, **options)


@pytest.mark.parametrize("dims", [2, 3, 16, 512])
def test_weights_are_those_of_the_equation(dims):
    """1 / q(d), d at least 0.5, none beyond 1.4, relative to that of d = 1."""
    distances = torch.tensor([0.0, 0.3, 0.5, 0.9, 1.0, 1.3, 1.4, 1.401, 2.0], dtype=torch.float64)
    weights = negative_weights(distances, dims)
    for d, weight in zip(distances.tolist(), (weights - weights[4]).tolist(), strict=True):
        clipped = max(d, 0.5)
        if d > 1.4:
            assert weight == -math.inf
            continue
        log_q = (dims - 2) * math.log(clipped) + (dims - 3) / 2 * math.log(1 - clipped**2 / 4)
        assert weight == pytest.approx(-log_q + (dims - 3) / 2 * math.log(0.75), rel=1e-12)


def test_weights_are_those_of_pytorch_metric_learning(monkeypatch):
    z = torch.nn.functional.normalize(points(N, 6))
    values = torch.arange(N) % 4
    found = {}
    monkeypatch.setattr(
        distance_weighted_miner.lmu,
        "get_random_triplet_indices",
        lambda labels, ref_labels, weights: found.update(weights=weights) or (labels[:0],) * 3,
    )
    DistanceWeightedMiner()(z, values)
    distances = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
    weights = negative_weights(distances, 6)
    weights = weights.masked_fill(values[:, None] == values, -torch.inf).softmax(1)
    assert (weights > 0).any(1).all()
    torch.testing.assert_close(weights, found["weights"])


def test_negatives_are_drawn_as_often_as_their_weights_say():
    log_weights = torch.tensor([[0.0, -1.0, -torch.inf, -2.0, -1.5]], dtype=torch.float64)
    other = torch.tensor([[-torch.inf, -torch.inf, 3.0, -torch.inf, -torch.inf]]).double()
    certain, columns = drawn(torch.cat((other, log_weights - 500)), 40_000, seeded())
    assert set(certain.tolist()) == {2}
    expected = log_weights[0].softmax(0).numpy()
    frequencies = np.bincount(columns.numpy(), minlength=5) / 40_000
    assert frequencies[2] == 0
    deviation = np.sqrt(expected * (1 - expected) / 40_000)
    assert np.all(np.abs(frequencies - expected) <= 4 * deviation)


def test_weights_beyond_what_floats_hold_are_told_apart():
    weights = torch.tensor([[-2000.0, -1000.0, -3000.0]]).double()
    assert set(drawn(weights, 50, seeded())[0].tolist()) == {1}


def test_a_number_next_to_one_draws_the_least_of_the_weights(monkeypatch):
    nearly = 1 - 2**-53
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([[nearly]] * 2).double())
    weights = torch.tensor([[0.2, 0.1, 0.7, 0.0], [0.3, 0.0, 0.0, 0.0]]).double().log()
    assert drawn(weights, 1, seeded()).tolist() == [[1], [0]]


def on_circle(*degrees):
    angles = torch.tensor(degrees, dtype=torch.float64).deg2rad()
    return torch.stack((angles.cos(), angles.sin()), 1)


@pytest.mark.parametrize("squared", [False, True])
def test_where_one_negative_is_near_enough_the_loss_is_that_of_it(squared):
    """Anchor and positive at 0 and 40 degrees; negatives at 60, 180 and 185, beyond 1.4 from 0; but
    from 40, only 60 is near enough, too."""
    z, values = on_circle(0, 40, 60, 180, 185), [0, 0, 1, 2, 3]
    pairs = ClassPairs(torch.tensor(values), torch.tensor([0]), torch.tensor([1]))
    metric = squared_distance if squared else distance
    rows = z.tolist()
    hinges = [
        max(0.0, 0.2 + metric(rows[a], rows[p]) - metric(rows[a], rows[2]))
        for a, p in positives(values)
    ]
    assert hinges[1] > 0
    value = loss(squared=squared)(z, pairs, context=context(z))
    assert float(value) == pytest.approx(sum(hinges) / 2, rel=1e-12)


def test_an_anchor_without_a_negative_near_enough_is_left_out():
    """The other classes are beyond 1.4 of all but the positive at 100 degrees."""
    z = on_circle(0, 100, 180, 185)
    pairs = ClassPairs(torch.tensor([0, 0, 1, 2]), torch.tensor([0]), torch.tensor([1]))
    rows = loss(margin=2.0)(z, pairs, context=context(z), reduction="none")
    near = [squared_distance(z[1].tolist(), z[n].tolist()) for n in (2, 3)]
    positive = squared_distance(z[0].tolist(), z[1].tolist())
    assert float(rows[0]) == float(rows[2]) == float(rows[3]) == 0
    # It is the only triplet, of one of the two negatives.
    assert any(float(rows[1]) == pytest.approx(4 * (2 + positive - negative)) for negative in near)


def test_without_any_negative_near_enough_it_is_zero_with_a_gradient():
    z = on_circle(0, 10, 180, 190).requires_grad_()
    pairs = ClassPairs(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 2]), torch.tensor([1, 3]))
    value = loss(margin=9.0)(z, pairs, context=context(z))
    (gradient,) = torch.autograd.grad(value, z)
    assert value.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("average", Average)
def test_the_loss_is_the_mean_over_triplets_with_negatives_that_are_drawn_anew(average):
    """Averaged over many draws, that of the expectation, by a loop."""
    z = torch.nn.functional.normalize(points(10, 3, seed=4))
    pairs = class_pairs(10, seed=4)
    rows, values = z.tolist(), pairs.values.tolist()
    expected = []
    for a, p in positives(values):
        weights, hinges = [], []
        for n in range(10):
            d = distance(rows[a], rows[n])
            if values[n] != values[a] and d <= 1.4:
                weights.append(1 / max(d, 0.5))  # in three dimensions q(d) is proportional to d
                hinges.append(max(0.0, 1.0 + distance(rows[a], rows[p]) - d))
        if weights:
            assert all(hinges)
            expected.append(np.average(hinges, weights=weights))
    mine = loss(margin=1.0, squared=False, average=average)
    generator = seeded()
    values = [float(mine(z, pairs, context=StepContext(z, generator))) for _ in range(800)]
    error = np.std(values) / math.sqrt(len(values))
    assert error > 0
    assert np.mean(values) == pytest.approx(np.mean(expected), abs=4 * error)


def test_the_generator_decides():
    z, pairs = points(N, 8), class_pairs(N)
    before = torch.get_rng_state()
    first, again, other = [
        loss()(z, pairs, context=context(z, seed), reduction="none") for seed in (0, 0, 1)
    ]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_it_asks_for_a_context_and_is_given_it():
    z, pairs = points(N, 8), class_pairs(N)
    assert loss().takes_context
    assert not TripletLoss().takes_context
    expected = loss()(z, pairs, context=context(z))
    assert torch.equal(loss_of(loss(), z, pairs, context(z)), expected)
    with pytest.raises(ValueError, match="StepContext"):
        loss()(z, pairs)


def test_it_passes_the_check_of_losses():
    check_loss("triplet", loss(), StepBatch(torch.arange(N), N, class_pairs(N)), 8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_or_better(dtype):
    z, pairs = points(N, 8, scale=300).to(dtype), class_pairs(N)
    expected = loss()(z.float(), pairs, context=context(z))
    with torch.autocast("cpu", torch.bfloat16):
        value = loss()(z, pairs, context=context(z))
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)


@pytest.mark.parametrize("z", [torch.ones(N, 8), points(N, 8, scale=1e6, dtype=torch.float32)])
def test_coincident_and_far_points_have_finite_loss_and_gradient(z):
    z = z.clone().requires_grad_()
    value = loss()(z, class_pairs(N), context=context(z))
    (gradient,) = torch.autograd.grad(value, z)
    assert value.isfinite()
    assert gradient.isfinite().all()
