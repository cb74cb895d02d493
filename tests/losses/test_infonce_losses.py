"""Contrastive losses of positive pairs: digits, tiles, memory, and what each kernel promises.

That they are those of the papers is held in tests/contracts.
"""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from contracts.losses import POSITIVE_PAIRS, each, infonce_rows, log_cosine, points
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss
from torch.utils._python_dispatch import TorchDispatchMode

from dimred.losses import (
    CauchyKernel,
    CosineKernel,
    GaussianKernel,
    InfoNCE,
    LearnedCosineKernel,
    infonce,
    infonce_loss,
    simclr_loss,
    tsimcne_loss,
)
from dimred.pairing import PositivePairs

each_loss = each(POSITIVE_PAIRS)


def two_views(b):
    """Rows i and i + b are partners."""
    return PositivePairs(torch.arange(2 * b).roll(b))


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
def test_simclr_equals_an_independent_nt_xent(tau):
    z = points(16, 5)
    oracle = NTXentLoss(temperature=tau)(z, torch.arange(8).repeat(2))
    assert float(simclr_loss(z, two_views(8), tau)) == pytest.approx(float(oracle), rel=1e-9)


def test_simclr_lower_bound_is_reached_by_opposite_pairs():
    """-1/tau + log(e^(1/tau) + (2b - 2) e^(-1/tau)) where partners agree and others oppose."""
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64).repeat(2, 1)
    bound = -2 + math.log(math.exp(2) + 2 * math.exp(-2))
    assert float(simclr_loss(z, two_views(2))) == pytest.approx(bound)


@given(seed=st.integers(0, 1000), shift=st.floats(-1000, 1000))
def test_tsimcne_does_not_change_when_the_map_moves_or_turns(seed, shift):
    z = points(8, 2, seed)
    turned = z @ torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=z.dtype) + shift
    before, after = tsimcne_loss(z, two_views(4)), tsimcne_loss(turned, two_views(4))
    assert float(after) == pytest.approx(float(before), rel=1e-8)


@given(seed=st.integers(0, 1000), factor=st.floats(1e-3, 1e3))
def test_simclr_does_not_change_when_rows_are_scaled(seed, factor):
    z = points(8, 3, seed)
    before, after = simclr_loss(z, two_views(4)), simclr_loss(z * factor, two_views(4))
    assert float(after) == pytest.approx(float(before), rel=1e-9)


@pytest.mark.parametrize("d", [2, 128])
def test_tsimcne_is_exact_in_float32_at_coordinates_of_a_thousand(d):
    b = 64
    z = 1000 * (2 * torch.rand(2 * b, d, generator=torch.Generator().manual_seed(0)) - 1)
    z[b:] = z[:b] + 0.1 * torch.randn(b, d, generator=torch.Generator().manual_seed(1))
    pairs, exact = two_views(b), z.double().requires_grad_()
    z.requires_grad_()
    loss, expected = tsimcne_loss(z, pairs), tsimcne_loss(exact, pairs)
    loss.backward()
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-6, abs=1e-6)
    scale = exact.grad.abs().max()
    torch.testing.assert_close(z.grad.double() / scale, exact.grad / scale, rtol=0, atol=2e-6)


def value_and_gradient(loss, z, b):
    z = z.clone().requires_grad_()
    value = loss(z, two_views(b))
    value.backward()
    return value.detach(), z.grad


def exact_gradient(log_q, z, b):
    """Of InfoNCE, from a matrix of log q."""
    z = z.double().requires_grad_()
    logits = log_q(z).masked_fill(torch.eye(2 * b, dtype=torch.bool), -torch.inf)
    F.cross_entropy(logits, two_views(b).partner).backward()
    return z.grad


