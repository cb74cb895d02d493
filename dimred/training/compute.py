"""The device and arithmetic of a run, and PyTorch's settings for it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from dimred.training.processes import ALONE, Processes

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Compute:
    """A device and the arithmetic used on it. Creating one changes no setting of PyTorch.

    bf16: run the backbone under bf16 autocast while training; the head and the losses are float32,
        and so are all embeddings.
    channels_last, fused_optimizer: as in `DeviceOptions`.
    compile: whether network, augmentation and loss are compiled; None = decide by the number of
        steps.
    processes: the processes that share every step.
    """

    device: torch.device
    bf16: bool = False
    channels_last: bool = True
    compile: bool | None = False
    fused_optimizer: bool = True
    processes: Processes = ALONE

    @property
    def memory_format(self) -> torch.memory_format:
        """Memory layout of images and of convolution weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def placed(self, network: Network) -> Network:
        """The network on the device, in the memory format."""
        return network.to(self.device).to(memory_format=self.memory_format)

    def autocast(self) -> torch.autocast:
        """The context of the network's forward pass in training."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


@contextmanager
def torch_settings(
    device: torch.device, threads: int | None = None, deterministic: bool = False
) -> Iterator[None]:
    """Context with PyTorch's process-wide settings for training; restores them on exit.

    threads: CPU threads; None keeps the current number.
    deterministic: use only kernels with bit-identical results.
    """
    threads_before = torch.get_num_threads()
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    flags = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    gpu = torch.cuda.current_device() if device.type == "cuda" else None
    with warnings.catch_warnings():
        # The compiler advises TF32 for matrix products, which would make the losses inexact.
        warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
        # The compiler first records an empty graph, to reserve memory.
        warnings.filterwarnings("ignore", message="The CUDA Graph is empty")
        try:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            torch.set_num_threads(threads or threads_before)
            if deterministic:
                os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS
            _set_deterministic(deterministic)
            cudnn.benchmark = not deterministic
            # float32 on a GPU as documented by the option `device.precision`.
            cudnn.allow_tf32, matmul.allow_tf32 = True, False
            yield
        finally:
            torch.set_num_threads(threads_before)
            _set_deterministic(was_deterministic, only_warned)
            cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = flags
            if gpu is not None:
                torch.cuda.set_device(gpu)


def _set_deterministic(deterministic: bool, warn_only: bool = False) -> None:
    now = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    if now != (deterministic, warn_only):
        torch.use_deterministic_algorithms(
            deterministic, warn_only=warn_only
        )  # imports PyTorch's compiler: 2 s
