"""The stages of one run, trained one after the other."""

from __future__ import annotations

from dataclasses import replace

import torch

from dimred.config import RunConfig
from dimred.config.model import WeightInit
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
from dimred.errors import TrainingFailed
from dimred.models import Encoder
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

# So many steps save the time of compiling for them, if not on a slow host: on an H200, ResNet-18 at
# batch 1,024 took 30 s to compile and saves 8.6 ms a step, a small network 12 s and 4 ms
# (docs/performance.md).
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


def compiles(config: RunConfig, compute: Compute, steps: int, number: int) -> bool:
    """Whether the stage of this number, from 0, is compiled: by `device.compile`, or, where that is
    auto and there is one GPU, if the stages that share its code have enough steps.

    steps: of an epoch.
    """
    if compute.compile is not None:
        return compute.compile
    stages = list(config.schedule.stages.values())
    kind = stages[number].trainable
    return steps * sum(s.epochs for s in stages if s.trainable is kind) >= COMPILE_PAYS


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


class StagedTraining:
    """The stages of one run. Writes and prints nothing.

    checkpoint: where to go on from; None to begin.
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
        self._compiler_is_fresh = False
        first_dim = self.stages[0][1].out_dim
        encoder = new_encoder(config, images, checkpoint.out_dim if checkpoint else first_dim)
        if checkpoint:
            encoder.load_state_dict(checkpoint.encoder)
        self.encoder = encoder.to(compute.device).to(memory_format=compute.memory_format)

    @property
    def start(self) -> Position:
        """Where training begins or goes on."""
        return self.checkpoint.position if self.checkpoint else Position(0, 0, 0)

    def run(self) -> None:
        """Train what is left."""
        for number in range(self.start.stage, len(self.stages)):
            start = self.start if number == self.start.stage else Position(number, 0, 0)
            self._stage(start)

    def trainer(self, number: int) -> StageTrainer:
        """What trains the encoder in the stage of this number."""
        batch_size = self.config.schedule.batch_size
        steps = len(self.pairing.anchors) // batch_size
        compiled = compiles(self.config, self.compute, steps, number)
        return StageTrainer(
            stage_plan(self.config.schedule, number),
            self.encoder,
            self.config.loss_of(self.stages[number][1]).build(),
            self.pairing,
            self.resident,
            batch_size,
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
        if trainer.mode and start.epoch < stage.epochs:
            self._compile(trainer)
        state = trainer.new_epoch() if fresh else self._restore(trainer)
        for epoch in range(start.epoch, stage.epochs):
            self._epoch(trainer, epoch, state)
            state = trainer.new_epoch()
        return trainer

    def _compile(self, trainer: StageTrainer) -> str | None:
        """Compile what a stage computes; where that cannot be and was not asked for, go on without.

        Returns what stood in the way, if anything.
        """
        if not self._compiler_is_fresh:
            # What it made for the runs before, in a sweep, takes memory and counts against the
            # number of variants that it makes of a function before it gives up.
            torch.compiler.reset()
            self._compiler_is_fresh = True
        try:
            trainer.compile()
        except TrainingFailed:
            raise
        except Exception as error:
            if self.compute.compile:
                raise
            trainer.interpret()
            cause = error.__cause__ or error
            return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        return None

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
