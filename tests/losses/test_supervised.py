"""Losses of embeddings that are told what they should be, against naive loops."""

import math

import pytest
import torch

from dimred.losses import cross_entropy_loss, squared_error_loss
from dimred.pairing import Targets


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, d, seed=0, scale=1.0):
    return scale * torch.randn(n, d, generator=seeded(seed), dtype=torch.float64)


def mean_squares(z, values):
    total = 0.0
    for row, target in zip(z.tolist(), values.tolist(), strict=True):
        total += sum((a - b) ** 2 for a, b in zip(row, target, strict=True))
    return total / z.numel()


def mean_surprise(z, classes):
    """-log of the softmax at the class."""
    total = 0.0
    for row, label in zip(z.tolist(), classes.tolist(), strict=True):
        largest = max(row)
        total += largest + math.log(sum(math.exp(v - largest) for v in row)) - row[label]
    return total / len(z)


CASES = [
    pytest.param(squared_error_loss, mean_squares, points(6, 4, seed=1), id="squared_error"),
    pytest.param(
        cross_entropy_loss,
        mean_surprise,
        torch.randint(4, (6,), generator=seeded(3)),
        id="cross_entropy",
    ),
]


@pytest.mark.parametrize(("loss", "naive", "values"), CASES)
def test_value_and_gradient_equal_the_equation(loss, naive, values):
    z = points(6, 4).requires_grad_()
    value = loss(z, Targets(values))
    value.backward()
    assert float(value.detach()) == pytest.approx(naive(z.detach(), values), rel=1e-12)
    expected = torch.zeros(6, 4, dtype=torch.float64)
    for i, j in torch.cartesian_prod(torch.arange(6), torch.arange(4)):
        step = torch.zeros(6, 4, dtype=torch.float64)
        step[i, j] = 1e-6
        up, down = (naive(z.detach() + sign * step, values) for sign in (1, -1))
        expected[i, j] = (up - down) / 2e-6
    torch.testing.assert_close(z.grad, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("loss", "naive", "values"), CASES)
def test_rows_are_the_losses_of_each_image(loss, naive, values):
    z = points(6, 4)
    rows = loss(z, Targets(values), reduction="none")
    expected = [naive(z[i : i + 1], values[i : i + 1]) for i in range(6)]
    assert rows.tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("loss", "naive", "values"), CASES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(loss, naive, values, dtype):
    """The squares of these are more than float16 holds."""
    z = points(6, 4, scale=300).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(z, Targets(values))
    value.backward()
    assert value.dtype == torch.float32
    assert float(value.detach()) == pytest.approx(naive(z.detach().double(), values), rel=1e-5)
    assert z.grad.isfinite().all()


@pytest.mark.parametrize(("loss", "naive", "values"), CASES)
def test_autocast_does_not_change_it(loss, naive, values):
    z = points(6, 4).float()
    expected = loss(z, Targets(values))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(loss(z, Targets(values)), expected)


def test_float32_targets_do_not_lower_float64_embeddings():
    values = points(6, 4, seed=1).float()
    value = squared_error_loss(points(6, 4), Targets(values))
    assert value.dtype == torch.float64
    assert float(value) == pytest.approx(mean_squares(points(6, 4), values), rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 1), (1, 4), (6,), (5, 4), (6, 4, 1)])
def test_targets_of_another_shape_are_refused(shape):
    """Broadcasting would give a number."""
    with pytest.raises(ValueError, match="targets"):
        squared_error_loss(points(6, 4), Targets(torch.zeros(shape)))
