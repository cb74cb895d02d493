"""The N-pair loss."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.distances import reduced
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import ClassPairs


def n_pair_loss(
    z: Tensor, pairs: ClassPairs, l2: float = 3e-3, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over pairs i of log(1 + sum over pairs j of exp(a_i p_j - a_i p_i)), where a_i and p_i
    are the embeddings of anchor and positive and j are pairs of other classes; and l2 / 4 times the
    mean squared length of the anchors plus that of the positives.

    Sohn 2016, "Improved Deep Metric Learning with Multi-class N-pair Loss Objective", section 3.2;
    Lin et al. 2018 (DVML), equation 3. Products are raw: lengths are kept in bounds by the
    penalty, whose form is TensorFlow's `npairs_loss`. The papers have one pair of each class. Of
    several, the others of the same class are left out, since they are no negatives.

    z: embeddings (n, d); computed in float64.
    l2: weight of the penalty, at least 0.
    reduction: "mean", or "none" for (n,): n / P times half the loss of each row's pair; 0 for a
        row in none.
    """
    with torch.autocast(z.device.type, enabled=False):
        x = z.double()
        anchors, positives = x[pairs.anchor], x[pairs.positive]
        values = pairs.values[pairs.anchor]
        itself = torch.eye(len(values), dtype=torch.bool, device=z.device)
        left_out = (values[:, None] == values) & ~itself
        products = anchors @ positives.T
        logits = products.masked_fill(left_out, -torch.inf)
        losses = logits.logsumexp(1) - products.diagonal()
        rows = x.new_zeros(len(z))
        for ends, vectors in ((pairs.anchor, anchors), (pairs.positive, positives)):
            penalty = l2 / 4 * vectors.square().sum(1)
            rows = rows.index_add(0, ends, losses / 2 + penalty)
        return reduced(rows * (len(z) / max(len(values), 1)), z, reduction)
