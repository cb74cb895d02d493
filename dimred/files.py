"""User paths, atomic writes and CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import shlex
import stat
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would evaluate as a formula."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` expanded; an unknown ~user stays as it is."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (raises nothing for an unknown ~user)


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


def quoted(path: str | os.PathLike[str]) -> str:
    """A path as one word of a command to type into a shell."""
    return shlex.quote(printable(path))


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write a file under a temporary name in the same folder, sync it, and rename it into place.

    Raises OSError, naming `path`, when it cannot be written; an existing file is then kept.
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
