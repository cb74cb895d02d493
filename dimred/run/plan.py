"""What `dimred map` trains, chosen from the images, the speed of the machine and a time budget.

Pure arithmetic; `dimred.run.survey` measures what it is made from.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

MIN_IMAGES = 30
MIN_MAPPED = 500  # of more images; fewer are no map of the folder
SCHEDULE = "demo"
# Of photographs and others in gray or color, and of images that are neither.
PAIRING, PAIRING_OF_CHANNELS = "augmentation", "augmentation_microscopy"
# Factors on the epochs of the schedule. Below, stages are one or two epochs each.
MIN_SCALE, MAX_SCALE = 0.03, 4.0
# Seconds for what is not training: starting, then measuring, inspecting and writing the page.
FIXED_SECONDS = 20.0
SECONDS_AN_IMAGE = 0.006
CAUTION = 0.85  # share of the time that is left which is planned for: other programs run too
_MOST_READING = 0.25  # of the budget
_MOST_AROUND = 0.5  # of the budget for all but training, which would come to nothing
_SIZES = (32, 48, 64)  # pixels
_WORTH_ALL = 0.8  # leaving out fewer images than a fifth is not worth the gaps
BUSY, _MOST_CONTENTION = 1.3, 4.0
_FASTER = 1.15  # bf16 rounds, and so must be worth it


class Span(NamedTuple):
    """Seconds as a share of the budget, within bounds."""

    share: float
    least: float
    most: float

    def of(self, budget: float) -> float:
        """The seconds of a budget."""
        return min(max(self.share * budget, self.least), self.most)


# How long speeds are measured: to compare settings, and to tell how long the one chosen takes.
BRIEF, THOROUGH = Span(0.0125, 0.25, 1.0), Span(0.03, 1.5, 20.0)


@dataclass(frozen=True)
class Survey:
    """What a folder of images is made of.

    n: images. width, height: a typical image's, in pixels. channels: of those that were looked at;
        is_rgb: whether three are red, green and blue. n_classes: 0 without class folders.
    seconds: that reading one image takes.
    learned: how many of the images are learned from; None = all.
    unreadable: further images, which cannot be read; None where not all were tried, and n counts
        them.
    """

    n: int
    width: int
    height: int
    channels: int
    n_classes: int
    seconds: float
    learned: int | None = None
    unreadable: int | None = None
    is_rgb: bool = True

    def __str__(self) -> str:
        classes = f"{self.n_classes} classes" if self.n_classes else "no classes"
        color = f"{self.channels}-channel"
        if self.is_gray_or_rgb:
            color = "gray" if self.channels == 1 else "color"
        size = f"{self.width}x{self.height}"
        out = self.unreadable or 0
        unreadable = f"; {out:,} of {self.n + out:,} cannot be read" if out else ""
        return f"{self.n:,} {color} images of about {size}, {classes}{unreadable}"

    @property
    def is_gray_or_rgb(self) -> bool:
        """Whether these are images as cameras and scanners make them."""
        return self.channels == 1 or (self.channels == 3 and self.is_rgb)

    def learned_of(self, n: int) -> int:
        """How many are learned from where the map is of n images."""
        return n if self.learned is None else max(n * self.learned // self.n, 2)

    def is_certain(self, n: int) -> bool:
        """Whether a map of n images is of exactly that many: a part is drawn from all files."""
        return self.unreadable == 0 or (self.unreadable is not None and n == self.n)


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
    contention: seconds that a second of computing took meanwhile; more than 1 where other programs
        use the cores.
    """

    seconds: float
    work: float
    contention: float = 1.0

    def overhead(self, survey: Survey, n: int) -> float:
        """Seconds for all but training on n images."""
        measuring = FIXED_SECONDS + n * SECONDS_AN_IMAGE
        # Without a bound, nothing would be left for training on a machine that is overrun.
        return measuring * min(self.contention, _MOST_CONTENTION) + n * survey.seconds


