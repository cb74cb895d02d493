"""One stage of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee

import torch
from torch import Tensor

from dimred.data.resident import ResidentImages
from dimred.errors import InputError, TrainingDiverged, WrongGradients
from dimred.fusing import fusing
from dimred.losses import Loss, StepContext, loss_of
from dimred.models import Encoder
from dimred.pairing import Pairing, StepBatch
from dimred.training.compute import Compute
from dimred.training.frozen import freeze, new_optimizer, set_modes
from dimred.training.kept_h import KeptH, keeps_h
from dimred.training.learned_loss import (
    buffers_of,
    learned_numbers,
    load_state,
    named_parameters,
    on_device,
    parameters_of,
)
from dimred.training.learning_rate import learning_rate
from dimred.training.processes import sync_batchnorm
from dimred.training.schedule import LrUpdate, Stage, Trainable
from dimred.training.seeds import derived_seed, generator_at


@dataclass
class EpochState:
    """Progress of an epoch. losses: float32 (steps,) on the device, filled up to `step`."""

    losses: Tensor
    step: int = 0
    seconds: float = 0.0


# The mode of torch.compile that also records CUDA graphs, which the CPU starts by one call instead
# of hundreds.
GRAPHS = "reduce-overhead"


def compile_mode(compute: Compute, pairing: Pairing) -> str | None:
    """The mode of torch.compile for a stage; None where nothing is compiled."""
    if not compute.compile:
        return None
    graphs = compute.device.type == "cuda" and pairing.same_size
    return GRAPHS if graphs else "default"


class StageTrainer:
    """Trains an encoder through one stage. Writes no files and prints nothing."""

    def __init__(
        self,
        stage: Stage,
        encoder: Encoder,
        loss: Loss,
        pairing: Pairing,
        images: ResidentImages,
        compute: Compute,
        kept_h: KeptH | None = None,
    ):
        self.stage = stage
        self.encoder = encoder
        self.loss = on_device(loss, compute.device)
        self.takes_context = getattr(loss, "takes_context", False)
        self.pairing = pairing
        self.images = images
        self.anchors = pairing.anchors.to(compute.device)
        self.batch_size = stage.schedule.batch_size
        self.compute = compute
        self.steps = len(self.anchors) // self.batch_size
        freeze(encoder, stage)
        # None lets PyTorch choose; False would also rule out its faster non-fused kernels.
        self.optimizer = new_optimizer(stage, encoder, loss, compute.fused_optimizer or None)
        sync_batchnorm(encoder, compute.processes, compute.device.type)
        self.h: ResidentImages | None = None
        if keeps_h(stage, encoder, pairing):
            with self._input_errors():
                self.h = (kept_h or KeptH()).of(encoder, images, self.batch_size, compute)
        self.mode = compile_mode(compute, pairing) if self.h is None else None
        # Without the readout, so that stages of different dimensions share the compiled code.
        self.features, self.represent = encoder.features, encoder.represent
        if self.mode is not None:
            varies = None if pairing.same_size else True
            self.features = torch.compile(encoder.features, mode=self.mode, dynamic=varies)
            self.represent = torch.compile(encoder.represent, mode=self.mode, dynamic=varies)
        self._checked = False

    def new_epoch(self) -> EpochState:
        """The state of an epoch that has not begun."""
        return EpochState(torch.zeros(self.steps, device=self.compute.device))

    def lr(self, epoch: int, step: int) -> float:
        """The learning rate of a step."""
        options, per_step = self.stage.options, self.stage.schedule.lr_update is LrUpdate.step
        unit = self.steps if per_step else 1
        iteration = epoch * self.steps + (step if per_step else 0)
        done = iteration if per_step else epoch
        warmup, total = options.warmup_epochs * unit, options.epochs * unit
        return learning_rate(self.stage.base_lr, done, total, warmup, options.anneal, iteration)

    def train_epoch(self, epoch: int, state: EpochState) -> Iterator[None]:
        """Train an epoch from `state.step` on, updating `state`; yields after each step.

        An incomplete last batch is dropped. Raises InputError where a batch does not fit into the
        device's memory or torch.compile has no compiler, and WrongGradients in the first step if a
        trained parameter has no finite gradient or a frozen one has a gradient.
        """
        set_modes(self.encoder, self.stage)
        with self._input_errors():
            for step, selection, images in self._batches(epoch, state.step):
                self._set_lr(self.lr(epoch, step))
                state.losses[step] = self._step(images, selection, epoch, step)
                state.step = step + 1
                yield

    @contextmanager
    def _input_errors(self) -> Iterator[None]:
        """Context that turns errors of a step that the user can fix into InputErrors."""
        try:
            yield
        except torch.OutOfMemoryError as error:
            raise InputError(
                f"schedule.batch_size={self.batch_size}: more than the memory of "
                f"{self.compute.device} holds"
            ) from error
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            reason = str(error).splitlines()[0]
            raise InputError(f"device.compile=true: cannot compile here: {reason}") from error

    def _batches(self, epoch: int, first: int) -> Iterator[tuple[int, StepBatch, Tensor]]:
        """Number, batch and images of the steps of an epoch, from step `first` on; where it is
        kept, H of the images in place of these."""
        selections, again = tee(self._selections(epoch, first))
        source = self.images if self.h is None else self.h
        batches = source.batches(selection.samples for selection in selections)
        for step, (selection, images) in enumerate(zip(again, batches, strict=True), first):
            yield step, selection, images

    def _selections(self, epoch: int, first: int) -> Iterator[StepBatch]:
        """The batches of an epoch, from step `first` on."""
        device, number = self.compute.device, self.stage.number
        order = generator_at(device, self.stage.seed, "order", number, epoch)
        permutation = torch.randperm(len(self.anchors), generator=order, device=device)
        for step in range(first, self.steps):
            part = permutation[step * self.batch_size : (step + 1) * self.batch_size]
            generator = generator_at(device, self.stage.seed, "selection", number, epoch, step)
            yield self.pairing.select(self.anchors[part], generator)

    def _set_lr(self, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["lr_factor"]

    def _step(self, images: Tensor, selection: StepBatch, epoch: int, step: int) -> Tensor:
        """Take a step; returns its loss."""
        loss = self._gradients(images, selection, epoch, step)
        # A loss that is not finite is left to `check_finite`, whose message says more.
        first = not self._checked and bool(loss.isfinite())
        if first:
            self._check_which_learn()
        # Gradients of the loss's own parameters already include all rows.
        self.compute.processes.all_reduce_gradients(self.encoder.parameters())
        if first:
            self._check_gradients_finite()
        self._checked = True
        self.optimizer.step()
        return loss

    def _gradients(self, images: Tensor, selection: StepBatch, epoch: int, step: int) -> Tensor:
        """Compute the gradients of a step; returns its loss."""
        processes, rows = self.compute.processes, selection.rows
        place = (self.stage.number, epoch, step)
        self.optimizer.zero_grad(set_to_none=True)
        with self.computing():
            h, features = self._features(images, selection, place)
            z = processes.gather(self.encoder.read_out(features), rows)
            context = None
            if self.takes_context:
                draws = generator_at(self.compute.device, self.stage.seed, "loss", *place)
                progress = (epoch + step / self.steps) / self.stage.options.epochs
                context = StepContext(processes.gather(h, rows), draws, progress)
            loss = loss_of(self.loss, z, selection.pairs, context)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _features(
        self, images: Tensor, selection: StepBatch, place: tuple[int, int, int]
    ) -> tuple[Tensor, Tensor]:
        """H and the input of the readout of this process's rows of a step, with the gradients of
        what is trained. images: see `_batches`. place: stage, epoch and step."""
        stage, part = self.stage, self.compute.processes.part(selection.rows)
        # Freezing by the grad mode too, since code that torch.compile made for another stage may
        # ignore `requires_grad` (seen in PyTorch 2.11).
        learns = torch.set_grad_enabled
        if self.h is not None:
            h = images.repeat(selection.rows // len(images), 1)[part]
            with learns(not stage.readout_only):
                return h, self.encoder.hide(h)
        generator = generator_at(self.compute.device, stage.seed, "pairing", *place)
        inputs = self.pairing.views(images, generator, part)
        inputs = inputs.contiguous(memory_format=self.compute.memory_format)
        with self.compute.autocast(), self._draws(place):
            if stage.options.trainable is Trainable.head:
                with learns(False):
                    h, represented = self.represent(inputs)
                return h, self.encoder.hide(represented)
            with learns(not stage.readout_only):
                return self.features(inputs)

    @contextmanager
    def _draws(self, place: tuple[int, int, int]) -> Iterator[None]:
        """Context in which a network that draws random numbers draws those of a step."""
        if not getattr(self.encoder.backbone, "draws", False):
            yield
            return
        device, rank = self.compute.device, self.compute.processes.rank
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derived_seed(self.stage.seed, "network", *place, rank))
            yield

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Context of the computations up to the loss, which fuses them if the stage is compiled."""
        if self.mode == GRAPHS:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with fusing(self.mode if self.compute.device.type == "cuda" else None):
            yield

    def _check_which_learn(self) -> None:
        """Raise WrongGradients unless exactly the trained parameters have gradients."""
        parameters = [*self.encoder.named_parameters(), *named_parameters(self.loss)]
        missing = [name for name, p in parameters if p.requires_grad and p.grad is None]
        frozen = [name for name, p in parameters if not p.requires_grad and p.grad is not None]
        self._refuse("to be trained and without a gradient", missing)
        self._refuse("frozen and yet with a gradient", frozen)

    def _check_gradients_finite(self) -> None:
        """Raise WrongGradients for gradients that are not finite."""
        parameters = [*self.encoder.named_parameters(), *named_parameters(self.loss)]
        gradients = [(name, p.grad) for name, p in parameters if p.grad is not None]
        bad = [name for name, gradient in gradients if not gradient.isfinite().all()]
        self._refuse("with a gradient that is not finite", bad)

    def _refuse(self, fault: str, names: list[str]) -> None:
        if names:
            advice = "; device.compile=false trains without torch.compile" if self.mode else ""
            raise WrongGradients(
                f"stage {self.stage.name}, first step: parameters {fault}: "
                f"{', '.join(names)}{advice}"
            )

    def compile(self) -> None:
        """Compile this stage by trial steps on its first batch, which change neither weights nor
        running statistics. Raises the errors of `train_epoch`."""
        _, selection, images = next(self._batches(0, 0))
        buffers = [*self.encoder.buffers(), *buffers_of(self.loss)]
        kept = [buffer.clone() for buffer in buffers]
        set_modes(self.encoder, self.stage)
        try:
            with self._input_errors():
                # A graph is recorded in the second call and replayed from the third on.
                for _ in range(3 if self.mode == GRAPHS else 1):
                    self._gradients(images, selection, 0, 0)
        finally:
            for buffer, before in zip(buffers, kept, strict=True):
                buffer.copy_(before)
            self.optimizer.zero_grad(set_to_none=True)

    def interpret(self) -> None:
        """Compute without the compiler from now on."""
        self.mode = None
        self.features, self.represent = self.encoder.features, self.encoder.represent

    def load_loss_state(self, state: dict[str, Tensor] | None) -> None:
        """Restore the parameters of the loss, if it has any."""
        load_state(self.loss, state)

    def learned_in_loss(self) -> dict[str, float]:
        """See `learned_numbers`."""
        return learned_numbers(self.loss)

    def check_finite(self, epoch: int, state: EpochState) -> None:
        """Raise TrainingDiverged if a loss so far, or a weight now, is not finite."""
        bad = (~state.losses[: state.step].isfinite()).nonzero()
        if len(bad):
            step = int(bad[0])
            raise TrainingDiverged(
                f"the loss became {float(state.losses[step])} in stage {self.stage.name}, "
                f"epoch {epoch + 1}, step {step + 1} of {self.steps}"
            )
        weights = [w for w in self.encoder.state_dict().values() if w.is_floating_point()]
        weights += parameters_of(self.loss)
        if not torch.stack([w.isfinite().all() for w in weights]).all():
            raise TrainingDiverged(
                f"weights became infinite or not a number in stage {self.stage.name}, "
                f"epoch {epoch + 1}, step {state.step} of {self.steps}"
            )
