"""One run: builds the objects, trains the stages, and has the results written."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf

from dimred.config import RunConfig, decisive_values
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
from dimred.errors import InputError, Interrupted
from dimred.evaluation import Judge
from dimred.models import Encoder
from dimred.reporting.environment import environment
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
    select_compute,
)


@dataclass(frozen=True)
class Outcome:
    """What `run` returns: the run folder, its summary, and whether it was finished before."""

    path: Path
    summary: dict[str, Any]
    finished_before: bool


def run(config: RunConfig, command: list[str]) -> Outcome:
    """Train and measure what `config` says, or continue where an earlier call was stopped.

    command: the words typed by the user, for the record.
    Raises InputError for input that cannot be used, TrainingDiverged for a loss that is not finite,
    Interrupted after SIGINT or SIGTERM, and OSError for files that cannot be written.
    """
    device = config.device
    compute = select_compute(
        device.name.value,
        device.precision.value,
        device.channels_last,
        device.compile,
        device.deterministic,
        device.threads,
    )
    images = config.dataset.load()
    fit = fit_positions(config, images)
    judge = Judge(images, config.eval.k, config.eval.random_test)
    check_against_data(config, images, len(fit), judge)
    decisive = identity_values(config, compute)
    identity = {"config": decisive, "data": images.fingerprint()}
    with RunFolder(run_path(config, decisive)) as folder:
        folder.admit(identity, config.restart)
        if folder.summary.exists():
            return Outcome(folder.path, folder.read_json("summary.json"), finished_before=True)
        _record(folder, config, compute, identity, command)
        _announce(folder, config, compute, images)
        resident = ResidentImages(images.images, compute.device, device.memory_fraction)
        results = Results(config, images, len(fit), judge, resident, compute, folder)
        training = _Training(config, compute, images, resident, fit, identity, folder, results)
        training.run()
        summary = results.finish(training.encoder, training.rows)
        return Outcome(folder.path, summary, finished_before=False)


def fit_positions(config: RunConfig, images: ImageSet) -> torch.Tensor:
    """Positions (int64) of the images that the map is learned from."""
    if config.dataset.fit_on.value == "train":
        return torch.from_numpy(np.flatnonzero(~images.is_test))
    return torch.arange(len(images))


def check_against_data(config: RunConfig, images: ImageSet, n_fit: int, judge: Judge) -> None:
    """Raise InputError for values that these images do not allow."""
    if config.schedule.batch_size > n_fit:
        raise InputError(
            f"schedule.batch_size={config.schedule.batch_size}: dataset={config.dataset.name} has "
            f"{n_fit} images to learn from, fewer than one batch; set a batch size of at most that"
        )
    if config.eval.random_test is not None and config.eval.random_test >= len(images):
        raise InputError(
            f"eval.random_test={config.eval.random_test}: must be below the number of images, "
            f"{len(images)}"
        )
    if max(config.eval.k) > judge.max_k:
        raise InputError(
            f"eval.k={config.eval.k}: must be at most {judge.max_k} with these {len(images)} images"
        )


def identity_values(config: RunConfig, compute: Compute) -> dict[str, Any]:
    """The values that decide the result, `auto` replaced by what it came to on this machine."""
    values = decisive_values(config)
    values["device.name"] = compute.device.type
    values["device.precision"] = "bf16" if compute.bf16 else "float32"
    return values


def run_path(config: RunConfig, identity: dict[str, Any]) -> Path:
    """The run folder: the same for the same configuration, so that a run typed again goes on."""
    if config.run_dir is not None:
        return Path(config.run_dir).expanduser()
    parts = (config.dataset.name, config.model.name, config.loss.name, config.schedule.name)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{config.name or '-'.join(parts)}-seed{config.seed}-{digest}"
    return Path(config.output_dir).expanduser() / name


def _record(
    folder: RunFolder,
    config: RunConfig,
    compute: Compute,
    identity: dict[str, Any],
    command: list[str],
) -> None:
    """Write what the run is and what it is made with; a continued run adds a session."""
    known = (folder.path / "environment.json").exists()
    sessions = folder.read_json("environment.json")["sessions"] if known else []
    sessions.append(environment(compute.device, command))
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))
    content = {"seed": config.seed, "sessions": sessions, "identity": identity}
    folder.write_json("environment.json", content)


def _announce(folder: RunFolder, config: RunConfig, compute: Compute, images: ImageSet) -> None:
    """Say what begins, and where it will be."""
    print(
        f"{folder.path}: {len(images):,} images of {config.dataset.name}, {config.model.name} on "
        f"{compute.device.type} in {'bf16' if compute.bf16 else 'float32'}"
    )
    if images.unreadable:
        count, first = len(images.unreadable), images.unreadable[0]
        print(f"{count} unreadable file(s) left out, {first!r} first")


class _Training:
    """The stages of one run, with checkpoints."""

    def __init__(
        self,
        config: RunConfig,
        compute: Compute,
        images: ImageSet,
        resident: ResidentImages,
        fit: torch.Tensor,
        identity: dict[str, Any],
        folder: RunFolder,
        results: Results,
    ):
        self.config = config
        self.compute = compute
        self.resident = resident
        self.fit = fit
        self.identity = identity
        self.folder = folder
        self.results = results
        self.pairing = config.pairing.build()
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
        checkpoint = load_checkpoint(path, self.compute.device)
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
        if self.checkpoint:
            encoder.load_state_dict(self.checkpoint.encoder)
        return encoder.to(self.compute.device).to(memory_format=self.compute.memory_format)

    def run(self) -> None:
        """Train what is left."""
        self.folder.reset_metrics(self.rows)
        start = self.checkpoint.position if self.checkpoint else Position(0, 0, 0)
        if self.checkpoint:
            print("continuing from its checkpoint", flush=True)
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
            anneal=stage.anneal,
            lr_per_step=schedule.lr_update is LrUpdate.step,
            adamw=schedule.optimizer.name is OptimizerName.adamw,
            momentum=schedule.optimizer.momentum,
            weight_decay=schedule.optimizer.weight_decay,
        )
        return StageTrainer(
            plan,
            self.encoder,
            (stage.loss or self.config.loss).build(),
            self.pairing,
            self.resident,
            self.fit,
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
        return EpochState(checkpoint.losses, checkpoint.position.step, checkpoint.seconds)

    def _epoch(
        self, trainer: StageTrainer, epoch: int, state: EpochState, progress: StageProgress
    ) -> None:
        plan = trainer.plan
        began = time.monotonic() - state.seconds
        for _ in trainer.train_epoch(epoch, state):
            progress.step()
            state.seconds = time.monotonic() - began
            due = time.monotonic() - self.saved_at >= self.config.checkpoint_every
            if due or self.signals.received is not None:
                self._save(Position(plan.number, epoch, state.step), trainer, state)
                self._stop_if_asked(plan.name)
        trainer.check_finite(epoch, state)
        state.seconds = max(state.seconds, 1e-9)
        last = epoch + 1 == plan.epochs
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
        every = self.config.eval.every
        if last or (every and (epoch + 1) % every == 0):
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
                f"interrupted in stage {stage}, saved to {self.folder.path}; "
                "the same command goes on from there",
            )
