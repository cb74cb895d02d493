"""Options of the group `device`: the device and arithmetic of a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from dimred.errors import InputError
from dimred.options.option import option

if TYPE_CHECKING:
    import torch

    from dimred.training.compute import Compute
    from dimred.training.processes import Processes


class DeviceName(Enum):
    """Where to compute."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(Enum):
    """Arithmetic of the network; the loss is always computed in float32 or better."""

    auto = "auto"
    float32 = "float32"
    bf16 = "bf16"


@dataclass
class DeviceOptions:
    """Where and how a run computes."""

    name: DeviceName = option(
        DeviceName.auto, "auto = the GPU where there is one, else the CPU; set by device=NAME."
    )
    precision: Precision = option(
        Precision.auto,
        "auto = bf16 autocast on a GPU that supports it, float32 elsewhere (bf16 is faster on CPUs "
        "only with AVX512-BF16 or similar). On a GPU, float32 means convolutions in TF32 (a "
        "mantissa of 10 bits in the factors), as in the t-SimCNE authors' code, and all else "
        "(head, losses, neighbors) in full float32 or better.",
        also=("dtype", "amp", "fp16", "bf16"),
        common=True,
    )
    channels_last: bool = option(
        True, "Memory layout NHWC for images and convolutions: faster on both CPUs and GPUs."
    )
    compile: bool | str = option(
        "auto",
        "true: compile the network with torch.compile, on a GPU also augmentation and loss; needs "
        "a C++ compiler and up to a minute at the start. auto: on one GPU, if all steps have the "
        "same size (not with labeled pairs) and the stages that train the same part of the network "
        "have 5,000 steps or more.",
    )
    fused_optimizer: bool = option(
        True, "Update all weights in one kernel: faster on both CPUs and GPUs."
    )
    deterministic: bool = option(
        False, "Use only deterministic GPU kernels, which are slower; the CPU's always are."
    )
    threads: int | None = option(
        None,
        "CPU threads; null = PyTorch's default (one per core). A run goes on with another number; "
        "sums may then differ in their last bits.",
        at_least=1,
        at_most=1024,
        changes_result=False,
        also=("workers", "cores", "cpus", "jobs"),
        common=True,
    )
    memory_fraction: float = option(
        0.5,
        "Keep the images on the GPU if they fit into this share of its free memory, else on the "
        "CPU. Does not change results.",
        at_least=0,
        at_most=1,
        changes_result=False,
    )

    def device(self, processes: Processes | None = None) -> torch.device:
        """The device that `name` selects on this machine; with several processes, the GPU of this
        one.

        Raises InputError if a GPU is required and there is none, and for more processes than GPUs.
        """
        import torch

        gpu = torch.cuda.is_available()
        if self.name is DeviceName.cuda and not gpu:
            raise InputError("device=cuda: PyTorch sees no GPU here; use device=cpu or device=auto")
        if self.name is DeviceName.cpu or not gpu:
            return torch.device("cpu")
        if processes is None:
            return torch.device("cuda", torch.cuda.current_device())
        count = torch.cuda.device_count()
        if processes.local_size > count:
            raise InputError(
                f"torchrun --nproc-per-node={processes.local_size}: there are {count} GPU(s) here"
            )
        return torch.device("cuda", processes.local_rank)

    def compute(self, processes: Processes | None = None) -> Compute:
        """The `Compute` on this machine, with every `auto` resolved. Changes no setting of PyTorch.

        processes: the processes that share the run; None for this one alone.
        Raises InputError as `device` does, and for compiling in several processes.
        """
        import torch

        from dimred.training.compute import Compute
        from dimred.training.processes import ALONE

        device = self.device(processes)
        several = processes is not None and processes.size > 1
        compile = None if self.compile == "auto" else bool(self.compile)
        if compile and several:
            raise InputError("device.compile=true: is for one process, and torchrun started more")
        if device.type == "cpu" or several:
            compile = bool(compile)
        bf16 = self.precision is Precision.bf16 or (
            # Not on CPUs: bf16 is faster than float32 on only some of them, and a configuration
            # should give the same result on all.
            self.precision is Precision.auto
            and device.type == "cuda"
            and torch.cuda.is_bf16_supported(including_emulation=False)
        )
        return Compute(
            device, bf16, self.channels_last, compile, self.fused_optimizer, processes or ALONE
        )
