"""What every loss must be, held for all of them."""

import copy

import pytest
import torch
from contracts.loss_cases import DIMS, points
from contracts.losses import LOSSES, REGISTERED, each
from contracts.metric_losses import N_CLASSES
from hypothesis import given
from hypothesis import strategies as st

from dimred.losses import LossSizes, check_loss
from dimred.options.registry import registered
from dimred.pairing import ClassPairs, LabeledPairs, PositivePairs, StepBatch, Targets

each_loss = each(LOSSES)


def value_and_gradient(case, z, pairs):
    z = z.clone().requires_grad_()
    value = case.loss(z, pairs)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def reordered(pairs, order):
    """The same pairs where row order[i] has become row i."""
    place = order.argsort()
    if isinstance(pairs, PositivePairs):
        return PositivePairs(place[pairs.partner[order]])
    if isinstance(pairs, LabeledPairs | ClassPairs):
        return pairs.at(place)
    return Targets(pairs.values[order])


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, options in registered("loss").items()
        # What is around another loss, and draws, is held to its equations in test_dvml.py.
        if options.origin is None and name != "dvml"
    ],
)
def test_every_registered_loss_is_one_of_these(name):
    """A new loss has to be put into `REGISTERED`."""
    key, values = REGISTERED[name]
    case, z = LOSSES[key], points(8, DIMS)
    torch.manual_seed(0)  # which parameters are drawn from
    loss = registered("loss")[name](**values).build_for(LossSizes(5, DIMS, N_CLASSES))
    expected = case.rows(z.tolist(), case.pairs(8, 0))
    rows = loss(z, case.pairs(8, 0), reduction="none")
    assert rows.tolist() == pytest.approx(expected, rel=1e-11, abs=3e-9)


@each_loss
@given(seed=st.integers(0, 1000), half=st.integers(1, 4), scale=st.sampled_from([0.3, 1.0, 5.0]))
def test_value_and_rows_are_those_of_the_equation(case, seed, half, scale):
    n = max(2 * half, case.least)
    z, pairs = points(n, DIMS, seed, scale), case.pairs(n, seed)
    expected = case.rows(z.tolist(), pairs)
    rows = case.loss(z, pairs, reduction="none")
    # PyTorch's softplus leaves out what is below 2e-9.
    assert rows.tolist() == pytest.approx(expected, rel=1e-11, abs=3e-9)
    value = case.loss(z, pairs).detach()
    assert value.shape == ()
    assert float(value) == pytest.approx(sum(expected) / n, rel=1e-11, abs=3e-9)


@each_loss
@pytest.mark.parametrize("n", [4, 6])
def test_gradient_is_that_of_the_value(case, n):
    z = points(n, DIMS, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: case.loss(z, case.pairs(n, 1)), (z,))


@each_loss
def test_the_order_of_the_rows_does_not_matter(case):
    z, pairs = points(8, DIMS), case.pairs(8, 0)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(2))
    value, gradient = value_and_gradient(case, z, pairs)
    again, moved = value_and_gradient(case, z[order], reordered(pairs, order))
    torch.testing.assert_close(again, value)
    torch.testing.assert_close(moved, gradient[order])


@each_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32_under_autocast_too(case, dtype):
    """The squares of these are more than float16 holds."""
    z, pairs = points(16, DIMS, scale=300).to(dtype), case.pairs(16, 0)
    expected = value_and_gradient(case, z.float(), pairs)
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            value, gradient = value_and_gradient(case, z, pairs)
        assert value.dtype == torch.float32
        assert torch.equal(value, expected[0])
        assert torch.equal(gradient, expected[1].to(dtype))


@each_loss
def test_float64_stays_float64(case):
    pairs = case.pairs(8, 0)
    if isinstance(pairs, Targets) and pairs.values.is_floating_point():
        pairs = Targets(pairs.values.float())
    value, gradient = value_and_gradient(case, points(8, DIMS), pairs)
    assert value.dtype == gradient.dtype == torch.float64
    assert case.loss(points(8, DIMS), pairs, reduction="none").dtype == torch.float64


@each_loss
@pytest.mark.parametrize("scale", [20, 1000])
def test_far_points_have_the_loss_of_the_equation_and_finite_gradients(case, scale):
    """Where a kernel such as the Gaussian underflows."""
    z, pairs = points(16, DIMS, scale=scale, dtype=torch.float32), case.pairs(16, 0)
    value, gradient = value_and_gradient(case, z, pairs)
    expected = case.mean(z.double(), pairs)
    assert float(value) == pytest.approx(expected, rel=1e-5, abs=1e-5)
    _, exact = value_and_gradient(case, z.double(), pairs)
    largest = exact.abs().max().clamp_min(1e-12)
    torch.testing.assert_close(gradient.double() / largest, exact / largest, rtol=0, atol=1e-4)


@each_loss
@pytest.mark.parametrize("place", [0.0, 1000.0])
def test_coincident_points_have_finite_loss_and_gradient(case, place):
    z, pairs = torch.full((8, DIMS), place), case.pairs(8, 0)
    value, gradient = value_and_gradient(case, z, pairs)
    assert float(value) == pytest.approx(case.mean(z.double(), pairs), rel=1e-5)
    assert gradient.isfinite().all()


@each_loss
def test_gradients_of_several_uses_add_up(case):
    z, pairs = points(8, DIMS).requires_grad_(), case.pairs(8, 0)
    (3 * case.loss(z, pairs) + case.loss(2 * z, pairs)).backward()
    once, twice = (value_and_gradient(case, k * z.detach(), pairs)[1] for k in (1, 2))
    torch.testing.assert_close(z.grad, 3 * once + 2 * twice)


@each_loss
def test_arguments_are_not_changed(case):
    z, pairs = points(8, DIMS), case.pairs(8, 0)
    before = copy.deepcopy((z, pairs))
    value_and_gradient(case, z, pairs)
    case.loss(z, pairs, reduction="none")
    assert torch.equal(z, before[0])
    assert all(torch.equal(value, vars(before[1])[name]) for name, value in vars(pairs).items())


@each_loss
def test_it_passes_its_check(case):
    check_loss("mine", case.loss, StepBatch(torch.arange(8), 8, case.pairs(8, 0)), DIMS)
