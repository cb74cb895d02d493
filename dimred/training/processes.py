"""Several processes, started by torchrun, that share every step of a run.

Each process embeds its part of a step's rows. All of them compute the loss of all rows, so that
negatives come from the whole batch, and sum their parts of the gradient. The weights are the same
in all processes and, up to rounding, the same as with one process.
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
"""Seconds that a process waits for the others to start."""
_COLLECTIVE_TIMEOUT = timedelta(days=1)  # while the main process measures and the others wait


@dataclass(frozen=True)
class Processes:
    """The processes of a run, and which of them this one is.

    rank: number of this process; rank 0, the main process, writes and prints.
    size: number of processes.
    local_rank, local_size: the same among the processes on this machine.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """The rows of a step that this process embeds."""
        return slice(rows * self.rank // self.size, rows * (self.rank + 1) // self.size)

    def gather(self, z: Tensor, rows: int) -> Tensor:
        """The rows (rows, d) of all processes, differentiable in this process's part `z`."""
        if self.size == 1:
            return z
        gathered: Tensor = _Gather.apply(z, self.part(rows), rows)
        return gathered

    def all_reduce_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes, with one all-reduce."""
        if self.size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        _collective(dist.all_reduce, flat)
        parts = flat.split([gradient.numel() for gradient in gradients])  # type: ignore[no-untyped-call]
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def broadcast(self, message: Any = None) -> Any:
        """The message of the main process, in all processes; that of the others is ignored."""
        if self.size == 1:
            return message
        box = [message]
        _collective(dist.broadcast_object_list, box)
        return box[0]


ALONE = Processes()


def processes_of_torchrun() -> Processes:
    """The processes that torchrun started, by its environment variables; ALONE without torchrun.

    They are not connected yet. Raises InputError for missing or invalid variables.
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
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}: each of several processes needs its rank "
            f"({error}); start them with torchrun"
        ) from error


def connect(processes: Processes, device_type: str) -> None:
    """Connect this process to the others of a run.

    Waits up to RENDEZVOUS_TIMEOUT for the others; signals are handled meanwhile. Raises InputError
    where connecting fails.
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

    # In a thread, since Python's signal handlers do not run while PyTorch waits in C++.
    thread = threading.Thread(target=join, daemon=True)
    thread.start()
    until = time.monotonic() + RENDEZVOUS_TIMEOUT
    while thread.is_alive() and time.monotonic() < until:
        thread.join(0.1)
    reason = f"they did not start within {RENDEZVOUS_TIMEOUT / 60:g} minutes"
    if failures:
        reason = str(failures[0]).splitlines()[0]
    if failures or thread.is_alive():
        raise InputError(
            f"WORLD_SIZE={processes.size}: cannot connect to the other processes "
            f"({reason}); start them with torchrun"
        )


def _collective(operation: Callable[..., object], *arguments: Any) -> None:
    """Call a collective operation. Raises ProcessLost where another process has ended."""
    try:
        operation(*arguments)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ProcessLost(f"another process of this run has ended ({reason})") from error


def sync_batchnorm(module: nn.Module, processes: Processes, device_type: str) -> None:
    """Let batch-norms in `module` use the statistics of all processes' rows in training."""
    if processes.size == 1:
        return
    if device_type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return
    for layer in module.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = _SharedBatchNorm  # keeps the state, replaces the forward pass


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, part: slice, rows: int) -> Tensor:
        ctx.part = part
        gathered = z.new_zeros(rows, z.shape[1])
        gathered[part] = z
        _collective(dist.all_reduce, gathered)
        return gathered

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        # All processes have the same gradient, since they compute the same loss.
        return upstream[0][ctx.part], None, None


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the processes."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _collective(dist.all_reduce, total)
        return total

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        total = upstream[0].clone()
        _collective(dist.all_reduce, total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch-norm over the rows of all processes, on CPUs, which nn.SyncBatchNorm does not support.

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
        _collective(dist.all_reduce, count)
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
