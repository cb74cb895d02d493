"""Where and in which arithmetic a run computes."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass

import torch

from dimred.errors import InputError
from dimred.training.processes import ALONE, Processes, processes_of_torchrun

_DEFAULT_THREADS = torch.get_num_threads()


@dataclass(frozen=True)
class Compute:
    """A device and the arithmetic used on it.

    bf16: run the backbone under bf16 autocast while training; the head and the losses are float32,
        and so are all embeddings.
    channels_last, fused_optimizer: as in `DeviceOptions`.
    compile: whether network, augmentation and loss are compiled; None where that is to follow from
        the number of steps.
    processes: those that share every step.
    """

    device: torch.device
    bf16: bool = False
    channels_last: bool = True
    compile: bool | None = False
    fused_optimizer: bool = True
    processes: Processes = ALONE

    @property
    def memory_format(self) -> torch.memory_format:
        """Layout of images and of convolution weights."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self) -> torch.autocast:
        """The context that the network's forward pass runs in while training."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def select_compute(
    name: str,
    precision: str,
    channels_last: bool = True,
    compile: bool | None = False,
    fused_optimizer: bool = True,
    deterministic: bool = False,
    threads: int | None = None,
) -> Compute:
    """Resolve `auto` to what this machine has and set PyTorch up for it; under torchrun, connect to
    the other processes.

    compile: None for where it pays: never on a CPU or in one of several processes.

    Raises InputError when a GPU is asked for and there is none, or for a process beyond the GPUs.
    """
    gpu = torch.cuda.is_available()
    if name == "cuda" and not gpu:
        raise InputError("device=cuda: PyTorch sees no GPU here; use device=cpu or device=auto")
    device = _device(name == "cuda" or (name == "auto" and gpu))
    bf16 = precision == "bf16" or (
        # Not on CPUs: only some multiply bf16 faster than float32, and a configuration should
        # give the same result on all.
        precision == "auto"
        and device.type == "cuda"
        and torch.cuda.is_bf16_supported(including_emulation=False)
    )
    # Set in every run: the runs of a sweep share a process.
    torch.set_num_threads(threads or _DEFAULT_THREADS)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS asks for it
    if deterministic != torch.are_deterministic_algorithms_enabled():
        torch.use_deterministic_algorithms(deterministic)  # imports PyTorch's compiler: 2 s
    torch.backends.cudnn.benchmark = not deterministic
    _set_float32()
    _quieten_the_compiler()
    processes = processes_of_torchrun(device.type)
    if compile and processes.size > 1:
        raise InputError("device.compile=true: is for one process, and torchrun started more")
    if device.type == "cpu" or processes.size > 1:
        compile = bool(compile)
    return Compute(device, bf16, channels_last, compile, fused_optimizer, processes)


def _set_float32() -> None:
    """What float32 means on a GPU, as the option `device.precision` has it."""
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cuda.matmul.allow_tf32 = False


def _quieten_the_compiler() -> None:
    # It advises TF32 for products too, which would cost the losses their digits.
    warnings.filterwarnings("ignore", message="TensorFloat32 tensor cores")
    # What it records first, to have memory for graphs, is an empty one.
    warnings.filterwarnings("ignore", message="The CUDA Graph is empty")


def _device(gpu: bool) -> torch.device:
    """The CPU, or the GPU of this process."""
    if not gpu:
        return torch.device("cpu")
    here, count = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), torch.cuda.device_count()
    if here > count:
        raise InputError(f"torchrun --nproc-per-node={here}: there are {count} GPU(s) here")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device
