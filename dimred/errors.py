"""The exceptions that end a run without being bugs, and a help for their messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """A value, file or folder given by the user cannot be used.

    The message is one line that names the key or file, the value, and what is allowed. The command
    prints it without a traceback and exits with code 2.
    """


class TrainingFailed(RuntimeError):
    """Training cannot go on; the message names the stage."""


class TrainingDiverged(TrainingFailed):
    """The loss became NaN or infinite; the message names the stage, epoch and step."""


class WrongGradients(TrainingFailed):
    """In a stage's first step, a trained parameter has no finite gradient, or a frozen one has a
    gradient; the message names the stage and the parameters."""


class ProcessLost(RuntimeError):
    """Another process of the same run has ended, so that this one cannot go on."""


class Interrupted(KeyboardInterrupt):
    """A signal has stopped the run; the message says how to go on."""

    def __init__(self, number: int, message: str):
        super().__init__(message)
        self.number = number

    @property
    def exit_code(self) -> int:
        """128 + the signal's number: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    def __reduce__(self) -> tuple[Any, ...]:
        return (Interrupted, (self.number, str(self)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the known word nearest to `word`; "" where none is near."""
    from difflib import get_close_matches  # most commands end without an error

    close = get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]}? " if close else ""
