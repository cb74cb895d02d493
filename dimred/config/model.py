"""Options of the group `model`: the network that turns an image into H and Z."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from dimred.config.option import option

if TYPE_CHECKING:
    from dimred.models import Backbone


class Stem(Enum):
    """How a ResNet begins."""

    auto = "auto"
    cifar = "cifar"
    imagenet = "imagenet"


@dataclass
class ModelOptions:
    """What every model understands: the projection head H -> hidden_dim -> ReLU -> Z."""

    choices: ClassVar[tuple[str, ...]] = ()
    name: str = option("", "Which backbone this is; set by model=NAME.")
    hidden_dim: int = option(
        1024, "Width of the projection head's hidden layer.", at_least=1, at_most=2**16
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        """The network (image -> H) for images of `channels` and `image_size` (height, width)."""
        raise NotImplementedError


@dataclass
class ResNet18(ModelOptions):
    """ResNet-18, 512-D output."""

    choices: ClassVar[tuple[str, ...]] = ("resnet18",)
    name: str = option("resnet18", "Which backbone this is; set by model=NAME.")
    stem: Stem = option(
        Stem.auto,
        "First layers: cifar = 3x3 convolution, no pooling (the t-SimCNE paper's); imagenet = 7x7 "
        "stride 2 and max-pooling; auto = imagenet from 64 pixels on.",
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import ResNet18Backbone

        cifar = self.stem is Stem.cifar or (self.stem is Stem.auto and min(image_size) < 64)
        return ResNet18Backbone(channels, cifar_stem=cifar)


@dataclass
class ConvNet(ModelOptions):
    """A small convolutional network for the CPU."""

    choices: ClassVar[tuple[str, ...]] = ("convnet",)
    name: str = option("convnet", "Which backbone this is; set by model=NAME.")
    widths: list[int] = option(
        [32, 64, 128],
        "Channels of each block of two 3x3 convolutions; every block but the first halves the "
        "image; the last is the dimension of H.",
        at_least=1,
        at_most=2**16,
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import ConvNetBackbone

        return ConvNetBackbone(channels, self.widths)


@dataclass
class LeNet(ModelOptions):
    """Caffe's LeNet without its classifier, 500-D output."""

    choices: ClassVar[tuple[str, ...]] = ("lenet",)
    name: str = option("lenet", "Which backbone this is; set by model=NAME.")

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import LeNetBackbone

        return LeNetBackbone(channels, image_size)
