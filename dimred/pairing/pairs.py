"""Which rows of a batch of embeddings are compared with which, and how: what a loss is given."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Partners:
    """Each row has one similar row; every other row of the batch is dissimilar.

    partner: int64 tensor (n,), partner[i] != i, the row that is similar to row i.
    """

    partner: Tensor
