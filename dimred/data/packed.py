"""The images of a source in one packed file, from which they are used without being in memory.

A pack is three files, called by the key of its source: `.index`, which is also its lock, `.partial`
while images are added, and `.pixels` when it is complete: the bytes of the images, one after the
other. A complete one never changes, as others may be using it: it is used without a lock, and
removed where it is damaged. `.partial` is written by who has the lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, NamedTuple

from torch import Tensor

from dimred.data.blocks import Span, checked, in_order, n_bytes, shown, spans
from dimred.data.free_memory import gibibytes
from dimred.data.known_digests import KnownDigests
from dimred.data.mapped import map_images
from dimred.data.packed_folder import (
    COMPLETE,
    INDEX,
    PARTIAL,
    append,
    check_folder,
    check_room,
    locked,
    others,
    pack_stem,
    sweep,
    writing,
)
from dimred.data.packed_index import (
    Index,
    PackedBlock,
    block_line,
    checksum,
    first_line,
    last_line,
    read_index,
)
from dimred.data.pixel_source import PixelSource
from dimred.errors import InputError
from dimred.files import is_shared, open_own, open_regular, sync_folder
from dimred.steps import bar, line


class Packed(NamedTuple):
    """The images of a packed file, uint8 (m, C, H, W), mapped, and its blocks."""

    images: Tensor
    blocks: Sequence[PackedBlock]


class Pack:
    """The packed file of a source in a folder. what: the images, in messages. known: digests of
    files, of that folder."""

    def __init__(self, source: PixelSource, folder: Path, what: str, known: KnownDigests):
        self.source, self.folder, self.what, self.known = source, folder, what, known
        self.key = key = self._key()
        stem = pack_stem(folder, key)
        self.index, self.partial, self.complete = (
            stem.with_suffix(suffix) for suffix in (INDEX, PARTIAL, COMPLETE)
        )
        self.head = first_line(key, len(source), source.shape)
        self.spans = spans(source)

    def open(self) -> Packed:
        """The images, which are packed now where they are not yet. All checksums are checked
        whenever a pack is opened.

        Raises InputError where the folder cannot be written or has too little room, and what the
        source raises.
        """
        found = self._found()
        if found:
            return found
        check_folder(self.folder)
        with locked(self.index) as index:
            return self._found() or self._made(index)

    def _key(self) -> bytes:
        key = self.source.key(self.known)
        self.known.save()
        return key

    def _found(self) -> Packed | None:
        """The images of a complete pack that is sound."""
        try:
            with open_regular(self.index, follow=False) as file:
                known = read_index(file.read(), self.head, self.spans)
            if known is None or not known.is_complete:
                return None
            with open_regular(self.complete, follow=False) as pixels:
                size = os.fstat(pixels.fileno()).st_size
                if size == self._bytes(known.blocks) and self._is_sound(pixels.fileno(), known):
                    return self._mapped(pixels, known.blocks)
        except (FileNotFoundError, NotADirectoryError):
            return None
        line(f"{self.complete} is damaged; the images are packed again")
        return None

    def _is_sound(self, pixels: int, known: Index) -> bool:
        return self._sound(pixels, known.blocks) == len(known.blocks)

    def _sound(self, pixels: int, blocks: Sequence[PackedBlock]) -> int:
        """How many of the first blocks have the bytes in a file that they should have."""
        ends = accumulate(self._bytes([block]) for block in blocks)

        def is_sound(block: PackedBlock, end: int) -> bool:
            size = self._bytes([block])
            return checksum(os.pread(pixels, size, end - size)) == block.checksum

        results = in_order(lambda pair: is_sound(*pair), zip(blocks, ends, strict=True))
        for number, sound in enumerate(bar(results, len(blocks), "checking packed images")):
            if not sound:
                return number
        return len(blocks)

    def _made(self, index: int) -> Packed:
        """The images, packed by this process, which has locked the index."""
        sweep(self.folder)
        known = read_index(_content(index), self.head, self.spans)
        if os.path.lexists(self.complete):  # and it was not found to be sound
            self.partial.unlink(missing_ok=True)
            self.complete.unlink()
        with writing(self.partial):
            pixels = _open_alone(self.partial)
        try:
            kept = known.blocks[: self._sound(pixels, known.blocks)] if known else []
            self._announce(kept)
            with writing(self.partial):
                os.ftruncate(pixels, self._bytes(kept))
                os.ftruncate(index, known.lengths[len(kept)] if known else 0)
                if not known:
                    append(index, self.head)
            blocks = [*kept, *self._added(pixels, index, self.spans[len(kept) :])]
            # Known digests do not hide a change: one after they were made, and so one since the
            # first key, gives a file another state, in which it is read again. Files too new for
            # that to be sure have no known digest, and are read both times.
            if self._key() != self.key:
                raise InputError(f"{self.what} have changed while they were packed; start again")
            with writing(self.partial):
                os.fsync(pixels)
                append(index, last_line(_content(index)))
                os.fsync(index)
                self.partial.rename(self.complete)
                sync_folder(self.folder)
            with os.fdopen(os.dup(pixels), "rb") as file:
                return self._mapped(file, blocks)
        finally:
            os.close(pixels)

    def _announce(self, kept: Sequence[PackedBlock]) -> None:
        """Say what is about to be written, and refuse what there is no room for."""
        there, total = self._bytes(kept), n_bytes((len(self.source), *self.source.shape))
        check_room(self.folder, total - there, self.what)
        begun = f", of which {gibibytes(there)} are there" if there else ""
        line(
            f"packing {len(self.source):,} images into {self.complete}: {gibibytes(total)}{begun}"
            f"{others(self.folder)}"
        )

    def _added(self, pixels: int, index: int, parts: Sequence[Span]) -> Iterator[PackedBlock]:
        """Add blocks of the source to the files, each to the index after its images."""

        def read(span: Span) -> tuple[PackedBlock, bytes]:
            block = checked(self.source.read(*span), span, self.source.shape)
            images = block.pixels.tobytes()
            packed = PackedBlock(
                *span, len(block.pixels), checksum(images), block.problems, block.about
            )
            return packed, images

        def written() -> Iterator[PackedBlock]:
            for block, images in in_order(read, parts):
                with writing(self.partial):
                    append(pixels, images)
                    append(index, block_line(block))
                yield block

        return shown(written(), "packing images", parts)

    def _bytes(self, blocks: Sequence[PackedBlock]) -> int:
        return n_bytes(self._shape(blocks))

    def _shape(self, blocks: Sequence[PackedBlock]) -> tuple[int, ...]:
        return (sum(block.count for block in blocks), *self.source.shape)

    def _mapped(self, pixels: BinaryIO, blocks: Sequence[PackedBlock]) -> Packed:
        return Packed(map_images(pixels, self._shape(blocks)), blocks)


def _open_alone(file: Path) -> int:
    """A descriptor of a file to write, which has no second name."""
    descriptor = open_own(file, os.O_RDWR | os.O_CREAT)
    if not is_shared(descriptor):
        return descriptor
    os.close(descriptor)
    file.unlink()
    return open_own(file, os.O_RDWR | os.O_CREAT)


def _content(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        return file.read()
