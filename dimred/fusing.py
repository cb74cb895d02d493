"""Functions of many small kernels, such as augmentations and losses, fused by torch.compile.

On a GPU every kernel waits for memory and for the host; on a CPU fusing does not pay.
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
    """Context in which functions marked `fusable` are compiled, in this mode of torch.compile; None
    compiles nothing."""
    token = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(token)


class fusable(Generic[P, R]):
    """Decorator of a function of tensors, without gradients and random numbers, that may be
    compiled.

    It is compiled for each new combination of shapes, up to PyTorch's limit (8), and interpreted
    for further ones. Results differ only by rounding. Raises the errors of torch.compile where
    compiling fails.
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
            # A stage has one shape; code for dynamic shapes is slower and takes longer to compile.
            self.compiled[mode] = torch.compile(self.function, dynamic=False, mode=mode)
        return self.compiled[mode](*args, **kwargs)
