"""What the contrastive losses of labeled pairs promise of forces, margins, groups and weights.

That they are those of the papers is held in tests/contracts, too.
"""

import math

import pytest
import torch
from contracts.losses import hinge_rows, labeled_pairs, seeded
from hypothesis import given
from hypothesis import strategies as st

from dimred.losses import (
    HingeForm,
    component_losses,
    drlim_loss,
    generalized_contrastive_loss,
)
from dimred.pairing import LabeledPairs

FORMS = list(HingeForm)
LAYOUTS = [
    pytest.param([2], [1.0], id="2"),
    pytest.param([2, 1], [1.0, 0.5], id="2+1"),
    pytest.param([1, 3, 2], [0.7, 2.0, 1.2], id="1+3+2"),
]


def points(n, d, seed=0, scale=0.6):
    return scale * torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def random_pairs(n, count, p, seed=0):
    return next(labeled_pairs(n, seed, p).blocks(count))


def one_pair(similar=False, p=1):
    row = torch.zeros(1, dtype=torch.int64)
    return LabeledPairs(row, row + 1, torch.full((1, p), similar), torch.ones(1, p))


def gradient(loss, z, *arguments, **options):
    z = z.clone().requires_grad_()
    loss(z, *arguments, **options).backward()
    return z.grad


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("groups", "margins"), LAYOUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_any_groups_have_the_loss_of_the_equation(form, groups, margins, weighted):
    z, pairs = points(8, sum(groups)), random_pairs(8, 40, len(groups))
    weights = [0.3 + i for i in range(len(groups))] if weighted else None
    arguments = (pairs, groups, margins)
    expected = sum(hinge_rows(z.tolist(), *arguments, form, weights)) / 8
    value = generalized_contrastive_loss(z, *arguments, weights, form)
    assert float(value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("d", [2, 3, 17])
def test_one_group_is_drlim_to_the_bit(form, d):
    z, pairs = points(50, d).float(), random_pairs(50, 400, 1)
    one_group = generalized_contrastive_loss(z, pairs, [d], [1.3], form=form)
    assert torch.equal(one_group, drlim_loss(z, pairs, 1.3, form))
    assert torch.equal(
        gradient(generalized_contrastive_loss, z, pairs, [d], [1.3], None, form),
        gradient(drlim_loss, z, pairs, 1.3, form),
    )


@pytest.mark.parametrize("form", FORMS)
def test_the_loss_is_the_sum_of_drlim_in_each_group(form):
    groups, margins = [2, 1, 4], [1.0, 0.4, 2.0]
    z, pairs = points(9, 7, seed=2), random_pairs(9, 60, 3, seed=2)
    parts = []
    for i, part in enumerate(torch.split(z, groups, dim=1)):
        own = LabeledPairs(pairs.left, pairs.right, pairs.similar[:, [i]], pairs.weight[:, [i]])
        parts.append(drlim_loss(part, own, margins[i], form))
    components = component_losses(z, pairs, groups, margins, form)
    torch.testing.assert_close(components, torch.stack(parts))
    whole = generalized_contrastive_loss(z, pairs, groups, margins, form=form)
    torch.testing.assert_close(whole, sum(parts))


def test_defaults_are_the_printed_formula_with_margin_one():
    z, pairs = points(8, 2), random_pairs(8, 40, 1)
    rows = hinge_rows(z.tolist(), pairs, [2], [1.0], HingeForm.squared_hinge)
    assert float(drlim_loss(z, pairs)) == pytest.approx(sum(rows) / 8, rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("similar", [False, True])
@pytest.mark.parametrize("place", [0.0, 0.3, 1000.0])
def test_coincident_points_feel_no_force(form, similar, place):
    z = torch.full((2, 3), place)
    arguments = (one_pair(similar, 2), [2, 1], [1.0, 3.0])
    cost = 0.0 if similar else 1 + 3.0 ** (2 if form is HingeForm.squared_hinge else 1)
    value = generalized_contrastive_loss(z, *arguments, form=form)
    assert float(value) == pytest.approx(0.5 * cost)
    assert gradient(generalized_contrastive_loss, z, *arguments, None, form).eq(0).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("difference", [1e-20, 1e-10])
def test_almost_coincident_points_have_finite_gradients(form, difference):
    z = torch.tensor([[0.0, 0.0], [difference, difference]])
    assert gradient(drlim_loss, z, one_pair(), 1.0, form).isfinite().all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("factor", [1.0, 1.0001, 2.0, 1e6])
def test_no_force_from_the_margin_on(form, factor):
    """The points are at a distance of 5 times the factor; the legacy margin is one on d^2."""
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]]) * factor
    margin = 5.0 if form is HingeForm.squared_hinge else 25.0
    assert float(drlim_loss(z, one_pair(), margin, form)) == 0
    assert gradient(drlim_loss, z, one_pair(), margin, form).eq(0).all()


