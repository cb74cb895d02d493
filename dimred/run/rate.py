"""How fast a configuration trains, by a few steps of it."""

from __future__ import annotations

import json
import time

import torch

from dimred.config import RunConfig, decisive_values
from dimred.run.stages import StagedTraining, forget_compiled
from dimred.run.train import Inputs, compute_of
from dimred.training import StageTrainer

_SECONDS = 3.0
_MOST_STEPS = 20


def rate_key(config: RunConfig) -> str:
    """Equal for configurations that train equally fast: they differ in seed or epochs only, and on
    a GPU, where long runs may be compiled, in the seed."""
    values = decisive_values(config)
    parts = ("dataset.", "pairing.", "model.", "schedule.batch_size", "device.")
    place = [vars(config.dataset).get(key) for key in ("root", "path")]
    same = {key: value for key, value in values.items() if key.startswith(parts)}
    epochs: list[int] = []
    if config.device.compile == "auto" and torch.cuda.is_available():
        epochs = [stage.epochs for stage in config.schedule.stages.values()]
    return json.dumps([place, same, config.device.threads, epochs], sort_keys=True)


def seconds_per_epoch(config: RunConfig) -> float:
    """Seconds of an epoch of the first stage, by one step to warm up and some seconds of further
    ones. Raises what `train.run` raises for data that cannot be used."""
    compute = compute_of(config)
    inputs = Inputs(config, compute)
    training = StagedTraining(
        config, compute, inputs.images, inputs.resident, inputs.pairing, checkpoint=None
    )
    trainer = training.trainer(0)
    if not trainer.mode:
        return _measured(trainer)
    try:
        training.compile(trainer)
        return _measured(trainer)
    finally:
        forget_compiled()


def _measured(trainer: StageTrainer) -> float:
    """Seconds of an epoch of a stage."""
    state = trainer.new_epoch()
    began, steps = time.monotonic(), 0
    for number, _ in enumerate(trainer.train_epoch(0, state)):
        if trainer.compute.device.type == "cuda":
            torch.cuda.synchronize()
        if number == 0 and trainer.steps > 1:
            began = time.monotonic()
            continue
        steps += 1
        if steps == _MOST_STEPS or time.monotonic() - began > _SECONDS:
            break
    return (time.monotonic() - began) / steps * trainer.steps
