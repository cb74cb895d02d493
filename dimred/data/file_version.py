"""The version of a file: another one when it has changed."""

from __future__ import annotations

import os
from typing import BinaryIO

Version = tuple[int, int, int, int, int]
"""Device, inode, size, mtime and ctime of a file."""


def version_in(status: os.stat_result) -> Version:
    """The version that a status tells."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def version_of(file: BinaryIO) -> Version:
    """The version of an open file."""
    return version_in(os.fstat(file.fileno()))
