"""What `dimred map` trains, chosen from the images, the speed of the machine and a time budget.

Pure arithmetic; `dimred.run.survey` measures what it is made from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from dimred.steps import duration

MIN_IMAGES = 30
MIN_MAPPED = 500  # of more images; fewer are no map of the folder
SCHEDULE = "demo"
# Factors on the epochs of the schedule. Below, stages are one or two epochs each.
MIN_SCALE, MAX_SCALE = 0.03, 4.0
# Seconds for what is not training: starting, then measuring, inspecting and writing the page.
FIXED_SECONDS = 20.0
SECONDS_AN_IMAGE = 0.006
_CAUTION = 0.85  # share of the time that is left which is planned for: other programs run too
_MOST_READING = 0.25  # of the budget
_SIZES = (32, 48, 64)  # pixels
_WORTH_ALL = 0.8  # leaving out fewer images than a fifth is not worth the gaps
BUSY, _MOST_CONTENTION = 1.3, 4.0
_FASTER = 1.15  # bf16 rounds, and so must be worth it


@dataclass(frozen=True)
class Survey:
    """What a folder of images is made of.

    n: images. width, height: a typical image's, in pixels. gray: whether all that were looked at
    are. n_classes: 0 without class folders. seconds: that reading one image takes.
    """

    n: int
    width: int
    height: int
    gray: bool
    n_classes: int
    seconds: float

    def __str__(self) -> str:
        classes = f"{self.n_classes} classes" if self.n_classes else "no classes"
        color = "gray" if self.gray else "color"
        return f"{self.n:,} {color} images of about {self.width}x{self.height}, {classes}"


@dataclass(frozen=True)
class Asked:
    """What the user has decided, and is not chosen; None = it is.

    scale: the factor on the epochs.
    """

    image_size: int | None = None
    batch_size: int | None = None
    precision: str | None = None
    threads: int | None = None
    limit: int | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Trial:
    """A setting whose speed is measured. threads: None = PyTorch's default."""

    image_size: int
    batch_size: int
    precision: str
    threads: int | None


class Speed(NamedTuple):
    """How long training takes for each image through all epochs of the schedule.

    work: CPU seconds of all threads in a step, for comparisons, since other programs change them
        little.
    """

    seconds: float
    work: float


Measure = Callable[[Trial], Speed]


