"""The images of a source in one packed file, from which they are used without being in memory.

A pack is three files, called by the key of its source: `.index`, which is also its lock, `.partial`
while images are added, and `.pixels` when it is complete: the bytes of the images, one after the
other. A complete one never changes, as others may be using it: it is used without a lock, and
removed where it is damaged. `.partial` is written by who has the lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, takewhile
from pathlib import Path
from typing import BinaryIO, NamedTuple

from torch import Tensor

from dimred.data.blocks import Span, checked, in_order, n_bytes, shown, spans
from dimred.data.file_version import Version, version_of
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
    opened,
    others,
    pack_stem,
    sweep,
    using,
)
from dimred.data.packed_index import (
    PackedBlock,
    block_line,
    checksum,
    first_line,
    last_line,
    read_index,
)
from dimred.data.pixel_source import PixelSource
from dimred.errors import InputError
from dimred.files import is_shared, open_own, sync_folder
from dimred.steps import bar, line

_CHUNK = 2**24  # bytes read at a time


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
        whenever a pack is opened, and what could not be read is tried again.

        Raises InputError where the folder cannot be written or has too little room, and what the
        source raises.
        """
        seen = self._versions()
        found = self._found()
        if isinstance(found, Packed):
            return found
        check_folder(self.folder)
        with locked(self.index) as index:
            if self._versions() != seen:  # by another process, which had the lock
                found = self._found()
            return found if isinstance(found, Packed) else self._made(index, found)

    def _versions(self) -> list[Version | None]:
        return [_version(file) for file in (self.index, self.complete)]

    def _key(self) -> bytes:
        key = self.source.key(self.known)
        self.known.save()
        return key

    def _found(self) -> Packed | str:
        """The images of a complete pack; else why the one that is there is not used, "" for none.
        Raises InputError for files that cannot be opened."""
        pixels = opened(self.complete)
        if pixels is None:
            return ""
        with pixels:
            index = opened(self.index)
            known = None
            if index is not None:
                with index:
                    known = read_index(index.read(), self.head, self.spans)
            if known is None or not known.is_complete:
                return "has no sound index"
            blocks, size = known.blocks, os.fstat(pixels.fileno()).st_size
            if size != self._bytes(blocks) or self._sound(pixels, blocks) < len(blocks):
                return "is damaged"
            if self._tried(blocks) < len(blocks):
                return "leaves out images that can be read now"
            return self._mapped(pixels, blocks)

    def _sound(self, pixels: BinaryIO, blocks: Sequence[PackedBlock]) -> int:
        """How many of the first blocks have the bytes in a file that they should have."""
        ends = accumulate(self._bytes([block]) for block in blocks)

        def is_sound(block: PackedBlock, end: int) -> bool:
            size = self._bytes([block])
            return _checksum(pixels.fileno(), end - size, size) == block.checksum

        results = in_order(lambda pair: is_sound(*pair), zip(blocks, ends, strict=True))
        with using(self.complete):
            return _first(bar(results, len(blocks), "checking packed images"))

    def _tried(self, blocks: Sequence[PackedBlock]) -> int:
        """How many of the first blocks leave out only what cannot be read now either: a disk that
        failed, or a decoder that was missing, may be there again."""
        left_out = [(number, i) for number, block in enumerate(blocks) for i in block.problems]
        read = in_order(lambda one: self.source.read(one[1], one[1] + 1), left_out)
        still = _first(bool(block.problems) for block in read)
        return left_out[still][0] if still < len(left_out) else len(blocks)

    def _as_now(self, blocks: Sequence[PackedBlock]) -> list[PackedBlock]:
        """The first blocks that are what would be read now, each with the state of its files now:
        they are as they were, or are read to the same again."""

        def as_now(block: PackedBlock) -> PackedBlock | None:
            span = block.first, block.stop
            if self.source.state(*span) == block.state:
                return block
            now = self._read(span)[0]
            was = replace(block, state=now.state)
            return was if block_line(was) == block_line(now) else None

        found = []
        for block in in_order(as_now, blocks):
            if block is None:
                break
            found.append(block)
        return found

    def _made(self, index: int, why: str) -> Packed:
        """The images, packed by this process, which has locked the index. why: a pack that is
        there is not used."""
        sweep(self.folder)
        known = read_index(_content(index), self.head, self.spans)
        if os.path.lexists(self.complete):
            line(f"{self.complete} {why}; the images are packed again")
            self.partial.unlink(missing_ok=True)
            self.complete.unlink()
        with using(self.partial):
            file = os.fdopen(_open_alone(self.partial), "r+b", buffering=0)
        with file:
            pixels = file.fileno()
            kept = self._kept(file, known.blocks) if known else []
            self._announce(kept)
            with using(self.partial):
                os.ftruncate(pixels, self._bytes(kept))
                os.ftruncate(index, known.lengths[len(kept)] if known else 0)
                if not known:
                    append(index, self.head)
            blocks = [*kept, *self._added(pixels, index, self.spans[len(kept) :])]
            # Known digests do not hide a change: one after they were made, and so one since the
            # first key, gives a file another state, in which it is read again. Files too new for
            # that to be sure have no known digest, and are read both times.
            # What was other only while it was read is in the blocks, and not in the key.
            if self._key() != self.key or len(self._as_now(blocks)) < len(blocks):
                raise InputError(f"{self.what} have changed while they were packed; start again")
            with using(self.partial):
                os.fsync(pixels)
                append(index, last_line(_content(index)))
                os.fsync(index)
                self.partial.rename(self.complete)
                sync_folder(self.folder)
            return self._mapped(file, blocks)

    def _kept(self, pixels: BinaryIO, blocks: list[PackedBlock]) -> list[PackedBlock]:
        """The first blocks of a pack that was begun which are as if they were read now. The key
        is of the files as they are now: what was read before they were so is not of it."""
        kept = blocks[: self._sound(pixels, blocks)]
        return self._as_now(kept[: self._tried(kept)])

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

        def written() -> Iterator[PackedBlock]:
            for block, images in in_order(self._read, parts):
                with using(self.partial):
                    append(pixels, images)
                    append(index, block_line(block))
                yield block

        return shown(written(), "packing images", parts)

    def _read(self, span: Span) -> tuple[PackedBlock, bytes]:
        """A block of the source, and its images."""
        state = self.source.state(*span)
        block = checked(self.source.read(*span), span, self.source.shape)
        images = block.pixels.tobytes()
        count, problems, about = len(block.pixels), block.problems, block.about
        return PackedBlock(*span, count, checksum(images), problems, about, state), images

    def _bytes(self, blocks: Sequence[PackedBlock]) -> int:
        return n_bytes(self._shape(blocks))

    def _shape(self, blocks: Sequence[PackedBlock]) -> tuple[int, ...]:
        return (sum(block.count for block in blocks), *self.source.shape)

    def _mapped(self, pixels: BinaryIO, blocks: Sequence[PackedBlock]) -> Packed:
        try:
            return Packed(map_images(pixels, self._shape(blocks)), blocks)
        except OSError as error:
            raise InputError(
                f"{self.complete} cannot be mapped: {error.strerror}; see the limit of the address "
                "space (ulimit -v)"
            ) from error


def _first(results: Iterable[bool]) -> int:
    """How many of the first are true."""
    return sum(takewhile(bool, results))


def _version(file: Path) -> Version | None:
    found = opened(file)
    if found is None:
        return None
    with found:
        return version_of(found)


def _checksum(file: int, start: int, size: int) -> int:
    """The checksum of a part of an open file, of what there is of it."""
    found, end = checksum(b""), start + size
    while start < end and (part := os.pread(file, min(end - start, _CHUNK), start)):
        found, start = checksum(part, found), start + len(part)
    return found


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
