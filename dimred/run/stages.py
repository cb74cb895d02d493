"""The stages of one run, trained one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import torch

from dimred.config import RunConfig
from dimred.data.image_set import ImageSet
from dimred.errors import InputError
from dimred.losses import Loss, LossSizes
from dimred.models import Encoder
from dimred.models.check import build_encoder, random_encoder
from dimred.models.pretrained import Begun, Source, begin_with
from dimred.options.trial import tried
from dimred.run.inputs import Inputs
from dimred.run_folder import layout
from dimred.training.checkpoint import Checkpoint, Position
from dimred.training.kept_h import KeptH
from dimred.training.learned_loss import carry, load_state, on_device
from dimred.training.schedule import ReadoutInit, Stage, StageOptions, Trainable
from dimred.training.seeds import derived_seed
from dimred.training.stage import EpochState, StageTrainer

# Steps after which compiling saves more time than it takes. On an H200: about 3,500 with ResNet-18
# at batch 1,024 (30 s to compile, 8.6 ms saved a step), 5,400 with the demo's network (12 s,
# 2.2 ms).
COMPILE_MIN_STEPS = 5_000


def should_compile(inputs: Inputs, stage: Stage) -> bool:
    """Whether to compile a stage: as `device.compile` says, or, if that is auto and there is one
    GPU, where CUDA graphs can be recorded (without them, compiling made a small network slower) and
    the stages that share the compiled code have enough steps."""
    option = inputs.compute.compile
    if option is not None:
        return option
    stages = stage.schedule.stages.values()
    sharing = [s for s in stages if _trained_part(s) == _trained_part(stage.options)]
    steps = inputs.steps * sum(s.epochs for s in sharing)
    return inputs.pairing.same_size and steps >= COMPILE_MIN_STEPS


def _trained_part(options: StageOptions) -> tuple[Trainable, int]:
    """What a stage trains; code is compiled for that."""
    return options.trainable, options.frozen_blocks


def new_encoder(
    config: RunConfig, images: ImageSet, out_dim: int, source: Source | None = None
) -> Encoder:
    """An encoder for these images as it is before training, on the CPU. source: see
    `begin_with`."""
    return begun_encoder(config, images, out_dim, source)[0]


def begun_encoder(
    config: RunConfig, images: ImageSet, out_dim: int, source: Source | None = None
) -> tuple[Encoder, Begun | None]:
    """An encoder for these images as it is before training, on the CPU, and what it has begun with;
    None for random weights. Raises InputError as `begin_with`."""
    encoder = _random_encoder(config, images, out_dim)
    return encoder, begin_with(config.model, encoder, source)


def _random_encoder(config: RunConfig, images: ImageSet, out_dim: int) -> Encoder:
    """An encoder for these images, with random weights, on the CPU."""
    seed = derived_seed(config.seed, "weights")
    return random_encoder(config.model, *_made_for(images), out_dim, seed)


def new_loss(inputs: Inputs, stage: Stage, h_dim: int) -> Loss:
    """The loss of a stage, with the parameters that it begins with, on the CPU.

    h_dim: dimension of H.
    """
    options = inputs.config.loss_of(stage.options)
    n_classes = getattr(inputs.pairing, "n_classes", None)
    sizes = LossSizes(h_dim, stage.options.out_dim, n_classes, stage.number)
    with torch.random.fork_rng(devices=[]), tried(options, "build"):
        torch.manual_seed(derived_seed(stage.seed, "loss", stage.number))
        return options.build_for(sizes)


def n_parameters(config: RunConfig, images: ImageSet) -> int:
    """Parameters of an encoder for these images in the stage of most dimensions, without memory for
    them."""
    out_dim = max(stage.out_dim for stage in config.schedule.stages.values())
    with torch.device("meta"):
        encoder = build_encoder(config.model, *_made_for(images), out_dim)
    return sum(parameter.numel() for parameter in encoder.parameters())


def _made_for(
    images: ImageSet,
) -> tuple[tuple[int, int, int], tuple[float, ...], tuple[float, ...]]:
    """Shape, mean and deviation of the images that an encoder is for."""
    channels, height, width = images.images.shape[1:]
    return (channels, height, width), images.mean, images.std


def release_compiled() -> None:
    """Drop compiled code and the memory of its graphs. In a sweep they would otherwise count toward
    the compiler's limit of variants of a function, and take memory from the next run."""
    torch.compiler.reset()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _unfit(what: str) -> InputError:
    return InputError(
        f"{layout.CHECKPOINT}: holds {what}, which this run never has; restart=true begins anew"
    )


