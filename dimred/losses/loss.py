"""What every loss is."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from dimred.losses.reduction import Reduction


class Loss(Protocol):
    """Embeddings (n, d) and the pairs among their rows -> a scalar, float32 or better; with
    reduction="none" what each row has in it (n,), whose mean is that scalar."""

    def __call__(self, z: Tensor, pairs: Any, *, reduction: Reduction = "mean") -> Tensor: ...
