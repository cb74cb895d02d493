"""The losses against naive float64 loops written from the equations of the papers."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import NTXentLoss
from torch.utils._python_dispatch import TorchDispatchMode

from dimred.losses import infonce, simclr_loss, tsimcne_loss
from dimred.pairing.pairs import PositivePairs


def two_views(b):
    """Rows i and i + b are partners."""
    return PositivePairs(torch.arange(2 * b).roll(b))


def points(b, d, seed=0, scale=1.0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(2 * b, d, generator=generator, dtype=torch.float64).to(dtype)


def log_cauchy(x, y):
    return -math.log(1 + sum((a - b) ** 2 for a, b in zip(x, y, strict=True)))


def log_cosine(x, y, tau=0.5):
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    norms = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
    return dot / norms / tau


def naive_rows(z, pairs, log_q):
    """-log q_ij + log sum_{k != i} q_ik for each i."""
    z = z.tolist()
    for i, j in enumerate(pairs.partner.tolist()):
        others = [log_q(z[i], z[k]) for k in range(len(z)) if k != i]
        largest = max(others)
        total = math.log(sum(math.exp(value - largest) for value in others))
        yield -log_q(z[i], z[j]) + largest + total


def naive(z, pairs, log_q):
    """Mean over i."""
    return sum(naive_rows(z, pairs, log_q)) / len(z)


def numeric_gradient(z, pairs, log_q, step=1e-5):
    gradient = torch.zeros_like(z)
    for i, k in np.ndindex(*z.shape):
        up, down = z.clone(), z.clone()
        up[i, k] += step
        down[i, k] -= step
        gradient[i, k] = (naive(up, pairs, log_q) - naive(down, pairs, log_q)) / (2 * step)
    return gradient


LOSSES = [
    pytest.param(tsimcne_loss, log_cauchy, id="tsimcne"),
    pytest.param(simclr_loss, log_cosine, id="simclr"),
]


@pytest.mark.parametrize(("loss", "log_q"), LOSSES)
@pytest.mark.parametrize(("b", "d"), [(1, 2), (3, 2), (4, 3), (4, 7), (3, 16)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_value_equals_the_equation(loss, log_q, b, d, dtype, tolerance):
    z = points(b, d, dtype=dtype)
    expected = naive(z.double(), two_views(b), log_q)
    assert float(loss(z, two_views(b))) == pytest.approx(expected, rel=tolerance, abs=tolerance)


@pytest.mark.parametrize(("loss", "log_q"), LOSSES)
@pytest.mark.parametrize("b", [1, 4, 300])  # of more than one tile
def test_rows_equal_the_terms_of_the_equation(loss, log_q, b):
    z, pairs = points(b, 2), two_views(b)
    rows = loss(z, pairs, reduction="none")
    assert not rows.requires_grad
    expected = list(naive_rows(z, pairs, log_q))
    torch.testing.assert_close(rows, torch.tensor(expected, dtype=torch.float64))
    assert float(rows.mean()) == pytest.approx(float(loss(z, pairs)), rel=1e-12)


@pytest.mark.parametrize(("loss", "log_q"), LOSSES)
@pytest.mark.parametrize("d", [2, 5])
def test_gradient_equals_the_equations(loss, log_q, d):
    z = points(3, d).requires_grad_()
    loss(z, two_views(3)).backward()
    expected = numeric_gradient(z.detach(), two_views(3), log_q)
    torch.testing.assert_close(z.grad, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
@pytest.mark.parametrize("d", [1, 2, 5])
def test_gradient_passes_gradcheck(loss, d):
    z = points(3, d, seed=1).requires_grad_()
    torch.autograd.gradcheck(lambda z: loss(z, two_views(3)), (z,))


@given(seed=st.integers(0, 1000), b=st.integers(2, 6))
def test_any_partner_assignment_is_respected(seed, b):
    order = torch.randperm(2 * b, generator=torch.Generator().manual_seed(seed))
    partner = torch.empty(2 * b, dtype=torch.int64)
    partner[order[:b]], partner[order[b:]] = order[b:], order[:b]
    z = points(b, 2, seed)
    for loss, log_q in ((tsimcne_loss, log_cauchy), (simclr_loss, log_cosine)):
        expected = naive(z, PositivePairs(partner), log_q)
        assert float(loss(z, PositivePairs(partner))) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("tau", [0.1, 0.5, 2.0])
def test_simclr_equals_an_independent_nt_xent(tau):
    z = points(8, 5)
    oracle = NTXentLoss(temperature=tau)(z, torch.arange(8).repeat(2))
    assert float(simclr_loss(z, two_views(8), tau)) == pytest.approx(float(oracle), rel=1e-9)


def test_simclr_lower_bound_is_reached_by_opposite_pairs():
    """-1/tau + log(e^(1/tau) + (2b - 2) e^(-1/tau)) where partners agree and others oppose."""
    z = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64).repeat(2, 1)
    bound = -2 + math.log(math.exp(2) + 2 * math.exp(-2))
    assert float(simclr_loss(z, two_views(2))) == pytest.approx(bound)


@given(seed=st.integers(0, 1000), shift=st.floats(-1000, 1000))
def test_tsimcne_does_not_change_when_the_map_moves_or_turns(seed, shift):
    z = points(4, 2, seed)
    turned = z @ torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=z.dtype) + shift
    before, after = tsimcne_loss(z, two_views(4)), tsimcne_loss(turned, two_views(4))
    assert float(after) == pytest.approx(float(before), rel=1e-8)


@given(seed=st.integers(0, 1000), factor=st.floats(1e-3, 1e3))
def test_simclr_does_not_change_when_rows_are_scaled(seed, factor):
    z = points(4, 3, seed)
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


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
@pytest.mark.parametrize("kept", [0, 2**26])
@given(b=st.integers(1, 9), d=st.sampled_from([1, 2, 9]), side=st.integers(1, 20))
def test_tiles_of_any_size_give_the_same_value_and_gradient(loss, kept, b, d, side):
    z = points(b, d)
    whole, gradient = value_and_gradient(loss, z, b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infonce, "_CPU_TILE", side)
        patch.setattr(infonce, "_KEPT", kept)
        in_tiles, its_gradient = value_and_gradient(loss, z, b)
    torch.testing.assert_close(in_tiles, whole, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(its_gradient, gradient, rtol=1e-10, atol=1e-12)


class LargestTensor(TorchDispatchMode):
    """Records the most elements that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
