"""The triplet loss, with three ways of choosing the negatives."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dimred.losses.distances import (
    of_one_class,
    of_two_classes,
    reduced,
    root,
    shares,
    squared_distances,
    unit,
)
from dimred.losses.mining import Average, Mining
from dimred.losses.protocol import Reduction, StepContext
from dimred.pairing.pairs import ClassPairs

NEAREST = 0.5
"""Distance from which on nearer negatives are as likely as negatives of this distance."""
FARTHEST = 1.4
"""Distance beyond which no negative is drawn."""


@dataclass(frozen=True)
class TripletLoss:
    """max(0, margin + D(a, p)^2 - D(a, n)^2), averaged over triplets of an anchor a, a positive p
    of its class and a negative n of another class.

    Schroff, Kalenichenko, Philbin 2015 (FaceNet), section 3.1, https://arxiv.org/abs/1503.03832;
    Lin et al. 2018 (DVML), equation 2. Both print a sum over triplets. The mean is taken so that
    the size of a batch does not scale the learning rate and the weight beside other terms. a and p
    are all ordered pairs of rows of one class.

    margin: at least 0.
    squared: squared distances, as printed; otherwise plain ones, as Wu et al. 2017 and DVML's
        equation 4.
    normalize: compare embeddings at length 1.
    mining: of the negatives. `semi_hard` is the rule of TensorFlow's `triplet_semihard_loss`.
        `distance_weighted` is Wu et al. 2017, section 4, https://arxiv.org/abs/1706.07567: see
        `negative_weights`; a and p without such a negative are left out.
    average: over all triplets that were mined, or over those above 0 (Hermans et al. 2017,
        https://arxiv.org/abs/1703.07737).
    """

    margin: float = 0.2
    squared: bool = True
    normalize: bool = True
    mining: Mining = Mining.semi_hard
    average: Average = Average.all

    @property
    def takes_context(self) -> bool:
        """Whether it draws random numbers."""
        return self.mining is Mining.distance_weighted

    def __call__(
        self,
        z: Tensor,
        pairs: ClassPairs,
        *,
        context: StepContext | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """The loss, as `Loss`; with reduction="none", n times the share of each row's triplets as
        the anchor. Raises ValueError for mining=distance_weighted without a context."""
        with torch.autocast(z.device.type, enabled=False):
            x = unit(z.double()) if self.normalize else z.double()
            squares = squared_distances(x, x)
            a, p = of_one_class(pairs.values).nonzero(as_tuple=True)
            others = of_two_classes(pairs.values)
            columns, mined = self._negatives(squares.detach(), a, p, others, x.shape[1], context)
            distances = squares if self.squared else root(squares)
            hinges = self.margin + distances[a, p][:, None] - distances[a[:, None], columns]
            parts = shares(hinges.relu(), mined, self.average)
            rows = parts.new_zeros(len(z)).index_add(0, a, parts.sum(1))
            return reduced(rows * len(z), z, reduction)

    def _negatives(
        self,
        squares: Tensor,
        a: Tensor,
        p: Tensor,
        others: Tensor,
        dims: int,
        context: StepContext | None,
    ) -> tuple[Tensor, Tensor]:
        """The k negatives of each anchor and positive (P, k), and which of them count."""
        if self.mining is Mining.all:
            every = torch.arange(len(squares), device=a.device)
            return every.expand(len(a), -1), others[a]
        if self.mining is Mining.semi_hard:
            chosen = semi_hard_negatives(squares, others)[a, p]
            return chosen[:, None], others.any(1)[a][:, None]
        if context is None:
            raise ValueError("mining=distance_weighted: needs a StepContext")
        weights = negative_weights(root(squares), dims).masked_fill(~others, -torch.inf)
        chosen = drawn(weights, len(weights), context.generator)[a, p]
        return chosen[:, None], (weights != -torch.inf).any(1)[a][:, None]


def semi_hard_negatives(distances: Tensor, others: Tensor) -> Tensor:
    """The negative of each row as an anchor and each as its positive (n, n); any row where there is
    no negative.

    distances: (n, n). others: bool (n, n), which rows are of other classes.
    """
    ordered, columns = distances.masked_fill(~others, torch.inf).sort(1)
    # The first that is farther than the positive, or the last.
    places = torch.searchsorted(ordered, distances.contiguous(), right=True)
    last = (others.sum(1, keepdim=True) - 1).clamp_min(0)
    return columns.gather(1, places.minimum(last))


def negative_weights(distances: Tensor, dims: int) -> Tensor:
    """log(1 / q(d)) of distances d between unit vectors, where q(d) ~ d^(dims - 2) (1 - d^2 / 4)^
    ((dims - 3) / 2) is how frequent d is among points spread evenly over the sphere; -inf where no
    negative is drawn.

    Wu et al. 2017, section 4, clip d below at `NEAREST`, since the gradients of nearer negatives
    are noise. Their code draws none beyond `FARTHEST`, where their margin loss is 0.
    """
    d = distances.clamp(NEAREST, FARTHEST)
    log_q = (dims - 2) * d.log() + (dims - 3) / 2 * (1 - d.square() / 4).log()
    return (-log_q).masked_fill(distances > FARTHEST, -torch.inf)


def drawn(log_weights: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Columns of each row with probability proportional to their weight, drawn `count` times
    (n, count); any column of a row without a weight above 0.

    log_weights: (n, m), float64, up to a constant for each row: at 512 dimensions weights range
        over more than floats hold.
    """
    ordered, columns = log_weights.sort(1, descending=True)
    largest = ordered[:, :1].clamp_min(-torch.finfo(ordered.dtype).max)
    # Running sums as a product, since `cumsum` has no deterministic kernel on a GPU.
    sums = (ordered - largest).exp() @ ordered.new_ones(ordered.shape[1], ordered.shape[1]).triu()
    shape = len(sums), count
    uniform = torch.rand(shape, generator=generator, device=sums.device, dtype=sums.dtype)
    places = torch.searchsorted(sums, uniform * sums[:, -1:], right=True)
    # Not beyond the last with a weight, should the product be rounded up to the total.
    last = (log_weights > -torch.inf).sum(1, keepdim=True) - 1
    return columns.gather(1, places.minimum(last.clamp_min(0)))
