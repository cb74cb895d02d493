"""The losses of deep metric learning against pytorch-metric-learning, and what holds for them
beyond the contract of losses."""

import math
from functools import partial

import pytest
import torch
from contracts.loss_cases import points, seeded
from contracts.metric_losses import class_pairs, positives, semi_hard_negative
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning import losses as oracle
from pytorch_metric_learning.distances import DotProductSimilarity, LpDistance
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer

from dimred.losses import (
    Average,
    LossSizes,
    Mining,
    ProxyNCALoss,
    StepContext,
    TripletLoss,
    lifted_structure_loss,
    loss_of,
    margin_contrastive_loss,
    n_pair_loss,
)
from dimred.options.registry import registered
from dimred.pairing import ClassPairs

N, D, CLASSES = 12, 5, 4
REDUCERS = {Average.all: MeanReducer, Average.above_zero: AvgNonZeroReducer}


def with_gradient(loss, z):
    z = z.clone().requires_grad_()
    value = loss(z)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def check_same(mine, other, z):
    for own, expected in zip(with_gradient(mine, z), with_gradient(other, z), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("average", Average)
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("squared", [True, False])
def test_all_triplets_are_those_of_pytorch_metric_learning(squared, normalize, average):
    z, pairs = points(N, D), class_pairs(N)
    other = oracle.TripletMarginLoss(
        margin=0.3,
        distance=LpDistance(normalize_embeddings=normalize, power=2 if squared else 1),
        reducer=REDUCERS[average](),
    )
    mine = TripletLoss(0.3, squared, normalize, Mining.all, average)
    check_same(lambda z: mine(z, pairs), lambda z: other(z, pairs.values), z)


@pytest.mark.parametrize("seed", range(3))
def test_semi_hard_triplets_have_the_loss_of_pytorch_metric_learning(seed):
    """Its own semi-hard miner takes all negatives within the margin, not the nearest: these are
    TensorFlow's, found by a loop."""
    z, pairs = points(N, D, seed), class_pairs(N, seed)
    unit, values = torch.nn.functional.normalize(z).tolist(), pairs.values.tolist()
    found = [(a, p, semi_hard_negative(a, p, unit, values)) for a, p in positives(values)]
    triplets = tuple(torch.tensor(found).T)
    other = oracle.TripletMarginLoss(
        margin=0.2, distance=LpDistance(power=2), reducer=MeanReducer()
    )
    check_same(
        lambda z: TripletLoss()(z, pairs),
        lambda z: other(z, pairs.values, indices_tuple=triplets),
        z,
    )


def test_semi_hard_takes_the_nearest_beyond_the_positive_else_the_farthest():
    """On a line: anchor 0, its positive at 2, negatives at 1, 3, 4; then at 0.5, 1.5. One that is
    as far as the positive is not beyond it."""
    for negatives, distance in (
        ([1.0, 3.0, 4.0], 3.0),
        ([0.5, 1.5], 1.5),
        ([-2.0, 3.0, -3.0], 3.0),
    ):
        z = torch.tensor([0.0, 2.0, *negatives], dtype=torch.float64)[:, None]
        pairs = ClassPairs(
            torch.tensor([0, 0, *[1 + i for i in range(len(negatives))]]),
            torch.tensor([0]),
            torch.tensor([1]),
        )
        loss = TripletLoss(margin=10.0, squared=False, normalize=False)
        rows = loss(z, pairs, reduction="none")
        # Two triplets; n times the share of the anchor's.
        assert float(rows[0]) == pytest.approx(len(z) * (10 + 2 - distance) / 2)


def one_pair_each(n_classes, seed=0):
    """Two rows of each class in random order, the first of them the anchor."""
    values = torch.arange(n_classes).repeat(2)
    values = values[torch.randperm(2 * n_classes, generator=seeded(seed))]
    rows = torch.stack([(values == c).nonzero().flatten() for c in range(n_classes)])
    return ClassPairs(values, rows[:, 0], rows[:, 1])


def test_one_pair_of_each_class_has_the_n_pair_loss_of_pytorch_metric_learning():
    pairs = one_pair_each(6)
    other = oracle.NPairsLoss(distance=DotProductSimilarity(normalize_embeddings=False))
    check_same(
        lambda z: n_pair_loss(z, pairs, l2=0.0), lambda z: other(z, pairs.values), points(N, D)
    )


def test_the_penalty_is_a_quarter_of_l2_times_the_squared_lengths():
    z, pairs = points(N, D), one_pair_each(6)
    penalty = n_pair_loss(z, pairs, l2=0.8) - n_pair_loss(z, pairs, l2=0.0)
    squares = z.square().sum(1)
    expected = 0.2 * (squares[pairs.anchor].mean() + squares[pairs.positive].mean())
    torch.testing.assert_close(penalty, expected)


@given(seed=st.integers(0, 100))
def test_other_pairs_of_its_own_class_are_no_negatives_of_a_pair(seed):
    z, pairs = points(N, D, seed), class_pairs(N, seed)
    values = pairs.values[pairs.anchor]
    moved = z.clone().requires_grad_()
    rows = n_pair_loss(moved, pairs, l2=0.0, reduction="none")
    (gradient,) = torch.autograd.grad(rows[pairs.anchor[0]], moved)
    for number in range(1, len(values)):
        met = bool(gradient[pairs.positive[number]].any())
        assert met is bool(values[number] != values[0])


@pytest.mark.parametrize("average", Average)
@pytest.mark.parametrize("normalize", [True, False])
def test_the_contrastive_loss_is_that_of_pytorch_metric_learning(normalize, average):
    z, pairs = points(N, D), class_pairs(N)
    other = oracle.ContrastiveLoss(
        pos_margin=0.4,
        neg_margin=1.3,
        distance=LpDistance(normalize_embeddings=normalize),
        reducer=REDUCERS[average](),
    )
    mine = partial(
        margin_contrastive_loss,
        positive_margin=0.4,
        negative_margin=1.3,
        normalize=normalize,
        average=average,
    )
    check_same(lambda z: mine(z, pairs), lambda z: other(z, pairs.values), z)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_lifted_structured_loss_is_that_of_pytorch_metric_learning(normalize):
    z, pairs = points(N, D), class_pairs(N)
    other = oracle.LiftedStructureLoss(
        neg_margin=1, distance=LpDistance(normalize_embeddings=normalize)
    )
    mine = partial(lifted_structure_loss, normalize=normalize)
    check_same(lambda z: mine(z, pairs), lambda z: other(z, pairs.values), z)


def test_with_the_own_proxy_in_the_sum_proxy_nca_is_that_of_pytorch_metric_learning():
    z, pairs = points(N, D), class_pairs(N)
    mine = ProxyNCALoss(CLASSES, D, scale=1.0, own_in_sum=True)
    other = oracle.ProxyNCALoss(CLASSES, D, softmax_scale=1).double()
    other.proxies.data = mine.proxies.detach().double()
    check_same(lambda z: mine(z, pairs), lambda z: other(z, pairs.values), z)
    mine(z, pairs).backward()
    other(z, pairs.values).backward()
    torch.testing.assert_close(mine.proxies.grad.double(), other.proxies.grad, rtol=1e-5, atol=1e-7)


# Each loss, whether it compares directions only, and whether it compares distances only.
LOSSES = {
    "triplet": (TripletLoss(), True, False),
    "triplet_raw": (TripletLoss(1.0, normalize=False, mining=Mining.all), False, True),
    "n_pair": (n_pair_loss, False, False),
    "contrastive": (margin_contrastive_loss, True, False),
    "contrastive_raw": (partial(margin_contrastive_loss, normalize=False), False, True),
    "lifted_structure": (lifted_structure_loss, False, True),
    "lifted_structure_unit": (partial(lifted_structure_loss, normalize=True), True, False),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


@each_loss
@given(seed=st.integers(0, 1000))
def test_turning_all_embeddings_changes_nothing(name, seed):
    loss, z, pairs = LOSSES[name][0], points(N, D, seed), class_pairs(N, seed)
    turn, _ = torch.linalg.qr(points(D, D, seed + 1))
    torch.testing.assert_close(loss(z @ turn, pairs), loss(z, pairs))


@each_loss
@given(seed=st.integers(0, 1000))
def test_the_length_of_an_embedding_matters_unless_it_is_normalized(name, seed):
    loss, by_direction, _ = LOSSES[name]
    z, pairs = points(N, D, seed), class_pairs(N, seed)
    factors = torch.rand(N, 1, generator=seeded(seed), dtype=torch.float64) * 5 + 0.1
    before, after = loss(z, pairs), loss(z * factors, pairs)
    assert torch.allclose(before, after) is by_direction


@each_loss
@given(seed=st.integers(0, 1000))
def test_moving_all_embeddings_changes_what_is_not_made_of_distances(name, seed):
    loss, _, by_distance = LOSSES[name]
    z, pairs = points(N, D, seed), class_pairs(N, seed)
    before, after = loss(z, pairs), loss(z + 1e4, pairs)
    assert torch.allclose(before, after, rtol=1e-9) is by_distance


@each_loss
def test_which_number_a_class_has_does_not_matter(name):
    loss, z, pairs = LOSSES[name][0], points(N, D), class_pairs(N)
    renamed = ClassPairs(torch.tensor([7, 3, 11, 0])[pairs.values], pairs.anchor, pairs.positive)
    torch.testing.assert_close(loss(z, renamed), loss(z, pairs), rtol=1e-12, atol=0)


@each_loss
def test_a_batch_of_one_class_has_a_gradient(name):
    """Zero where there is nothing to compare with."""
    loss = LOSSES[name][0]
    pairs = ClassPairs(torch.zeros(4, dtype=torch.int64), torch.arange(2), torch.arange(2, 4))
    value, gradient = with_gradient(lambda z: loss(z, pairs), points(4, D))
    assert value.isfinite()
    assert gradient.isfinite().all()
    if "contrastive" not in name and name != "n_pair":
        assert float(value) == 0
        assert not gradient.any()


@each_loss
def test_classes_of_one_row_each_have_no_positive(name):
    """Rows repel one another, or have no loss."""
    loss = LOSSES[name][0]
    none = torch.zeros(0, dtype=torch.int64)
    value, gradient = with_gradient(
        lambda z: loss(z, ClassPairs(torch.arange(4), none, none)), points(4, D)
    )
    assert value.isfinite()
    assert gradient.isfinite().all()
    if "contrastive" not in name:
        assert float(value) == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("name", [*LOSSES, "proxy_nca", "distance_weighted"])
def test_embeddings_that_are_not_finite_have_no_finite_loss(name, bad):
    """Nor an error, since the run says where it failed."""
    torch.manual_seed(0)
    others = {
        "proxy_nca": ProxyNCALoss(CLASSES, D),
        "distance_weighted": TripletLoss(mining=Mining.distance_weighted),
    }
    loss = others[name] if name in others else LOSSES[name][0]
    for z in (points(N, D), torch.full((N, D), bad)):
        z[3] = bad
        value = loss_of(loss, z, class_pairs(N), StepContext(z, seeded()))
        assert not value.isfinite()


@pytest.mark.parametrize("loss", [TripletLoss(mining=Mining.all), margin_contrastive_loss])
def test_an_embedding_of_length_0_has_no_direction_and_no_gradient(loss):
    z = points(N, D)
    z[3] = 0.0
    value, gradient = with_gradient(lambda z: loss(z, class_pairs(N)), z)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert not gradient[3].any()
    assert gradient[4].any()


# Options

BUILT = {name: registered("loss")[name] for name in ("triplet", "contrastive", "proxy_nca")}


def test_proxies_are_as_many_as_classes_and_drawn_from_the_seed():
    sizes = LossSizes(7, 3, n_classes=6)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(BUILT["proxy_nca"]().build_for(sizes))
    first, second, third = [loss.proxies for loss in drawn]
    assert first.shape == (6, 3)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(6))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert (drawn[0].lr_factor, drawn[0].carries_on) == (50.0, True)


@pytest.mark.parametrize("build", ["build", "build_for"])
def test_proxies_are_not_built_without_a_number_of_classes(build):
    from dimred.errors import InputError

    arguments = () if build == "build" else (LossSizes(7, 3),)
    with pytest.raises(InputError, match="loss=proxy_nca: has a proxy for each class"):
        getattr(BUILT["proxy_nca"](), build)(*arguments)


def test_margins_that_no_pair_can_keep_are_refused():
    options = BUILT["contrastive"](positive_margin=1.0, negative_margin=0.9)
    (line,) = options.problems("train", 2)
    assert "loss.positive_margin=1.0: must be below loss.negative_margin=0.9" in line
    assert not list(BUILT["contrastive"]().problems("train", 2))


def test_drawing_by_distance_is_for_embeddings_of_length_1():
    raw = BUILT["triplet"](mining=Mining.distance_weighted, normalize=False)
    (line,) = raw.problems("train", 2)
    assert line.startswith("loss.mining=distance_weighted: ")
    assert "loss.normalize=true" in line
    for fitting in (BUILT["triplet"](normalize=False), BUILT["triplet"](mining=raw.mining)):
        assert not list(fitting.problems("train", 2))


def test_options_of_the_triplet_loss_reach_it():
    options = {"margin": 0.7, "squared": False, "normalize": False, "mining": Mining.all}
    built = BUILT["triplet"](**options, average=Average.above_zero).build()
    assert built == TripletLoss(**options, average=Average.above_zero)
