"""The contract of losses."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from torch import Tensor

Reduction = Literal["mean", "none"]
"""As in PyTorch's losses: "mean" is the loss of a batch, "none" the loss of each row, whose mean is
the loss of the batch."""


class Loss(Protocol):
    """A loss of embeddings and the pairs among them or their targets: a function, or an nn.Module
    if it has parameters to learn. `check_loss` checks parts of this contract.

    It must not depend on the order of the rows, must be finite for finite embeddings (even where
    all coincide or are far apart), and must be computed in float32 or better, whatever the
    precision of z or autocast.
    """

    def __call__(self, z: Tensor, pairs: Any, *, reduction: Reduction = "mean") -> Tensor:
        """The loss.

        z: embeddings (n, d), n at least 2, of any floating-point type; not changed.
        pairs: as provided by the pairing: `PositivePairs`, `LabeledPairs` or `Targets`.
        reduction: "mean" for a scalar that can be differentiated by z; "none" for (n,), the
            loss of each row, whose mean is the scalar; it needs no gradient.
        """
        ...
