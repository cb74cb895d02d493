"""Reading a source of images block by block, by all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dimred.data.pixel_source import Block, PixelSource
from dimred.steps import bar

if TYPE_CHECKING:
    from dimred.data.image_decoding import Decoded
    from dimred.data.packed_index import PackedBlock

Span = tuple[int, int]
"""The positions of a block in its source: the first, and the one after the last."""

_IMAGES = 256  # read at a time, unless they have more bytes than
_BYTES = 2**22

_Thing = TypeVar("_Thing")
_Made = TypeVar("_Made")


def spans(source: PixelSource) -> list[Span]:
    """What is read at a time: the first position and the one after the last. They depend on the
    number and the shape of the images only."""
    size = max(1, min(_IMAGES, _BYTES // max(1, n_bytes(source.shape))))
    return [(first, min(first + size, len(source))) for first in range(0, len(source), size)]


def n_bytes(shape: Sequence[int]) -> int:
    """The size of an array of bytes."""
    return int(np.prod(shape, dtype=object))  # of any size


def in_order(
    make: Callable[[_Thing], _Made],
    things: Iterable[_Thing],
    threads: int | None = None,
    ahead: int = 2,
) -> Iterator[_Made]:
    """What is made of each thing, in their order, by threads, by default one for each core. The
    things are taken in the calling thread, and no more than `ahead` for each thread before what is
    made of them is asked for. When this iterator is closed, no more are made."""
    threads = threads or os.cpu_count() or 1
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


def checked(block: Block, span: Span, shape: tuple[int, int, int]) -> Block:
    """A block that is what a source promises."""
    first, stop = span
    wanted = (stop - first - len(block.problems), *shape)
    if block.pixels.shape != wanted or block.pixels.dtype != np.uint8:
        raise TypeError(f"read {block.pixels.dtype} {block.pixels.shape}, not uint8 {wanted}")
    return block


def shown(things: Iterable[_Thing], text: str, parts: Sequence[Span]) -> Iterator[_Thing]:
    """What is made of blocks, with a bar of the images that they have. parts: of the blocks."""
    progress = bar(range(sum(stop - first for first, stop in parts)), text=text)
    for thing, (first, stop) in zip(things, parts, strict=True):
        yield thing
        for _ in range(stop - first):
            next(progress)
    next(progress, None)


def told(
    blocks: Sequence[Block | PackedBlock],
) -> tuple[dict[int, str], list[Decoded] | None]:
    """The problems of all blocks by position, and what is known of their images; None where of
    some blocks there is nothing."""
    problems = {i: problem for block in blocks for i, problem in sorted(block.problems.items())}
    known = [block.about for block in blocks if block.about is not None]
    about = [one for part in known for one in part] if len(known) == len(blocks) else None
    return problems, about
