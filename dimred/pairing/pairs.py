"""Pairs of rows of a batch of embeddings, for losses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class PositivePairs:
    """Each row has one similar row; every other row of the batch is dissimilar.

    partner: int64 tensor (n,), the row that is similar to row i, not i itself. Losses rely on
        partner[partner[i]] == i.
    """

    partner: Tensor


@dataclass(frozen=True)
class LabeledPairs:
    """Pairs of rows with p labels each, one per component: similar, dissimilar or not compared.

    left, right: int64 tensors (P,), the rows of each pair.
    similar: bool tensor (P, p).
    weight: float tensor (P, p), the weight of each pair in each component; 0 where it is not
        compared. 1 / P everywhere gives the mean over the pairs.
    """

    left: Tensor
    right: Tensor
    similar: Tensor
    weight: Tensor

    def blocks(self, size: int) -> Iterator[LabeledPairs]:
        """The same pairs, `size` at a time."""
        for start in range(0, len(self.left), size):
            part = slice(start, start + size)
            yield LabeledPairs(
                self.left[part], self.right[part], self.similar[part], self.weight[part]
            )

    def at(self, rows: Tensor) -> LabeledPairs:
        """The same pairs after moving rows: row i becomes row rows[i]."""
        return replace(self, left=rows[self.left], right=rows[self.right])


@dataclass(frozen=True)
class ClassPairs:
    """The class of each row, and pairs of rows of one class.

    values: int64 tensor (n,), classes from 0.
    anchor, positive: int64 tensors (P,), the rows of each pair. Every row is in at most one pair.
    """

    values: Tensor
    anchor: Tensor
    positive: Tensor

    def at(self, rows: Tensor) -> ClassPairs:
        """The same pairs after moving rows: row i becomes row rows[i]."""
        values = self.values.new_empty(len(self.values)).scatter(0, rows, self.values)
        return ClassPairs(values, rows[self.anchor], rows[self.positive])
