"""Progress of the stages of a run on the terminal."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from dimred.run.pace import Pace, steps_left
from dimred.steps import on_terminal
from dimred.training.checkpoint import Position
from dimred.training.schedule import ScheduleOptions, Stage

_MIN_SECONDS = 2.0  # of steps, until the time that is left is guessed from them
_SHOWN_EVERY = 0.2  # seconds
_UNKNOWN = "?"


@dataclass
class RunClock:
    """The time that is left for all stages of a run.

    schedule: of the run. steps: of an epoch. pace: of this machine, as it was measured before.
    """

    schedule: ScheduleOptions
    steps: int
    pace: Pace = field(default_factory=Pace)

    def left(self, stage: Stage, done: int) -> str:
        """The time left after `done` steps of a stage, as text, without that of measuring."""
        seconds = self.pace.left(steps_left(self.schedule, self.steps, self._after(stage, done)))
        if seconds is None:
            return _UNKNOWN
        left: str = tqdm.format_interval(seconds + self.pace.before_steps(stage.number + 1))
        return left

    def _after(self, stage: Stage, done: int) -> Position:
        return Position(stage.number, *divmod(done, self.steps))


class StageProgress:
    """One progress bar a stage on a terminal, one plain line an epoch elsewhere.

    done: steps done before. headline: name and label of the number shown beside the loss.
    """

    def __init__(self, stage: Stage, clock: RunClock, done: int, headline: tuple[str, str]):
        self.stage = stage
        self.clock = clock
        self.headline, self.label = headline
        self.epochs = stage.options.epochs
        self._done = done
        self._timed_from = done  # steps and time from which on the pace is not yet counted
        self._began = time.monotonic()
        self._shown_at = self._began
        self._rested_at: float | None = None
        self._loss = self._measured = ""
        self._bar = tqdm(
            total=self.epochs * clock.steps,
            initial=done,
            dynamic_ncols=True,
            mininterval=_SHOWN_EVERY,
            disable=not on_terminal(),
        )
        self._describe(done // clock.steps + 1)
        self._show()
        self._bar.refresh()

    @property
    def _name(self) -> str:
        return f"stage {self.stage.number + 1}/{len(self.clock.schedule.stages)} {self.stage.name}"

    def _describe(self, epoch: int) -> None:
        self._bar.set_description_str(
            f"{self._name} {min(epoch, self.epochs)}/{self.epochs}", refresh=False
        )

    def compiling(self) -> None:
        """Show that the network is being compiled, which takes seconds to a minute."""
        self._began = time.monotonic()
        if self._bar.disable:
            print(f"{self.stage.name}: compiling", flush=True)
        else:
            self._write("compiling")
            self._bar.refresh()

    def compiled(self, obstacle: str | None) -> None:
        """Show that compiling is done, or the obstacle that it failed on."""
        text = f"compiled in {time.monotonic() - self._began:.0f} s"
        if obstacle:
            text = f"goes on without compiling: {obstacle[:200]}"
        self._write("")
        self._bar.write(f"{self.stage.name}: {text}", file=sys.stdout)
        sys.stdout.flush()
        self._began = self._shown_at = time.monotonic()
        self._bar.unpause()

    def step(self) -> None:
        """Count a finished batch."""
        self._done += 1
        if time.monotonic() - self._shown_at >= _SHOWN_EVERY:
            self._time()
            self._show()
        self._bar.update()

    def rest(self) -> None:
        """Stop the time, which `epoch` starts again: what is measured meanwhile is not training."""
        self._time()
        self._rested_at = time.monotonic()

    def _time(self) -> None:
        """Count the steps since the last time toward the pace."""
        now = self._shown_at = time.monotonic()
        steps, seconds = self._done - self._timed_from, now - self._began
        known = self.stage.options.trainable in self.clock.pace.taken
        if steps and (known or seconds >= _MIN_SECONDS or self._bar.disable):
            self.clock.pace.add(self.stage.options.trainable, seconds, steps)
            self._timed_from, self._began = self._done, now

    def _show(self) -> None:
        if not self._bar.disable:
            left = f"{self.clock.left(self.stage, self._done)} left in all"
            # In 80 columns the whole word leaves no room for the bar.
            measured = self._measured.replace("trustworthiness", "trust")
            self._write(", ".join(part for part in (self._loss, measured, left) if part))

    def _write(self, text: str) -> None:
        self._bar.bar_format = f"{{desc}} |{{bar}}| {text}"

    def epoch(self, row: dict[str, Any]) -> None:
        """Show a finished epoch. row: as in metrics.jsonl."""
        if self._rested_at is None:
            self.rest()
        else:
            self._began += time.monotonic() - self._rested_at
        self._rested_at = None
        self._loss = f"loss {row['loss']:.4f}"
        is_measured = self.headline in row
        if is_measured:
            # On the bar the last measurement stays until the next one.
            self._measured = f"{self.label} {row[self.headline]:.3f}"
        if not self._bar.disable:
            self._describe(row["epoch"] + 1)
            self._show()
            return
        measured = f", {self._measured}" if is_measured else ""
        print(
            f"{self._name} epoch {row['epoch']}/{self.epochs}: {self._loss}{measured}, "
            f"{row['images_per_s']:,.0f} images/s, "
            f"{self.clock.left(self.stage, self._done)} left in all",
            flush=True,
        )

    def close(self) -> None:
        """End the bar and leave it on the terminal."""
        self._show()
        self._bar.close()
