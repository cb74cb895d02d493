"""The exact split of Z, or of H, into terms of positions of the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dimred.errors import InputError
from dimred.models.encoder import Encoder, average_pool


@dataclass(frozen=True)
class Terms:
    """A split of n images. space: "Z" or "H". values: float32 (n, d, rows, columns), whose mean
    over positions is Z or H."""

    space: str
    values: Tensor

    @property
    def whole(self) -> Tensor:
        """Z or H, (n, d)."""
        return self.values.mean(dim=(2, 3))


@torch.inference_mode()
def split(encoder: Encoder, images: Tensor) -> Terms:
    """Terms of Z where it is a mean over positions, that is where the head is one linear layer
    (z = mean over p of W h_p + b) or scores are averaged; else of H.

    With a linear layer this is what class activation maps show of a class (Zhou et al. 2016,
    equation 2), and the products of terms of two images split their similarity (Stylianou et al.
    2019).

    images: float32 (n, C, height, width) in [0, 1], on the encoder's device, which must be in
        evaluation mode.
    Raises InputError for an encoder whose H is no mean over positions, or one over several sizes.
    """
    if not encoder.backbone.has_positions:
        raise InputError(
            "--with: H of this run's network is no mean over positions, so that it has no exact "
            "split; those of model=convnet and model=resnet18 have one"
        )
    if encoder.scales != (1.0,):
        raise InputError("--with: the split is of images of one size; model.test_scales has others")
    pixels = (images - encoder.mean) / encoder.std
    maps = encoder.backbone.positions(pixels).float()
    is_linear = encoder.pool is None and encoder.hidden is None
    if not is_linear and encoder.pool is not average_pool:
        return Terms("H", maps)
    scores = encoder.readout(encoder.hide(maps.movedim(1, -1)))
    return Terms("Z", scores.movedim(-1, 1))


def shared(terms: Tensor, other: Tensor) -> Tensor:
    """How much each position of images has of their products with another: terms (n, d, rows,
    columns) and the whole of the other, (d,) -> (n, rows, columns), whose sums are the products."""
    n_positions = terms[0, 0].numel()
    return torch.einsum("ndrc,d->nrc", terms, other) / n_positions
