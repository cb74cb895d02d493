"""The stages of one run, trained one after the other."""

from __future__ import annotations

from dataclasses import replace

import torch

from dimred.config import RunConfig
from dimred.config.schedule import (
    FrozenBatchNorm,
    LrUpdate,
    OptimizerName,
    ReadoutInit,
    ScheduleOptions,
    Trainable,
)
from dimred.data.image_set import ImageSet
from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.models.options import WeightInit
from dimred.pairing import Pairing
from dimred.training import (
    Checkpoint,
    Compute,
    EpochState,
    Position,
    StagePlan,
    StageTrainer,
    derived_seed,
)

# Steps after which compiling has paid for itself: on an H200 some 3,500 with ResNet-18 at batch
# 1,024 (30 s to compile, 8.6 ms less a step), 5,400 with the demo's network (12 s, 2.2 ms).
COMPILE_PAYS = 5_000


def stage_plan(schedule: ScheduleOptions, number: int) -> StagePlan:
    """What the stage of this number, from 0, does."""
    name, stage = list(schedule.stages.items())[number]
    return StagePlan(
        number=number,
        name=name,
        epochs=stage.epochs,
        readout_only=stage.trainable is Trainable.readout,
        freeze_batchnorm=stage.frozen_batchnorm is FrozenBatchNorm.freeze,
        base_lr=schedule.learning_rate * stage.lr_scale,
        warmup_epochs=stage.warmup_epochs,
        anneal=stage.anneal.value,
        lr_per_step=schedule.lr_update is LrUpdate.step,
        adamw=schedule.optimizer.name is OptimizerName.adamw,
        momentum=schedule.optimizer.momentum,
        weight_decay=schedule.optimizer.weight_decay,
        bias_lr_factor=schedule.optimizer.bias_lr_factor,
    )


def compiles(
    config: RunConfig, compute: Compute, pairing: Pairing, steps: int, number: int
) -> bool:
    """Whether the stage of this number, from 0, is compiled: by `device.compile`, or, where that is
    auto and there is one GPU, if CUDA graphs can be made (compiled without, a small network was
    slower than plain) and the stages that share the code have enough steps.

    steps: of an epoch.
    """
    if compute.compile is not None:
        return compute.compile
    stages = list(config.schedule.stages.values())
    kind = stages[number].trainable
    return (
        pairing.same_size
        and steps * sum(s.epochs for s in stages if s.trainable is kind) >= COMPILE_PAYS
    )


def new_encoder(config: RunConfig, images: ImageSet, out_dim: int) -> Encoder:
    """An encoder for these images with random weights, on the host."""
    options, shape = config.model, images.images.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(config.seed, "weights"))
        encoder = Encoder(
            options.backbone(shape[1], (shape[2], shape[3])),
            images.mean,
            images.std,
            options.hidden_dim,
            out_dim,
        )
        if options.init is WeightInit.xavier:
            encoder.init_xavier()
    return encoder


def forget_compiled() -> None:
    """Give back what the compiler made and the memory of its graphs, which in a sweep would count
    against the number of variants that it makes of a function, and the memory of the next run."""
    torch.compiler.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class StagedTraining:
    """The stages of one run. Writes and prints nothing.

    checkpoint: where to go on from; None to begin.
    obstacle: why nothing is compiled that was to be, where `device.compile=auto` found one.
    """

    def __init__(
        self,
        config: RunConfig,
        compute: Compute,
        images: ImageSet,
        resident: ResidentImages,
        pairing: Pairing,
        checkpoint: Checkpoint | None,
    ):
        self.config = config
        self.compute = compute
        self.resident = resident
        self.pairing = pairing
        self.checkpoint = checkpoint
        self.stages = list(config.schedule.stages.items())
        self.obstacle: str | None = None
        self._compiled = False
        first_dim = self.stages[0][1].out_dim
        encoder = new_encoder(config, images, checkpoint.out_dim if checkpoint else first_dim)
        if checkpoint:
            encoder.load_state_dict(checkpoint.encoder)
        self.encoder = encoder.to(compute.device).to(memory_format=compute.memory_format)

    @property
    def start(self) -> Position:
        """Where training begins or goes on."""
        return self.checkpoint.position if self.checkpoint else Position(0, 0, 0)

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return len(self.pairing.anchors) // self.config.schedule.batch_size

    def run(self) -> None:
        """Train what is left."""
        try:
            for number in range(self.start.stage, len(self.stages)):
                start = self.start if number == self.start.stage else Position(number, 0, 0)
                self._stage(start)
        finally:
            if self._compiled:
                forget_compiled()

    def trainer(self, number: int) -> StageTrainer:
        """What trains the encoder in the stage of this number."""
        compiled = self.obstacle is None and compiles(
            self.config, self.compute, self.pairing, self.steps, number
        )
        return StageTrainer(
            stage_plan(self.config.schedule, number),
            self.encoder,
            self.config.loss_of(self.stages[number][1]).build(),
            self.pairing,
            self.resident,
            self.config.schedule.batch_size,
            self.config.seed,
            replace(self.compute, compile=compiled),
        )

    def _stage(self, start: Position) -> StageTrainer:
        """Train a stage; returns what trained it."""
        number, stage = start.stage, self.stages[start.stage][1]
        fresh = start.epoch == 0 and start.step == 0
        if fresh and self.encoder.out_dim != stage.out_dim:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derived_seed(self.config.seed, "readout", number))
                normal = stage.readout_init is ReadoutInit.normal
                self.encoder.new_readout(stage.out_dim, normal)
        trainer = self.trainer(number)
        if trainer.mode and start.epoch * self.steps + start.step < stage.epochs * self.steps:
            self.compile(trainer)
        state = trainer.new_epoch() if fresh else self._restore(trainer)
        for epoch in range(start.epoch, stage.epochs):
            self._epoch(trainer, epoch, state)
            state = trainer.new_epoch()
        return trainer

    def compile(self, trainer: StageTrainer) -> None:
        """Compile what a stage computes. Where that fails and was not asked for, go on without from
        now on; `obstacle` says what stood in the way."""
        self._compiled = True
        try:
            trainer.compile()
            return
        except Exception as error:
            if self.compute.compile:
                raise
            cause = error.__cause__ or error
            self.obstacle = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        # Here, since an exception keeps what was computed until it was raised.
        trainer.interpret()
        forget_compiled()

    def _restore(self, trainer: StageTrainer) -> EpochState:
        checkpoint = self.checkpoint
        assert checkpoint is not None
        if checkpoint.optimizer is not None:
            trainer.optimizer.load_state_dict(checkpoint.optimizer)
        if checkpoint.losses is None:
            return trainer.new_epoch()
        losses = checkpoint.losses.to(self.compute.device)
        return EpochState(losses, checkpoint.position.step, checkpoint.seconds)

    def _epoch(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        for _ in trainer.train_epoch(epoch, state):
            pass
        trainer.check_finite(epoch, state)
