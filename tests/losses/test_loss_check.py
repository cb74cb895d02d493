"""A loss that does not keep to its protocol is refused in one line before training."""

import pytest
import torch

from dimred.errors import InputError
from dimred.losses import CauchyKernel, InfoNCE, check_loss
from dimred.pairing import PositivePairs, StepBatch

BATCH = StepBatch(torch.arange(4), 8, PositivePairs(torch.arange(8).roll(4)))


def rows(z):
    return z.square().sum(1)


def without_reduction(z, pairs):
    return rows(z).mean()


def reduced(mean, none=rows):
    return lambda z, pairs, reduction="mean": mean(z) if reduction == "mean" else none(z)


class Rounded(torch.autograd.Function):
    """Gives a number and no gradient for it."""

    @staticmethod
    def forward(ctx, z):
        return z.mean()

    @staticmethod
    def backward(ctx, upstream):
        return None


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (without_reduction, "TypeError.*'reduction'.*a loss takes"),
        (reduced(rows), r"returns float32 \(8,\) where a floating-point scalar"),
        (reduced(lambda z: 3.0), "returns float where"),
        (reduced(lambda z: z.argmax()), "returns int64"),
        (reduced(lambda z: rows(z).mean() / 0), "inf, which is not finite"),
        (reduced(lambda z: rows(z).mean().detach()), "no gradient"),
        (reduced(Rounded.apply), "no finite gradient"),
        (reduced(lambda z: (z - z).abs().sum().sqrt()), "no finite gradient"),
        (reduced(lambda z: rows(z).mean(), lambda z: rows(z).mean()), r"returns float32 \(\)"),
        (reduced(lambda z: rows(z).sum()), "must be equal"),
        (reduced(lambda z: z @ z), r"RuntimeError: .*\(test_loss_check.py, line \d+\)"),
    ],
)
def test_a_loss_that_is_not_sound_is_named(loss, message):
    with pytest.raises(InputError, match=f"^loss=mine: .*{message}") as refusal:
        check_loss("mine", loss, BATCH, 2)
    assert "\n" not in str(refusal.value)


def test_a_sound_loss_passes():
    check_loss("mine", reduced(lambda z: rows(z).mean()), BATCH, 2)


def test_a_decoupled_loss_is_refused_where_a_step_has_one_pair():
    one = StepBatch(torch.arange(1), 2, PositivePairs(torch.tensor([1, 0])))
    with pytest.raises(InputError, match=r"^decoupled=true: needs at least two pairs"):
        check_loss("infonce", InfoNCE(CauchyKernel(), decoupled=True), one, 2)


def test_an_error_in_a_loss_of_dimred_is_a_bug_and_keeps_its_traceback():
    with pytest.raises(TypeError, match="reduction"):
        check_loss("mine", without_reduction, BATCH, 2, is_plugin=False)
