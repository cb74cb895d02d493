"""Image files as a source of pixels."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, features

from dimred.data.channels import Channels
from dimred.data.file_version import Version, version_in
from dimred.data.image_decoding import Decoded, decode, header_of, reason_of
from dimred.data.image_files import digests
from dimred.data.image_open import close_last
from dimred.data.image_opening import long_png_texts
from dimred.data.image_paths import split_page
from dimred.data.known_digests import DIGEST, KnownDigests
from dimred.data.pixel_source import Block
from dimred.data.reading import AS_STORED, Header, Reading
from dimred.steps import step

_VERSION = b"files 2"  # of how they are read; a new one where the same files give other bytes
# Whose other versions may give other bytes, and without which some files cannot be read.
_DECODERS = ("Pillow", "tifffile", "imagecodecs", "pillow-heif")
_OF_PILLOW = ("jpg", "libjpeg_turbo", "webp", "avif")  # which it may take from the system
_CHUNK = 256  # files a thread takes at a time
_NONE = np.empty((0, 0, 0), dtype=np.uint8)

Refuse = Callable[[int, str], None]


@contextmanager
def decoding() -> Iterator[None]:
    """Context in which files are decoded: Pillow reads all that it can, and does not warn."""
    Image.init()
    with warnings.catch_warnings(), long_png_texts():
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and large images
        try:
            yield
        finally:
            close_last()


def headers_of(paths: Sequence[str], reading: Reading) -> list[Header | str]:
    """What each file, or that which a page lies in, says of its image, or the reason why it cannot
    be read. Once for each file, by all cores."""
    files = list(dict.fromkeys(split_page(path)[0] for path in paths))

    def headers(start: int) -> list[Header | str]:
        found: list[Header | str] = []
        for path in files[start : start + _CHUNK]:
            try:
                found.append(header_of(path, reading))
            except Exception as error:  # damaged files make Pillow raise many kinds
                found.append(reason_of(error, path))
        return found

    with decoding(), step("headers of the images"), ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = pool.map(headers, range(0, len(files), _CHUNK))
        of_file = dict(zip(files, (one for part in parts for one in part), strict=True))
    return [of_file[split_page(path)[0]] for path in paths]


class FolderSource:
    """N image files, or pages of files ("a.tif[3]"), as `PixelSource`. Files are to be decoded
    within `decoding`.

    paths: of the files. names: of the images, wherever their folder lies. size: (height, width).
    refuse: called with the position of an image that cannot be read, and the reason.
    """

    def __init__(
        self,
        paths: Sequence[str],
        names: Sequence[str],
        channels: Channels,
        size: tuple[int, int],
        reading: Reading = AS_STORED,
        refuse: Refuse | None = None,
    ):
        self.paths, self.names, self.shape = paths, names, (channels.count, *size)
        self._channels, self._reading, self._refuse = channels, reading, refuse

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, first: int, stop: int) -> Block:
        """See `PixelSource`."""
        pixels = np.empty((stop - first, *self.shape), dtype=np.uint8)
        problems: dict[int, str] = {}
        about: list[Decoded] = []
        for i in range(first, stop):
            try:
                image = decode(self.paths[i], self.shape[1:], self._reading, self._channels)
                pixels[len(about)] = image.pixels  # of gray in color in all channels
                about.append(image._replace(pixels=_NONE))
            except Exception as error:  # damaged files make Pillow raise many kinds
                problems[i] = reason_of(error, self.paths[i])
                if self._refuse:
                    self._refuse(i, problems[i])
        return Block(pixels[: len(about)], problems, about)

    def key(self, known: KnownDigests | None = None) -> bytes:
        """See `PixelSource`: BLAKE2b of the names and contents of the files, and of how they are
        read, the versions of the decoders included."""
        recipe = (self.shape, self._channels.is_rgb, self._reading, _versions())
        key = hashlib.blake2b(_VERSION + repr(recipe).encode())
        for name, digest in zip(self.names, digests(self.paths, known), strict=True):
            key.update(name.encode(errors="surrogateescape") + b"\0" + digest.tobytes())
        return key.digest()[:32]

    def state(self, first: int, stop: int) -> str:
        """See `PixelSource`."""
        files = dict.fromkeys(split_page(path)[0] for path in self.paths[first:stop])
        found = repr([_state(file) for file in files])
        return hashlib.blake2b(found.encode(), digest_size=DIGEST).hexdigest()


def _state(file: str) -> Version | int | None:
    """The version of a file, or the number of the error why it has none."""
    try:
        return version_in(os.stat(file))  # noqa: PTH116  (of very many files)
    except OSError as error:
        return error.errno


def _versions() -> list[str | None]:
    """The versions of the decoders; None for those that are not installed."""

    def of(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    return [*map(of, _DECODERS), *map(features.version, _OF_PILLOW)]


class DecodedFiles(NamedTuple):
    """N decoded image files.

    pixels: uint8 (N, C, height, width), undefined for unreadable files.
    problems: for each file the reason why it cannot be read, or None.
    about: what else is known of each file that can be read (without pixels); None for others.
    """

    pixels: NDArray[np.uint8]
    problems: list[str | None]
    about: list[Decoded | None]

    @property
    def is_gray(self) -> NDArray[np.bool_]:
        """Whether each image is gray, (N,)."""
        return np.array([image is not None and image.is_gray for image in self.about], np.bool_)


def decode_files(
    paths: Sequence[str],
    size: tuple[int, int],
    channels: Channels = Channels(3),  # noqa: B008  (never changes)
    reading: Reading = AS_STORED,
    refuse: Refuse | None = None,
) -> DecodedFiles:
    """Decode image files as `load_image_folder` describes.

    size: (height, width); the largest central part of that shape is resized to it.
    channels: that all have; by default three, equal where an image is gray. Images with others
        count as unreadable. reading, refuse: as of `FolderSource`.
    Raises MemoryError where the pixels do not fit in memory.
    """
    source = FolderSource(paths, paths, channels, size, reading, refuse)
    try:
        pixels = np.empty((len(paths), *source.shape), dtype=np.uint8)
    except ValueError as error:  # more bytes than an array can have
        raise MemoryError from error
    problems: list[str | None] = [None] * len(paths)
    about: list[Decoded | None] = [None] * len(paths)

    def decode_chunk(start: int) -> None:
        for i in range(start, min(start + _CHUNK, len(paths))):
            block = source.read(i, i + 1)
            problems[i] = block.problems.get(i)
            if problems[i] is None and block.about:
                pixels[i], about[i] = block.pixels[0], block.about[0]

    with decoding(), ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(decode_chunk, range(0, len(paths), _CHUNK)))
    return DecodedFiles(pixels, problems, about)
