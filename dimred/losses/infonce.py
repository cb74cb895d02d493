"""The part that the contrastive losses with partners share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dimred.pairing.pairs import Partners


def infonce(log_q: Tensor, pairs: Partners) -> Tensor:
    """Mean over i of -log q_ij + log sum_{k != i} q_ik, j the partner of i.

    Computed as log(1 + sum_{k != i, j} q_ik / q_ij), whose gradient does not cancel out where the
    partner outweighs all others, as it does in maps with large coordinates.

    log_q: log similarities (n, n); the diagonal is not used.
    """
    partner = pairs.partner[:, None]
    positive = log_q.gather(1, partner).squeeze(1)
    left_out = torch.eye(len(log_q), dtype=torch.bool, device=log_q.device)
    left_out = left_out.scatter(1, partner, True)
    others = log_q.masked_fill(left_out, -torch.inf).logsumexp(1)
    return F.softplus(others - positive).mean()
