"""Options of the loss `infonce` build the kernel and objective that they name."""

import pytest
import torch

from dimred.losses import CauchyKernel, CosineKernel, GaussianKernel, infonce_loss
from dimred.losses.options import InfoNCE, KernelName
from dimred.pairing import PositivePairs

Z = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
PAIRS = PositivePairs(torch.arange(8).roll(4))


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ({}, CauchyKernel()),
        ({"degrees_of_freedom": 3.0}, CauchyKernel(3.0)),
        ({"kernel": KernelName.gaussian, "bandwidth": 2.0}, GaussianKernel(2.0)),
        ({"kernel": KernelName.cosine, "temperature": 0.1}, CosineKernel(0.1)),
    ],
)
def test_a_loss_is_built_with_its_kernel(options, kernel, decoupled):
    chosen = InfoNCE(**options, decoupled=decoupled)
    assert not list(chosen.problems("train", 3))
    expected = infonce_loss(Z, PAIRS, kernel, decoupled)
    assert torch.equal(chosen.build()(Z, PAIRS), expected)


def test_a_learned_temperature_is_a_parameter_that_starts_where_it_is_set():
    loss = InfoNCE(kernel=KernelName.cosine, temperature=0.2, learn_temperature=True).build()
    (parameter,) = loss.parameters()
    assert float(parameter.detach().exp()) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.1}, "loss.temperature=0.1: applies to loss.kernel=cosine only, and"),
        ({"kernel": KernelName.cosine, "bandwidth": 2.0}, "loss.bandwidth=2.0: applies to"),
        ({"kernel": KernelName.gaussian, "degrees_of_freedom": 2.0}, "the kernel is gaussian"),
    ],
)
def test_an_option_of_another_kernel_is_refused(options, message):
    (problem,) = InfoNCE(**options).problems("train", 3)
    assert message in problem
