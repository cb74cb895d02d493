"""The lifted structured loss."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.distances import distances, of_one_class, of_two_classes, reduced, shares
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import ClassPairs


def lifted_structure_loss(
    z: Tensor,
    pairs: ClassPairs,
    margin: float = 1.0,
    normalize: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """1 / (2 |P|) times the sum over the pairs (i, j) of one class, P, of max(0, J_ij)^2, where
    J_ij = D_ij + log(sum over k of exp(margin - D_ik) + sum over l of exp(margin - D_jl)), k are
    the rows of other classes than i's and l those of other classes than j's.

    Song, Xiang, Jegelka, Savarese 2016, "Deep Metric Learning via Lifted Structured Feature
    Embedding", https://arxiv.org/abs/1511.06452, its smooth bound. D is the plain distance.

    z: embeddings (n, d); computed in float64. The gradient of a distance is zero at 0.
    margin: at least 0.
    normalize: compare embeddings at length 1; the paper does not.
    reduction: "mean", or "none" for (n,): n times half the share of each row's pairs.
    Returns 0 for a batch of one class.
    """
    with torch.autocast(z.device.type, enabled=False):
        d = distances(z, normalize)
        others = of_two_classes(pairs.values)
        # Rows have others in all batches but those of one class, where the value is not used.
        counted = of_one_class(pairs.values) & others.any(1)
        near = torch.where(others | ~others.any(1)[:, None], margin - d, -torch.inf).logsumexp(1)
        j = torch.logaddexp(near[:, None], near) + d
        # Each pair is there twice, as (i, j) and (j, i), which leaves the mean as it is.
        parts = shares(j.relu().square() / 2, counted)
        return reduced(parts.sum(1) * len(z), z, reduction)
