"""Options of the group `device`: where and in which arithmetic a run computes."""

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
        "auto = bf16 autocast on a GPU that has it, float32 elsewhere (bf16 is faster on a CPU "
        "only if it has AVX512-BF16 or the like). On a GPU float32 means convolutions in TF32 "
        "(float32 with 10 bits of mantissa in the factors), as the t-SimCNE authors have them, and "
        "all else, head, losses and neighbors, in full float32 or better.",
    )
    channels_last: bool = option(
        True, "Memory layout NHWC for images and convolutions: faster on CPUs and GPUs alike."
    )
    compile: bool | str = option(
        "auto",
        "true or false: compile the network with torch.compile, on a GPU augmentation and loss "
        "too; wants a C++ compiler, and up to a minute at the start. auto = on one GPU, where all "
        "steps are of one size (not with labeled pairs), if the stages that train the same part "
        "have 5,000 steps or more.",
    )
    fused_optimizer: bool = option(
        True, "Update all weights in one kernel: faster on CPUs and GPUs alike."
    )
    deterministic: bool = option(
        False, "Only deterministic GPU kernels: slower there; the CPU always repeats itself."
    )
    threads: int | None = option(
        None, "CPU threads; null takes PyTorch's choice (one a core).", at_least=1, at_most=1024
    )
    memory_fraction: float = option(
        0.5,
        "Keep the images on the GPU when they fit in this share of its free memory, else on the "
        "host; same results either way.",
        at_least=0,
        at_most=1,
        changes_result=False,
    )

    def device(self, processes: Processes | None = None) -> torch.device:
        """The device that `name` means on this machine, the GPU of this process where several
        share a run.

        Raises InputError for a GPU where there is none, or for more processes than GPUs.
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
        """How to compute here, every `auto` resolved; changes nothing in PyTorch.

        processes: those that share a run; None for this one alone.
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
            # Not on CPUs: only some multiply bf16 faster than float32, and a configuration should
            # give the same result on all.
            self.precision is Precision.auto
            and device.type == "cuda"
            and torch.cuda.is_bf16_supported(including_emulation=False)
        )
        return Compute(
            device, bf16, self.channels_last, compile, self.fused_optimizer, processes or ALONE
        )
