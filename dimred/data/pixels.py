"""The pixels of an image set in memory, or in a packed file where that is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.blocks import Span, checked, in_order, n_bytes, shown, spans, told
from dimred.data.free_memory import (
    free_memory,
    gibibytes,
    require_address_space,
    require_memory,
)
from dimred.data.known_digests import KnownDigests
from dimred.data.own_options import Store
from dimred.data.packed import Pack
from dimred.data.pixel_source import Block, PixelSource
from dimred.errors import InputError
from dimred.files import can_be_written
from dimred.steps import line

if TYPE_CHECKING:
    from dimred.data.image_decoding import Decoded

_ADVICE = "make them smaller or set dataset.store=disk"


class Pixels(NamedTuple):
    """The images of a source of which m can be read.

    images: uint8 (m, C, H, W), in the order of the source. It may be mapped from a file.
    problems: the reason why an image cannot be read, by its position in the source.
    about: what else is known of each of the m images; None where the source says nothing.
    """

    images: Tensor
    problems: dict[int, str]
    about: list[Decoded] | None


def load_pixels(
    source: PixelSource,
    store: Store,
    folder: Path | None,
    named: str,
    known: KnownDigests | None = None,
) -> Pixels:
    """All images of a source, read by all cores where they are not packed already.

    In memory no more than 1.2 times what is kept is needed, of sets of 100 MiB and more.

    store: dataset.store. folder: where packed files lie; None where there is no such place.
    named: how error messages begin, such as "dataset.image_size=224". known: digests of files, of
        that folder; by default those that are kept there.
    Raises InputError where memory or the disk has too little room, where the folder cannot be
    written, and what the source raises.
    """
    total = n_bytes((len(source), *source.shape))
    what = f"{named}: {len(source):,} images of {'x'.join(map(str, source.shape))} bytes"
    if store is Store.auto:
        store = _chosen(total, folder)
    if store is Store.memory:
        return _in_memory(source, total, what)
    if folder is None:
        raise InputError(f"{named}: dataset.store=disk needs dataset.store_folder=FOLDER")
    require_address_space(total, what)
    images, blocks = Pack(source, folder, what, known or KnownDigests(folder)).open()
    return Pixels(images, *told(blocks))


def _chosen(total: int, folder: Path | None) -> Store:
    """Where pixels are kept with dataset.store=auto, which is said where it is not in memory as
    ever: on disk if they are more than half of the free memory, and the disk can be used or the
    memory cannot."""
    free = free_memory()
    if total <= free // 2:
        return Store.memory
    why = f"{gibibytes(total)} of pixels are more than half of the memory that is free"
    if total > free or (folder is not None and can_be_written(folder)):
        line(f"dataset.store=disk: {why}")
        return Store.disk
    place = (
        "there is no folder for a packed file" if folder is None else f"{folder} cannot be written"
    )
    line(f"dataset.store=memory: {why}, and {place}; dataset.store_folder=FOLDER names another")
    return Store.memory


def _in_memory(source: PixelSource, total: int, what: str) -> Pixels:
    require_memory(total, what, _ADVICE)
    try:
        pixels = np.empty((len(source), *source.shape), dtype=np.uint8)
    except MemoryError as error:
        raise InputError(f"{what} need more memory than there is; {_ADVICE}") from error
    parts = spans(source)

    def read(span: Span) -> Block:
        block = checked(source.read(*span), span, source.shape)
        first = span[0]
        pixels[first : first + len(block.pixels)] = block.pixels
        return Block(pixels[:0], block.problems, block.about)

    blocks = list(shown(in_order(read, parts), "reading images", parts))
    images = torch.from_numpy(pixels[: _close_up(pixels, parts, blocks)])
    return Pixels(images, *told(blocks))


def _close_up(pixels: NDArray[np.uint8], parts: Sequence[Span], blocks: Sequence[Block]) -> int:
    """Move the images of each block down to the end of those before; returns their number."""
    count = 0
    for (first, stop), block in zip(parts, blocks, strict=True):
        m = stop - first - len(block.problems)
        if count < first:
            pixels[count : count + m] = pixels[first : first + m]
        count += m
    return count
