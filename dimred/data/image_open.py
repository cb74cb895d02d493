"""The open file of an image. One of several pages stays open from one page to the next."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from weakref import finalize

from dimred.data.file_version import version_in, version_of
from dimred.data.image_opening import SIGNATURES
from dimred.data.image_paths import split_page
from dimred.files import open_regular

if TYPE_CHECKING:
    from dimred.data.tiff import Tiff

_TIFF = tuple(start for start, name in SIGNATURES.items() if name == "TIFF")


class OpenImage(NamedTuple):
    """The open file of an image, at its beginning unless `tiff` reads it; how it begins; and what
    it is as a TIFF, None for others."""

    file: BinaryIO
    start: bytes
    tiff: Tiff | None


class _Kept:
    """An open file, which is closed when nothing holds this. key: of which it is."""

    def __init__(self, key: object, image: OpenImage, stack: ExitStack):
        self.key, self.image = key, image
        self.close = finalize(self, stack.close)


class _Last(threading.local):
    """The file of several pages that a thread read a page of last: to find its pages takes time
    that grows with their number."""

    kept: _Kept | None = None


_last = _Last()


@contextmanager
def open_image(path: str, pages: str | None) -> Iterator[OpenImage]:
    """The file of an image, or of a page of one ("a.tif[3]"). pages: as `Reading.pages`.

    Raises an exception of any class for one that cannot be read.
    """
    name, page = split_page(path)
    key = (os.getpid(), pages, name, version_in(os.stat(name)))  # noqa: PTH116
    if page is not None and _last.kept is not None and _last.kept.key == key:
        image = _last.kept.image
        image.file.seek(0)
        yield image
        return
    with ExitStack() as stack:
        image = _opened(name, pages, stack)
        if page is not None and image.tiff is not None and image.tiff.pages > 1:
            close_last()
            key = (*key[:-1], version_of(image.file))
            _last.kept = _Kept(key, image, stack.pop_all())
        yield image


def close_last() -> None:
    """Close the file that this thread keeps open."""
    if _last.kept is not None:
        _last.kept.close()
        _last.kept = None


def _opened(name: str, pages: str | None, stack: ExitStack) -> OpenImage:
    file = stack.enter_context(open_regular(name))
    start = file.read(16)
    file.seek(0)
    if not start.startswith(_TIFF):
        return OpenImage(file, start, None)
    from dimred.data.tiff import opened_tiff  # takes long to import, and few sets have any

    tiff = stack.enter_context(opened_tiff(file, pages))
    file.seek(0)
    return OpenImage(file, start, tiff)
