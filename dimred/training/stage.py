"""One stage of training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import tee

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.resident import ResidentImages
from dimred.errors import InputError, TrainingDiverged, WrongGradients
from dimred.fusing import fusing
from dimred.losses import Loss, StepContext, loss_of
from dimred.models import Encoder
from dimred.pairing import Pairing, StepBatch
from dimred.training.compute import Compute
from dimred.training.learned_loss import (
    buffers_of,
    learned_numbers,
    load_state,
    named_parameters,
    on_device,
    parameter_groups,
    parameters_of,
)
from dimred.training.learning_rate import learning_rate
from dimred.training.processes import sync_batchnorm
from dimred.training.schedule import FrozenBatchNorm, LrUpdate, OptimizerName, Stage
from dimred.training.seeds import generator_at


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
        # Gradients of the previous stage would remain on parameters that this one freezes.
        encoder.zero_grad(set_to_none=True)
        encoder.requires_grad_(not self.stage.readout_only)
        encoder.readout.requires_grad_(True)
        self.optimizer = self._optimizer()
        sync_batchnorm(encoder, compute.processes, compute.device.type)
        self.mode = compile_mode(compute, pairing)
        self.features = encoder.features
        if self.mode is not None:
            # Without the readout, so that stages of different dimensions share the compiled code.
            varies = None if pairing.same_size else True
            self.features = torch.compile(encoder.features, mode=self.mode, dynamic=varies)
        self._checked = False

    def _optimizer(self) -> torch.optim.Optimizer:
        options = self.stage.schedule.optimizer
        trained = [(n, p) for n, p in self.encoder.named_parameters() if p.requires_grad]
        biases = [p for name, p in trained if name.endswith("bias")]
        others = [p for name, p in trained if not name.endswith("bias")]
        if options.bias_lr_factor == 1:
            biases, others = [], [p for _, p in trained]
        groups = [{"params": others, "lr_factor": 1.0}]
        if biases:
            groups.append({"params": biases, "lr_factor": options.bias_lr_factor})
        groups += parameter_groups(self.loss)
        lr, decay = self.stage.base_lr, options.weight_decay
        # None lets PyTorch choose; False would also rule out its faster non-fused kernels.
        fused = self.compute.fused_optimizer or None
        if options.name is OptimizerName.adamw:
            return torch.optim.AdamW(groups, lr, weight_decay=decay, fused=fused)
        return torch.optim.SGD(
            groups, lr, momentum=options.momentum, weight_decay=decay, fused=fused
        )

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
        self._train_or_freeze()
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
        """Number, batch and images of the steps of an epoch, from step `first` on."""
        selections, again = tee(self._selections(epoch, first))
        batches = self.images.batches(selection.samples for selection in selections)
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
        device, place = self.compute.device, (self.stage.number, epoch, step)
        generator = generator_at(device, self.stage.seed, "pairing", *place)
        self.optimizer.zero_grad(set_to_none=True)
        with self.computing():
            inputs = self.pairing.views(images, generator, processes.part(rows))
            inputs = inputs.contiguous(memory_format=self.compute.memory_format)
            # Freezing by the grad mode too, since code that torch.compile made for another stage
            # may ignore `requires_grad` (seen in PyTorch 2.11).
            with self.compute.autocast(), torch.set_grad_enabled(not self.stage.readout_only):
                h, features = self.features(inputs)
            z = processes.gather(self.encoder.read_out(features), rows)
            context = None
            if self.takes_context:
                draws = generator_at(device, self.stage.seed, "loss", *place)
                progress = (epoch + step / self.steps) / self.stage.options.epochs
                context = StepContext(processes.gather(h, rows), draws, progress)
            loss = loss_of(self.loss, z, selection.pairs, context)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

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
        self._train_or_freeze()
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
        self.mode, self.features = None, self.encoder.features

    def load_loss_state(self, state: dict[str, Tensor] | None) -> None:
        """Restore the parameters of the loss, if it has any."""
        load_state(self.loss, state)

    def learned_in_loss(self) -> dict[str, float]:
        """See `learned_numbers`."""
        return learned_numbers(self.loss)

    def _train_or_freeze(self) -> None:
        frozen = self.stage.options.frozen_batchnorm is FrozenBatchNorm.freeze
        self.encoder.train(not (self.stage.readout_only and frozen))

    @torch.no_grad()
    def sample_losses(self) -> NDArray[np.float32]:
        """The current loss of each sample (N,), in eval mode, in batches as in training: the mean
        over its rows. NaN for samples that are not learned from or, where a pairing draws
        its samples, were not drawn, and for all samples where a batch shared by several processes
        does not fit into one device's memory."""
        training = self.encoder.training
        self.encoder.eval()
        try:
            return self._sample_losses()
        except torch.OutOfMemoryError:
            return np.full(len(self.images), np.nan, dtype=np.float32)
        finally:
            self.encoder.train(training)

    def _sample_losses(self) -> NDArray[np.float32]:
        total, counts = np.zeros(len(self.images)), np.zeros(len(self.images))
        selections, again = tee(self._everything())
        batches = self.images.batches(selection.samples for selection in selections)
        for step, (selection, images) in enumerate(zip(again, batches, strict=True)):
            generator = self._generator("views of item losses", step)
            inputs = self.pairing.views(images, generator)
            with self.compute.autocast():
                h, z = self.encoder(inputs.contiguous(memory_format=self.compute.memory_format))
            context = StepContext(h, self._generator("item losses", step), progress=1.0)
            rows = loss_of(self.loss, z, selection.pairs, context, "none")
            losses = rows.double().cpu().numpy()
            # The rows are the samples in their order, repeated for each view.
            n_views = selection.rows // len(selection.samples)
            samples = selection.samples.repeat(n_views).cpu().numpy()
            np.add.at(total, samples, losses)
            np.add.at(counts, samples, 1)
        with np.errstate(invalid="ignore"):
            return (total / counts).astype(np.float32)

    def _everything(self) -> Iterator[StepBatch]:
        """Batches of all anchors in random order; the last one is filled with earlier anchors. A
        pairing whose batches do not follow the anchors has its own way to have all images."""
        device, size = self.compute.device, self.batch_size
        if covering := getattr(self.pairing, "covering", None):
            yield from covering(size, self._generator("selection of item losses"))
            return
        order = torch.randperm(
            len(self.anchors), generator=self._generator("order of item losses"), device=device
        )
        for step, first in enumerate(range(0, len(order), size)):
            part = order[min(first, len(order) - size) :][:size]
            generator = self._generator("selection of item losses", step)
            yield self.pairing.select(self.anchors[part], generator)

    def _generator(self, *place: str | int) -> torch.Generator:
        return generator_at(self.compute.device, self.stage.seed, *place, self.stage.number)

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
