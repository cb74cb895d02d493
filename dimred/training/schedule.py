"""Options of the group `schedule`: the stages of training and how each is optimized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from dimred.losses.options import LossOptions
from dimred.options.option import nested, option


class Trainable(Enum):
    """Which parameters a stage changes."""

    all = "all"
    head = "head"
    readout = "readout"


class Anneal(Enum):
    """How the learning rate changes after the warm-up."""

    cosine = "cosine"
    inv = "inv"
    none = "none"


class ReadoutInit(Enum):
    """How a new last layer is initialized."""

    normal = "normal"
    default = "default"


class FrozenBatchNorm(Enum):
    """What the batch-norms of the frozen part of a network do."""

    update = "update"
    freeze = "freeze"


class OptimizerName(Enum):
    """The optimizer."""

    sgd = "sgd"
    adamw = "adamw"


class LrUpdate(Enum):
    """How often the learning rate is updated."""

    epoch = "epoch"
    step = "step"


@dataclass
class StageOptions:
    """One stage of training. Each stage has a new optimizer."""

    epochs: int = option(
        "???",
        "Passes over the images (with pairing.sampling=pairs, over as many pairs); required.",
        at_least=1,
        at_most=10**9,
    )
    out_dim: int = option(
        "???",
        "Dimension of Z; required. Where it differs from the previous stage, the readout is new "
        "and random.",
        at_least=1,
        at_most=2**16,
        also=("dim", "dims", "dimensions", "components", "output_dim", "embedding_dim"),
    )
    loss: LossOptions | None = option(
        None,
        "A loss for this stage only, set by +loss@schedule.stages.STAGE.loss=NAME; null = the "
        "run's loss.",
    )
    trainable: Trainable = option(
        Trainable.all,
        "Train all parameters, only the head (all layers between H and Z), or only the readout "
        "(its last linear layer).",
    )
    frozen_blocks: int = option(
        0,
        "With trainable=all: the first so many blocks of the backbone stay as they are, such as 2 "
        "of the 3 of model=convnet with its default widths.",
        at_least=0,
        at_most=1000,
    )
    backbone_lr_factor: float = option(
        1.0,
        "Factor on the learning rate of the backbone: 0.1 lets a pretrained one learn ten times as "
        "slowly as the head.",
        above=0,
        at_most=1e4,
        unit="a factor",
    )
    lr_scale: float = option(
        1.0, "Factor on the learning rate.", above=0, at_most=1e6, unit="a factor"
    )
    warmup_epochs: int = option(10, "Epochs of linear warm-up.", at_least=0, at_most=10**9)
    anneal: Anneal = option(
        Anneal.cosine,
        "After the warm-up: cosine = to 0 along a cosine; inv = Caffe's "
        "rate * (1 + 0.0001 * step)^-0.75 (Angel 2015); none = constant.",
    )
    readout_init: ReadoutInit = option(
        ReadoutInit.normal,
        "A new readout's weights: normal = N(0, 1) as in the authors' code, default = PyTorch's.",
    )
    frozen_batchnorm: FrozenBatchNorm = option(
        FrozenBatchNorm.update,
        "Where a part of the network is frozen: update = its batch-norms still update their "
        "running statistics, as in the authors' code; freeze = they do not, and compute as when "
        "embedding; with trainable=head or readout, H of images that are not augmented is then "
        "computed once, and not in every epoch.",
    )

    def problems(self) -> Iterator[str]:
        """One line for each option of the backbone beside a frozen backbone."""
        for key, default in (("frozen_blocks", 0), ("backbone_lr_factor", 1.0)):
            value = getattr(self, key)
            if value != default and self.trainable is not Trainable.all:
                yield (
                    f"{key}={value}: only with trainable=all; with "
                    f"trainable={self.trainable.value} all of the backbone is frozen"
                )

    def scaled(self, factor: float) -> StageOptions:
        """The stage with epochs (at least one) and warm-up multiplied by `factor`."""
        epochs = max(round(self.epochs * factor), 1)
        warmup = round(self.warmup_epochs * factor)
        if self.warmup_epochs and factor < 1:
            warmup = min(max(warmup, 1), epochs - 1)
        return replace(self, epochs=epochs, warmup_epochs=warmup)


@dataclass
class OptimizerOptions:
    """How parameters are updated."""

    name: OptimizerName = option(OptimizerName.sgd, "SGD with momentum (the paper's) or AdamW.")
    lr_per_256: float | None = option(
        None,
        "Learning rate for a batch of 256 images, scaled linearly with the batch size; null = 0.03 "
        "for SGD (the paper's), 0.001 for AdamW.",
        above=0,
        at_most=1e6,
        also=("lr", "learning_rate"),
        unit="for a batch of 256 images",
        common=True,
    )
    momentum: float = option(0.9, "Momentum of SGD.", at_least=0, below=1)
    weight_decay: float = option(
        5e-4, "Weight decay on all parameters.", at_least=0, at_most=1e3, also=("wd",)
    )
    bias_lr_factor: float = option(
        1.0,
        "Factor on the learning rate of biases; 2 in Angel (2015).",
        at_least=0,
        at_most=1e4,
        unit="a factor",
    )


@dataclass
class ScheduleOptions:
    """Ordered stages, and the options that they share."""

    name: str = option("custom", "Name of the schedule; set by schedule=NAME.")
    batch_size: int = option(
        1024,
        "Images in a batch; an incomplete last batch of an epoch is dropped. For labeled pairs see "
        "pairing.sampling.",
        at_least=2,
        also=("bs", "batch"),
        common=True,
    )
    lr_update: LrUpdate = option(
        LrUpdate.epoch, "Update the learning rate every epoch, as in the authors' code, or step."
    )
    epochs_scale: float = option(
        1.0,
        "Factor on the epochs and warm-ups of all stages: 0.1 turns 1,000 epochs into 100. Every "
        "stage keeps at least one epoch.",
        above=0,
        at_most=1e4,
        changes_result=False,  # the resulting numbers of epochs do
        unit="a factor",
        common=True,
    )
    optimizer: OptimizerOptions = nested(OptimizerOptions, "How parameters are updated.")
    stages: dict[str, StageOptions] = option({}, "The stages by name, in their order.")

    def scaled(self) -> ScheduleOptions:
        """The schedule with `epochs_scale` applied to its stages and then reset to 1."""
        stages = {name: stage.scaled(self.epochs_scale) for name, stage in self.stages.items()}
        return replace(self, stages=stages, epochs_scale=1.0)

    @property
    def learning_rate(self) -> float:
        """The learning rate for the batch size, before a stage's lr_scale."""
        default = 0.03 if self.optimizer.name is OptimizerName.sgd else 0.001
        return (self.optimizer.lr_per_256 or default) * self.batch_size / 256

    def numbered(self, seed: int) -> list[Stage]:
        """The stages in their order, each with the shared options and the run's seed."""
        named = enumerate(self.stages.items())
        return [Stage(number, name, options, self, seed) for number, (name, options) in named]


@dataclass(frozen=True)
class Stage:
    """One stage, with the options that it shares with the others.

    number: from 0. seed: the run's, from which all randomness of the stage is derived.
    """

    number: int
    name: str
    options: StageOptions
    schedule: ScheduleOptions
    seed: int = 0

    @property
    def readout_only(self) -> bool:
        """Whether all but the last linear layer is frozen."""
        return self.options.trainable is Trainable.readout

    @property
    def trains_backbone(self) -> bool:
        """Whether any of the backbone may be trained."""
        return self.options.trainable is Trainable.all

    @property
    def base_lr(self) -> float:
        """The learning rate after the warm-up."""
        return self.schedule.learning_rate * self.options.lr_scale
