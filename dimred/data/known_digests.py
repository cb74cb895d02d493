"""Digests of what files hold, kept for files that stay as they are, which need not be read again.

They are in one file of the folder of packed files: a first line, the digest of what follows, and
for each file its state and its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from time import time_ns

from dimred.data.file_version import version_in
from dimred.files import open_regular, write_atomically

DIGEST = 16
"""Bytes of a digest."""

NAME = "packed-digests"
_FIRST = b"dimred digests 1\n"
_CHECK = 32  # bytes
_OTHERS = 500_000  # that are kept of files which were not asked for, the last used: 16 MB

# A file that changes again within one tick of a file system's clock keeps its times. A minute is
# more than ticks are (FAT: 2 s), than clocks of servers are off, and than pages that a program has
# mapped and goes on writing stay without new times (30 s).
_SETTLED = 60 * 10**9  # nanoseconds


class KnownDigests:
    """Digests of files, by their state: path, device, inode, size, mtime and ctime.

    A change of a file sets its ctime to the clock, which no program can undo. A digest is kept
    where mtime and ctime were a minute old before the file was read, and the state is the same
    after: whenever a file is found in that state, it holds what it did then. Others are read each
    time they are asked for, as are files without inode or ctime.

    folder: of packed files. A file there that is damaged is as good as none.
    """

    def __init__(self, folder: Path):
        self._file = folder / NAME
        self._known = _read(self._file)
        self._used: dict[bytes, bytes] = {}
        self._has_new = False

    def of(self, path: str, what: str, read: Callable[[], bytes]) -> bytes:
        """The digest of a file, or of a part of it, which `read` makes where it is not known. From
        any thread.

        what: is digested and how; the same for the same `read`. Raises OSError for a file that is
        not there, and what `read` raises.
        """
        began = time_ns()
        state = _state(path, what, began)
        known = self._used.get(state) or self._known.get(state) if state else None
        if known is None:
            known = read()
            if state is None or _state(path, what, began) != state:
                return known
            self._has_new = True
        assert state is not None
        self._used[state] = known
        return known

    def save(self) -> None:
        """Keep what is new. Of two processes the last one's digests are kept. A folder that cannot
        be written, or is full, costs time later and nothing else."""
        if not self._has_new:
            return
        others = (one for one in self._known.items() if one[0] not in self._used)
        kept = self._used | dict(islice(others, _OTHERS))
        content = b"".join(state + digest for state, digest in kept.items())
        with contextlib.suppress(OSError):
            write_atomically(self._file, _FIRST + _check(content) + content)
            self._has_new = False


def content_digest(path: str) -> bytes:
    """BLAKE2b of the content of a file. Raises OSError for one that cannot be read."""
    with open_regular(path) as file:
        digest = hashlib.blake2b(digest_size=DIGEST)
        while part := file.read(2**20):
            digest.update(part)
        return digest.digest()


def _state(path: str, what: str, now: int) -> bytes | None:
    """The state of a file as a digest; None where it does not tell whether the file changes."""
    found = os.stat(path)  # noqa: PTH116
    if not found.st_ino or not found.st_ctime_ns:
        return None
    if max(found.st_mtime_ns, found.st_ctime_ns) > now - _SETTLED:
        return None
    place = os.path.abspath(path)  # noqa: PTH100  (links are not followed, ~ is expanded)
    state = place, what, *version_in(found)
    content = repr(state).encode(errors="surrogateescape")
    return hashlib.blake2b(content, digest_size=DIGEST).digest()


def _read(file: Path) -> dict[bytes, bytes]:
    try:
        with open_regular(file, follow=False) as opened:
            content = opened.read()
    except OSError:
        return {}
    start = len(_FIRST) + _CHECK
    rows = content[start:]
    if content[:start] != _FIRST + _check(rows) or len(rows) % (2 * DIGEST):
        return {}
    return {
        rows[i : i + DIGEST]: rows[i + DIGEST : i + 2 * DIGEST]
        for i in range(0, len(rows), 2 * DIGEST)
    }


def _check(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK).digest()
