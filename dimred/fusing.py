"""Chains of small kernels, such as an augmentation or a loss, that torch.compile makes few of.

On a GPU each of them waits for memory and for the host; on a CPU they are quick as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper
from typing import Generic, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")

_mode: ContextVar[str | None] = ContextVar("mode", default=None)


@contextmanager
def fusing(mode: str | None) -> Iterator[None]:
    """Within it, functions marked `fusable` are compiled in a mode of torch.compile; with None they
    are not."""
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


class fusable(Generic[P, R]):
    """A function of tensors, without gradients and random numbers, that may be compiled.

    It is compiled for each combination of shapes that it meets, up to PyTorch's limit (8), beyond
    which it is not. The result is the same up to the rounding of its last digits. Raises what
    torch.compile does where it cannot compile.
    """

    def __init__(self, function: Callable[P, R]):
        self.function = function
        self.compiled: dict[str, Callable[P, R]] = {}
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        mode = _mode.get()
        if mode is None:
            return self.function(*args, **kwargs)
        if mode not in self.compiled:
            # Of one shape in a stage; code for any shape is slower and takes longer to make.
            self.compiled[mode] = torch.compile(self.function, dynamic=False, mode=mode)
        return self.compiled[mode](*args, **kwargs)