@pytest.mark.parametrize("d", [2, 128])
def test_no_tensor_grows_with_the_square_of_the_points(loss, d):
    b = 2048
    with LargestTensor() as seen:
        value_and_gradient(loss, points(b, d, dtype=torch.float32), b)
    assert seen.elements <= max(infonce._CPU_TILE**2, 2 * b * (d + 2)) < (2 * b) ** 2 / 16


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
def test_a_gradient_of_several_uses_adds_up(loss):
    z = points(4, 3).requires_grad_()
    (3 * loss(z, two_views(4)) + loss(2 * z, two_views(4))).backward()
    once, twice = (value_and_gradient(loss, k * z.detach(), 4)[1] for k in (1, 2))
    torch.testing.assert_close(z.grad, 3 * once + 2 * twice)


@pytest.mark.parametrize("tau", [0.003, 0.01, 0.025, 0.03])
def test_simclr_is_exact_at_low_temperatures(tau):
    """Where exp(-2 / tau), the least similarity, leaves the range of float32."""
    z = points(8, 2, dtype=torch.float32)
    z[8:] = -z[:8]  # partners are as far as can be
    pairs = two_views(8)
    expected = naive(z.double(), pairs, partial(log_cosine, tau=tau))
    value, gradient = value_and_gradient(partial(simclr_loss, temperature=tau), z, 8)
    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(expected, rel=1e-5)
    exact = numeric_gradient(z.double(), pairs, partial(log_cosine, tau=tau), step=1e-7)
    scale = exact.abs().max()
    torch.testing.assert_close(gradient.double() / scale, exact / scale, rtol=0, atol=1e-4)


@pytest.mark.parametrize(("d", "tolerance"), [(2, 1e-6), (8, 1e-6), (128, 5e-4)])
def test_the_gradient_of_far_clusters_is_right_to_the_digits_of_their_coordinates(d, tolerance):
    """Two clusters at coordinates of 0 and 200, within which 128-D ones differ by 0.1, of which
    float32 keeps 1e-4."""
    b = 64
    cluster = (torch.arange(2 * b) % 2)[:, None]
    z = points(b, d, dtype=torch.float32) / d**0.5 + 200 * cluster
    _, gradient = value_and_gradient(tsimcne_loss, z, b)
    exact = z.double().requires_grad_()
    distances2 = (exact[:, None] - exact[None]).square().sum(2)
    logits = -torch.log1p(distances2).masked_fill(torch.eye(2 * b, dtype=torch.bool), torch.inf)
    torch.nn.functional.cross_entropy(logits, two_views(b).partner).backward()
    scale = exact.grad.abs().max()
    error = (gradient.double() - exact.grad).abs().max() / scale
    assert error < tolerance


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
@pytest.mark.parametrize("d", [2, 128])
@pytest.mark.parametrize("place", [0.0, 1.0, 1000.0])
def test_coincident_points_have_finite_loss_and_gradient(loss, d, place):
    z = torch.full((8, d), place).requires_grad_()
    value = loss(z, two_views(4))
    value.backward()
    assert float(value.detach()) == pytest.approx(math.log(7), rel=1e-6)
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("loss", [tsimcne_loss, simclr_loss])
def test_bf16_embeddings_are_judged_in_float32(loss):
    z = points(16, 2, scale=100).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(z, two_views(16))
    value.backward()
    assert value.dtype == torch.float32
    expected = float(loss(z.detach().double(), two_views(16)))
    assert float(value.detach()) == pytest.approx(expected, rel=1e-6)
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("tau", [0.0, 0.002, -1.0, float("nan")])
def test_simclr_refuses_a_temperature_that_is_too_low(tau):
    with pytest.raises(ValueError, match="temperature"):
        simclr_loss(points(2, 2), two_views(2), tau)