@pytest.mark.parametrize("form", FORMS)
def test_just_inside_the_margin_points_are_pushed_apart(form):
    z = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64) * 0.999
    margin = 5.0 if form is HingeForm.squared_hinge else 25.0
    descent = -gradient(drlim_loss, z, one_pair(), margin, form)
    assert (descent[1] > 0).all()
    assert torch.equal(descent[0], -descent[1])


def test_similar_points_attract_with_a_force_that_grows_with_distance():
    for d in (0.1, 1.0, 7.0):
        z = torch.tensor([[0.0, 0.0], [0.6 * d, 0.8 * d]], dtype=torch.float64)
        descent = -gradient(drlim_loss, z, one_pair(similar=True))
        torch.testing.assert_close(descent, torch.stack((z[1], -z[1])))


def force(d, margin, form):
    z = torch.tensor([[0.0, 0.0], [0.6 * d, 0.8 * d]], dtype=torch.float64)
    return float(gradient(drlim_loss, z, one_pair(), margin, form)[1].norm())


def test_the_printed_repulsion_is_largest_near_zero_and_falls_to_zero_at_the_margin():
    steps = [1e-6, 0.2, 0.5, 1.0, 1.5, 1.9, 1.999]
    forces = [force(d, 2.0, HingeForm.squared_hinge) for d in steps]
    assert forces == pytest.approx([2.0 - d for d in steps])


def test_the_legacy_repulsion_grows_with_distance_up_to_the_root_of_the_margin():
    steps = [1e-6, 0.2, 0.5, 1.0, 1.4]
    forces = [force(d, 2.0, HingeForm.legacy_caffe) for d in steps]
    assert forces == pytest.approx(steps)
    assert force(1.42, 2.0, HingeForm.legacy_caffe) == 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("component", [0, 1, 2])
def test_a_component_moves_only_its_own_dimensions(form, component):
    groups, margins = [2, 1, 3], [1.0, 1.0, 1.0]
    z, pairs = points(8, 6), random_pairs(8, 40, 3)
    start = sum(groups[:component])
    own = torch.zeros(6, dtype=torch.bool)
    own[start : start + groups[component]] = True

    def its_loss(z):
        return component_losses(z, pairs, groups, margins, form)[component]

    alone = [float(i == component) for i in range(3)]
    for moved in (
        gradient(its_loss, z),
        gradient(generalized_contrastive_loss, z, pairs, groups, margins, alone, form),
    ):
        assert moved[:, ~own].eq(0).all()
        assert moved[:, own].ne(0).any(0).all()


@pytest.mark.parametrize("form", FORMS)
def test_pairs_that_are_not_compared_count_for_nothing(form):
    """Rows 8 and 9 are only in pairs without weight; some of those coincide."""
    z, compared = points(10, 3), random_pairs(8, 30, 2)
    z[9] = z[0]
    left, right = torch.tensor([8, 9, 9, 8]), torch.tensor([0, 0, 1, 9])
    more = LabeledPairs(
        torch.cat((left, compared.left)),
        torch.cat((right, compared.right)),
        torch.cat((torch.tensor([[True, False]] * 4), compared.similar)),
        torch.cat((torch.zeros(4, 2, dtype=torch.float64), compared.weight)),
    )
    results = [
        (
            generalized_contrastive_loss(z, pairs, [2, 1], [1.0, 1.0], form=form),
            gradient(generalized_contrastive_loss, z, pairs, [2, 1], [1.0, 1.0], None, form),
        )
        for pairs in (compared, more)
    ]
    torch.testing.assert_close(results[1], results[0], rtol=1e-14, atol=1e-16)
    assert results[1][1][8:].eq(0).all()


@pytest.mark.parametrize("form", FORMS)
def test_a_component_that_is_not_compared_does_not_stop_the_other(form):
    pairs = LabeledPairs(
        torch.tensor([0]), torch.tensor([1]), torch.tensor([[True, True]]), torch.tensor([[0.0, 1]])
    )
    z = torch.tensor([[1.0, 2.0], [4.0, 6.0]])
    moved = gradient(generalized_contrastive_loss, z, pairs, [1, 1], [1.0, 1.0], None, form)
    assert moved.tolist() == [[0.0, -4.0], [0.0, 4.0]]


