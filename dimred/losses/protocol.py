"""What every loss is."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from torch import Tensor

Reduction = Literal["mean", "none"]
"""Over the rows of a batch, as PyTorch's losses name it: the loss, or what each row has in it,
whose mean is the loss."""


class Loss(Protocol):
    """Of embeddings, and the pairs among them or the targets of each. A function, or an nn.Module
    where it has parameters to learn. `check_loss` tries one out.

    It must not depend on the order of the rows, must be finite for finite embeddings (also where
    all coincide, and where they are far apart), and must give float32 or better, whatever the
    precision of z or autocast.
    """

    def __call__(self, z: Tensor, pairs: Any, *, reduction: Reduction = "mean") -> Tensor:
        """The loss.

        z: embeddings (n, d), n at least 2, of any floating-point type; not changed.
        pairs: as the pairing provides: `PositivePairs`, `LabeledPairs` or `Targets` of these rows.
        reduction: "mean" for a scalar that can be differentiated by z; "none" for (n,), what each
            row has in it, whose mean is the scalar, with a gradient or without.
        """
        ...
