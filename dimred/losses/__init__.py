"""Losses: functions of (embeddings, pairs) and nothing else."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from dimred.losses.contrastive import (
    HingeForm,
    component_losses,
    drlim_loss,
    generalized_contrastive_loss,
)
from dimred.losses.simclr import simclr_loss
from dimred.losses.supervised import cross_entropy_loss, squared_error_loss
from dimred.losses.tsimcne import tsimcne_loss

Loss = Callable[[Tensor, Any], Tensor]
"""Embeddings (n, d) and the pairs among their rows -> a scalar, float32 or better."""

__all__ = [
    "HingeForm",
    "Loss",
    "component_losses",
    "cross_entropy_loss",
    "drlim_loss",
    "generalized_contrastive_loss",
    "simclr_loss",
    "squared_error_loss",
    "tsimcne_loss",
]
