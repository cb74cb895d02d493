"""A planned run on a machine that has become slower since is begun anew, with fewer epochs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic

from dimred.run.pace import Pace, steps_left
from dimred.run.plan import CAUTION, Choice, Survey, scale_within
from dimred.training.checkpoint import Position
from dimred.training.schedule import ScheduleOptions, Trainable

_TIMES = 2  # that a run is begun anew
_LOOKS = 2  # at the pace, each after a tenth of the time: what is lost by beginning anew is little
_LEAST = 3.0  # seconds of a look
_MUCH = 1.25  # a little over the budget is not worth beginning anew
_WORTH = 0.8  # of the time that is left without it


class PlannedAnew(Exception):
    """A run takes much longer than is left of its budget; the watch of one that fits is `anew`."""

    def __init__(self, anew: Watch):
        super().__init__(f"schedule.epochs_scale={anew.choice.scale:g} fits")
        self.anew = anew


@dataclass
class Watch:
    """Watches the pace of a run that was planned, in its first stage.

    ends: when the budget does (time.monotonic). times: how often the run has been begun anew.
    """

    survey: Survey
    choice: Choice
    ends: float
    times: int = 0
    _looks: int = field(default=0, init=False)
    _since: float | None = field(default=None, init=False)
    _steps: int = field(default=0, init=False)

    def after_step(
        self, schedule: ScheduleOptions, steps: int, kind: Trainable, position: Position
    ) -> None:
        """Count a step of a kind of stage, after which the run is at `position`. steps: of an
        epoch. Raises PlannedAnew."""
        if position.stage or self._looks == _LOOKS or self.times == _TIMES:
            return
        now = monotonic()
        if self._since is None:
            self._since = now  # the first step is slower than others
            return
        self._steps += 1
        seconds = now - self._since
        if seconds >= max(self.choice.seconds / 10, _LEAST):
            pace = Pace({kind: (seconds, self._steps)})
            self._looks, self._since, self._steps = self._looks + 1, now, 0
            left = pace.left(steps_left(schedule, steps, position))
            in_all = pace.left(steps_left(schedule, steps, Position(0, 0, 0)))
            assert left is not None
            assert in_all is not None
            self._compare(left, in_all, self.ends - now)

    def _compare(self, left: float, in_all: float, until_end: float) -> None:
        """Raise PlannedAnew where a run whose training takes `left` seconds more, of `in_all`
        at the present pace, is better begun anew."""
        choice, n = self.choice, self.choice.n
        slower = in_all / choice.seconds
        speed = choice.speed._replace(
            seconds=choice.speed.seconds * slower,
            contention=max(choice.speed.contention * slower, 1.0),
        )
        # All images have been read; and a spike is not taken to slow what follows training too.
        available = until_end - choice.speed.overhead(replace(self.survey, seconds=0.0), n)
        if left <= _MUCH * available:
            return
        unscaled = in_all / choice.scale
        anew_available = until_end - speed.overhead(self.survey, n)
        scale = scale_within(max(anew_available, 0.0) * CAUTION, unscaled)
        seconds = scale * unscaled
        if scale < choice.scale and n * self.survey.seconds + seconds < _WORTH * left:
            anew = replace(choice, scale=scale, seconds=seconds, speed=speed)
            raise PlannedAnew(Watch(self.survey, anew, self.ends, self.times + 1))
