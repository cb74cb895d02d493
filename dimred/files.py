"""User paths, atomic writes and CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dimred.errors import InputError

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would evaluate as a formula."""


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with `~` expanded; an unknown ~user stays as it is.

    Raises InputError where the user has no home folder: a folder called `~` would be made, which
    the shell then takes for the home folder of others.
    """
    whole = os.path.expanduser(path)  # noqa: PTH111  (raises nothing for an unknown ~user)
    if whole == "~" or str(whole).startswith("~/"):
        raise InputError(f"{whole}: there is no home folder here; write the path without ~")
    return Path(whole)


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
    apostrophe is put before texts that they would evaluate as formulas."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().encode("utf-8-sig")


def _cell(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
