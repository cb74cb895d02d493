"""Losses of embeddings with known targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dimred.losses.protocol import Reduction
from dimred.pairing.targets import Targets


def squared_error_loss(z: Tensor, pairs: Targets, reduction: Reduction = "mean") -> Tensor:
    """Mean over images and dimensions of the squared difference from the targets; with
    reduction="none" the mean over dimensions of each image (n,).

    z: embeddings (n, d); bf16 and float16 are computed in float32.
    pairs: float targets (n, d). Raises ValueError for targets of another shape.
    """
    if pairs.values.shape != z.shape:
        raise ValueError(f"targets {tuple(pairs.values.shape)}, embeddings {tuple(z.shape)}")
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        if reduction == "none":
            return F.mse_loss(z, pairs.values.to(z.dtype), reduction="none").mean(1)
        return F.mse_loss(z, pairs.values.to(z.dtype))


def binary_logistic_loss(z: Tensor, pairs: Targets, reduction: Reduction = "mean") -> Tensor:
    """Sum over classes of log(1 + exp(-y_k z_k)), y_k = 1 where class k is present and -1 elsewhere
    (Oquab et al. 2015, equation 1): the mean over images, or with reduction="none" that of each
    image (n,).

    z: scores (n, K); bf16 and float16 are computed in float32.
    pairs: float (n, K), 1 where a class is present, else 0. Raises ValueError for targets of
        another shape.
    """
    if pairs.values.shape != z.shape:
        raise ValueError(f"targets {tuple(pairs.values.shape)}, embeddings {tuple(z.shape)}")
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        present = pairs.values.to(z.dtype)
        rows = F.binary_cross_entropy_with_logits(z, present, reduction="none").sum(1)
        return rows if reduction == "none" else rows.mean()


def cross_entropy_loss(z: Tensor, pairs: Targets, reduction: Reduction = "mean") -> Tensor:
    """Cross-entropy of the classes, with embeddings as logits: the mean over images, or with
    reduction="none" the loss of each image (n,).

    z: logits (n, classes); bf16 and float16 are computed in float32.
    pairs: int64 classes (n,).
    """
    with torch.autocast(z.device.type, enabled=False):
        z = z if z.dtype == torch.float64 else z.float()
        return F.cross_entropy(z, pairs.values, reduction=reduction)