@contextmanager
def _fitting() -> Iterator[None]:
    """Context that turns the errors of loading a state of other shapes into InputErrors."""
    try:
        yield
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise _unfit(f"another state ({str(error).splitlines()[0]})") from error


class TrainingObserver:
    """Callbacks of training. This base class does nothing."""

    def before_batch_of_h(self, stage: Stage) -> None:
        """Before a stage, H of all images is computed, and a batch of it is next."""

    def before_stage(self, stage: Stage, start: Position) -> None:
        """A stage is about to begin, or to continue from `start`."""

    def compiling(self) -> None:
        """Compiling the stage begins."""

    def compiled(self, obstacle: str | None) -> None:
        """Compiling has ended; if it failed, `obstacle` says why and training goes on without."""

    def after_step(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        """A step is done; `state.step` counts it."""

    def after_epoch(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        """An epoch is done, and its losses are finite."""

    def after_stage(self, trainer: StageTrainer) -> None:
        """A stage is done."""


class StagedTraining:
    """The stages of one run, trained one after the other. Writes and prints nothing.

    checkpoint: to continue from; None to begin.
    kept_h: keeps H of frozen backbones; None for that of the inputs.
    begun: what the network has begun with; None for random weights and with a checkpoint.
    obstacle: why compiling failed, where `device.compile=auto`; None if it did not.
    loss: the loss of the current or the last stage, with what it has learned; None before the first
        stage.
    """

    def __init__(
        self,
        inputs: Inputs,
        checkpoint: Checkpoint | None = None,
        kept_h: KeptH | None = None,
    ):
        config, compute = inputs.config, inputs.compute
        self.inputs = inputs
        self.kept_h = kept_h or inputs.kept_h
        self.checkpoint = checkpoint
        self.stages = config.schedule.numbered(config.seed)
        self.observer = TrainingObserver()
        self.obstacle: str | None = None
        self._compiled: int | None = None  # frozen blocks of the stage compiled last
        if checkpoint:
            self._check(checkpoint)
        out_dim = checkpoint.out_dim if checkpoint else self.stages[0].options.out_dim
        self.begun: Begun | None = None
        if checkpoint:
            encoder = _random_encoder(config, inputs.images, out_dim)
            with _fitting():
                encoder.load_state_dict(checkpoint.encoder)
        else:
            encoder, self.begun = begun_encoder(config, inputs.images, out_dim, inputs.source)
        self.encoder = compute.placed(encoder)
        self.loss: Loss | None = None
        if checkpoint and checkpoint.loss is not None and self._at_start_of_stage:
            self.loss = self._new_loss(self.stages[self.start.stage - 1])
            with _fitting():
                load_state(self.loss, checkpoint.loss)

    @property
    def _at_start_of_stage(self) -> bool:
        return self.start.stage > 0 and self.start.epoch == self.start.step == 0

    def _new_loss(self, stage: Stage) -> Loss:
        loss = new_loss(self.inputs, stage, self.encoder.backbone.out_features)
        return on_device(loss, self.inputs.compute.device)

    def _check(self, checkpoint: Checkpoint) -> None:
        """Raise InputError for a checkpoint of a state that this training never has."""
        position, steps, stages = checkpoint.position, self.inputs.steps, self.stages
        fresh = position.epoch == position.step == 0
        epochs = [stage.options.epochs for stage in stages]
        within = position.stage < len(stages) and (
            position.epoch < epochs[position.stage] and position.step <= steps
        )
        if not within and not (fresh and position.stage == len(stages)):
            raise _unfit(f"step {tuple(position)}")
        last = stages[max(position.stage - fresh, 0)].options.out_dim
        if checkpoint.out_dim != last:
            raise _unfit(f"a map of {checkpoint.out_dim} dimensions")
        if len(checkpoint.rows) != sum(epochs[: position.stage]) + position.epoch:
            raise _unfit(f"{len(checkpoint.rows)} rows of metrics at step {tuple(position)}")
        if checkpoint.losses is not None and len(checkpoint.losses) != steps:
            raise _unfit(f"the losses of {len(checkpoint.losses)} steps")

    @property
    def start(self) -> Position:
        """Where training begins or continues."""
        return self.checkpoint.position if self.checkpoint else Position(0, 0, 0)

    @property
    def is_done(self) -> bool:
        """Whether no stage is left to train."""
        return self.start.stage == len(self.stages)

    def run(self, observer: TrainingObserver | None = None) -> None:
        """Train the remaining stages.

        Raises TrainingDiverged, WrongGradients, ProcessLost and InputError as `StageTrainer` does,
        and the exceptions of the observer.
        """
        self.observer = observer or self.observer
        try:
            for stage in self.stages[self.start.stage :]:
                continued = self.start.stage == stage.number
                self._train(stage, self.start if continued else Position(stage.number, 0, 0))
        finally:
            if self._compiled is not None:
                release_compiled()

    def trainer(self, stage: Stage) -> StageTrainer:
        """The trainer of the encoder in a stage. A loss that goes on from stage to stage begins
        with what the one before has learned."""
        inputs = self.inputs
        before, self.loss = self.loss, self._new_loss(stage)
        if before is not None:
            carry(self.loss, before)
        self.kept_h.between = partial(self.observer.before_batch_of_h, stage)
        compiled = self.obstacle is None and should_compile(inputs, stage)
        return StageTrainer(
            stage,
            self.encoder,
            self.loss,
            inputs.pairing,
            inputs.resident,
            replace(inputs.compute, compile=compiled),
            self.kept_h,
        )

    def _train(self, stage: Stage, start: Position) -> None:
        fresh = start.epoch == 0 and start.step == 0
        if fresh:
            self.fit_readout(stage)
        trainer = self.trainer(stage)  # which may embed all images, at a pace of its own
        self.observer.before_stage(stage, start)
        done = start.epoch * trainer.steps + start.step
        if trainer.mode and done < stage.options.epochs * trainer.steps:
            self.compile(trainer)
        state = trainer.new_epoch() if fresh else self._restore(trainer)
        for epoch in range(start.epoch, stage.options.epochs):
            self._epoch(trainer, epoch, state)
            state = trainer.new_epoch()
        self.observer.after_stage(trainer)

    def fit_readout(self, stage: Stage) -> None:
        """Replace the last layer if Z has another dimension than in the previous stage."""
        if self.encoder.out_dim == stage.options.out_dim:
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(stage.seed, "readout", stage.number))
            normal = stage.options.readout_init is ReadoutInit.normal
            self.encoder.new_readout(stage.options.out_dim, normal)

    def compile(self, trainer: StageTrainer) -> None:
        """Compile the steps of a stage.

        Where that fails under `device.compile=auto`, sets `obstacle`, and this and the following
        stages are not compiled. Raises what `StageTrainer.compile` raises under
        `device.compile=true`.
        """
        self.observer.compiling()
        frozen = trainer.stage.options.frozen_blocks
        if self._compiled not in (None, frozen):
            # PyTorch may take code that was compiled for other trained parts.
            release_compiled()
        self._compiled = frozen
        try:
            trainer.compile()
        except Exception as error:
            if self.inputs.compute.compile:
                raise
            cause = error.__cause__ or error
            self.obstacle = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        if self.obstacle:
            # Outside the except block, where the exception would keep the computed tensors alive.
            trainer.interpret()
            release_compiled()
        self.observer.compiled(self.obstacle)

    def _restore(self, trainer: StageTrainer) -> EpochState:
        checkpoint = self.checkpoint
        assert checkpoint is not None
        with _fitting():
            if checkpoint.optimizer is not None:
                trainer.optimizer.load_state_dict(checkpoint.optimizer)
            trainer.load_loss_state(checkpoint.loss)
        if checkpoint.losses is None:
            return trainer.new_epoch()
        losses = checkpoint.losses.to(self.inputs.compute.device)
        return EpochState(losses, checkpoint.position.step, checkpoint.seconds)

    def _epoch(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        began = time.monotonic() - state.seconds
        for _ in trainer.train_epoch(epoch, state):
            state.seconds = time.monotonic() - began
            self.observer.after_step(trainer, epoch, state)
        trainer.check_finite(epoch, state)
        # Measured here, since the check above waits for the device.
        state.seconds = max(time.monotonic() - began, 1e-9)
        self.observer.after_epoch(trainer, epoch, state)
