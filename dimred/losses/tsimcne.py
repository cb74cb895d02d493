"""t-SimCNE (Boehm, Berens, Kobak 2023): https://arxiv.org/abs/2210.09879."""

from __future__ import annotations

from torch import Tensor

from dimred.losses.infonce import infonce_loss
from dimred.losses.kernels import CauchyKernel
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import PositivePairs

_CAUCHY = CauchyKernel()


def tsimcne_loss(z: Tensor, pairs: PositivePairs, reduction: Reduction = "mean") -> Tensor:
    """InfoNCE with the Cauchy kernel q_ij = 1 / (1 + |z_i - z_j|^2) (t-SimCNE paper, section 3).

    The minimum is 0. Accurate to a few float32 roundings of the coordinates, up to 1e6.
    Arguments and result as `infonce_loss`.
    """
    return infonce_loss(z, pairs, _CAUCHY, reduction=reduction)