@each_loss
@pytest.mark.parametrize("kept", [0, 2**26])
@settings(max_examples=25)
@given(b=st.integers(2, 9), d=st.sampled_from([1, 2, 9]), side=st.integers(1, 20))
def test_tiles_of_any_size_give_the_same_value_and_gradient(case, kept, b, d, side):
    z, pairs = points(2 * b, d), two_views(b)
    whole, gradient = value_and_gradient(case.loss, z, b)
    rows = case.loss(z, pairs, reduction="none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infonce, "_CPU_TILE", side)
        patch.setattr(infonce, "_KEPT", kept)
        in_tiles, its_gradient = value_and_gradient(case.loss, z, b)
        its_rows = case.loss(z, pairs, reduction="none")
    torch.testing.assert_close(in_tiles, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(its_gradient, gradient, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(its_rows, rows, rtol=1e-10, atol=1e-12)


class LargestTensor(TorchDispatchMode):
    """Records the most elements that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


@each_loss
@pytest.mark.parametrize("d", [2, 128])
def test_no_tensor_grows_with_the_square_of_the_points(case, d):
    b = 1024
    with LargestTensor() as seen:
        value_and_gradient(case.loss, points(2 * b, d, dtype=torch.float32), b)
    assert seen.elements <= max(infonce._CPU_TILE**2, 2 * b * (d + 2)) < (2 * b) ** 2 / 8


@pytest.mark.parametrize("tau", [0.003, 0.01, 0.025, 0.03])
@pytest.mark.parametrize(
    "loss",
    [
        lambda tau: partial(simclr_loss, temperature=tau),
        lambda tau: InfoNCE(LearnedCosineKernel(tau)),
    ],
    ids=["given", "learned"],
)
def test_cosines_are_exact_at_low_temperatures(loss, tau):
    """Where exp(-2 / tau), the least similarity, leaves the range of float32."""
    z = points(16, 2, dtype=torch.float32)
    z[8:] = -z[:8]  # partners are as far as can be
    pairs = two_views(8)
    rows = infonce_rows(z.tolist(), pairs, partial(log_cosine, tau=tau))
    value, gradient = value_and_gradient(loss(tau), z, 8)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(sum(rows) / 16, rel=1e-5)
    exact = exact_gradient(lambda z: F.normalize(z) @ F.normalize(z).T / tau, z, 8)
    scale = exact.abs().max()
    torch.testing.assert_close(gradient.double() / scale, exact / scale, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("d", "tolerance"), [(2, 1e-6), (8, 1e-6), (128, 5e-4)])
def test_the_gradient_of_far_clusters_is_right_to_the_digits_of_their_coordinates(d, tolerance):
    """Two clusters at coordinates of 0 and 200, within which 128-D ones differ by 0.1, of which
    float32 keeps 1e-4."""
    b = 64
    cluster = (torch.arange(2 * b) % 2)[:, None]
    z = points(2 * b, d, dtype=torch.float32) / d**0.5 + 200 * cluster
    _, gradient = value_and_gradient(tsimcne_loss, z, b)
    exact = exact_gradient(lambda z: -torch.log1p((z[:, None] - z).square().sum(2)), z, b)
    error = (gradient.double() - exact).abs().max() / exact.abs().max()
    assert error < tolerance


@pytest.mark.parametrize("tau", [0.0, 0.002, -1.0, float("nan")])
def test_simclr_refuses_a_temperature_that_is_too_low(tau):
    with pytest.raises(ValueError, match="temperature"):
        simclr_loss(points(4, 2), two_views(2), tau)


# Kernels


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (CauchyKernel, 0.0),
        (CauchyKernel, math.inf),
        (GaussianKernel, -1.0),
        (GaussianKernel, math.nan),
        (CosineKernel, 0.002),
        (LearnedCosineKernel, math.inf),
    ],
)
def test_kernels_refuse_what_they_cannot_be(make, value):
    with pytest.raises(ValueError, match=f"={value}: must be"):
        make(value)


def test_many_degrees_of_freedom_are_the_gaussian():
    z, pairs = points(8, 2), two_views(4)
    found = infonce_loss(z, pairs, CauchyKernel(nu=1e9))
    assert float(found) == pytest.approx(float(infonce_loss(z, pairs, GaussianKernel())), rel=1e-7)


def test_few_degrees_of_freedom_are_the_same_by_both_ways_of_computing():
    """nu = 1 has a faster way."""
    z = points(8, 2)
    fast, near = (InfoNCE(CauchyKernel(nu)) for nu in (1.0, 1 + 1e-12))
    torch.testing.assert_close(value_and_gradient(near, z, 4), value_and_gradient(fast, z, 4))


def test_a_gaussian_at_coordinates_of_twenty_does_not_underflow():
    """exp(-d^2 / 2) is 0 in float32 from d = 14.5 on."""
    corners = 20 * torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    z = corners.repeat_interleave(2, 0)[torch.tensor([0, 2, 4, 6, 3, 5, 7, 1])]
    value, gradient = value_and_gradient(InfoNCE(GaussianKernel()), z, 4)
    # Half of 40^2, from a partner at the next corner, and of 40^2 + 40^2; the nearest are at 0.
    assert float(value) == pytest.approx((800 + 1600 + 800 + 1600) / 4)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 1


@pytest.mark.parametrize("decoupled", [False, True])
def test_a_learned_temperature_has_the_gradient_of_the_equation(decoupled):
    kernel = LearnedCosineKernel(0.3)
    loss, z, pairs = InfoNCE(kernel, decoupled).double(), points(8, 3), two_views(4)
    loss(z, pairs).backward()

    def at(log_temperature):
        log_q = partial(log_cosine, tau=math.exp(log_temperature))
        return sum(infonce_rows(z.tolist(), pairs, log_q, decoupled)) / 8

    start, step = float(kernel.log_temperature.detach()), 1e-6
    expected = (at(start + step) - at(start - step)) / (2 * step)
    assert abs(expected) > 1e-3
    assert float(kernel.log_temperature.grad) == pytest.approx(expected, rel=1e-6)


def test_a_learned_temperature_is_the_parameter_of_its_loss_and_is_saved():
    loss = InfoNCE(LearnedCosineKernel(0.3))
    assert [name for name, _ in loss.named_parameters()] == ["kernel.log_temperature"]
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    loss(points(8, 3), two_views(4)).backward()
    optimizer.step()
    other = InfoNCE(LearnedCosineKernel())
    other.load_state_dict(loss.state_dict())
    assert float(other.kernel.temperature.detach()) != pytest.approx(0.3)
    assert torch.equal(other.kernel.temperature, loss.kernel.temperature)
    assert not list(InfoNCE(CosineKernel()).parameters())


def test_a_decoupled_loss_needs_two_pairs():
    with pytest.raises(ValueError, match="needs at least two pairs"):
        infonce_loss(points(2, 2), two_views(1), CauchyKernel(), decoupled=True)
