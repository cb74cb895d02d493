"""A loss in one file: decoupled contrastive learning.

dimred train --plugin dcl.py loss=dcl loss.temperature=0.2
"""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F

from dimred.losses import LossOptions
from dimred.options import option, register


def dcl_loss(z, pairs, temperature, reduction="mean"):
    """NT-Xent whose denominator leaves out the positive pair: Yeh et al. 2022,
    https://arxiv.org/abs/2110.06848, section 3.

    z: embeddings (n, d). pairs: the partner of each row.
    Returns a scalar, or the term of each row (n,).
    """
    z = F.normalize(z.float() if z.dtype != torch.float64 else z)
    similarity = z @ z.T / temperature
    rows = torch.arange(len(z), device=z.device)
    positive = similarity[rows, pairs.partner]
    left_out = torch.zeros_like(similarity, dtype=torch.bool)
    left_out[rows, rows] = left_out[rows, pairs.partner] = True
    terms = similarity.masked_fill(left_out, -torch.inf).logsumexp(1) - positive
    return terms if reduction == "none" else terms.mean()


@register("loss", "dcl")
@dataclass
class DCL(LossOptions):
    """Decoupled contrastive learning."""

    temperature: float = option(0.1, "Temperature of the cosine similarities.", above=0)

    def build(self):
        return partial(dcl_loss, temperature=self.temperature)
