"""Estimates training time from a few steps of each configuration."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from dimred.config import RunConfig, identity_fields
from dimred.data.options import Torchvision
from dimred.errors import InputError
from dimred.run.inputs import Inputs
from dimred.run.stages import StagedTraining, release_compiled
from dimred.run_folder.sources import with_source_found
from dimred.training.compute import torch_settings
from dimred.training.kept_h import SampledH
from dimred.training.stage import StageTrainer

_SECONDS = 3.0
_MAX_STEPS = 20


def estimate(configs: Sequence[RunConfig], may_download: bool) -> str:
    """A line on how long training these configurations takes.

    Raises InputError where none of them can be trained, except when downloads are not allowed.
    """
    began, total, unknown = time.monotonic(), 0.0, 0
    measured: dict[str, float | None] = {}
    problem: InputError | None = None
    for config in map(with_source_found, configs):
        dataset = config.dataset
        if isinstance(dataset, Torchvision) and not may_download:
            config = replace(config, dataset=replace(dataset, download=False))
        key = rate_key(config)
        if key not in measured:
            try:
                measured[key] = seconds_per_epoch(config)
            except InputError as error:
                measured[key], problem = None, error
                print(f"not estimated: {error}")
        seconds = measured[key]
        epochs = sum(stage.epochs for stage in config.schedule.stages.values())
        total += epochs * (seconds or 0)
        unknown += seconds is None
    took = time.monotonic() - began
    if problem and unknown == len(configs) and may_download:
        raise problem
    if unknown == len(configs):
        return f"how long training {len(configs)} runs takes is unknown"
    not_estimated = f", besides {unknown} that cannot be estimated" if unknown else ""
    return (
        f"training {len(configs) - unknown} runs takes about {_duration(total)} on this machine"
        f"{not_estimated} (without measuring their maps; estimated from a few steps of each kind, "
        f"{took:.0f} s)"
    )


def _duration(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:,.1f} {name}"
    return f"{max(seconds, 1):.0f} seconds"


def rate_key(config: RunConfig) -> str:
    """A key that is equal for configurations that train equally fast: those that differ only in
    seed or epochs; on a GPU, where long runs may be compiled, only in the seed."""
    values = identity_fields(config)
    parts = ("dataset.", "pairing.", "model.", "schedule.batch_size", "device.")
    trained = (".trainable", ".frozen_blocks", ".frozen_batchnorm")
    key = config.dataset.location_key
    place = getattr(config.dataset, key) if key else None
    same = {k: v for k, v in values.items() if k.startswith(parts) or k.endswith(trained)}
    epochs: list[int] = []
    if config.device.compile == "auto" and torch.cuda.is_available():
        epochs = [stage.epochs for stage in config.schedule.stages.values()]
    return json.dumps([place, same, config.device.threads, epochs], sort_keys=True)


def seconds_per_epoch(config: RunConfig) -> float:
    """Seconds per epoch of the first stage, from some seconds of steps after one warm-up step.

    Raises InputError for data that cannot be used, as `train.run` does.
    """
    compute = config.device.compute()
    with torch_settings(compute.device, config.device.threads, config.device.deterministic):
        training = StagedTraining(Inputs(config, compute), kept_h=SampledH())
        trainer = training.trainer(training.stages[0])
        if not trainer.mode:
            return _measured(trainer)
        try:
            training.compile(trainer)
            return _measured(trainer)
        finally:
            release_compiled()


def _measured(trainer: StageTrainer) -> float:
    """Seconds per epoch of a stage."""
    state = trainer.new_epoch()
    began, steps = time.monotonic(), 0
    for number, _ in enumerate(trainer.train_epoch(0, state)):
        if trainer.compute.device.type == "cuda":
            torch.cuda.synchronize()
        if number == 0 and trainer.steps > 1:
            began = time.monotonic()
            continue
        steps += 1
        if steps == _MAX_STEPS or time.monotonic() - began > _SECONDS:
            break
    return (time.monotonic() - began) / steps * trainer.steps
