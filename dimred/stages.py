"""The stages of one run, trained one after the other, with checkpoints."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch

from dimred.config import RunConfig
from dimred.config.model import WeightInit
from dimred.config.schedule import (
    FrozenBatchNorm,
    LrUpdate,
    OptimizerName,
    ReadoutInit,
    StageOptions,
    Trainable,
)
from dimred.data.image_set import ImageSet
from dimred.data.resident import ResidentImages
from dimred.errors import InputError, Interrupted, TrainingDiverged
from dimred.models import Encoder
from dimred.pairing import Pairing
from dimred.reporting.progress import StageProgress
from dimred.reporting.run_folder import RunFolder
from dimred.results import Results
from dimred.training import (
    Checkpoint,
    Compute,
    EpochState,
    Position,
    SignalWatch,
    StagePlan,
    StageTrainer,
    derived_seed,
    load_checkpoint,
    save_checkpoint,
)


class StagedTraining:
    """The stages of one run, with checkpoints."""

    def __init__(
        self,
        config: RunConfig,
        compute: Compute,
        images: ImageSet,
        resident: ResidentImages,
        pairing: Pairing,
        identity: dict[str, Any],
        folder: RunFolder,
        results: Results,
    ):
        self.config = config
        self.compute = compute
        self.resident = resident
        self.pairing = pairing
        self.identity = identity
        self.folder = folder
        self.results = results
        self.stages = list(config.schedule.stages.items())
        self.signals = SignalWatch()
        self.checkpoint = self._load()
        self.rows = self.checkpoint.rows if self.checkpoint else []
        self.encoder = self._encoder(images)
        self.saved_at = time.monotonic()

    def _load(self) -> Checkpoint | None:
        path = self.folder.checkpoint
        if not path.exists():
            return None
        checkpoint = load_checkpoint(path)
        if checkpoint.identity != self.identity:
            raise InputError(f"{path}: belongs to another run; begin anew with restart=true")
        return checkpoint

    def _encoder(self, images: ImageSet) -> Encoder:
        options, shape = self.config.model, images.images.shape
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self.config.seed, "weights"))
            encoder = Encoder(
                options.backbone(shape[1], (shape[2], shape[3])),
                images.mean,
                images.std,
                options.hidden_dim,
                self.checkpoint.out_dim if self.checkpoint else self.stages[0][1].out_dim,
            )
            if options.init is WeightInit.xavier:
                encoder.init_xavier()
        if self.checkpoint:
            encoder.load_state_dict(self.checkpoint.encoder)
        return encoder.to(self.compute.device).to(memory_format=self.compute.memory_format)

    def run(self) -> None:
        """Train what is left."""
        self.folder.reset_metrics(self.rows)
        start = self.checkpoint.position if self.checkpoint else Position(0, 0, 0)
        if start.stage == len(self.stages):
            print("measuring again", flush=True)
        elif self.checkpoint:
            stage = self.stages[start.stage][0]
            print(f"continuing in stage {stage}, epoch {start.epoch + 1}", flush=True)
        with self.signals:
            for number in range(start.stage, len(self.stages)):
                position = start if number == start.stage else Position(number, 0, 0)
                self._stage(position)

    def _stage(self, start: Position) -> None:
        number = start.stage
        name, stage = self.stages[number]
        fresh = start.epoch == 0 and start.step == 0
        if fresh and self.encoder.out_dim != stage.out_dim:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derived_seed(self.config.seed, "readout", number))
                normal = stage.readout_init is ReadoutInit.normal
                self.encoder.new_readout(stage.out_dim, normal)
        trainer = self._trainer(number, name, stage)
        state = trainer.new_epoch() if fresh else self._restore(trainer)
        done = start.epoch * trainer.steps + start.step
        progress = StageProgress(
            name,
            stage.epochs,
            done,
            trainer.steps,
            trainer.batch_size,
            self.results.judge.headline,
        )
        try:
            for epoch in range(start.epoch, stage.epochs):
                self._epoch(trainer, epoch, state, progress)
                state = trainer.new_epoch()
        finally:
            progress.close()
        self.results.write_stage(name, self.encoder)
        self._save(Position(number + 1, 0, 0))
        self._stop_if_asked(name)

    def _trainer(self, number: int, name: str, stage: StageOptions) -> StageTrainer:
        schedule = self.config.schedule
        plan = StagePlan(
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
        return StageTrainer(
            plan,
            self.encoder,
            (stage.loss or self.config.loss).build(),
            self.pairing,
            self.resident,
            schedule.batch_size,
            self.config.seed,
            self.compute,
        )

    def _restore(self, trainer: StageTrainer) -> EpochState:
        checkpoint = self.checkpoint
        assert checkpoint is not None
        if checkpoint.optimizer is not None:
            trainer.optimizer.load_state_dict(checkpoint.optimizer)
        if checkpoint.losses is None:
            return trainer.new_epoch()
        losses = checkpoint.losses.to(self.compute.device)
        return EpochState(losses, checkpoint.position.step, checkpoint.seconds)

    def _epoch(
        self, trainer: StageTrainer, epoch: int, state: EpochState, progress: StageProgress
    ) -> None:
        plan = trainer.plan
        self.results.forget()
        began = time.monotonic() - state.seconds
        for _ in trainer.train_epoch(epoch, state):
            progress.step()
            state.seconds = time.monotonic() - began
            due = time.monotonic() - self.saved_at >= self.config.checkpoint_every
            if due or self.signals.received is not None:
                self._save(Position(plan.number, epoch, state.step), trainer, state)
                self._stop_if_asked(plan.name)
        trainer.check_finite(epoch, state)
        # Now, since the check above has waited for the device.
        state.seconds = max(time.monotonic() - began, 1e-9)
        last = epoch + 1 == plan.epochs
        every = self.config.eval.every
        measured = last or (every > 0 and (epoch + 1) % every == 0)
        if measured and not np.isfinite(self.results.embed(self.encoder)[1]).all():
            raise TrainingDiverged(
                f"the embedding is not finite after stage {plan.name}, epoch {epoch + 1}"
            )
        if last:
            # Measuring can take minutes; what was trained must not be lost meanwhile.
            self._save(Position(plan.number, epoch, state.step), trainer, state)
        row = {
            "stage": plan.name,
            "epoch": epoch + 1,
            "loss": float(state.losses.double().mean()),
            "lr": trainer.lr(epoch, 0),
            "images_per_s": round(trainer.steps * trainer.batch_size / state.seconds, 1),
            "seconds": round(state.seconds, 3),
        }
        if measured:
            row |= self.results.measure(self.encoder)
        self.rows.append(row)
        self.folder.append_metrics(row)
        progress.epoch(row)

    def _save(
        self,
        position: Position,
        trainer: StageTrainer | None = None,
        state: EpochState | None = None,
    ) -> None:
        """Write a checkpoint; without a trainer, one at the start of a stage."""
        if trainer and state:
            trainer.check_finite(position.epoch, state)
        checkpoint = Checkpoint(
            identity=self.identity,
            position=position,
            encoder=self.encoder.state_dict(),
            out_dim=self.encoder.out_dim,
            optimizer=trainer.optimizer.state_dict() if trainer else None,
            losses=state.losses if state else None,
            seconds=state.seconds if state else 0.0,
            rows=self.rows,
        )
        save_checkpoint(self.folder.checkpoint, checkpoint)
        self.saved_at = time.monotonic()

    def _stop_if_asked(self, stage: str) -> None:
        if self.signals.received is not None:
            raise Interrupted(
                self.signals.received,
                f"interrupted in stage {stage}, saved to {self.folder.path}; the same command "
                f"{'without restart=true ' if self.config.restart else ''}goes on from there",
            )
