"""How fast a run trains on this machine: measured by a few steps before it, and as it trains."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import NamedTuple

import numpy as np
import torch

from dimred.errors import InputError, TrainingFailed
from dimred.run.inputs import Inputs
from dimred.run.plan import BUSY
from dimred.run.stages import StagedTraining
from dimred.steps import duration
from dimred.training.checkpoint import Position
from dimred.training.kept_h import SampledH, keeps_h
from dimred.training.schedule import ScheduleOptions, Trainable
from dimred.training.stage import StageTrainer

# A run of fewer steps is over before an estimate is worth its time.
MIN_STEPS = 300
_SECONDS = 1.5
_WARM_UP = 2  # steps
_LONG = 1.0  # seconds of warming up, which then count
_MAX_STEPS = 20
# Of the parts of a measurement, as many of the slowest and of the fastest do not count.
_PARTS, _NOT_COUNTED = 8, 2
# What a stage that trains the head or the readout alone takes of the time of one that trains all,
# until one has been measured: it needs no gradients of the backbone.
_FROZEN = 0.4
_REMEMBERED = 90.0  # seconds


@dataclass
class Pace:
    """Seconds a step in each kind of stage, by what it trains.

    taken: seconds and steps so far, the older the less they count: a machine has other work at
        times. work: CPU seconds a step, of all threads, where measured; other programs
        change them little.
    contention: seconds that a second of computing took where the pace was measured; more than 1
        where other programs use the cores.
    h: seconds that H of all images takes by a frozen backbone. keeping: numbers of the stages that
        need it.
    """

    taken: dict[Trainable, tuple[float, float]] = field(default_factory=dict)
    work: dict[Trainable, float] = field(default_factory=dict)
    contention: float = 1.0
    h: float = 0.0
    keeping: tuple[int, ...] = ()

    def add(self, kind: Trainable, seconds: float, steps: float) -> None:
        """Count steps that have been taken."""
        before, count = self.taken.get(kind, (0.0, 0.0))
        kept = _REMEMBERED / (_REMEMBERED + seconds)
        self.taken[kind] = before * kept + seconds, count * kept + steps

    def seconds(self, kind: Trainable) -> float | None:
        """Seconds a step; None where no kind of stage has been measured."""
        for known in (kind, *self.taken):
            seconds, steps = self.taken.get(known, (0.0, 0.0))
            if steps:
                return seconds / steps * _relative(kind) / _relative(known)
        return None

    def left(self, stages: Mapping[Trainable, int]) -> float | None:
        """Seconds that steps of these kinds take; None where that is not known."""
        total = 0.0
        for kind, steps in stages.items():
            seconds = self.seconds(kind)
            if seconds is None:
                return None
            total += seconds * steps
        return total

    def before_steps(self, first: int) -> float:
        """Seconds of H of all images, in the stages from number `first` on; successive ones share
        it."""
        return self.h * sum(
            number >= first and (number == first or number - 1 not in self.keeping)
            for number in self.keeping
        )


def _relative(kind: Trainable) -> float:
    return 1.0 if kind is Trainable.all else _FROZEN


def steps_left(schedule: ScheduleOptions, steps: int, start: Position) -> dict[Trainable, int]:
    """Steps that are left, by what they train. steps: of an epoch. start: where to go on."""
    left: dict[Trainable, int] = {}
    for number, stage in enumerate(schedule.stages.values()):
        done = start.epoch * steps + start.step if number == start.stage else 0
        if number >= start.stage:
            count = left.get(stage.trainable, 0)
            left[stage.trainable] = count + stage.epochs * steps - done
    return left


def measured_pace(
    inputs: Inputs,
    seconds: float = _SECONDS,
    max_steps: int | None = _MAX_STEPS,
    kinds: Collection[Trainable] = tuple(Trainable),
) -> Pace:
    """The pace of a run by some steps of each kind of stage, with a network of their own.

    Nothing is compiled for it. Leaves the run's random numbers as they are: those of a step follow
    from its place. Raises the errors of training.

    seconds, max_steps: of a kind, the first that is reached. kinds: those to measure.
    """
    pace = Pace()
    gpus = [inputs.compute.device] if inputs.compute.device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        kept = SampledH(inputs.config.device.memory_fraction)
        training = StagedTraining(inputs, kept_h=kept)
        pace.keeping = tuple(
            stage.number
            for stage in training.stages
            if keeps_h(stage, training.encoder, inputs.pairing)
        )
        training.obstacle = "only a few steps are taken"
        for stage in training.stages:
            kind = stage.options.trainable
            if kind in kinds and kind not in pace.taken:
                training.fit_readout(stage)
                timed = _timed(training.trainer(stage), seconds, max_steps)
                pace.taken[kind], pace.work[kind] = (timed.seconds, 1), timed.work
                pace.contention = max(timed.contention, pace.contention)
        pace.h = kept.seconds or 0.0
    return pace


class Timed(NamedTuple):
    """A step: its seconds, CPU seconds of all threads, and `Pace.contention` meanwhile."""

    seconds: float
    work: float
    contention: float


class Mark(NamedTuple):
    """A moment: of the clock, in CPU seconds of all threads, and in those of the thread that
    trains, which computes or waits for a core."""

    clock: float
    work: float
    own: float


def _timed(trainer: StageTrainer, seconds: float, max_steps: int | None) -> Timed:
    """A step by some of them, after those that warm up."""
    # The first epoch again and again, since it may be a single step.
    epochs = (trainer.train_epoch(0, trainer.new_epoch()) for _ in count())
    on_gpu = trainer.compute.device.type == "cuda"
    marks = [_mark()]
    for number, _ in enumerate(chain.from_iterable(epochs), start=1):
        if on_gpu:
            torch.cuda.synchronize()
        marks.append(_mark())
        took = marks[-1].clock - marks[0].clock
        # Where threads wait for one another on busy cores, a step takes seconds. What it takes to
        # warm up is little then.
        if number <= _WARM_UP and (on_gpu or took < max(seconds, _LONG)):
            marks = marks[-1:] if number == _WARM_UP else marks
        elif took > seconds or len(marks) - 1 == max_steps:
            break
    timed = steady(marks)
    # On a GPU the thread waits for that, and not for a core.
    return timed._replace(contention=1.0) if on_gpu else timed


def _mark() -> Mark:
    return Mark(time.monotonic(), time.process_time(), time.thread_time())


def steady(marks: Sequence[Mark]) -> Timed:
    """A step by the times at which steps ended.

    By the pace in equal parts of the time, without the slowest and the fastest: what else the
    machine does for a moment is not what it does all the time.
    """
    clock, work, own = np.array(marks).T
    ends = np.linspace(clock[0], clock[-1], _PARTS + 1)
    steps = np.diff(np.interp(ends, clock, np.arange(len(clock))))
    counted = np.argsort(steps)[_NOT_COUNTED:-_NOT_COUNTED]
    took = (clock[-1] - clock[0]) / _PARTS
    busy = np.diff(np.interp(ends, clock, own))[counted].mean()
    return Timed(
        took / steps[counted].mean(),
        (work[-1] - work[0]) / (len(clock) - 1),
        max(took / max(busy, 1e-9), 1.0),
    )


def forecast(inputs: Inputs, start: Position) -> tuple[Pace, str]:
    """The pace of a run that begins or goes on, and a line on how long it takes. Without steps to
    measure it by, and where they fail, the pace is empty and so is the line: the training itself
    says what is wrong.
    """
    config, steps = inputs.config, inputs.steps
    left = steps_left(config.schedule, steps, start)
    if sum(left.values()) < MIN_STEPS or inputs.compute.processes.size > 1:
        return Pace(), ""
    try:
        pace = measured_pace(inputs)
    except (InputError, TrainingFailed):
        return Pace(), ""
    line = f"{described(pace, inputs, start)}; Ctrl-C saves, the same command goes on"
    several = inputs.compute.device.type == "cpu" and torch.get_num_threads() > 1
    if several and pace.contention > BUSY:
        line += "\nother programs use the cores too: device.threads=1 may be several times as fast"
    return pace, line


def described(pace: Pace, inputs: Inputs, start: Position) -> str:
    """How long a run takes, such as "about 12 min on this machine (305 epochs of 1,792 images at
    130 images/s)"."""
    config, batch_size = inputs.config, inputs.config.schedule.batch_size
    left = steps_left(config.schedule, inputs.steps, start)
    seconds = pace.left(left)
    if not seconds:
        return "nothing left to train" if seconds == 0 else "of unknown duration"
    epochs = sum(stage.epochs for stage in list(config.schedule.stages.values())[start.stage :])
    rate = sum(left.values()) * batch_size / seconds
    seconds += pace.before_steps(start.stage)
    begun = start != Position(0, 0, 0)
    still = "more " if begun else ""
    return (
        f"about {duration(seconds)} {still}on this machine ({epochs - start.epoch:,} "
        f"epoch{'' if epochs - start.epoch == 1 else 's'} "
        f"{'left ' if begun else ''}of {inputs.steps * batch_size:,} images at {rate:,.0f} "
        "images/s)"
    )