@dataclass(frozen=True)
class Machine:
    """on_gpu: whether it trains on one. contention: seconds that a second of computing takes; more
    than 1 where other programs use the cores."""

    on_gpu: bool = False
    contention: float = 1.0

    def overhead(self, survey: Survey, n: int) -> float:
        """Seconds for all but training on n images."""
        measuring = FIXED_SECONDS + n * SECONDS_AN_IMAGE
        # Without a bound, nothing would be left for training on a machine that is overrun.
        return measuring * min(self.contention, _MOST_CONTENTION) + n * survey.seconds


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    n: images that the map is of. gain: how many times as fast the precision is as float32.
    seconds: that training takes. alone: whether it is on one core, since others are busy.
    scale_asked: whether the user has set the scale.
    """

    n: int
    trial: Trial
    gain: float
    scale: float
    seconds: float
    alone: bool = False
    scale_asked: bool = False


def batch_size_for(n: int, on_gpu: bool) -> int:
    """A batch size for n images, at least 2, of whose batches an epoch leaves out as few images as
    possible.

    Contrastive losses want many images in a batch, and learning wants many steps in an epoch.
    """
    target = min(max(round(math.sqrt(8 * n)), 32), 1024 if on_gpu else 256)
    if n <= target:
        return n
    near = range(math.ceil(target * 0.6), min(n, target * 4 // 3) + 1)
    return min(near, key=lambda size: (n % size, abs(size - target)))


def model_for(on_gpu: bool) -> str:
    """The network."""
    return "resnet18" if on_gpu else "convnet"


def choose(
    survey: Survey, left: Callable[[], float], asked: Asked, machine: Machine, measure: Measure
) -> Choice:
    """What to train within a budget. For one that is too small, the shortest schedule on MIN_MAPPED
    images, or all where there are fewer; it takes longer than the budget.

    left: seconds that are left of the budget, when it is called.
    """
    n = min(survey.n, asked.limit or survey.n)
    size = asked.image_size or min(_SIZES[0], survey.width, survey.height)
    batch_size = asked.batch_size or batch_size_for(n, machine.on_gpu)
    trial, gain = _arithmetic(Trial(size, batch_size, "auto", None), asked, machine, measure)
    shortest = measure(trial).seconds * (asked.scale or MIN_SCALE)
    fitting = _images_within(survey, machine, left(), shortest)
    if asked.limit is None and fitting < _WORTH_ALL * n:
        n = min(max(fitting, MIN_MAPPED), n)
        batch_size = asked.batch_size or batch_size_for(n, machine.on_gpu)
        trial = replace(trial, batch_size=batch_size)
    available = max((left() - machine.overhead(survey, n)) * _CAUTION, 0.0)
    if asked.image_size is None and asked.scale is None:
        for larger in _SIZES:
            if trial.image_size < larger <= min(survey.width, survey.height):
                slower = replace(trial, image_size=larger)
                if measure(slower).seconds * n * MAX_SCALE > available:
                    break
                trial = slower
    seconds = measure(trial).seconds * n
    scale = asked.scale or min(max(available / seconds, MIN_SCALE), MAX_SCALE)
    scale = float(f"{scale:.2g}")
    alone = trial.threads == 1 and asked.threads is None
    return Choice(
        n, trial, gain, scale, seconds * scale, alone, scale_asked=asked.scale is not None
    )


def _arithmetic(
    trial: Trial, asked: Asked, machine: Machine, measure: Measure
) -> tuple[Trial, float]:
    """A trial with threads and precision chosen, and how many times as fast that precision is as
    float32."""
    if asked.precision is not None or machine.on_gpu:
        return replace(trial, precision=asked.precision or "auto", threads=asked.threads), 1.0
    plain = replace(trial, precision="float32", threads=asked.threads)
    if machine.contention > BUSY and asked.threads is None:
        # Threads wait for one another, and so for every other program.
        alone = replace(plain, threads=1)
        if measure(alone).seconds * _FASTER < measure(plain).seconds:
            plain = alone
    rounded = replace(plain, precision="bf16")
    gain = measure(plain).work / measure(rounded).work
    return (rounded, gain) if gain > _FASTER else (plain, 1.0)


def _images_within(survey: Survey, machine: Machine, budget: float, seconds: float) -> int:
    """How many of the images fit into a budget, where training takes `seconds` for each."""
    fixed = machine.overhead(survey, 0)
    each = machine.overhead(survey, 1) - fixed + seconds / _CAUTION
    fitting = min((budget - fixed) / each, budget * _MOST_READING / survey.seconds)
    return max(min(survey.n, math.floor(fitting)), 0)


def overrides(survey: Survey, choice: Choice, asked: Asked, machine: Machine) -> dict[str, str]:
    """The overrides of `dimred train` for a choice, without those that the user has given."""
    chosen = {
        "schedule": SCHEDULE,
        "model": model_for(machine.on_gpu),
    }
    trial = choice.trial
    if asked.image_size is None:
        chosen["dataset.image_size"] = str(trial.image_size)
    if asked.limit is None and choice.n < survey.n:
        chosen["dataset.limit"] = str(choice.n)
    if asked.batch_size is None:
        chosen["schedule.batch_size"] = str(trial.batch_size)
    if asked.scale is None:
        chosen["schedule.epochs_scale"] = f"{choice.scale:g}"
    if asked.precision is None:
        chosen["device.precision"] = trial.precision
    if asked.threads is None and trial.threads is not None:
        chosen["device.threads"] = str(trial.threads)
    return chosen


def lines(
    survey: Survey, choice: Choice, model: str, schedule: str, epochs: int, budget: float
) -> list[str]:
    """Three lines on what was chosen, and why."""
    trial, n = choice.trial, choice.n
    part = f"; {n:,} of them, for which the time is enough" if n < survey.n else ""
    precision = "the device's precision" if trial.precision == "auto" else trial.precision
    if choice.gain > 1:
        precision += f" ({choice.gain:.1f} times as fast here as float32)"
    if choice.alone:
        precision += " on one of the busy cores"
    out = n % trial.batch_size
    whole = f"{out} of {n:,} images sit out an epoch, each time others"
    whole = whole if out else "no image sits out an epoch if all can be read"
    rest = "the rest is for reading, inspection and the page"
    if choice.scale >= MAX_SCALE:
        rest = "more epochs are not known to help"
    elif choice.seconds > budget:
        rest = "more than that, but fewer epochs make no map"
        if choice.scale_asked:
            rest = "more than that, as you asked"
    return [
        f"images    {survey}; middle squares at {trial.image_size}x{trial.image_size}{part}",
        f"network   {model} in {precision}, batches of {trial.batch_size}: {whole}",
        f"epochs    {epochs:,} (schedule={schedule} times {choice.scale:g}): about "
        f"{duration(choice.seconds)} of {duration(budget)}; {rest}",
    ]
