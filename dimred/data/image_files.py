"""The image files below a folder: where they are, digests of their content, whole pictures."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.image_decoding import decode, long_png_texts
from dimred.data.image_paths import image_paths
from dimred.files import expanded, open_regular, printable

DIGEST = 16
"""Bytes of a digest."""

_Made = TypeVar("_Made")


def files_by_name(root: str) -> dict[str, str]:
    """The path of each image file below a folder, by its name in `ImageSet.sources`.

    Raises InputError for a folder that cannot be listed.
    """
    folder = str(expanded(root))
    paths = image_paths(folder, f"dataset.root={root!r}")
    return {printable(path): f"{folder}/{path}" for path in paths}


def digests(paths: Sequence[str | None]) -> NDArray[np.uint8]:
    """BLAKE2b of the content of each file, uint8 (N, DIGEST); 0 for None and for files that cannot
    be read."""
    found = _of_each(paths, _digest)
    content = b"".join(digest or bytes(DIGEST) for digest in found)
    return np.frombuffer(content, np.uint8).reshape(-1, DIGEST).copy()


def whole_pictures(paths: Sequence[str | None], side: int) -> list[NDArray[np.uint8] | None]:
    """The whole picture in each file, uint8 (C, height, width), C = 1 or 3, turned as EXIF says and
    made smaller to a longer side of `side` pixels; None for None and for files that cannot be
    read."""
    Image.init()
    with warnings.catch_warnings(), long_png_texts():
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and large images
        return _of_each(paths, lambda path: decode(path, side).pixels)


def _of_each(paths: Sequence[str | None], make: Callable[[str], _Made]) -> list[_Made | None]:
    def made(path: str | None) -> _Made | None:
        try:
            return None if path is None else make(path)
        except Exception:  # damaged files make Pillow raise many kinds
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(made, paths))


def _digest(path: str) -> bytes:
    with open_regular(path) as file:
        digest = hashlib.blake2b(digest_size=DIGEST)
        while part := file.read(2**20):
            digest.update(part)
        return digest.digest()
