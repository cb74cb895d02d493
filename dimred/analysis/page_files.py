"""The files of a page: the HTML file and, beside it, the folder of thumbnails of some pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dimred.errors import InputError
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

_OWN = re.compile(r"[0-9a-f]{16}")  # a folder of the sheets of one page, by their digest
_SHEET = re.compile(r"\d+\.webp")


def folder_of(file: Path) -> Path:
    """The folder beside a page that its thumbnails are in: map_files beside map.html."""
    return file.with_name(f"{file.stem}_files")


def digest_of(sheets: Sequence[bytes]) -> str:
    """The name of the folder of these sheets, by their content: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for sheet in sheets:
        digest.update(hashlib.sha256(sheet).digest())
    return digest.hexdigest()[:16]


def check_folder(run: FinishedRun, file: Path) -> None:
    """Raise InputError where there can be no folder beside a page, or what is there is no folder,
    or another than a page's."""
    folder = folder_of(file)
    if file.exists() and not file.is_file():
        raise InputError(f"--folder: nothing can be beside {file}, which is no file")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"--folder: {folder} is there and is no folder; name another file")
    run.check_output("--folder", folder, layout.PAGE_FILES)


def write_page(
    run: FinishedRun, file: Path, content: bytes, sheets: Sequence[bytes] = (), beside: str = ""
) -> None:
    """Write a page, and its sheets into `beside`, such as "map_files/0123456789abcdef".

    The sheets come first, then the page, which is replaced at once; those of an earlier page are
    removed last. So the page has all of its sheets at any time.

    Raises as `FinishedRun.write_output`.
    """
    for number, sheet in enumerate(sheets):
        run.write_output(file.parent / beside / f"{number}.webp", sheet)
    run.write_output(file, content)
    _remove_others(folder_of(file), Path(beside).name)


def _remove_others(folder: Path, kept: str) -> None:
    """Remove the sheets of earlier pages, and no other files."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for old in folder.iterdir():
        if old.name != kept and _OWN.fullmatch(old.name) and old.is_dir() and not old.is_symlink():
            for sheet in old.iterdir():
                if _SHEET.fullmatch(sheet.name):
                    sheet.unlink()
            with suppress(OSError):  # there is something else in it
                old.rmdir()
    with suppress(OSError):
        folder.rmdir()
