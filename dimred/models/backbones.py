"""Backbones: an image becomes the representation H."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dimred.errors import InputError


class Backbone(nn.Module):
    """A network from images (b, C, height, width) to H (b, out_features)."""

    out_features: int


class ResNet18Backbone(Backbone):
    """ResNet-18 (He et al. 2016), 512-D.

    With the CIFAR stem the first convolution is 3x3 with stride 1 and there is no max-pooling
    (t-SimCNE paper, section 3); without it, the ordinary 7x7 stem.
    """

    out_features = 512

    def __init__(self, channels: int, cifar_stem: bool):
        super().__init__()
        from torchvision.models import resnet18

        net = resnet18(weights=None)
        if cifar_stem:
            net.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
            net.maxpool = nn.Identity()
        elif channels != 3:
            net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        # torchvision's own initialisation of convolutions, for the one that was replaced.
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.fc = nn.Identity()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.net(images)
        return h


class ConvNetBackbone(Backbone):
    """Blocks of two 3x3 convolutions with batch-norm and ReLU; each block but the first halves the
    image; averaged over the image at the end.

    widths: channels of each block; the last is the dimension of H.
    """

    def __init__(self, channels: int, widths: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = []
        for number, width in enumerate(widths):
            layers += _convolution(channels, width, stride=1 if number == 0 else 2)
            layers += _convolution(width, width, stride=1)
            channels = width
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.out_features = widths[-1]

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.layers(images)
        return h


def _convolution(channels: int, width: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]


class LeNetBackbone(Backbone):
    """Caffe's LeNet without its classifier: conv 20 @ 5x5, max-pool 2, conv 50 @ 5x5, max-pool 2,
    fully connected 500, ReLU (Angel 2015). Raises InputError for images under 16 pixels.
    """

    out_features = 500

    def __init__(self, channels: int, image_size: tuple[int, int]):
        super().__init__()
        if min(image_size) < 16:
            raise InputError(
                f"model=lenet: images of {image_size[0]}x{image_size[1]} pixels are too small for "
                "its two 5x5 convolutions; 16x16 is the least, or choose model=convnet"
            )
        features = nn.Sequential(
            nn.Conv2d(channels, 20, 5),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
        )
        with torch.no_grad():
            flat = features(torch.zeros(1, channels, *image_size)).shape[1]
        self.layers = nn.Sequential(*features, nn.Linear(flat, 500), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.layers(images)
        return h
