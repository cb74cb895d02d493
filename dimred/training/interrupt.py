"""Ctrl-C and SIGTERM, recorded so that a run can save before it stops."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from dimred.errors import Interrupted


class SignalWatch:
    """Context that keeps the number of the first SIGINT or SIGTERM in `received`; a second one
    raises Interrupted at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            raise Interrupted(number, "stopped at once, without saving")
        self.received = number

    def __enter__(self) -> Self:
        # Python allows handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            numbers = [signal.SIGINT, signal.SIGTERM]
            if "SUBMITIT_EXECUTOR" in os.environ:
                # Slurm announces preemption by SIGTERM. submitit ignores it and requeues the job at
                # the next signal, so the run must survive the SIGTERM.
                numbers.remove(signal.SIGTERM)
            for number in numbers:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
