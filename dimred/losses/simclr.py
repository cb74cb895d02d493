"""NT-Xent, the loss of SimCLR (Chen et al. 2020): https://arxiv.org/abs/2002.05709."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from dimred.losses.infonce import Cosine, infonce, infonce_of_rows
from dimred.losses.reduction import Reduction
from dimred.pairing.pairs import Partners


def simclr_loss(
    z: Tensor, pairs: Partners, temperature: float = 0.5, reduction: Reduction = "mean"
) -> Tensor:
    """InfoNCE on cosine similarities, q_ij = exp(cos(z_i, z_j) / temperature).

    Mean over i of -log q_ij + log sum_{k != i} q_ik, j the partner of i, which is in the sum
    (SimCLR paper, equation 1; t-SimCNE paper, section 3). Memory grows with n d, since the n^2
    similarities are computed in tiles.

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: the partner of each row.
    temperature: tau, at least 0.003.
    reduction: "mean", or "none" for the term of each row.
    Returns a scalar, which can be differentiated once, or (n,) without a gradient.
    Raises ValueError for a lower temperature.
    """
    if not temperature >= Cosine.MIN_TEMPERATURE:
        raise ValueError(f"temperature={temperature}: must be at least {Cosine.MIN_TEMPERATURE}")
    loss = infonce if reduction == "mean" else infonce_of_rows
    with torch.autocast(z.device.type, enabled=False):
        z = F.normalize(z if z.dtype == torch.float64 else z.float())
        return loss(z, pairs.partner, partial(Cosine, temperature=temperature))
