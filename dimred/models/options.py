"""Options of the group `model`: the network that turns an image into H and Z."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from os import PathLike
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


class ScorePool(Enum):
    """How scores at the positions of an image become Z."""

    none = "none"
    max = "max"
    average = "average"
    lse = "lse"


class InitHead(Enum):
    """The head that a run begins with where its backbone is not new."""

    new = "new"
    kept = "kept"


_SHARPNESS = 5.0  # of score_pool=lse


def _hidden_dim(default: int | None) -> Any:
    return option(
        default,
        "Width of the projection head's hidden layer; null for a head of one linear layer. "
        "model.adaptation, where it is set, takes its place.",
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
    adaptation: list[int] | None = option(
        None,
        "Widths of fully connected layers with ReLU between H and the readout, such as [2048], in "
        "place of model.hidden_dim: the adaptation layers of Oquab et al. (2014); [] = none.",
        at_least=1,
        at_most=2**16,
    )
    init_from: str | None = option(
        None,
        "A finished run, whose trained backbone this one begins with: its folder, its name below "
        "outputs/ or a part of one.",
        changes_result=False,  # the weights do, by their digest
        is_path=True,
    )
    weights: str | None = option(
        None,
        "Pretrained weights on disk that the backbone begins with: a .safetensors file or one of "
        "torch.save, or torchvision:NAME for those that torchvision keeps.",
        changes_result=False,
        is_path=True,
    )
    init_head: InitHead = option(
        InitHead.new,
        "With model.init_from: a new random head, or all its layers kept whose shapes are the "
        "same; a readout of another dimension is new in either case.",
    )
    score_pool: ScorePool = option(
        ScorePool.none,
        "none = H is averaged over the positions of the image and then goes through the head. max, "
        "average, lse = the head scores every position (1x1 convolutions), and Z is the maximum, "
        "mean or log-mean-exp of these scores (Oquab et al. 2015; Pinheiro and Collobert 2015).",
    )
    score_sharpness: float = option(
        _SHARPNESS,
        "For score_pool=lse: r in log(mean(exp(r s))) / r; large values come near the maximum.",
        above=0,
        at_most=1e4,
    )
    test_scales: list[float] = option(
        [1.0],
        "Sizes, as factors, at which an image is embedded once trained; H and Z are their means "
        "(Oquab et al. 2015: 0.5, 0.7, 1, 1.4, 2, 2.8). Training sees the size that pairing gives.",
        at_least=0.05,
        at_most=16,
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        """The network from images with `channels` and `image_size` (height, width) to H."""
        raise NotImplementedError

    def problems(self) -> Iterator[str]:
        """One line for each contradiction among the options."""
        if self.init_from is not None and self.weights is not None:
            yield f"model.weights={self.weights}: not beside model.init_from={self.init_from}"
        if self.init_head is InitHead.kept and self.init_from is None and self.weights is None:
            yield "model.init_head=kept: needs model.init_from or model.weights"
        if self.score_pool is not ScorePool.lse and self.score_sharpness != _SHARPNESS:
            yield (
                f"model.score_sharpness={self.score_sharpness}: applies to model.score_pool=lse "
                f"only, and score_pool is {self.score_pool.value}"
            )
        if not self.test_scales:
            yield "model.test_scales=[]: must hold at least one factor"

    def data_files(self) -> Sequence[str | PathLike[str]]:
        """The file of weights that the network begins with."""
        from dimred.models.pretrained import source_of

        source = source_of(self)
        return [source.file] if source else []

    @property
    def head_widths(self) -> list[int]:
        """Widths of the layers between H and the readout."""
        if self.adaptation is not None:
            return self.adaptation
        return [self.hidden_dim] if self.hidden_dim else []


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
        yield from super().problems()
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
        yield from super().problems()
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


@register("model", "torchvision")
@dataclass
class Torchvision(ModelOptions):
    """Any image classifier of torchvision, without its last layer."""

    arch: str = option(
        "resnet50",
        "Its name in torchvision, such as resnet50, densenet121, efficientnet_b0 or alexnet; H is "
        "the input of its last fully connected layer, which is left out.",
        also=("architecture",),
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import PublishedBackbone

        return PublishedBackbone("torchvision", self.arch, channels, image_size)


@register("model", "timm")
@dataclass
class Timm(ModelOptions):
    """Any image classifier of timm, without its last layer. Needs the extra `timm`."""

    arch: str = option(
        "resnet50",
        "Its name in timm, such as convnext_tiny or tf_efficientnet_lite0; its last layer is left "
        "out, and H is what that gets.",
        also=("architecture",),
    )

    def backbone(self, channels: int, image_size: tuple[int, int]) -> Backbone:
        from dimred.models import PublishedBackbone

        return PublishedBackbone("timm", self.arch, channels, image_size)
