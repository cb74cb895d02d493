"""Records training as it proceeds: checkpoints, metrics, maps, and progress on the terminal."""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from typing import Any, Self

import numpy as np

from dimred.config.renamed import current_identity
from dimred.config.same_run import is_same_run
from dimred.errors import InputError, Interrupted, TrainingDiverged
from dimred.run.correction import Watch
from dimred.run.pace import Pace
from dimred.run.progress import RunClock, StageProgress
from dimred.run.report import RunReport
from dimred.run.run_log import RunLog
from dimred.run.stages import StagedTraining, TrainingObserver
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.training.checkpoint import Checkpoint, Position
from dimred.training.interrupt import SignalWatch
from dimred.training.learned_loss import state_of
from dimred.training.sample_losses import sample_losses
from dimred.training.schedule import Stage
from dimred.training.stage import EpochState, StageTrainer


def checkpoint_of(folder: RunFolder, identity: dict[str, Any]) -> Checkpoint | None:
    """The checkpoint in a run folder, or None. Raises InputError for one of another run."""
    if not folder.files.exists(layout.CHECKPOINT):
        return None
    checkpoint = folder.read_checkpoint()
    with suppress(InputError):  # of what is no identity
        if is_same_run(current_identity(checkpoint.identity), identity):
            return checkpoint
    raise InputError(f"{folder.checkpoint}: belongs to another run; begin anew with restart=true")


class RunRecorder(TrainingObserver):
    """Saves, measures and shows the training of a run. A context manager around the training.

    Its methods raise Interrupted after a signal (once a checkpoint is written), TrainingDiverged
    for an embedding that is not finite, OSError for a file that cannot be written, and what the
    watch raises.
    """

    def __init__(
        self,
        training: StagedTraining,
        report: RunReport,
        identity: dict[str, Any],
        pace: Pace | None = None,
        watch: Watch | None = None,
    ):
        self.training = training
        self.report = report
        self.identity = identity
        self.config = training.inputs.config
        self.folder: RunFolder = report.folder
        self.signals = SignalWatch()
        self.rows = training.checkpoint.rows if training.checkpoint else []
        self.saved_at = time.monotonic()
        self._clock = RunClock(self.config.schedule, training.inputs.steps, pace or Pace())
        self._progress: StageProgress | None = None
        self.log = RunLog(self.config, self.folder)
        self._watch = watch

    def __enter__(self) -> Self:
        training = self.training
        self.folder.reset_metrics(self.rows)
        self.log.open(self.rows)
        if training.checkpoint:
            stage = training.stages[training.start.stage].name
            print(f"continuing in stage {stage}, epoch {training.start.epoch + 1}", flush=True)
        self.signals.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.signals.__exit__(*error)
        self._close_progress()
        if error[0] is not None:
            self.log.close()

    @property
    def progress(self) -> StageProgress:
        """The progress of the current stage."""
        assert self._progress is not None
        return self._progress

    def _close_progress(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None

    def before_batch_of_h(self, stage: Stage) -> None:
        """After a signal, stop: all that has been trained is saved."""
        if self.signals.received is not None:
            raise Interrupted(
                self.signals.received,
                f"{self._how} before stage {stage.name}; the same command {self._same}goes on",
            )

    def before_stage(self, stage: Stage, start: Position) -> None:
        """Start the progress line."""
        done = start.epoch * self.training.inputs.steps + start.step
        measuring = self.report.measuring
        headline = measuring.headline, measuring.headline_label
        self._progress = StageProgress(stage, self._clock, done, headline)

    def compiling(self) -> None:
        """Show it."""
        self.progress.compiling()

    def compiled(self, obstacle: str | None) -> None:
        """Show it."""
        self.progress.compiled(obstacle)

    def after_step(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        """Save when a checkpoint is due; after a signal, save and stop."""
        self.report.forget()
        self.progress.step()
        due = time.monotonic() - self.saved_at >= self.config.checkpoint_every
        if due or self.signals.received is not None:
            self._save_within(trainer, epoch, state)
            self._stop_if_asked(trainer.stage.name)
        if self._watch is not None and self.signals.received is None:
            at = Position(trainer.stage.number, epoch, state.step)
            kind = trainer.stage.options.trainable
            self._watch.after_step(self.config.schedule, trainer.steps, kind, at)

    def after_epoch(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        """Measure if due, and add a row to the metrics."""
        self.report.forget()
        self.progress.rest()
        stage, every = trainer.stage, self.config.eval.every
        last = epoch + 1 == stage.options.epochs
        measured = last or (every > 0 and (epoch + 1) % every == 0)
        encoder = trainer.encoder
        if measured and not np.isfinite(self.report.embed(encoder, trainer.loss).samples_z).all():
            raise TrainingDiverged(
                f"the embedding is not finite after stage {stage.name}, epoch {epoch + 1}"
            )
        if last:
            # Measuring can take minutes; save first so that training is not lost meanwhile.
            self._save_within(trainer, epoch, state)
        row = {
            "stage": stage.name,
            "epoch": epoch + 1,
            "loss": float(state.losses.double().mean()),
            "lr": trainer.lr(epoch, 0),
            "images_per_s": round(trainer.steps * trainer.batch_size / state.seconds, 1),
            "seconds": round(state.seconds, 3),
        }
        if trainer.mode:
            row["compiled"] = trainer.mode
        row |= trainer.learned_in_loss()
        if measured:
            row |= self.report.measure(encoder, trainer.loss)
        self.rows.append(row)
        self.folder.append_metrics(row)
        self.log.row(row)
        self.progress.epoch(row)

    def after_stage(self, trainer: StageTrainer) -> None:
        """Write the map, and save."""
        self._close_progress()
        stage = trainer.stage
        losses = sample_losses(trainer)
        self.report.write_stage(stage.name, trainer.encoder, trainer.loss, losses)
        self._save(Position(stage.number + 1, 0, 0))
        self._stop_if_asked(stage.name)

    def _save_within(self, trainer: StageTrainer, epoch: int, state: EpochState) -> None:
        """Write a checkpoint in the middle of a stage."""
        trainer.check_finite(epoch, state)
        self._save(Position(trainer.stage.number, epoch, state.step), trainer, state)

    def _save(
        self,
        position: Position,
        trainer: StageTrainer | None = None,
        state: EpochState | None = None,
    ) -> None:
        """Write a checkpoint; without a trainer and state, one for the start of a stage."""
        encoder = self.training.encoder
        checkpoint = Checkpoint(
            identity=self.identity,
            position=position,
            encoder=encoder.state_dict(),
            out_dim=encoder.out_dim,
            optimizer=trainer.optimizer.state_dict() if trainer else None,
            losses=state.losses if state else None,
            seconds=state.seconds if state else 0.0,
            rows=self.rows,
            loss=state_of(self.training.loss),
        )
        self.folder.write_checkpoint(checkpoint)
        self.saved_at = time.monotonic()

    def _stop_if_asked(self, stage: str) -> None:
        if self.signals.received is not None:
            raise Interrupted(
                self.signals.received,
                f"{self._how} in stage {stage}, saved to {self.folder.path}; the same command "
                f"{self._same}goes on from there",
            )

    @property
    def _how(self) -> str:
        return "terminated" if self.signals.received == signal.SIGTERM else "interrupted"

    @property
    def _same(self) -> str:
        return "without restart=true " if self.config.restart else ""
