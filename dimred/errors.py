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


def near(word: str, known: Iterable[str]) -> list[str]:
    """The known words that `word` may stand for, the nearest first, at most three: those that
    differ in capitals, - and _ only; else those that it is a part of; else the one spelled most
    alike."""
    from difflib import SequenceMatcher  # most commands end without an error

    names = list(dict.fromkeys(known))
    typed = plain(word)[:100]
    if same := [name for name in names if plain(name) == typed]:
        return same[:3]

    def likeness(name: str) -> float:
        return SequenceMatcher(None, typed, plain(name)).ratio()

    parts = [name for name in names if len(typed) > 2 and typed in plain(name)]
    if 0 < len(parts) <= 3:
        return sorted(parts, key=likeness, reverse=True)
    best = max(parts or names, key=likeness, default="")
    return [best] if best and likeness(best) >= 0.6 else []


def plain(word: str) -> str:
    """A word without what is easily typed otherwise: capitals, -, _ and spaces."""
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the known words nearest to `word`; "" where none is near."""
    close = near(word, known)
    return f"did you mean {' or '.join(close)}? " if close else ""
