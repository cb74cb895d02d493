"""User paths, safe reading and writing of files, CSV, and memory."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import os
import re
import resource
import secrets
import shlex
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dimred.errors import InputError

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would evaluate as a formula."""

# What flock answers on file systems without locks.
_NO_LOCKS = (errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL)
_TEMPORARY = re.compile(r"\.dimred-[0-9a-f]{16}\.tmp")


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` expanded; an unknown ~user stays as it is.

    Raises InputError where the user has no home folder: a folder called `~` would be made, which
    the shell then takes for the home folder of others.
    """
    whole = os.path.expanduser(path)  # noqa: PTH111  (raises nothing for an unknown ~user)
    if whole == "~" or str(whole).startswith("~/"):
        raise InputError(f"{whole}: there is no home folder here; write the path without ~")
    return Path(whole)


def memory() -> int:
    """Bytes of this machine's memory that the process may use."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    there: int = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return there if limit == resource.RLIM_INFINITY else min(there, limit)


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, which is made if it does not exist."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def private_cache(name: str) -> Path:
    """A folder for what a library keeps for later, where there is no home to keep it in, as in a
    container: below that of temporary files, of this user alone, the same every time.

    Raises OSError where there is none.
    """
    folder = Path(tempfile.gettempdir(), f"dimred-cache-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        folder = Path(tempfile.mkdtemp(prefix="dimred-cache-"))  # another user was there first
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def printable(path: str | os.PathLike[str]) -> str:
    """A path, or a text with paths, as text that can be encoded: bytes of a name that are not
    UTF-8 are written as a backslash, x and digits. Other text is returned as it is."""
    text = os.fspath(path)
    try:
        content = text.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte, such as from JSON
        content = text.encode(errors="backslashreplace")
    return content.decode(errors="backslashreplace")


def escaped(text: str) -> str:
    """A path, or a text with paths, as text of one line that a terminal can show: characters that
    cannot be seen are written as in Python."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in printable(text))


def shell_word(path: str | os.PathLike[str]) -> str:
    """A path as one word of a command to type into a shell."""
    return shlex.quote(printable(path))


def open_regular(path: str | os.PathLike[str], *, follow: bool = True) -> BinaryIO:
    """Open a regular file for reading. follow: whether `path` may be a link to one.

    Raises OSError, naming `path`, for a file that cannot be read and for anything else, such as a
    pipe or a device, which would have no end.
    """
    _require_regular(os.stat(path), path)  # noqa: PTH116  (before opening, which can move a tape)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        _require_regular(os.fstat(descriptor), path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a regular file. Raises OSError as `open_regular`."""
    with open_regular(path) as file:
        return file.read()


def open_own(path: Path, flags: int) -> int:
    """A descriptor of a regular file, opened or made with these flags (such as os.O_RDWR); a link
    is not followed. Raises OSError, naming `path`, for anything else."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    try:
        _require_regular(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def lock(descriptor: int) -> bool:
    """Lock an open file for this process alone; False on file systems without locks.

    Raises BlockingIOError where another process holds the lock.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_shared(descriptor: int) -> bool:
    """Whether an open file has a second name (a hard link), under which it would change too."""
    return os.fstat(descriptor).st_nlink > 1


def _require_regular(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        kind = "a named pipe" if stat.S_ISFIFO(status.st_mode) else "a device or socket"
        raise OSError(errno.EINVAL, f"is {kind}; must be a regular file", str(path))


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a temporary name in the same folder, sync it, and rename it into place.

    A link is followed: the file that it leads to is replaced. What is no file, such as a pipe or
    /dev/stdout, is written to and stays what it is.

    Raises OSError, naming `path`, when it cannot be written; an existing file is then kept.
    """
    with naming(path):
        descriptor = _special(path)
        if descriptor is not None:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            return
        target = Path(os.path.realpath(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_file(target, content)


def replace_file(path: Path, content: bytes | memoryview) -> None:
    """`write_atomically` for a file in an existing folder; a link of that name is replaced, not
    followed.

    The temporary file has a random name and a lock, so that no link can be laid in its way, and
    leftovers of writers that were killed are recognized and removed.
    """
    with naming(path):
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        sweep(path.parent)
        temporary, descriptor = _temporary_in(path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                temporary.replace(path)  # while it is locked
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def is_temporary(name: str) -> bool:
    """Whether a file in a folder is a temporary one of `write_atomically`."""
    return _TEMPORARY.fullmatch(name) is not None


def sweep(folder: Path) -> None:
    """Remove temporary files that writers which were killed have left in a folder."""
    with contextlib.suppress(OSError):
        for name in filter(is_temporary, os.listdir(folder)):  # noqa: PTH208  (names are enough)
            with contextlib.suppress(OSError):
                descriptor = open_own(folder / name, os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails for a live one
                    (folder / name).unlink()
                finally:
                    os.close(descriptor)


def _temporary_in(folder: Path) -> tuple[Path, int]:
    """A new, locked temporary file: its path and descriptor."""
    while True:
        path = folder / f".dimred-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666
        )
        with contextlib.suppress(OSError):  # without locks it is only not swept
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another process has swept it before it was locked


def _special(path: Path) -> int | None:
    """A descriptor to write to something else than a file: a pipe, a device, or this process's own
    output, whatever that leads to. None for a file, a folder, or where nothing is yet."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if os.path.samestat(status, os.fstat(stream.fileno())):  # type: ignore[union-attr]
                stream.flush()  # type: ignore[union-attr]
                return os.dup(stream.fileno())  # type: ignore[union-attr]
    return None if stat.S_ISREG(status.st_mode) else os.open(path, os.O_WRONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError name `path`, and not a temporary file."""
    try:
        yield
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has closed it
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def csv_file(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    """A CSV file in UTF-8 with a byte-order mark, by which spreadsheets recognize the encoding. An
    apostrophe is put before texts that they would evaluate as formulas. Texts are `printable`."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = printable(value)
    if not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def sync_folder(folder: Path) -> None:
    """Let the names of the files in a folder outlast a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
