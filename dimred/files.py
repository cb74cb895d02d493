"""Paths as users give them, and files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` expanded; an unknown ~user stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (raises nothing for an unknown ~user)


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a temporary name in the same folder, sync it, and rename it into place.

    Raises OSError, naming `path`, when it cannot be written; what was there before stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
