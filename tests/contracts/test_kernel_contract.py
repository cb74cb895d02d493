"""What every kernel must be, held for all of them: log q symmetric, largest where two points agree,
and finite."""

from inspect import getmembers, isclass

import pytest
import torch
from contracts.losses import points

from dimred.losses import CauchyKernel, CosineKernel, GaussianKernel, LearnedCosineKernel, kernels

N = 12
KERNELS = {
    "cauchy": CauchyKernel(),
    "student": CauchyKernel(nu=3.5),
    "gaussian": GaussianKernel(0.7),
    "cosine": CosineKernel(0.2),
    "learned_cosine": LearnedCosineKernel(1.0),
}
each_kernel = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS.keys())


def log_q(kernel, z):
    """log q of all pairs, (n, n), float64, and of the points with the next ones, (n,)."""
    with torch.no_grad():
        similarities = kernel.similarity(kernel.points(z))
        tile = similarities.tile(slice(0, len(z)), slice(0, len(z))).double()
        partner = torch.arange(len(z)).roll(-1)
        return tile.log() if similarities.bounded else tile, similarities.log_of(partner).double()


def test_all_kernels_are_here():
    defined = {
        kind
        for _, kind in getmembers(kernels, isclass)
        if kind.__module__ == kernels.__name__ and kind is not kernels.Kernel
    }
    assert {type(kernel) for kernel in KERNELS.values()} == defined


@each_kernel
@pytest.mark.parametrize("scale", [0.01, 1, 20, 1000])
def test_log_q_is_symmetric_and_finite(kernel, scale):
    values, with_next = log_q(kernel, points(N, 3, scale=scale, dtype=torch.float32))
    assert values.isfinite().all()
    assert with_next.isfinite().all()
    torch.testing.assert_close(values, values.T, rtol=1e-5, atol=1e-5)


@each_kernel
@pytest.mark.parametrize("scale", [1, 20])
def test_log_q_is_largest_at_no_distance(kernel, scale):
    values, _ = log_q(kernel, points(N, 3, scale=scale))
    highest = values.diagonal()
    torch.testing.assert_close(highest, highest[:1].expand(N))
    others = values[~torch.eye(N, dtype=torch.bool)]
    assert (others < highest[0]).all()


@each_kernel
def test_a_pair_has_the_log_q_of_its_tile_up_to_a_constant(kernel):
    values, with_next = log_q(kernel, points(N, 3))
    difference = values[torch.arange(N), torch.arange(N).roll(-1)] - with_next
    torch.testing.assert_close(difference, difference[:1].expand(N))
