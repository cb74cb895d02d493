"""t-SimCNE (Boehm, Berens, Kobak 2023): https://arxiv.org/abs/2210.09879."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.infonce import Cauchy, infonce, infonce_of_rows
from dimred.losses.reduction import Reduction
from dimred.pairing.pairs import Partners


def tsimcne_loss(z: Tensor, pairs: Partners, reduction: Reduction = "mean") -> Tensor:
    """InfoNCE with the Cauchy kernel q_ij = 1 / (1 + |z_i - z_j|^2).

    Mean over i of -log q_ij + log sum_{k != i} q_ik, j the partner of i, which is in the sum
    (t-SimCNE paper, section 3). The minimum is 0. Memory grows with n d, since the n^2
    distances are computed in tiles. Right to a few times what float32 says of the coordinates, up
    to 1e6.

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: the partner of each row.
    reduction: "mean", or "none" for the term of each row.
    Returns a scalar, which can be differentiated once, or (n,) without a gradient.
    """
    loss = infonce if reduction == "mean" else infonce_of_rows
    with torch.autocast(z.device.type, enabled=False):
        return loss(z if z.dtype == torch.float64 else z.float(), pairs.partner, Cauchy)
