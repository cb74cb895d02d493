"""The image files below a folder: where they are, digests of their content, whole pictures."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.image_decoding import decode, reason_of
from dimred.data.image_opening import long_png_texts
from dimred.data.image_paths import image_paths, is_array, split_page
from dimred.data.known_digests import DIGEST, KnownDigests, content_digest
from dimred.data.reading import AS_STORED, Reading
from dimred.files import expanded, printable

_CHUNK = 16  # files a thread takes at a time

_Made = TypeVar("_Made")


def files_by_name(root: str, names: Iterable[str] = ()) -> dict[str, str]:
    """The path of each image file below a folder, by its name. Of pages as images, see `paths_of`.

    names: of images of a run, which may be .npy files that other images have come beside since.
    Raises InputError for a folder that cannot be listed.
    """
    folder = str(expanded(root))
    paths = image_paths(folder, f"dataset.root={root!r}", arrays=any(map(is_array, names)))
    return {printable(path): f"{folder}/{path}" for path in paths}


def paths_of(there: Mapping[str, str], names: Sequence[str]) -> list[str | None]:
    """The path of each image by its name in `ImageSet.sources`, with the page where it is one
    ("a.tif[3]"), as `decode` takes it; None where its file is not there. there: `files_by_name`."""
    found: list[str | None] = []
    for name in names:
        file, page = split_page(name)
        path = there.get(file)
        found.append(path if path is None or page is None else f"{path}[{page}]")
    return found


def files_of(names: Iterable[str]) -> set[str]:
    """The files that images lie in, by their names in `ImageSet.sources`."""
    return {split_page(name)[0] for name in names}


def digests(paths: Sequence[str | None], known: KnownDigests | None = None) -> NDArray[np.uint8]:
    """BLAKE2b of the content of each file, or of that a page lies in, uint8 (N, DIGEST); 0 for None
    and for files that cannot be read. known: digests of files that need not be read."""

    def digest(path: str) -> bytes:
        if known is None:
            return content_digest(path)
        return known.of(path, "content", lambda: content_digest(path))

    files = [None if path is None else split_page(path)[0] for path in paths]
    different = list(dict.fromkeys(files))
    of_file = dict(zip(different, _of_each(different, digest), strict=True))
    content = b"".join(of_file[file] or bytes(DIGEST) for file in files)
    return np.frombuffer(content, np.uint8).reshape(-1, DIGEST).copy()


def whole_pictures(
    paths: Sequence[str | None], side: int, reading: Reading = AS_STORED
) -> list[NDArray[np.uint8] | None]:
    """The whole picture in each file, or on each page of one, uint8 (C, height, width), in the
    channels of the file, turned as EXIF says and made smaller to a longer side of `side` pixels;
    None for None and for files that cannot be read. reading: how a run reads its files."""
    Image.init()
    with warnings.catch_warnings(), long_png_texts():
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and large images
        return _of_each(paths, lambda path: decode(path, side, reading).pixels)


def _of_each(paths: Sequence[str | None], make: Callable[[str], _Made]) -> list[_Made | None]:
    def made(path: str | None) -> _Made | None:
        if path is None:
            return None
        try:
            return make(path)
        except Exception as error:  # damaged files make Pillow raise many kinds
            reason_of(error, path)
            return None

    def of_chunk(start: int) -> list[_Made | None]:
        return [made(path) for path in paths[start : start + _CHUNK]]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        chunks = pool.map(of_chunk, range(0, len(paths), _CHUNK))
        return [one for chunk in chunks for one in chunk]
