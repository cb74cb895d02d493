"""One run: builds the objects, trains the stages, and has the results written."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf

from dimred.config import RunConfig, decisive_values, eval_values
from dimred.config.provenance import provenance
from dimred.data.image_set import ImageSet
from dimred.data.options import FitOn
from dimred.data.resident import ResidentImages
from dimred.errors import InputError, Interrupted, ProcessLost, TrainingFailed
from dimred.evaluation import Judge
from dimred.files import expanded
from dimred.pairing import FixedTargets, Pairing, PairingScope
from dimred.run.measures import further_measures
from dimred.run.recorded import RecordedTraining, checkpoint_of
from dimred.run.results import Results
from dimred.run.stages import StagedTraining
from dimred.run_folder.environment import environment
from dimred.run_folder.folder import RunFolder
from dimred.training import Checkpoint, Compute, Processes, SignalWatch, select_compute


@dataclass(frozen=True)
class Outcome:
    """What `run` returns: the run folder, its summary, and whether it was finished before."""

    path: Path
    summary: dict[str, Any]
    finished_before: bool


def run(config: RunConfig, command: list[str]) -> Outcome | None:
    """Train and measure what `config` says, or continue where an earlier call was stopped.

    command: the words typed by the user, for the record.
    Returns None in all but the first of several processes, which write nothing.
    Raises InputError for input that cannot be used, TrainingFailed for a loss that is not finite or
    gradients that are not those of the stage, Interrupted after SIGINT or SIGTERM, ProcessLost
    where another of several processes has ended, and OSError for files that cannot be written.
    """
    compute = compute_of(config)
    if not compute.processes.leads:
        _follow(config, compute)
        return None
    with _Followers(compute.processes) as followers:
        return _lead(config, command, Inputs(config, compute), followers)


def compute_of(config: RunConfig) -> Compute:
    """Where and how a run computes. Raises InputError for a device that is not there."""
    device = config.device
    return select_compute(
        device.name.value,
        device.precision.value,
        device.channels_last,
        None if device.compile == "auto" else bool(device.compile),
        device.fused_optimizer,
        device.deterministic,
        device.threads,
    )


class Inputs:
    """What a run learns from, in each of its processes.

    images: the data set; items: its images in all transformations of the pairing; fit: positions of
        the images to learn from. scope: the pairing's view of them. resident: items where they are
        read.
    """

    def __init__(self, config: RunConfig, compute: Compute):
        self.compute = compute
        self.images = config.dataset.load(config.seed)
        self.fit = fit_positions(config, self.images)
        check_sizes(config, len(self.images), len(self.fit), compute.processes.size)
        self.items = config.pairing.items(self.images)
        self.scope = PairingScope(
            self.items, len(self.items) // len(self.images), self.fit, config.dataset.cache
        )
        self.pairing = config.pairing.build(self.scope, config.schedule.batch_size, compute.device)
        check_targets(config, self.pairing)
        self.resident = ResidentImages(
            self.items.images, compute.device, config.device.memory_fraction
        )


def _lead(config: RunConfig, command: list[str], inputs: Inputs, followers: _Followers) -> Outcome:
    """The run in its first or only process."""
    images, compute = inputs.images, inputs.compute
    test = replace(inputs.scope, positions=images.held_out, side="test")
    measures = further_measures(config, test)
    judge = Judge(images, config.eval.k, config.eval.random_test, compute.device)
    check_neighbours(config, len(images), judge.max_k)
    _, channels, height, width = images.images.shape
    with torch.device("meta"):
        # Refuses images that the network cannot take, before a folder is made for the run.
        config.model.backbone(channels, (height, width))
    identity = {
        "config": identity_values(config, compute),
        "data": images.fingerprint(),
        **provenance(config),
    }
    with RunFolder(run_path(config, identity)) as folder:
        folder.admit(identity, config.restart)
        if folder.summary.exists():
            summary = folder.read_summary()
            if summary.get("eval") == eval_values(config):
                return Outcome(folder.path, summary, finished_before=True)
            if not folder.checkpoint.exists():
                raise InputError(
                    f"{folder.checkpoint}: is gone, so the run cannot be measured again; "
                    "restart=true trains it again"
                )
            folder.summary.unlink()  # complete again only when all has been measured
        _record(folder, config, compute, identity, command)
        _announce(folder, config, compute, images)
        results = Results(
            config,
            images,
            inputs.items,
            len(inputs.fit),
            judge,
            measures,
            inputs.resident,
            compute,
            folder,
        )
        checkpoint = checkpoint_of(folder, identity)
        training = RecordedTraining(
            config,
            compute,
            images,
            inputs.resident,
            inputs.pairing,
            checkpoint,
            identity,
            folder,
            results,
        )
        followers.begin(checkpoint)
        try:
            training.run()
        except (TrainingFailed, ProcessLost) as error:
            kept = "; the last good checkpoint is kept" if folder.checkpoint.exists() else ""
            raise type(error)(f"{error}{kept}") from error
        summary = results.finish(training.encoder, training.rows)
        return Outcome(folder.path, summary, finished_before=False)


class _Followers:
    """The processes beside the first, which wait for its word before they train with it."""

    def __init__(self, processes: Processes):
        self.processes = processes
        self._waiting = True

    def __enter__(self) -> Self:
        return self

    def begin(self, checkpoint: Checkpoint | None) -> None:
        """Let them train, from a checkpoint or the start."""
        self._waiting = False
        self.processes.tell((checkpoint,))

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            with suppress(ProcessLost):
                self.processes.tell(None)


def _follow(config: RunConfig, compute: Compute) -> None:
    """The run in another process than the first, which alone writes, prints and saves.

    Waits for the first, which may fetch the data and search neighbours, before it reads them.
    """
    with SignalWatch() as signals:
        try:
            word = compute.processes.tell()
            if word is None:
                return
            (checkpoint,) = word
            made = Inputs(config, compute)
            StagedTraining(
                config, compute, made.images, made.resident, made.pairing, checkpoint
            ).run()
        except TrainingFailed:
            return  # the first process says it
        except ProcessLost as error:
            if signals.received is None:
                raise
            line = f"process {compute.processes.rank} has stopped too"
            raise Interrupted(signals.received, line) from error


def fit_positions(config: RunConfig, images: ImageSet) -> NDArray[np.int64]:
    """Positions of the images that the map is learned from."""
    if config.dataset.fit_on is FitOn.train:
        if not images.is_test.any():
            raise InputError(
                f"dataset.fit_on=train: these images of {config.dataset.name} have no train/test "
                "split; set dataset.fit_on=all"
            )
        return np.flatnonzero(~images.is_test)
    return np.arange(len(images))


def check_targets(config: RunConfig, pairing: Pairing) -> None:
    """Raise InputError where Z has not as many dimensions as the targets of its images."""
    if not isinstance(pairing, FixedTargets):
        return
    for name, stage in config.schedule.stages.items():
        if stage.out_dim != pairing.n_values:
            raise InputError(
                f"schedule.stages.{name}.out_dim={stage.out_dim}: must be {pairing.n_values}, one "
                f"for each value that pairing={config.pairing.name} gives an image"
            )


def check_sizes(config: RunConfig, n_images: int, n_fit: int, n_processes: int) -> None:
    """Raise InputError for sizes that these images or processes do not allow."""
    if config.schedule.batch_size < n_processes:
        raise InputError(
            f"schedule.batch_size={config.schedule.batch_size}: must be at least the number of "
            f"processes that share a batch, {n_processes}"
        )
    if config.schedule.batch_size > n_fit:
        raise InputError(
            f"schedule.batch_size={config.schedule.batch_size}: dataset={config.dataset.name} has "
            f"{n_fit} images to learn from, fewer than one batch; set a batch size of at most that"
        )
    if config.eval.random_test is not None and config.eval.random_test >= n_images:
        raise InputError(
            f"eval.random_test={config.eval.random_test}: must be below the number of images, "
            f"{n_images}"
        )


def check_neighbours(config: RunConfig, n_images: int, max_k: int) -> None:
    """Raise InputError for more neighbours than there are."""
    if max(config.eval.k) > max_k:
        raise InputError(
            f"eval.k={config.eval.k}: must be at most {max_k} with these {n_images} images"
        )


def identity_values(config: RunConfig, compute: Compute) -> dict[str, Any]:
    """The values that decide the result, `auto` replaced by what it came to on this machine."""
    values = decisive_values(config)
    values["device.name"] = compute.device.type
    values["device.precision"] = "bf16" if compute.bf16 else "float32"
    values["device.compile"] = "auto" if compute.compile is None else compute.compile
    return values


def run_path(config: RunConfig, identity: dict[str, Any]) -> Path:
    """The run folder: the same for the same identity, so that a run typed again goes on."""
    if config.run_dir is not None:
        return expanded(config.run_dir)
    parts = (config.dataset.name, config.model.name, config.loss.name, config.schedule.name)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{config.name or '-'.join(parts)}-seed{config.seed}-{digest}"
    return expanded(config.output_dir) / name


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
    sessions.append(environment(compute.device, command, compute.processes.size))
    content = {"seed": config.seed, "sessions": sessions, "identity": identity}
    # First, as the mark of a folder of dimred.
    folder.write_json("environment.json", content)
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))


def _announce(folder: RunFolder, config: RunConfig, compute: Compute, images: ImageSet) -> None:
    """Say what begins, and where it will be."""
    size = compute.processes.size
    print(
        f"{folder.path}: {len(images):,} images of {config.dataset.name}, {config.model.name} on "
        f"{compute.device.type} in {'bf16' if compute.bf16 else 'float32'}"
        f"{f', {size} processes' if size > 1 else ''}"
    )
    if images.unreadable:
        count, first = len(images.unreadable), images.unreadable[0]
        print(f"{count} unreadable file(s) left out, {first!r} first")
