"""NT-Xent, the loss of SimCLR (Chen et al. 2020): https://arxiv.org/abs/2002.05709."""

from __future__ import annotations

from torch import Tensor

from dimred.losses.infonce import infonce_loss
from dimred.losses.kernels import CosineKernel
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import PositivePairs


def simclr_loss(
    z: Tensor, pairs: PositivePairs, temperature: float = 0.5, reduction: Reduction = "mean"
) -> Tensor:
    """InfoNCE on cosine similarities, q_ij = exp(cos(z_i, z_j) / temperature) (SimCLR paper,
    equation 1).

    temperature: tau, at least 0.003. Other arguments and the result as `infonce_loss`.
    Raises ValueError for a lower temperature.
    """
    return infonce_loss(z, pairs, CosineKernel(temperature), reduction=reduction)
