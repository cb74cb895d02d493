"""The pixels of an image set in memory, or in a packed file where that is wanted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.free_memory import require_memory
from dimred.data.own_options import Store
from dimred.data.pixel_source import Block, PixelSource
from dimred.errors import InputError
from dimred.steps import bar

if TYPE_CHECKING:
    from dimred.data.image_decoding import Decoded

_IMAGES = 256  # read at a time, unless they have more bytes than
_BYTES = 2**22
_ADVICE = "make them smaller or set dataset.store=disk"

_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


class Pixels(NamedTuple):
    """The images of a source of which m can be read.

    images: uint8 (m, C, H, W), in the order of the source. It may be mapped from a file.
    problems: the reason why an image cannot be read, by its position in the source.
    about: what else is known of each of the m images; None where the source says nothing.
    """

    images: Tensor
    problems: dict[int, str]
    about: list[Decoded] | None


def load_pixels(source: PixelSource, store: Store, folder: Path | None, named: str) -> Pixels:
    """Read all images of a source, by all cores.

    store, folder: dataset.store and where its packed files lie.
    named: how error messages begin, such as "dataset.image_size=224".
    In memory no more than 1.2 times what is kept is needed, for sets of 100 MiB and more.
    Raises InputError where memory does not suffice, and what the source raises.
    """
    return _in_memory(source, named)


def spans(source: PixelSource) -> list[tuple[int, int]]:
    """What is read at a time: the first position and the one after the last. They depend on the
    number and the shape of the images only."""
    size = max(1, min(_IMAGES, _BYTES // max(1, n_bytes(source.shape))))
    return [(first, min(first + size, len(source))) for first in range(0, len(source), size)]


def n_bytes(shape: Sequence[int]) -> int:
    """The size of an array of bytes."""
    return int(np.prod(shape, dtype=object))  # of any size


def in_order(
    make: Callable[[_Thing], _Made], things: Iterable[_Thing], ahead: int = 2
) -> Iterator[_Made]:
    """What is made of each thing, in their order, by a thread for each core; no more than `ahead`
    for each thread are made before they are asked for."""
    threads = os.cpu_count() or 1
    waiting: deque[Future[_Made]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for thing in things:
            waiting.append(pool.submit(make, thing))
            if len(waiting) >= threads * ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def checked(block: Block, span: tuple[int, int], shape: tuple[int, int, int]) -> Block:
    """A block that is what a source promises."""
    first, stop = span
    wanted = (stop - first - len(block.problems), *shape)
    if block.pixels.shape != wanted or block.pixels.dtype != np.uint8:
        raise TypeError(f"read {block.pixels.dtype} {block.pixels.shape}, not uint8 {wanted}")
    return block


def shown(counts: Iterable[int], total: int, text: str) -> Iterator[None]:
    """A bar over images that come some at a time."""
    each = (None for count in counts for _ in range(count))
    return bar(each, total, text)


def _in_memory(source: PixelSource, named: str) -> Pixels:
    shape = (len(source), *source.shape)
    what = f"{named}: {len(source):,} images of {'x'.join(map(str, source.shape))} bytes"
    require_memory(n_bytes(shape), what, _ADVICE)
    try:
        pixels = np.empty(shape, dtype=np.uint8)
    except (MemoryError, ValueError) as error:  # more than there is, more than an array can have
        raise InputError(f"{what} need more memory than there is; {_ADVICE}") from error
    parts = spans(source)
    blocks: list[Block] = []

    def read(span: tuple[int, int]) -> Block:
        block = checked(source.read(*span), span, source.shape)
        first = span[0]
        pixels[first : first + len(block.pixels)] = block.pixels
        return Block(block.pixels[:0].copy(), block.problems, block.about)

    def counts() -> Iterator[int]:
        for span, block in zip(parts, in_order(read, parts), strict=True):
            blocks.append(block)
            yield span[1] - span[0]

    for _ in shown(counts(), len(source), "reading images"):
        pass
    count = _close_up(pixels, parts, blocks)
    problems = {i: problem for block in blocks for i, problem in sorted(block.problems.items())}
    return Pixels(torch.from_numpy(pixels[:count]), problems, joined([b.about for b in blocks]))


def joined(about: Sequence[list[Decoded] | None]) -> list[Decoded] | None:
    """What is known of the images of all blocks; None where of some there is nothing."""
    known = [part for part in about if part is not None]
    return [one for part in known for one in part] if len(known) == len(about) else None


def _close_up(
    pixels: NDArray[np.uint8], parts: Sequence[tuple[int, int]], blocks: Sequence[Block]
) -> int:
    """Move the images of each block down to the end of those before; returns their number."""
    count = 0
    for (first, stop), block in zip(parts, blocks, strict=True):
        m = stop - first - len(block.problems)
        if count < first:
            pixels[count : count + m] = pixels[first : first + m]
        count += m
    return count
