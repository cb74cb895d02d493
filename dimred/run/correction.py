"""A planned run on a machine that has become slower or faster since is begun anew, with the epochs
that fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic

from dimred.run.pace import Pace, steps_left
from dimred.run.plan import CAUTION, MIN_SCALE, Choice, Survey, scale_within
from dimred.training.checkpoint import Position
from dimred.training.schedule import ScheduleOptions, Trainable

_TIMES = 2  # that a run is begun anew
_LOOKS = 2  # at the pace, each after a tenth of the time: what is lost by beginning anew is little
_LEAST = 3.0  # seconds of a look
_MUCH = 1.25  # a little over the budget is not worth beginning anew
_WORTH = 0.8  # of the time that is left without it
_MORE = 2.0  # times as many epochs are worth what is lost


class PlannedAnew(Exception):
    """A run takes longer than is left of its budget, or far less; the watch of one that fits is
    `anew`."""

    def __init__(self, anew: Watch):
        super().__init__(f"schedule.epochs_scale={anew.choice.scale:g} fits")
        self.anew = anew


@dataclass
class Watch:
    """Watches the pace of a run that was planned.

    ends: when the budget does (time.monotonic). times: how often the run may be begun anew.
    """

    survey: Survey
    choice: Choice
    ends: float
    times: int = _TIMES
    _looks: int = 0
    _since: float | None = None
    _steps: int = 0

    def after_step(
        self, schedule: ScheduleOptions, steps: int, kind: Trainable, position: Position
    ) -> None:
        """Count a step of a kind of stage, after which the run is at `position`. steps: of an
        epoch. Raises PlannedAnew."""
        now = monotonic()
        if self._since is None:
            self._since = now  # the first step is slower than others
            return
        self._steps += 1
        seconds = now - self._since
        if self._looks == _LOOKS or seconds < max(self.choice.seconds / 10, _LEAST):
            return
        pace = Pace({kind: (seconds, self._steps)})
        self._looks, self._since, self._steps = self._looks + 1, now, 0
        left = pace.left(steps_left(schedule, steps, position))
        in_all = pace.left(steps_left(schedule, steps, Position(0, 0, 0)))
        if left is not None and in_all is not None:
            self._compare(left, in_all, self.ends - now)

    def _compare(self, left: float, in_all: float, until_end: float) -> None:
        """Raise PlannedAnew where a run whose training takes `left` seconds more, of `in_all`
        at the present pace, is better begun anew."""
        choice = self.choice
        slower = in_all / choice.seconds
        speed = choice.speed
        speed = speed._replace(
            seconds=speed.seconds * slower, contention=max(speed.contention * slower, 1.0)
        )
        anew_available = until_end - speed.overhead(self.survey, choice.n)
        # All images have been read; and a spike is not taken to slow what follows training too.
        available = until_end - choice.speed.overhead(replace(self.survey, seconds=0.0), choice.n)
        unscaled = in_all / choice.scale
        scale = scale_within(max(anew_available, 0.0) * CAUTION, unscaled)
        if left > _MUCH * available:
            better = scale > MIN_SCALE or scale * unscaled < _WORTH * left
        else:
            better = scale > _MORE * choice.scale
        if better and self.times > 0:
            anew = replace(choice, scale=scale, seconds=scale * unscaled, speed=speed)
            raise PlannedAnew(Watch(self.survey, anew, self.ends, self.times - 1))
