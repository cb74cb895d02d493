"""The folder of packed files: whether it can be written and has room, locks, and what is swept."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dimred.data.free_memory import gibibytes
from dimred.errors import InputError
from dimred.files import can_be_written, is_at, is_shared, lock, open_own, open_regular
from dimred.steps import line, step

INDEX, PARTIAL, COMPLETE = ".index", ".partial", ".pixels"
_NAME = "packed-"
_OTHER_FOLDER = "set dataset.store_folder=FOLDER"
_POLL = 0.1  # seconds
_OLD = 24 * 3600  # seconds


def pack_stem(folder: Path, key: bytes) -> Path:
    """The files of a pack, without their suffix."""
    return folder / f"{_NAME}{key[:16].hex()}"


def check_folder(folder: Path) -> None:
    """Raise InputError for a folder where no packed file can be made."""
    if not can_be_written(folder):
        raise InputError(
            f"dataset.store=disk: {folder} cannot be written, to pack the images in; "
            f"{_OTHER_FOLDER} to one that can be"
        )


def check_room(folder: Path, needed: int, what: str) -> None:
    """Raise InputError for more bytes than the disk of a folder has free. what: the images."""
    there = os.statvfs(folder)
    free = there.f_bavail * there.f_frsize
    if needed > free:
        raise InputError(
            f"{what} need {gibibytes(needed)} on disk, and {folder} has {gibibytes(free)}; "
            f"{_OTHER_FOLDER} on another disk, or make them smaller"
        )


@contextmanager
def using(file: Path) -> Iterator[None]:
    """Context that turns errors of reading or writing a file into InputErrors."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "cannot be used"
        raise InputError(f"{file}: {reason}; {_OTHER_FOLDER} on another disk") from error


def opened(file: Path) -> BinaryIO | None:
    """A file to read, which is no link; None where there is none."""
    with using(file):
        try:
            return open_regular(file, follow=False)
        except (FileNotFoundError, NotADirectoryError):
            return None


def append(descriptor: int, content: bytes) -> None:
    """Add bytes to the end of an open file."""
    os.lseek(descriptor, 0, os.SEEK_END)
    left = memoryview(content)
    while len(left):
        left = left[os.write(descriptor, left) :]


@contextmanager
def locked(file: Path) -> Iterator[int]:
    """A descriptor of a file, made where it is missing, that this process alone has locked; waits
    until others are done. On file systems without locks it says so."""
    descriptor = _try_lock(file)
    if descriptor is None:
        with step("waiting for another process, which packs the same images"):
            while (descriptor := _try_lock(file)) is None:
                time.sleep(_POLL)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(file: Path) -> int | None:
    """A locked descriptor; None where another process has the lock."""
    while True:
        with using(file):
            descriptor = open_own(file, os.O_RDWR | os.O_CREAT)
        try:
            has_locks = lock(descriptor)
            shared = is_shared(descriptor)  # with a copy of the folder made of hard links
            if not shared and is_at(descriptor, file):
                if not has_locks:
                    line(
                        f"{file.parent}: this file system has no locks; take care that no two "
                        "commands pack the same images at once"
                    )
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if shared:
            file.unlink(missing_ok=True)
        os.close(descriptor)


def sweep(folder: Path) -> None:
    """Remove packs that were not completed and that nobody has added to for a day."""
    for partial in folder.glob(f"{_NAME}*{PARTIAL}"):
        index = partial.with_suffix(INDEX)
        with suppress(OSError):
            if time.time() - max(file.stat().st_mtime for file in (partial, index)) < _OLD:
                continue
            descriptor = open_own(index, os.O_RDWR)
            try:
                if lock(descriptor):  # without locks it may be in use; raises where it is
                    partial.unlink()
                    index.unlink()
            finally:
                os.close(descriptor)


def others(folder: Path) -> str:
    """What the complete packs of other images and settings take, as text; "" without any."""
    sizes = []
    for file in folder.glob(f"{_NAME}*{COMPLETE}"):
        with suppress(OSError):  # it may have been removed since
            sizes.append(file.stat().st_size)
    if not sizes:
        return ""
    count = "1 other pack" if len(sizes) == 1 else f"{len(sizes):,} other packs"
    takes = "takes" if len(sizes) == 1 else "take"
    return f"; {count} there {takes} {gibibytes(sum(sizes))} (can be deleted when not in use)"
