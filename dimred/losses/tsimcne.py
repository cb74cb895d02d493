"""t-SimCNE (Boehm, Berens, Kobak 2023): https://arxiv.org/abs/2210.09879."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.losses.distances import pairwise_squared_distances
from dimred.losses.infonce import infonce
from dimred.pairing.pairs import Partners


def tsimcne_loss(z: Tensor, pairs: Partners) -> Tensor:
    """InfoNCE with the Cauchy kernel q_ij = 1 / (1 + |z_i - z_j|^2).

    Mean over i of -log q_ij + log sum_{k != i} q_ik, j the partner of i, which is in the sum
    (t-SimCNE paper, section 3). The minimum is 0.

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: the partner of each row.
    Returns a scalar.
    """
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        return infonce(-torch.log1p(pairwise_squared_distances(z)), pairs)
