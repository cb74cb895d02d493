"""Names the steps of a command that take seconds, and shows their progress.

On a terminal a step is one line, which becomes the step and its seconds, or vanishes where it took
none. Elsewhere it is a plain line, printed only where the step takes long. All of it goes to the
standard error, so that results stay alone on the standard output, and the worker processes of a
run print none of it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TypeVar

_T = TypeVar("_T")
_SHORT = 1.0  # seconds; a step that takes less is not worth a line
_PATIENCE = 3.0  # seconds until a plain line, for logs
_CLEAR = "\r\033[K"


def on_terminal() -> bool:
    """Whether somebody watches: both streams are a terminal's."""
    return sys.stdout.isatty() and sys.stderr.isatty()


def _is_worker() -> bool:
    return os.environ.get("WORLD_SIZE", "1") != "1" and os.environ.get("RANK", "0") != "0"


@contextmanager
def step(text: str) -> Iterator[None]:
    """Show what is being done while the body runs.

    text: such as "linear probe of H"; without a full stop.
    """
    if _is_worker():
        yield
    elif on_terminal():
        yield from _on_one_line(text)
    else:
        line = Timer(_PATIENCE, _say, [f"{text} ...\n"])
        line.daemon = True
        line.start()
        try:
            yield
        finally:
            line.cancel()


def _on_one_line(text: str) -> Iterator[None]:
    # The cursor goes back to the start, so that other messages replace the line.
    _say(f"{_CLEAR}{text} ...\r")
    began = time.monotonic()
    try:
        yield
    except BaseException:
        _say(_CLEAR)
        raise
    seconds = time.monotonic() - began
    _say(_CLEAR if seconds < _SHORT else f"{_CLEAR}{text}: {seconds:.0f} s\n")


def bar(things: Iterable[_T], total: int | None = None, text: str = "") -> Iterator[_T]:
    """The things, with a bar on a terminal that vanishes at the end.

    total: their number, where `len` cannot tell. text: as of `step`.
    """
    from tqdm import tqdm

    return iter(
        tqdm(
            things,
            total=total,
            desc=text,
            leave=False,
            dynamic_ncols=True,
            delay=_SHORT,
            disable=_is_worker() or not on_terminal(),
            bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}, {remaining} left",
        )
    )


def line(text: str) -> None:
    """Print a line, such as what a step is about to do."""
    if not _is_worker():
        _say(f"{text}\n")


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Seconds as text with two units at most: "40 s", "12 min", "1 h 10 min", "3 d 4 h"."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = round(seconds / 3_600)
    if hours < 24:
        return _joined(minutes, 60, "h", "min")
    return _joined(hours, 24, "d", "h")


def _joined(count: int, size: int, unit: str, smaller: str) -> str:
    whole, rest = divmod(count, size)
    return f"{whole} {unit} {rest} {smaller}" if rest else f"{whole} {unit}"
