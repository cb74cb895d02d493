"""A run's stages with checkpoints, measures and progress."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from dimred.config import RunConfig
from dimred.data.image_set import ImageSet
from dimred.data.resident import ResidentImages
from dimred.errors import InputError, Interrupted, TrainingDiverged
from dimred.pairing import Pairing
from dimred.run.progress import StageProgress
from dimred.run.results import Results
from dimred.run.stages import StagedTraining
from dimred.run_folder.folder import RunFolder
from dimred.training import (
    Checkpoint,
    Compute,
    EpochState,
    Position,
    SignalWatch,
    StageTrainer,
    load_checkpoint,
    save_checkpoint,
)


def checkpoint_of(folder: RunFolder, identity: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in a run folder, or None. Raises InputError for that of another run."""
    if not folder.checkpoint.exists():
        return None
    checkpoint = load_checkpoint(folder.checkpoint)
    if checkpoint.identity != identity:
        raise InputError(
            f"{folder.checkpoint}: belongs to another run; begin anew with restart=true"
        )
    return checkpoint


class RecordedTraining(StagedTraining):
    """The stages of one run, with checkpoints, measures and progress."""

    def __init__(
        self,
        config: RunConfig,
        compute: Compute,
        images: ImageSet,
        resident: ResidentImages,
        pairing: Pairing,
        checkpoint: Checkpoint | None,
        identity: dict[str, Any],
        folder: RunFolder,
        results: Results,
    ):
        super().__init__(config, compute, images, resident, pairing, checkpoint)
        self.identity = identity
        self.folder = folder
        self.results = results
        self.signals = SignalWatch()
        self.rows = checkpoint.rows if checkpoint else []
        self.progress: StageProgress
        self.saved_at = time.monotonic()

    def run(self) -> None:
        """Train what is left."""
        self.folder.reset_metrics(self.rows)
        if self.start.stage == len(self.stages):
            print("measuring again", flush=True)
        elif self.checkpoint:
            stage = self.stages[self.start.stage][0]
            print(f"continuing in stage {stage}, epoch {self.start.epoch + 1}", flush=True)
        with self.signals:
            super().run()

    def _stage(self, start: Position) -> StageTrainer:
        name, stage = self.stages[start.stage]
        batch_size = self.config.schedule.batch_size
        done = start.epoch * self.steps + start.step
        self.progress = StageProgress(
            name, stage.epochs, done, self.steps, batch_size, self.results.judge.headline
        )
        try:
            trainer = super()._stage(start)
        finally:
            self.progress.close()
        self.results.write_stage(name, self.encoder, trainer.item_losses())
        self._save(Position(start.stage + 1, 0, 0))
        self._stop_if_asked(name)
        return trainer

    def compile(self, trainer: StageTrainer) -> None:
        """Compile what a stage computes, and say so."""
        self.progress.compiling()
        super().compile(trainer)
        self.progress.compiled(self.obstacle)

    def _epoch(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        plan = trainer.plan
        self.results.forget()
        began = time.monotonic() - state.seconds
        for _ in trainer.train_epoch(epoch, state):
            self.progress.step()
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
        if trainer.mode:
            row["compiled"] = trainer.mode
        if measured:
            row |= self.results.measure(self.encoder)
        self.rows.append(row)
        self.folder.append_metrics(row)
        self.progress.epoch(row)

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
