"""Proxy-NCA, a loss that learns a point for each class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dimred.losses.distances import reduced, squared_distances, unit
from dimred.losses.protocol import Reduction
from dimred.pairing.pairs import ClassPairs


class ProxyNCALoss(nn.Module):
    """-log(exp(-d(x, p_y)) / sum over q != y of exp(-d(x, p_q))), averaged over the rows x, where
    p_y is the proxy of the class of x and d the squared distance of vectors at length `scale`.

    Movshovitz-Attias et al. 2017, "No Fuss Distance Metric Learning using Proxies",
    https://arxiv.org/abs/1703.07464: the own proxy is left out of the sum, so that the loss can be
    negative.

    n_classes: at least 2. dims: those of Z.
    scale: length of embeddings and proxies, above 0. Roth et al. 2020 have 3.
    own_in_sum: the own proxy is in the sum too, so that this is the softmax of -d, as
        pytorch-metric-learning has it (with scale 1).
    lr_factor: factor of the proxies' learning rate.
    Proxies begin as random directions of length 1, drawn from PyTorch's global generator.
    """

    carries_on = True
    proxies: nn.Parameter

    def __init__(
        self,
        n_classes: int,
        dims: int,
        scale: float = 3.0,
        own_in_sum: bool = False,
        lr_factor: float = 1.0,
    ):
        super().__init__()
        self.scale, self.own_in_sum, self.lr_factor = scale, own_in_sum, lr_factor
        self.proxies = nn.Parameter(unit(torch.randn(n_classes, dims).double()).float())

    def forward(self, z: Tensor, pairs: ClassPairs, *, reduction: Reduction = "mean") -> Tensor:
        """The loss, as `Loss`; with reduction="none", that of each row. Computed in float64.
        Classes in `pairs` are below n_classes."""
        with torch.autocast(z.device.type, enabled=False):
            d = squared_distances(unit(z.double()), unit(self.proxies.double()))
            logits = -(self.scale**2) * d
            own = pairs.values[:, None] == torch.arange(len(self.proxies), device=z.device)
            summed = logits if self.own_in_sum else logits.masked_fill(own, -torch.inf)
            to_own = logits.gather(1, pairs.values[:, None]).squeeze(1)
            return reduced(summed.logsumexp(1) - to_own, z, reduction)
