"""Several processes that share every step of a run, as torchrun starts them.

Each embeds its part of a step's rows; all compute the loss of all rows, so that negatives come from
the whole step, and add up their parts of the gradient. The weights stay equal in all of them and
equal, up to rounding, to those of one process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dimred.errors import InputError, ProcessLost

RENDEZVOUS_TIMEOUT = 300.0
"""Seconds that a process waits for the others to begin."""
_COLLECTIVE_TIMEOUT = timedelta(days=1)  # while the main process measures and the others wait


@dataclass(frozen=True)
class Processes:
    """This process among those that share a run.

    rank: its number; that of rank 0, the main process, writes and prints.
    size: how many there are.
    local_rank, local_size: the same among those on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """The rows of a step that this process embeds."""
        return slice(rows * self.rank // self.size, rows * (self.rank + 1) // self.size)

    def gather(self, z: Tensor, rows: int) -> Tensor:
        """All rows (rows, d) from this process' part of them, differentiable in that part."""
        if self.size == 1:
            return z
        gathered: Tensor = _Gather.apply(z, self.part(rows), rows)
        return gathered

    def all_reduce_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes, in one message."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        _together(dist.all_reduce, flat)
        parts = flat.split([gradient.numel() for gradient in gradients])  # type: ignore[no-untyped-call]
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, message: Any = None) -> Any:
        """The message of the main process, in all; that of the others is not used."""
        if self.size == 1:
            return message
        box = [message]
        _together(dist.broadcast_object_list, box)
        return box[0]


ALONE = Processes()


def processes_of_torchrun() -> Processes:
    """The processes that torchrun started, by its environment variables; ALONE without torchrun.

    They are not connected yet. Raises InputError for variables that say no number.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return ALONE
    environ = os.environ
    try:
        return Processes(
            rank=int(environ["RANK"]),
            size=int(environ["WORLD_SIZE"]),
            local_rank=int(environ.get("LOCAL_RANK", "0")),
            local_size=int(environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}: of several processes each must be told its "
            f"number ({error}); start them with torchrun"
        ) from error


def connect(processes: Processes, device_type: str) -> None:
    """Connect this process to the others of a run.

    Waits minutes for those that have not begun, and hears signals meanwhile. Raises InputError
    where they cannot be connected.
    """
    if processes.size == 1 or dist.is_initialized():
        return
    failures: list[Exception] = []

    def join() -> None:
        try:
            backend = "nccl" if device_type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=_COLLECTIVE_TIMEOUT)
        except Exception as error:
            failures.append(error)

    # In a thread, since Python's handlers of signals do not run while PyTorch waits in C++.
    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    until = time.monotonic() + RENDEZVOUS_TIMEOUT
    while thread.is_alive() and time.monotonic() < until:
        thread.join(0.1)
    reason = f"they did not come within {RENDEZVOUS_TIMEOUT / 60:g} minutes"
    if failures:
        reason = str(failures[0]).splitlines()[0]
    if failures or thread.is_alive():
        raise InputError(
            f"WORLD_SIZE={processes.size}: cannot connect to the other processes "
            f"({reason}); start them with torchrun"
        )


def _together(operation: Callable[..., object], *arguments: Any) -> None:
    """Do what all processes do at the same time. Raises ProcessLost where another has ended."""
    try:
        operation(*arguments)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ProcessLost(f"another process of this run has ended ({reason})") from error


def sync_batchnorm(module: nn.Module, processes: Processes, device_type: str) -> None:
    """Let batch-norms within `module` take, in training, the statistics of all processes' rows."""
    if processes.size == 1:
        return
    if device_type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = _SharedBatchNorm  # the same state, another forward


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, part: slice, rows: int) -> Tensor:
        ctx.part = part
        gathered = z.new_zeros(rows, z.shape[1])
        gathered[part] = z
        _together(dist.all_reduce, gathered)
        return gathered

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        # Every process has the same gradient of the same loss.
        return upstream[0][ctx.part], None, None


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _together(dist.all_reduce, total)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        total = upstream[0].clone()
        _together(dist.all_reduce, total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch-norm over the rows of all processes on CPUs, for which nn.SyncBatchNorm is not made.

    Computes in float32, also under autocast.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        dtype, x = x.dtype, x.float()
        count = x.new_tensor(x.numel() / x.shape[1])
        _together(dist.all_reduce, count)
        mean = _sum(x.sum((0, 2, 3))) / count
        centered = x - mean[:, None, None]
        variance = _sum(centered.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            unbiased = variance * (count / (count - 1))
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(dtype)


def _sum(x: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(x)
    return total
