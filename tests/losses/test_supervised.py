"""Losses of embeddings that are told what they should be; the rest is in tests/contracts."""

import pytest
import torch
from contracts.losses import points

from dimred.losses import binary_logistic_loss, squared_error_loss
from dimred.pairing import Targets


@pytest.mark.parametrize("shape", [(6, 1), (1, 4), (6,), (5, 4), (6, 4, 1)])
def test_targets_of_another_shape_are_refused(shape):
    """Broadcasting would give a number."""
    with pytest.raises(ValueError, match="targets"):
        squared_error_loss(points(6, 4), Targets(torch.zeros(shape)))


@pytest.mark.parametrize("shape", [(6, 1), (1, 4), (6,), (6, 3)])
def test_presence_of_other_classes_is_refused(shape):
    with pytest.raises(ValueError, match="targets"):
        binary_logistic_loss(points(6, 4), Targets(torch.zeros(shape)))


def test_scores_that_are_sure_and_right_cost_nothing_and_wrong_ones_their_size():
    present = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    sure = 2 * present - 1
    assert float(binary_logistic_loss(1e4 * sure, Targets(present))) == 0
    assert float(binary_logistic_loss(-1e4 * sure, Targets(present))) == 2e4
