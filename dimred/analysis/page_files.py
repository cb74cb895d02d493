"""The files of a page: the HTML file and, beside it, the folder of thumbnails of some pages."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from dimred.analysis.map_page import map_page
from dimred.errors import InputError
from dimred.page import page_parts
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

_SHEET = re.compile(r"\d+\.webp")
_BESIDE = re.compile(rb'"folder": "([^"/]+)/([0-9a-f]{16})/"')  # in a page, escaped as in its URL


@dataclass(frozen=True)
class PageFiles:
    """What is to be written of a page.

    content: the HTML file. sheets: WebP files of its thumbnails, in the folder `beside` as seen
    from it, such as "map_files/0123456789abcdef"; none where they are in it. notes: what is worth
    saying about it, a line each.
    """

    content: bytes
    sheets: tuple[bytes, ...] = ()
    beside: str = ""
    notes: tuple[str, ...] = ()


def files_of_page(
    run: FinishedRun, file: Path, thumbnail: int | None, heat: bool, folder: bool
) -> PageFiles:
    """The page of a run at `file`, with its thumbnails in it or, with `folder`, in one beside it.
    Further arguments and errors as of `map_page`."""
    page, notes = map_page(run, thumbnail, file.parent, heat, folder)
    if not folder:
        return PageFiles(b"".join(page_parts(page)), notes=tuple(notes))
    sheets = page.atlas.sheets
    beside = f"{folder_of(file).name}/{_digest_of(file.name, sheets)}"
    page = replace(page, folder=f"{quote(os.fsencode(beside))}/")
    return PageFiles(b"".join(page_parts(page)), sheets, beside, tuple(notes))


def folder_of(file: Path) -> Path:
    """The folder beside a page that its thumbnails are in: map_files beside map.html."""
    return file.with_name(f"{file.stem}_files")


def _digest_of(name: str, sheets: Sequence[bytes]) -> str:
    """The name of the folder of these sheets, 16 hexadecimal digits: by their content and the name
    of the page, since a.html and a.htm have theirs in one folder."""
    digest = hashlib.sha256(os.fsencode(name))
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


def write_page_files(run: FinishedRun, file: Path, page: PageFiles) -> None:
    """Write a page and its sheets.

    The sheets come first, then the page, which is replaced at once; those of the page that it
    replaces are removed last. So the page has all of its sheets at any time.

    Raises as `FinishedRun.write_output`.
    """
    replaced = _sheets_beside(file)
    for number, sheet in enumerate(page.sheets):
        run.write_output(file.parent / page.beside / f"{number}.webp", sheet)
    run.write_output(file, page.content)
    if replaced is not None and replaced != file.parent / page.beside:
        _remove(replaced)


def _sheets_beside(file: Path) -> Path | None:
    """The folder of the sheets of the page at `file`; None where there is no page, or none with
    such a folder."""
    folder = folder_of(file)
    if not file.is_file() or folder.is_symlink() or not folder.is_dir():
        return None
    found = _BESIDE.search(file.read_bytes())
    if found is None or unquote_to_bytes(found[1]) != os.fsencode(folder.name):
        return None
    return folder / found[2].decode()


def _remove(sheets: Path) -> None:
    """Remove a folder of sheets, and the one that it is in, but no other files."""
    if sheets.is_symlink() or not sheets.is_dir():
        return
    for sheet in sheets.iterdir():
        if _SHEET.fullmatch(sheet.name):
            sheet.unlink()
    with suppress(OSError):  # there is something else in it
        sheets.rmdir()
        sheets.parent.rmdir()
