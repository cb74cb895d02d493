"""The images of a run, as uint8 where training reads them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

_CHUNK = 2**28  # bytes that go to the device at a time


class ResidentImages:
    """Batches of uint8 images on the device.

    All images are kept on the device when they fit in `memory_fraction` of its free memory, else on
    the host, from where they are copied in chunks of many batches. The batches are the same in
    either case.

    images: uint8 (N, C, height, width) on the host.
    """

    def __init__(self, images: Tensor, device: torch.device, memory_fraction: float):
        self.device = device
        self.on_device = device.type == "cpu" or images.nbytes <= memory_fraction * _free(device)
        self.images = images.to(device) if self.on_device else images

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, positions: Tensor, size: int) -> Iterator[Tensor]:
        """The images at `positions` (int64 (m,) on the device), `size` at a time.

        Yields uint8 (b, C, height, width); only the last may have b < size.
        """
        in_chunk = size * max(1, _CHUNK // (size * self.images[0].nbytes))
        step = size if self.on_device else in_chunk
        for start in range(0, len(positions), step):
            chunk = positions[start : start + step]
            if self.on_device:
                yield self.images[chunk]
            else:
                pinned = self.images[chunk.cpu()].pin_memory()
                yield from torch.split(pinned.to(self.device, non_blocking=True), size)


def _free(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free
