"""One run: builds the objects, trains the stages, and has the results written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf

from dimred.config import RunConfig, decisive_values, eval_values
from dimred.config.dataset import FitOn
from dimred.data.image_set import ImageSet
from dimred.data.resident import ResidentImages
from dimred.errors import InputError, TrainingDiverged
from dimred.evaluation import Judge
from dimred.measures import further_measures
from dimred.pairing import FixedTargets, Pairing, PairingScope
from dimred.reporting.environment import environment
from dimred.reporting.run_folder import RunFolder
from dimred.results import Results
from dimred.stages import StagedTraining
from dimred.training import Compute, select_compute


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
    images = config.dataset.load(config.seed)
    fit = fit_positions(config, images)
    check_sizes(config, len(images), len(fit))
    items = config.pairing.items(images)
    scope = PairingScope(items, len(items) // len(images), fit, config.dataset.cache)
    pairing = config.pairing.build(scope, config.schedule.batch_size, compute.device)
    check_targets(config, pairing)
    measures = further_measures(
        config, replace(scope, positions=test_positions(images), side="test")
    )
    judge = Judge(images, config.eval.k, config.eval.random_test, compute.device)
    check_neighbours(config, len(images), judge.max_k)
    _, channels, height, width = images.images.shape
    with torch.device("meta"):
        # Refuses images that the network cannot take, before a folder is made for the run.
        config.model.backbone(channels, (height, width))
    identity = {"config": identity_values(config, compute), "data": images.fingerprint()}
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
        resident = ResidentImages(items.images, compute.device, device.memory_fraction)
        results = Results(
            config, images, items, len(fit), judge, measures, resident, compute, folder
        )
        training = StagedTraining(
            config, compute, images, resident, pairing, identity, folder, results
        )
        try:
            training.run()
        except TrainingDiverged as error:
            kept = "; the last good checkpoint is kept" if folder.checkpoint.exists() else ""
            raise TrainingDiverged(f"{error}{kept}") from error
        summary = results.finish(training.encoder, training.rows)
        return Outcome(folder.path, summary, finished_before=False)


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


def test_positions(images: ImageSet) -> NDArray[np.int64]:
    """Positions of the held-out images, or of all where there are none."""
    held_out = np.flatnonzero(images.is_test)
    return held_out if len(held_out) else np.arange(len(images))


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


def check_sizes(config: RunConfig, n_images: int, n_fit: int) -> None:
    """Raise InputError for sizes that these images do not allow."""
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
    return values


def run_path(config: RunConfig, identity: dict[str, Any]) -> Path:
    """The run folder: the same for the same identity, so that a run typed again goes on."""
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
    content = {"seed": config.seed, "sessions": sessions, "identity": identity}
    # First, as the mark of a folder of dimred.
    folder.write_json("environment.json", content)
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(config)))


def _announce(folder: RunFolder, config: RunConfig, compute: Compute, images: ImageSet) -> None:
    """Say what begins, and where it will be."""
    print(
        f"{folder.path}: {len(images):,} images of {config.dataset.name}, {config.model.name} on "
        f"{compute.device.type} in {'bf16' if compute.bf16 else 'float32'}"
    )
    if images.unreadable:
        count, first = len(images.unreadable), images.unreadable[0]
        print(f"{count} unreadable file(s) left out, {first!r} first")
