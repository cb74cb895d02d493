"""Options of the group `model`: the network that turns an image into H and Z."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from dimred.options.option import option
from dimred.options.registry import Choice, register

if TYPE_CHECKING:
    from dimred.models import Backbone


class WeightInit(Enum):
    """Initialization of the weights."""

    default = "default"
    xavier = "xavier"


class Stem(Enum):
    """First layers of a ResNet."""

    auto = "auto"
    cifar = "cifar"
    imagenet = "imagenet"


def _hidden_dim(default: int | None) -> Any:
    return option(
        default,
        "Width of the projection head's hidden layer; null for a head of one linear layer.",
        at_least=1,
        at_most=2**16,
    )


@dataclass
class ModelOptions(Choice):
    """Options of every model: the projection head H -> hidden_dim -> ReLU -> Z, and the
    initialization."""

    group: ClassVar[str] = "model"
    builder: ClassVar[str] = "backbone"

    name: str = option("", "Which backbone this is; set by model=NAME.")
    hidden_dim: int | None = _hidden_dim(1024)
    init: WeightInit = option(
        WeightInit.default, "default = PyTorch's, xavier = Caffe's filler of that name."
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        """The network from images with `channels` and `image_size` (height, width) to H."""
        raise NotImplementedError

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among the options."""
        return iter(())


@register("model", "resnet18")
@dataclass
class ResNet18(ModelOptions):
    """ResNet-18, 512-D output."""

    stem: Stem = option(
        Stem.auto,
        "First layers: cifar = 3x3 convolution, no pooling (the t-SimCNE paper's); imagenet = 7x7 "
        "stride 2 and max-pooling; auto = imagenet from 64 pixels on.",
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import ResNet18Backbone

        cifar = self.stem is Stem.cifar or (self.stem is Stem.auto and min(image_size) < 64)
        return ResNet18Backbone(channels, cifar_stem=cifar)


@register("model", "convnet")
@dataclass
class ConvNet(ModelOptions):
    """A small convolutional network for the CPU."""

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

    def problems(self) -> Iterator[str]:
        if not self.widths:
            yield "model.widths=[]: must hold at least one width"


@register("model", "lenet")
@dataclass
class LeNet(ModelOptions):
    """Caffe's LeNet without its classifier, 500-D output."""

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import LeNetBackbone

        return LeNetBackbone(channels, image_size)


@register("model", "drlim_cnn")
@dataclass
class DrlimCnn(ModelOptions):
    """DrLIM's convolutional net for MNIST, as in Angel (2015): 30-D output, a linear head."""

    hidden_dim: int | None = _hidden_dim(None)
    kernels: list[int] = option([5, 9], "Sides of the two convolutions.", at_least=1)
    pool: int = option(9, "Side of the max-pool between them, whose stride is 2.", at_least=1)

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import DrlimCnnBackbone

        return DrlimCnnBackbone(channels, image_size, self.kernels, self.pool)

    def problems(self) -> Iterator[str]:
        if len(self.kernels) != 2:
            yield f"model.kernels={self.kernels}: must be two sides, one for each convolution"


@register("model", "linear_20_3")
@dataclass
class Linear203(ModelOptions):
    """DrLIM's net for NORB: fully connected layers of 20 and of Z, no nonlinearity."""

    hidden_dim: int | None = _hidden_dim(None)
    width: int = option(20, "Width of the first layer.", at_least=1, at_most=2**16)

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import LinearBackbone

        return LinearBackbone(channels, image_size, self.width)
