"""The images of a run as uint8, on the device if they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

_CHUNK = 2**28  # bytes copied to the device at a time


class ResidentImages:
    """Batches of uint8 images on the device.

    All images are kept on the device when they fit in `memory_fraction` of its free memory; else
    they stay on the host and are copied in chunks of many batches. The batches are the same in
    either case.

    images: uint8 (N, C, height, width) on the host.
    """

    def __init__(self, images: Tensor, device: torch.device, memory_fraction: float):
        self.device = device
        self.on_device = device.type == "cpu" or images.nbytes <= memory_fraction * _free(device)
        self.images = images.to(device) if self.on_device else images

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of each part, uint8 (b, C, height, width).

        parts: positions, int64 (b,) on the device; where the images are on the host, this iterable
            is read one chunk ahead.
        """
        if self.on_device:
            for part in parts:
                yield self.images[part]
            return
        chunk: list[Tensor] = []
        for part in parts:
            chunk.append(part)
            if sum(map(len, chunk)) * self.images[0].nbytes >= _CHUNK:
                yield from self._copied(chunk)
                chunk = []
        yield from self._copied(chunk)

    def _copied(self, chunk: list[Tensor]) -> Iterator[Tensor]:
        if chunk:
            pinned = self.images[torch.cat(chunk).cpu()].pin_memory()
            moved = pinned.to(self.device, non_blocking=True)
            yield from torch.split(moved, [len(part) for part in chunk])


def _free(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free
