"""The contract of losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

Reduction = Literal["mean", "none"]
"""As in PyTorch's losses: "mean" is the loss of a batch, "none" the loss of each row, whose mean is
the loss of the batch."""


@dataclass(frozen=True)
class StepContext:
    """What a loss may use besides Z and the pairs, if it asks for it: see `Loss`.

    h: H of the same rows (n, h), float32.
    generator: of random numbers, on the device of Z, derived from the seed and the step. All
        processes that share a step have the same.
    progress: share of the stage that is done, from 0 to below 1 in its steps; 1 for the losses of
        images at its end.
    """

    h: Tensor
    generator: torch.Generator
    progress: float = 0.0


class LossSizes(NamedTuple):
    """What the shapes of a loss's parameters can depend on.

    h_dim: dimension of H. out_dim: that of Z. n_classes: number of classes that are learned from;
    None where the pairing knows of none. stage: number of the stage, from 0.
    """

    h_dim: int
    out_dim: int
    n_classes: int | None = None
    stage: int = 0


class Loss(Protocol):
    """A loss of embeddings and the pairs among them or their targets: a function, or an nn.Module
    if it has parameters to learn. `check_loss` checks parts of this contract.

    It must not depend on the order of the rows, must be finite for finite embeddings (even where
    all coincide or are far apart), and must be computed in float32 or better, whatever the
    precision of z or autocast.

    A loss with the attribute `takes_context = True` is also called with `context`, a
    `StepContext`; `loss_of` sees to it.
    """

    def __call__(self, z: Tensor, pairs: Any, *, reduction: Reduction = "mean") -> Tensor:
        """The loss.

        z: embeddings (n, d), n at least 2, of any floating-point type; not changed.
        pairs: as provided by the pairing: `PositivePairs`, `LabeledPairs`, `ClassPairs` or
            `Targets`.
        reduction: "mean" for a scalar that can be differentiated by z; "none" for (n,), the
            loss of each row, whose mean is the scalar; it needs no gradient.
        """
        ...


def loss_of(
    loss: Any, z: Tensor, pairs: Any, context: StepContext | None, reduction: Reduction = "mean"
) -> Tensor:
    """The value of a loss. Shapes as in `Loss`.

    context: of the step; may be None for a loss that takes none.
    """
    words: dict[str, Any] = {} if reduction == "mean" else {"reduction": reduction}
    if getattr(loss, "takes_context", False):
        words["context"] = context
    value: Tensor = loss(z, pairs, **words)
    return value
