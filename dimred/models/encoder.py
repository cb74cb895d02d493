"""The encoder: from images to the representation H and the embedding Z."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from dimred.models.backbones import Backbone, mean_over_positions
from dimred.scaling import resized

Pool = Callable[[Tensor], Tensor]
"""A function from scores at positions (b, d, rows, columns) to one score each, (b, d)."""


class Encoder(nn.Module):
    """Normalization, backbone and projection head H -> hidden_dim -> ReLU -> Z (no batch-norm in
    the head; t-SimCNE paper, section 3), or H -> Z.

    The normalization is part of the encoder, so that its weights suffice to embed an image.

    backbone: the network from normalized images to H.
    mean, std: of each channel, for pixel values in [0, 1].
    hidden_dim: width of the head's hidden layer, or widths of several, each with a ReLU; None for a
        head of one linear layer.
    pool: None, or how scores at the positions of an image become Z: the head is then computed at
        every position, as 1x1 convolutions (Oquab et al. 2015, section 3); wants a backbone with
        positions.
    scales: sizes, as factors, at which images are embedded in evaluation mode; H and Z are the
        means over them.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        mean: Sequence[float],
        std: Sequence[float],
        hidden_dim: int | Sequence[int] | None,
        out_dim: int,
        pool: Pool | None = None,
        scales: Sequence[float] = (1.0,),
    ):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))
        self.backbone = backbone
        widths = hidden_dim if isinstance(hidden_dim, Sequence) else [hidden_dim or 0]
        sizes = [backbone.out_features, *filter(None, widths)]
        self.hidden = _hidden(sizes)
        self.readout = nn.Linear(sizes[-1], out_dim)
        self.pool = pool
        self.scales = tuple(scales)

    @property
    def out_dim(self) -> int:
        """The dimension of Z."""
        return self.readout.out_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (b, C, height, width) with values in [0, 1] -> H (b, h), Z (b, out_dim).

        The head computes in float32 even under autocast.
        """
        scales = (1.0,) if self.training else self.scales
        parts = [self._at_scale(images, scale) for scale in scales]
        hs, zs = zip(*parts, strict=True)
        return mean_over_scales(hs), mean_over_scales(zs)

    def _at_scale(self, images: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        h, features = self.features(resized(images, scale))
        return h, self.read_out(features)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Everything but the readout: images -> H (b, h), and the input of the readout: (b, width),
        or, with a `pool`, that at each position, (b, rows, columns, width)."""
        h, represented = self.represent(images)
        return h, self.hide(represented)

    def represent(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The backbone: images -> H (b, h), and the input of the head: H, or, with a `pool`, the
        features at each position, (b, rows, columns, h)."""
        pixels = (images - self.mean) / self.std
        if self.pool is None:
            h = self.backbone(pixels).float()
            return h, h
        maps = self.backbone.positions(pixels).float()
        return mean_over_positions(maps), maps.movedim(1, -1)

    def hide(self, h: Tensor) -> Tensor:
        """The head but the readout: H (..., h) -> the input of the readout (..., width)."""
        if self.hidden is None:
            return h
        with torch.autocast(h.device.type, enabled=False):
            hidden: Tensor = self.hidden(h).relu()
        return hidden

    def read_out(self, features: Tensor) -> Tensor:
        """The input of the readout, as of `features` -> Z (b, out_dim)."""
        # Autocast would round Z, in which neighbors are close compared with their distance from 0.
        with torch.autocast(features.device.type, enabled=False):
            z: Tensor = self.readout(features)
            return z if self.pool is None else self.pool(z.movedim(-1, 1))

    def score_maps(self, images: Tensor) -> Tensor:
        """Images (b, C, height, width) with values in [0, 1] -> the scores at each position whose
        `pool` is Z, (b, out_dim, rows, columns). Only with a `pool`."""
        _, features = self.features(images)
        with torch.autocast(features.device.type, enabled=False):
            scores: Tensor = self.readout(features)
        return scores.movedim(-1, 1)

    def init_xavier(self) -> None:
        """Draw all weights anew as Caffe's "xavier" filler does (Glorot and Bengio 2010): uniform
        in +-sqrt(3 / inputs), with biases 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bound = math.sqrt(3 / module.weight[0].numel())
                nn.init.uniform_(module.weight, -bound, bound)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def new_readout(self, out_dim: int, normal: bool) -> None:
        """Replace the last layer by a random one with `out_dim` outputs.

        normal: N(0, 1) weights, as the authors' code; else PyTorch's default.
        """
        old = self.readout.weight
        self.readout = nn.Linear(self.readout.in_features, out_dim)
        if normal:
            nn.init.normal_(self.readout.weight)
        self.readout.to(old.device)


def _hidden(sizes: Sequence[int]) -> nn.Module | None:
    """The layers between H and the readout without the last ReLU; None for none."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.ReLU(), nn.Linear(before, after)]
    if len(layers) <= 2:
        return layers[1] if layers else None
    return nn.Sequential(*layers[1:])


def mean_over_scales(parts: Sequence[Tensor]) -> Tensor:
    """The mean of what images are at each scale, of equal shapes."""
    return parts[0] if len(parts) == 1 else torch.stack(list(parts)).mean(0)


def max_pool(scores: Tensor) -> Tensor:
    """The largest score over positions: (b, d, rows, columns) -> (b, d)."""
    return scores.amax(dim=(2, 3))


def average_pool(scores: Tensor) -> Tensor:
    """The mean over positions: (b, d, rows, columns) -> (b, d)."""
    return scores.mean(dim=(2, 3))


def lse_pool(scores: Tensor, sharpness: float) -> Tensor:
    """log(mean(exp(r s))) / r over positions, r = `sharpness` (Pinheiro and Collobert 2015,
    equation 6): (b, d, rows, columns) -> (b, d)."""
    flat = scores.flatten(2) * sharpness
    return (flat.logsumexp(2) - math.log(flat.shape[2])) / sharpness