Measure = Callable[[Trial, float], Speed]
"""The speed of a setting, measured for some seconds."""


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    n: images that the map is of. gain: how many times as fast the precision is as float32.
    seconds: that training takes. speed: as measured. alone: whether it is on one core, since
    others are busy. scale_asked: whether the user has set the scale.
    """

    n: int
    trial: Trial
    gain: float
    scale: float
    seconds: float
    speed: Speed
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


def pairing_for(survey: Survey) -> str:
    """The augmentation: that of photographs changes hues, and has an upright."""
    return PAIRING if survey.is_gray_or_rgb else PAIRING_OF_CHANNELS


def choose(
    survey: Survey, left: Callable[[], float], asked: Asked, on_gpu: bool, measure: Measure
) -> Choice:
    """What to train within a budget. For one that is too small, the shortest schedule on MIN_MAPPED
    images, or all where there are fewer; it takes longer than the budget.

    left: seconds that are left of the budget, when it is called. on_gpu: whether it trains on one.
    """
    budget = left()

    def briefly(trial: Trial) -> Speed:
        return measure(trial, BRIEF.of(budget))

    def fitted(trial: Trial, speed: Speed, n: int) -> tuple[Trial, int]:
        """The setting for as many of n images as a speed is enough for, and their number."""
        shortest = speed.seconds * (asked.scale or MIN_SCALE)
        fitting = _images_within(survey, speed, left(), shortest)
        if asked.limit is None and fitting < _WORTH_ALL * n:
            n = min(max(fitting, MIN_MAPPED), n)
        size = asked.batch_size or batch_size_for(survey.learned_of(n), on_gpu)
        return replace(trial, batch_size=size), n

    n = min(survey.n, asked.limit or survey.n)
    size = asked.image_size or min(_SIZES[0], survey.width, survey.height)
    batch_size = asked.batch_size or batch_size_for(survey.learned_of(n), on_gpu)
    trial = Trial(size, batch_size, "auto", None)
    trial, gain = _arithmetic(trial, asked, on_gpu, briefly)
    speed = briefly(trial)
    trial, n = fitted(trial, speed, n)
    available = _available(left(), survey, speed, n)
    if asked.image_size is None and asked.scale is None:
        for larger in _SIZES:
            if trial.image_size < larger <= min(survey.width, survey.height):
                slower = replace(trial, image_size=larger)
                if briefly(slower).seconds * survey.learned_of(n) * MAX_SCALE > available:
                    break
                trial = slower
    # Others may have begun to use the cores only now.
    trial, speed = _on_threads(trial, asked, on_gpu, lambda it: measure(it, THOROUGH.of(budget)))
    trial, n = fitted(trial, speed, n)
    seconds = speed.seconds * survey.learned_of(n)
    scale = asked.scale or scale_within(_available(left(), survey, speed, n), seconds)
    alone = trial.threads == 1 and asked.threads is None
    asked_for = asked.scale is not None
    return Choice(n, trial, gain, scale, seconds * scale, speed, alone, asked_for)


def _available(left: float, survey: Survey, speed: Speed, n: int) -> float:
    """Seconds to plan training for, of those that are left of the budget."""
    return max((left - speed.overhead(survey, n)) * CAUTION, 0.0)


def scale_within(available: float, seconds: float) -> float:
    """The factor on the epochs that takes as long as is available, where 1 takes `seconds`."""
    return float(f"{min(max(available / seconds, MIN_SCALE), MAX_SCALE):.2g}")


def _arithmetic(
    trial: Trial, asked: Asked, on_gpu: bool, briefly: Callable[[Trial], Speed]
) -> tuple[Trial, float]:
    """A trial with threads and precision chosen, and how many times as fast that precision is as
    float32."""
    if asked.precision is not None or on_gpu:
        return replace(trial, precision=asked.precision or "auto", threads=asked.threads), 1.0
    plain = replace(trial, precision="float32", threads=asked.threads)
    plain, _ = _on_threads(plain, asked, on_gpu, briefly)
    rounded = replace(plain, precision="bf16")
    gain = briefly(plain).work / briefly(rounded).work
    return (rounded, gain) if gain > _FASTER else (plain, 1.0)


def _on_threads(
    trial: Trial, asked: Asked, on_gpu: bool, measured: Callable[[Trial], Speed]
) -> tuple[Trial, Speed]:
    """A trial and its speed; on one thread where others use the cores and that is faster."""
    speed = measured(trial)
    if on_gpu or asked.threads is not None or trial.threads == 1 or speed.contention <= BUSY:
        return trial, speed
    # Threads wait for one another, and so for every other program.
    alone = replace(trial, threads=1)
    by_itself = measured(alone)
    faster = by_itself.seconds * _FASTER < speed.seconds
    return (alone, by_itself) if faster else (trial, speed)


def _images_within(survey: Survey, speed: Speed, budget: float, seconds: float) -> int:
    """How many of the images fit into a budget, where training takes `seconds` for each."""
    fixed = speed.overhead(survey, 0)
    around = speed.overhead(survey, 1) - fixed
    training = seconds * survey.learned_of(survey.n) / survey.n / CAUTION
    fitting = min(
        (budget - fixed) / (around + training),
        (budget * _MOST_AROUND - fixed) / around,
        budget * _MOST_READING / survey.seconds,
    )
    return max(min(survey.n, math.floor(fitting)), 0)
