"""Losses of embeddings that are told what they should be; the rest is in tests/contracts."""

import pytest
import torch
from contracts.losses import points

from dimred.losses import squared_error_loss
from dimred.pairing import Targets


@pytest.mark.parametrize("shape", [(6, 1), (1, 4), (6,), (5, 4), (6, 4, 1)])
def test_targets_of_another_shape_are_refused(shape):
    """Broadcasting would give a number."""
    with pytest.raises(ValueError, match="targets"):
        squared_error_loss(points(6, 4), Targets(torch.zeros(shape)))
