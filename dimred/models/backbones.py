"""Backbones: networks from images to the representation H."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dimred.errors import InputError


class Backbone(nn.Module):
    """A network from images (b, C, height, width) to H (b, out_features).

    has_positions: whether H is the mean of features at positions of the image; then `positions`
    gives these, and `forward` their mean.
    draws: whether it draws random numbers in training, such as for dropout.
    classifier: how the names of tensors begin that published weights have for layers of `published`
        which it has left out.
    """

    out_features: int
    has_positions: bool = False
    draws: bool = False
    classifier: tuple[str, ...] = ()

    @property
    def published(self) -> nn.Module:
        """The network whose names published weights have."""
        return self

    def positions(self, images: Tensor) -> Tensor:
        """Images (b, C, height, width) -> features at each position, (b, out_features, rows,
        columns), the first at the top left. Only where `has_positions`."""
        raise NotImplementedError

    def blocks(self) -> list[nn.Module]:
        """Its parts from the image to H, which `schedule.stages.STAGE.frozen_blocks` counts; they
        hold all its parameters and running statistics."""
        return [self]


def mean_over_positions(features: Tensor) -> Tensor:
    """Features at positions (b, h, rows, columns) -> their mean (b, h)."""
    return nn.functional.adaptive_avg_pool2d(features, 1).flatten(1)


class ResNet18Backbone(Backbone):
    """ResNet-18 (He et al. 2016), 512-D.

    With the CIFAR stem the first convolution is 3x3 with stride 1 and there is no max-pooling
    (t-SimCNE paper, section 3); without it, the ordinary 7x7 stem.
    """

    out_features = 512
    has_positions = True
    classifier = ("fc.",)

    def __init__(self, channels: int, cifar_stem: bool):
        super().__init__()
        from torchvision.models import resnet18

        net = resnet18(weights=None)
        if cifar_stem:
            net.conv1 = nn.Conv2d(channels, 64, 3, stride=1, padding=1, bias=False)
            net.maxpool = nn.Identity()
        elif channels != 3:
            net.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
        # A replaced convolution gets torchvision's initialization too.
        nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
        net.fc = nn.Identity()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.net(images)
        return h

    @property
    def published(self) -> nn.Module:
        net: nn.Module = self.net
        return net

    def positions(self, images: Tensor) -> Tensor:
        net = self.net
        features: Tensor = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        for layer in (net.layer1, net.layer2, net.layer3, net.layer4):
            features = layer(features)
        return features

    def blocks(self) -> list[nn.Module]:
        net = self.net
        stem = nn.ModuleList([net.conv1, net.bn1])
        return [stem, net.layer1, net.layer2, net.layer3, net.layer4]


class ConvNetBackbone(Backbone):
    """Blocks of two 3x3 convolutions with batch-norm and ReLU; each block but the first halves the
    image; averaged over the image at the end.

    widths: channels of each block; the last is the dimension of H.
    """

    has_positions = True

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

    def positions(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers[:-2](images)
        return features

    def blocks(self) -> list[nn.Module]:
        layers = list(self.layers)[:-2]
        size = 6  # two convolutions, each with batch-norm and ReLU
        return [nn.ModuleList(layers[i : i + size]) for i in range(0, len(layers), size)]


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
                f"model=lenet: images of {_by(image_size)} pixels are too small for its two 5x5 "
                "convolutions; use at least 16x16, or choose model=convnet"
            )
        features = nn.Sequential(
            nn.Conv2d(channels, 20, 5),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Flatten(),
        )
        flat = _size_after(features, channels, image_size)
        self.layers = nn.Sequential(*features, nn.Linear(flat, 500), nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.layers(images)
        return h

    def blocks(self) -> list[nn.Module]:
        return [layer for layer in self.layers if list(layer.parameters())]


class DrlimCnnBackbone(Backbone):
    """The convolutions of DrLIM's net for MNIST: 15 @ 5x5, max-pool 9 with stride 2, 30 @ 9x9, with
    no other nonlinearity, as in Angel (2015); 30-D for 28x28 images.

    The paper (Hadsell, Chopra, LeCun 2006, section 3.1) has "subsampling" instead of the max-pool.

    kernels: sides of the two convolutions.
    pool: side of the max-pool. Raises InputError for images that are too small for them.
    """

    def __init__(
        self, channels: int, image_size: tuple[int, int], kernels: Sequence[int], pool: int
    ):
        super().__init__()
        first, second = kernels
        side = min(image_size) - first + 1
        # Caffe rounds the size after pooling up, but no window starts outside (matters at pool 1).
        if side < pool or min(-(-(side - pool) // 2), (side - 1) // 2) + 1 < second:
            raise InputError(
                f"model=drlim_cnn: images of {_by(image_size)} pixels are too small for "
                f"model.kernels={list(kernels)} and model.pool={pool}; make these smaller"
            )
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 15, first),
            # Max-pooling rows, then columns, equals pooling squares and takes a fifth of the time.
            nn.MaxPool2d((1, pool), stride=(1, 2), ceil_mode=True),
            nn.MaxPool2d((pool, 1), stride=(2, 1), ceil_mode=True),
            nn.Conv2d(15, 30, second),
            nn.Flatten(),
        )
        self.out_features = _size_after(self.layers, channels, image_size)

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.layers(images)
        return h

    def blocks(self) -> list[nn.Module]:
        return [layer for layer in self.layers if list(layer.parameters())]


class LinearBackbone(Backbone):
    """One fully connected layer and no nonlinearity: the first layer of DrLIM's net for NORB
    (Hadsell, Chopra, LeCun 2006, section 3.4)."""

    def __init__(self, channels: int, image_size: tuple[int, int], width: int):
        super().__init__()
        self.layer = nn.Linear(channels * image_size[0] * image_size[1], width)
        self.out_features = width

    def forward(self, images: Tensor) -> Tensor:
        h: Tensor = self.layer(images.flatten(1))
        return h


def _by(image_size: tuple[int, int]) -> str:
    return f"{image_size[0]}x{image_size[1]}"


@torch.no_grad()
def _size_after(layers: nn.Sequential, channels: int, image_size: tuple[int, int]) -> int:
    """Number of features that the layers output for an image."""
    return int(layers(torch.zeros(1, channels, *image_size)).shape[1])
