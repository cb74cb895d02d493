"""The encoder: from images to the representation H and the embedding Z."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dimred.models.backbones import Backbone


class Encoder(nn.Module):
    """Normalization, backbone and projection head H -> hidden_dim -> ReLU -> Z (no batch-norm in
    the head; t-SimCNE paper, section 3), or H -> Z.

    The normalization is part of the encoder, so that its weights suffice to embed an image.

    backbone: the network from normalized images to H.
    mean, std: of each channel, for pixel values in [0, 1].
    hidden_dim: width of the head's hidden layer; None for a head of one linear layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        mean: Sequence[float],
        std: Sequence[float],
        hidden_dim: int | None,
        out_dim: int,
    ):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))
        self.backbone = backbone
        width = backbone.out_features
        self.hidden = nn.Linear(width, hidden_dim) if hidden_dim else None
        self.readout = nn.Linear(hidden_dim or width, out_dim)

    @property
    def out_dim(self) -> int:
        """The dimension of Z."""
        return self.readout.out_features

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images (b, C, height, width) with values in [0, 1] -> H (b, h), Z (b, out_dim).

        The head computes in float32 even under autocast.
        """
        h, features = self.features(images)
        return h, self.read_out(features)

    def features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Everything but the readout: images -> H (b, h), and the input of the readout, (b,
        hidden_dim), or H again where the head has no hidden layer."""
        h = self.backbone((images - self.mean) / self.std).float()
        if self.hidden is None:
            return h, h
        with torch.autocast(h.device.type, enabled=False):
            return h, self.hidden(h).relu()

    def read_out(self, features: Tensor) -> Tensor:
        """The input of the readout -> Z (b, out_dim)."""
        # Autocast would round Z, in which neighbors are close compared with their distance from 0.
        with torch.autocast(features.device.type, enabled=False):
            z: Tensor = self.readout(features)
        return z

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
