"""Calls of a user's own part, whose errors become one line that names the file and the line.

An exception in a choice of dimred itself is a bug of dimred, so it keeps its traceback.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.errors import InputError

if TYPE_CHECKING:
    from dimred.options.registry import Choice

# Where an error is not looked for: modules that a plug-in calls, besides the standard library.
_PASSED_OVER = {"dimred", "torch", "torchvision", "numpy", "scipy", "sklearn", "PIL"}


@contextmanager
def tried(choice: Choice, method: str) -> Iterator[None]:
    """Context of a call of a choice's method.

    Raises InputError for any error in a plug-in; InputErrors pass unchanged, and so does every
    error in a choice of dimred.
    """
    with one_line(f"{choice.group}={choice.name}", f"{method}() fails", choice.origin is not None):
        yield


@contextmanager
def one_line(part: str, what: str, is_plugin: bool = True, hint: str = "") -> Iterator[None]:
    """As `tried`, for what a choice has built.

    part: such as "loss=mine". what: what has gone wrong. hint: what it should be.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if not is_plugin:
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".splitlines()[0].split())
        raise InputError(f"{part}: {what}: {reason}{place_of(error)}{hint}") from error


def place_of(error: Exception) -> str:
    """File and line in the user's code where an error arose; "" where there is none."""
    places = [
        f" ({Path(frame.f_code.co_filename).name}, line {line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if _is_users(str(frame.f_globals.get("__name__", "")).partition(".")[0])
    ]
    return places[-1] if places else ""


def described(value: object) -> str:
    """Type and shape of a tensor, such as "int64 (8,)"; the type of anything else."""
    from torch import Tensor

    if not isinstance(value, Tensor):
        return type(value).__name__
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _is_users(module: str) -> bool:
    return module not in _PASSED_OVER and module not in sys.stdlib_module_names
