"""The images of a run, as uint8 where training reads them."""

from __future__ import annotations

import torch
from torch import Tensor


class ResidentImages:
    """Batches of uint8 images on the device.

    All images are kept on the device when they fit in `memory_fraction` of its free memory, else in
    pinned host memory, from where each batch is copied. The batches are the same in either case.

    images: uint8 (N, C, height, width) on the host.
    """

    def __init__(self, images: Tensor, device: torch.device, memory_fraction: float):
        self.device = device
        self.on_device = device.type == "cpu" or images.nbytes <= memory_fraction * _free(device)
        self.images = images.to(device) if self.on_device else images.pin_memory()

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, positions: Tensor) -> Tensor:
        """The images at `positions` (int64 (b,) on the device): uint8 (b, C, height, width)."""
        if self.on_device:
            return self.images[positions]
        return self.images[positions.cpu()].pin_memory().to(self.device, non_blocking=True)


def _free(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free