@given(seed=st.integers(0, 1000), move=st.floats(-10, 10), angle=st.floats(0, 6.3))
def test_moving_or_turning_within_a_group_changes_nothing(seed, move, angle):
    z, pairs = points(7, 3, seed), random_pairs(7, 30, 2, seed)
    turn = torch.tensor(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]],
        dtype=torch.float64,
    )
    moved = torch.cat((z[:, :2] @ turn + move, -z[:, 2:] - 2 * move), 1)
    for form in FORMS:
        before, after = (
            float(generalized_contrastive_loss(at, pairs, [2, 1], [1.0, 0.7], form=form))
            for at in (z, moved)
        )
        assert after == pytest.approx(before, rel=1e-9, abs=1e-12)


@given(seed=st.integers(0, 1000))
def test_left_and_right_may_change_places(seed):
    z, pairs = points(7, 3, seed), random_pairs(7, 30, 2, seed)
    swap = torch.rand(30, generator=seeded(seed)) < 0.5
    swapped = LabeledPairs(
        torch.where(swap, pairs.right, pairs.left),
        torch.where(swap, pairs.left, pairs.right),
        pairs.similar,
        pairs.weight,
    )
    for form in FORMS:
        arguments = ([2, 1], [1.0, 0.7], None, form)
        assert torch.equal(
            generalized_contrastive_loss(z, swapped, *arguments),
            generalized_contrastive_loss(z, pairs, *arguments),
        )
        torch.testing.assert_close(
            gradient(generalized_contrastive_loss, z, swapped, *arguments),
            gradient(generalized_contrastive_loss, z, pairs, *arguments),
        )


@given(seed=st.integers(0, 1000))
def test_pairs_elsewhere_are_the_same_pairs(seed):
    """`LabeledPairs.at`: row i is row rows[i] there."""
    z, pairs = points(7, 2, seed), random_pairs(7, 30, 1, seed)
    rows = torch.randperm(12, generator=seeded(seed))[:7]
    elsewhere = torch.full((12, 2), torch.nan, dtype=torch.float64)
    elsewhere[rows] = z
    assert torch.equal(drlim_loss(elsewhere, pairs.at(rows)), drlim_loss(z, pairs))


@pytest.mark.parametrize("groups", [[2, 2], [1, 1], [3, 0], [4, -1], [2], []])
def test_groups_must_cover_every_dimension_once(groups):
    pairs = random_pairs(5, 10, max(len(groups), 1))
    with pytest.raises(ValueError, match="groups"):
        generalized_contrastive_loss(points(5, 3), pairs, groups, [1.0] * len(groups))


@pytest.mark.parametrize(
    "margins",
    [[1.0], [1.0] * 3, [0.0, 1.0], [1.0, -1.0], [math.nan, 1.0], [1.0, math.inf]],
    ids=str,
)
def test_margins_must_be_positive_and_one_for_each_group(margins):
    with pytest.raises(ValueError, match="margins"):
        generalized_contrastive_loss(points(5, 3), random_pairs(5, 10, 2), [2, 1], margins)


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_drlim_refuses_a_margin_that_is_not_positive(margin):
    with pytest.raises(ValueError, match="margin"):
        drlim_loss(points(5, 2), random_pairs(5, 10, 1), margin)


def test_drlim_refuses_labels_of_more_components():
    with pytest.raises(ValueError, match="2 labels a pair, 1 groups"):
        drlim_loss(points(5, 2), random_pairs(5, 10, 2))


@pytest.mark.parametrize("components", [1, 3])
def test_labels_must_be_one_for_each_group(components):
    with pytest.raises(ValueError, match=f"{components} labels a pair, 2 groups"):
        generalized_contrastive_loss(
            points(5, 3), random_pairs(5, 10, components), [2, 1], [1.0, 1.0]
        )


@pytest.mark.parametrize(
    "weights", [[1.0], [1.0] * 3, [1.0, -0.1], [math.nan, 1.0], [math.inf, 1.0]], ids=str
)
def test_weights_must_be_one_for_each_group_and_not_negative(weights):
    with pytest.raises(ValueError, match="weights"):
        generalized_contrastive_loss(
            points(5, 3), random_pairs(5, 10, 2), [2, 1], [1.0, 1.0], weights
        )
