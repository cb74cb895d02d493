"""The contrastive loss of deep metric learning, with hinges that are not squared."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.distances import distances, of_one_class, of_two_classes, reduced, shares
from dimred.losses.mining import Average
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import ClassPairs


def margin_contrastive_loss(
    z: Tensor,
    pairs: ClassPairs,
    positive_margin: float = 0.0,
    negative_margin: float = 1.0,
    normalize: bool = True,
    average: Average = Average.all,
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean of max(0, d - positive_margin) over all pairs of rows of one class, plus mean of
    max(0, negative_margin - d) over all pairs of rows of different classes.

    So computed by Roth et al. 2020, https://arxiv.org/abs/2002.08473, and Musgrave, Belongie, Lim
    2020, https://arxiv.org/abs/2003.08505. DrLIM (`drlim_loss`) squares both, d^2 and
    max(0, m - d)^2, halves them, has no margin for similar pairs, weights each pair as its pairing
    says and compares embeddings as they are. So there the pull on a similar pair shrinks with its
    distance; here it is the same up to the margin.

    z: embeddings (n, d); computed in float64. The gradient of a pair is zero at d = 0.
    positive_margin, negative_margin: at least 0.
    normalize: compare embeddings at length 1.
    average: over all pairs of either kind, or those of it whose hinge is above 0.
    reduction: "mean", or "none" for (n,): n times half the share of each row's pairs.
    """
    with torch.autocast(z.device.type, enabled=False):
        d = distances(z, normalize)
        # Each pair is there twice, as (i, j) and (j, i), which leaves the mean as it is.
        attract = shares((d - positive_margin).relu(), of_one_class(pairs.values), average)
        repel = shares((negative_margin - d).relu(), of_two_classes(pairs.values), average)
        return reduced((attract + repel).sum(1) * len(z), z, reduction)
