"""The images of a run as uint8, on the device if they fit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from dimred.data.blocks import in_order
from dimred.data.mapped import is_mapped

_CHUNK = 2**28  # bytes copied to the device at a time
_READ = 2**22  # bytes read from a packed file at a time, if a batch does not have more
_READERS = 4  # threads, as a disk that is asked for several chunks at once answers sooner


class ResidentImages:
    """Batches of uint8 images on the device.

    All images are kept on the device when they fit in `memory_fraction` of its free memory; else
    they stay on the host, or in their packed file, and are read ahead in chunks of many batches by
    other threads. The batches are the same in every case.

    images: uint8 (N, C, height, width) on the host. Of a packed file they are never all in the
        memory of the host.
    """

    def __init__(self, images: Tensor, device: torch.device, memory_fraction: float):
        self.device, self._in_file = device, is_mapped(images)
        if device.type == "cpu":
            self.on_device = not self._in_file
        else:
            self.on_device = images.nbytes <= memory_fraction * _free(device)
        self.images = _moved(images, device) if self.on_device else images

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of each part, uint8 (b, C, height, width).

        parts: positions, int64 (b,) on the device; where the images are not on the device, this
            iterable is read some chunks ahead, by this thread.
        """
        if self.on_device:
            for part in parts:
                yield self.images[part]
            return
        threads, ahead = (_READERS, 1) if self._in_file else (1, 2)
        for chunk, sizes in in_order(self._read, self._chunks(parts), threads, ahead):
            yield from torch.split(chunk.to(self.device, non_blocking=True), sizes)

    def _chunks(self, parts: Iterable[Tensor]) -> Iterator[tuple[Tensor, list[int]]]:
        """The positions of several parts, on the host, and how many each has."""
        least = _READ if self._in_file else _CHUNK
        chunk: list[Tensor] = []
        for part in parts:
            chunk.append(part)
            if sum(map(len, chunk)) * self.images[0].nbytes >= least:
                yield torch.cat(chunk).cpu(), [len(part) for part in chunk]
                chunk = []
        if chunk:
            yield torch.cat(chunk).cpu(), [len(part) for part in chunk]

    def _read(self, chunk: tuple[Tensor, list[int]]) -> tuple[Tensor, list[int]]:
        positions, sizes = chunk
        images = _from_file(self.images, positions) if self._in_file else self.images[positions]
        return images.pin_memory() if self.device.type == "cuda" else images, sizes


def _from_file(images: Tensor, positions: Tensor) -> Tensor:
    """Images of a packed file, read from its beginning to its end, whatever their order. By NumPy,
    as PyTorch would take the cores that the network computes on."""
    order = np.argsort(positions.numpy(), kind="stable")
    rows = np.take(images.numpy(), positions.numpy()[order], axis=0)
    in_their_places = np.empty_like(rows)
    in_their_places[order] = rows
    return torch.from_numpy(in_their_places)


def _moved(images: Tensor, device: torch.device) -> Tensor:
    """The images on the device, copied some at a time where they are not there."""
    if device.type == "cpu":
        return images
    moved = torch.empty(images.shape, dtype=images.dtype, device=device)
    size = max(1, _CHUNK // max(1, images[:1].nbytes))
    for to, part in zip(torch.split(moved, size), torch.split(images, size), strict=True):
        to.copy_(part)
    return moved


def _free(device: torch.device) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    return free
