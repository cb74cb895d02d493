"""Losses: functions of (embeddings, pairs) and nothing else."""

from typing import Any, Protocol

from torch import Tensor

from dimred.losses.contrastive import (
    HingeForm,
    component_losses,
    drlim_loss,
    generalized_contrastive_loss,
)
from dimred.losses.reduction import Reduction
from dimred.losses.simclr import simclr_loss
from dimred.losses.supervised import cross_entropy_loss, squared_error_loss
from dimred.losses.tsimcne import tsimcne_loss


class Loss(Protocol):
    """Embeddings (n, d) and the pairs among their rows -> a scalar, float32 or better; with
    reduction="none" what each row has in it (n,), whose mean is that scalar."""

    def __call__(self, z: Tensor, pairs: Any, *, reduction: Reduction = "mean") -> Tensor: ...


__all__ = [
    "HingeForm",
    "Loss",
    "Reduction",
    "component_losses",
    "cross_entropy_loss",
    "drlim_loss",
    "generalized_contrastive_loss",
    "simclr_loss",
    "squared_error_loss",
    "tsimcne_loss",
]
