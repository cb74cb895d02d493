"""What `dimred train` would do: the folder of each run, its state, and how long it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dimred.config import RunConfig
from dimred.errors import InputError, TrainingFailed
from dimred.run.identity import identity_of, run_path
from dimred.run.inputs import Inputs
from dimred.run.pace import Pace, described, measured_pace, steps_left
from dimred.run.rate import rate_key
from dimred.run.recorder import checkpoint_of
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.run_folder.sources import with_source_found
from dimred.run_folder.state import is_locked
from dimred.steps import duration
from dimred.training.checkpoint import Position
from dimred.training.compute import torch_settings

_START = Position(0, 0, 0)


@dataclass(frozen=True)
class Listed:
    """A run that could be made. state: such as "new". seconds: that training it takes; None where
    that is unknown."""

    path: Path
    state: str
    time: str
    seconds: float | None


def listed(configs: Sequence[RunConfig], varied: Sequence[str]) -> Iterator[Listed]:
    """Each run in its turn. Reads the images, but downloads and trains nothing, and writes
    nothing but the packed file of images on disk, which is said.

    varied: what a sweep varies in each, for the names of new folders.
    Raises InputError for data that cannot be read.
    """
    paces: dict[str, Pace] = {}
    for config, varies in zip(configs, varied, strict=True):
        config = replace(with_source_found(config), dataset=config.dataset.read_only())
        options = config.device
        compute = options.compute()
        with torch_settings(compute.device, options.threads, options.deterministic):
            inputs = Inputs(config, compute, cached=False)
            identity = identity_of(config, compute, inputs.images)
            path = run_path(config, identity, varies)
            state, start = _state(RunFolder(path), config, identity)
            if start is None:
                yield Listed(path, state, "", 0.0)
                continue
            key = f"{rate_key(config)} {json.dumps(list(config.schedule.stages))}"
            if key not in paces:
                paces[key] = _pace(inputs)
            pace = paces[key]
            seconds = pace.left(steps_left(config.schedule, inputs.steps, start))
            if seconds:
                seconds += pace.before_steps(start.stage)
            yield Listed(path, state, described(pace, inputs, start), seconds)


def _state(
    folder: RunFolder, config: RunConfig, identity: dict[str, Any]
) -> tuple[str, Position | None]:
    """The state of a run as text, and where it would begin; None where it is finished."""
    if is_locked(folder.path):
        return "going on", None
    if config.restart or not folder.files.exists(layout.ENVIRONMENT):
        return "new", _START
    try:
        folder.admit(identity, restart=False)
        if folder.files.exists(layout.SUMMARY):
            return "finished", None
        checkpoint = checkpoint_of(folder, identity)
    except InputError as error:
        return f"cannot go on: {error}", None
    if checkpoint is None:
        return "begun", _START
    start, stages = checkpoint.position, list(config.schedule.stages.items())
    if start.stage >= len(stages):
        return "trained, not measured", start
    name, stage = stages[start.stage]
    return f"unfinished, {name} {start.epoch}/{stage.epochs}", start


def _pace(inputs: Inputs) -> Pace:
    try:
        return measured_pace(inputs)
    except TrainingFailed:
        return Pace()


def total(runs: Sequence[Listed]) -> str:
    """A line on all runs."""
    known = [run.seconds for run in runs if run.seconds is not None]
    unknown = len(runs) - len(known)
    besides = f", besides {unknown} of unknown duration" if unknown else ""
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    if not sum(known):
        return f"{count}, nothing left to train{besides}"
    return (
        f"{count}: training takes about {duration(sum(known))} on this machine{besides}; measuring "
        "and plots come on top"
    )
