"""Decoding an image file to pixels of 8 bits."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.array_files import NPY
from dimred.data.image_open import open_image
from dimred.data.image_opening import has_several_frames, opened
from dimred.data.image_paths import split_page
from dimred.data.npy_image import npy_header, npy_values
from dimred.data.pillow_values import (
    GRAY,
    GRAY_ALPHA_16,
    has_more_bits,
    opaque,
    raw_mode_of,
    scale_transparency,
    type_of,
    values_of,
)
from dimred.data.reading import AS_STORED, Header, Reading, Values, as_bytes, check_values, is_seen
from dimred.data.window import BYTES

if TYPE_CHECKING:
    from dimred.data.channels import Channels
    from dimred.data.tiff import Tiff

_ORIENTATION = 0x0112  # EXIF
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = {_TRANSPOSE[orientation] for orientation in (5, 6, 7, 8)}

_NONE = np.empty((0, 0, 0), dtype=np.uint8)
# Of readers that did not expect what is in a file; what they say is of their own code.
_NO_WORDS = (LookupError, TypeError, AttributeError, ArithmeticError, AssertionError, struct.error)
_OF_THE_MACHINE = (errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_MAX_REASON = 300  # characters; damaged files may have whole tables of numbers as theirs

Size = tuple[int, int] | int


class Decoded(NamedTuple):
    """An image file.

    pixels: uint8 (C, height, width).
    kind: format and mode of the file, such as "PNG RGB". size: its width and height.
    ground: what its transparent parts were laid over: "white", "black" or "nothing"; "" where
        there are none.
    several: whether it has further images, such as frames, which are not read.
    channels: of the file, without one for transparency; `pixels` has three of gray where the window
        has ranges for three. is_color: whether they are red, green and blue.
    is_deeper: whether it has more than 8 bits, of which the upper 8 are read.
    """

    pixels: NDArray[np.uint8]
    kind: str
    size: tuple[int, int]
    ground: str
    several: bool
    channels: int
    is_color: bool
    is_deeper: bool = False

    @property
    def is_gray(self) -> bool:
        """Whether it has one channel."""
        return self.channels == 1


class Resized(NamedTuple):
    """The values of an image file in its final size. Those of `values`, float64 (C, h, w), and
    `alpha`, (h, w), are of the part that is taken; others are as in `Values`, or of the file."""

    values: NDArray[np.float64]
    type: str
    is_color: bool
    kind: str
    alpha: NDArray[np.float64] | None
    several: bool
    size: tuple[int, int]
    is_deeper: bool = False
    is_inverted: bool = False

    def decoded(self, pixels: NDArray[np.uint8], ground: str) -> Decoded:
        """The image with its values as bytes, laid over a ground."""
        n, color = len(self.values), self.is_color
        about = (self.kind, self.size, ground, self.several, n, color, self.is_deeper)
        return Decoded(pixels, *about)


def decode(
    path: str, size: Size, reading: Reading = AS_STORED, channels: Channels | None = None
) -> Decoded:
    """An image file, or a page of one ("a.tif[3]").

    size: the shape (height, width), of which the largest central part is resized; or the longer
        side of the whole picture, which is made smaller but never larger.
    reading: how values of more than 8 bits become bytes, and what pages are. channels: that the
        image must go with; None for any.
    Raises an exception of any class for a file that cannot be read, such as a damaged one.
    """
    found = _read(path, size, reading)
    count = found.channels if isinstance(found, Decoded) else len(found.values)
    problem = channels.problem(count, found.is_color) if channels else None
    if problem is not None:
        raise ValueError(problem)
    if isinstance(found, Decoded):
        return found
    pixels = as_bytes(found.values, found.type, reading)
    if found.is_inverted:
        pixels = 255 - pixels
    ground = ""
    if found.alpha is not None and len(pixels) in (1, 3):
        layers = [*pixels, np.rint(found.alpha.clip(0, 1) * 255).astype(np.uint8)]
        mode = "LA" if len(pixels) == 1 else "RGBA"
        plain, ground = opaque(Image.merge(mode, [Image.fromarray(layer) for layer in layers]))
        pixels = _channels_first(plain)
    return found.decoded(pixels, ground)


def resized_values(path: str, size: Size, reading: Reading) -> Resized | None:
    """The values of an image file in its final size; None for one whose bytes stay as they are.
    Raises as `decode`."""
    found = _read(path, size, reading)
    return None if isinstance(found, Decoded) else found


def looked_at(path: str, size: Size, reading: Reading = AS_STORED) -> Decoded:
    """What `decode` tells of a file, without pixels: no window is needed. Raises as `decode`."""
    found = _read(path, size, reading)
    if isinstance(found, Decoded):
        return found._replace(pixels=_NONE)
    return found.decoded(_NONE, "")


def header_of(path: str, reading: Reading = AS_STORED) -> Header:
    """What a file says of its image. Raises an exception of any class where it cannot be read."""
    with open_image(path, reading.pages) as (file, start, tiff):
        if start.startswith(NPY):
            return npy_header(file)
        if tiff is not None and not tiff.by_pillow:
            return tiff.header
        with opened(file) as image:
            raw_mode = raw_mode_of(image)
            of_type = type_of(image, raw_mode, tiff.type if tiff else None)
            is_gray = image.mode in GRAY or image.mode[0] in "IF" or raw_mode == GRAY_ALPHA_16
            return Header(1 if is_gray else 3, not is_gray, of_type)


def reason_of(error: Exception, path: str) -> str:
    """One line that says why a file cannot be read. Raises the error, or a MemoryError with the
    path, where that is no fault of the file: it may be sound where there is more memory, or where
    fewer files are open."""
    if isinstance(error, MemoryError):
        raise MemoryError(f"reading {path}") from error
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        raise error
    if isinstance(error, _NO_WORDS):
        return "damaged, or of a kind that is not read"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    words = " ".join(text.split()) or type(error).__name__
    return words if len(words) <= _MAX_REASON else f"{words[:_MAX_REASON]}..."


def _read(path: str, size: Size, reading: Reading) -> Decoded | Resized:
    page = split_page(path)[1]
    with open_image(path, reading.pages) as (file, start, tiff):
        if start.startswith(NPY):
            return _resized(npy_values(file), size, reading)
        if tiff is None or tiff.by_pillow:
            return _read_by_pillow(file, size, reading, tiff, page)
        return _resized(tiff.values(page), size, reading)


def _read_by_pillow(
    file: BinaryIO, size: Size, reading: Reading, tiff: Tiff | None, page: int | None
) -> Decoded | Resized:
    with opened(file) as image:
        if page:
            raise ValueError(f"has no page {page}: it has one, 0")
        kind, full_size = f"{image.format} {image.mode}", image.size
        if tiff and tiff.is_padded:
            kind += "X"
        if image.format != "HEIF":  # which would give a thumbnail
            # The JPEG decoder shrinks large images at little cost; the final resizing is precise.
            longest = size if isinstance(size, int) else max(size)
            image.draft(None, (2 * longest, 2 * longest))
        raw_mode = raw_mode_of(image)
        name = type_of(image, raw_mode, tiff.type if tiff else None)
        is_deeper = name == BYTES and (tiff.is_deep if tiff else has_more_bits(image, file))
        image.load()
        several = tiff.several if tiff else has_several_frames(image)
        is_inverted = tiff is not None and tiff.is_inverted
        # After load(), as TIFF images are turned while they are loaded.
        orientation = _orientation(image)
        ground = ""
        if name != BYTES:
            values, alpha = values_of(image, raw_mode, file)
            check_values(values)
            is_color = len(values) == 3
            deep = Values(values, name, is_color, kind, alpha, several, orientation, is_inverted)
            return _resized(deep, size, reading)
        scale_transparency(image, raw_mode)
        plain, ground = opaque(image)
    is_gray = plain.mode == "L"
    if reading.window and reading.window.ranges(BYTES):
        stored = _channels_first(plain)
        if is_inverted:
            stored = 255 - stored
        of_bytes = Values(stored, BYTES, not is_gray, kind, None, several, orientation, is_inverted)
        resized = _resized(of_bytes, size, reading)
        return resized._replace(size=full_size, is_deeper=is_deeper)
    transpose = _TRANSPOSE.get(orientation)
    shape, box = _part(plain.size, size, transpose)
    part = plain.resize(shape, Image.Resampling.BILINEAR, box, reducing_gap=3.0)
    if transpose is not None:
        part = part.transpose(transpose)
    pixels = _channels_first(part)
    n = len(pixels)
    return Decoded(pixels, kind, full_size, ground, several, n, not is_gray, is_deeper)


def _resized(of: Values, size: Size, reading: Reading) -> Resized:
    """An image of values in its final size."""
    height, width = of.values.shape[1:]
    transpose = _TRANSPOSE.get(of.orientation)
    shape, box = _part((width, height), size, transpose)

    def small(channel: NDArray[Any]) -> NDArray[np.float64]:
        # Of integers of 32 bits, single precision has the differences, not the values.
        exact = channel.dtype.itemsize <= 2 or channel.dtype == np.float32
        offset = 0.0 if exact else float(channel.min())
        image = Image.fromarray((channel - offset).astype(np.float32))
        part = image.resize(shape, Image.Resampling.BILINEAR, box, reducing_gap=3.0)
        if transpose is not None:
            part = part.transpose(transpose)
        return np.asarray(part).astype(np.float64) + offset

    if reading.whole_type:  # of all values, not of their means
        ends = np.array([[[of.values.min(), of.values.max()]]])
        as_bytes(ends, of.type, reading)
    alpha = None
    if of.alpha is None:
        values = np.stack([small(channel) for channel in of.values])
    else:
        whole = np.where(is_seen(of.alpha), of.alpha, np.float32(0))
        alpha = small(whole).clip(0, 1)
        values = np.stack([_weighted(channel, whole, small, alpha) for channel in of.values])
    about = (of.type, of.is_color, of.kind, alpha, of.several, (width, height))
    return Resized(values, *about, is_inverted=of.is_inverted)


def _weighted(
    channel: NDArray[Any],
    alpha: NDArray[np.float32],
    small: Callable[[NDArray[Any]], NDArray[np.float64]],
    small_alpha: NDArray[np.float64],
) -> NDArray[np.float64]:
    """A channel in its final size without the values below transparent parts, which may be any.
    small: makes an array smaller. small_alpha: what it makes of alpha."""
    low = float(channel.min())  # from which the others are measured, and which replaces the unseen
    light = small((channel.astype(np.float64) - low) * alpha)
    mean = light / np.where(is_seen(small_alpha), small_alpha, np.inf) + low
    return mean.clip(low, float(channel.max()))


def _part(
    full: tuple[int, int], size: Size, transpose: Image.Transpose | None
) -> tuple[tuple[int, int], tuple[float, float, float, float]]:
    """The (width, height) to resize to, before an image is turned, and the part of it, left, top,
    right and bottom. full: (width, height)."""
    full_width, full_height = full
    if isinstance(size, int):
        scale = min(size / max(full), 1)
        width, height = (max(round(side * scale), 1) for side in full)
    else:
        height, width = reversed(size) if transpose in _ON_ITS_SIDE else size
    inside_width = min(full_width, full_height * width / height)
    inside_height = min(full_height, full_width * height / width)
    left, top = (full_width - inside_width) / 2, (full_height - inside_height) / 2
    return (width, height), (left, top, left + inside_width, top + inside_height)


def _channels_first(image: Image.Image) -> NDArray[np.uint8]:
    """The pixels of an image in mode L or RGB, (1 or 3, height, width)."""
    pixels: NDArray[np.uint8] = np.asarray(image)
    return pixels[np.newaxis] if image.mode == "L" else pixels.transpose(2, 0, 1)


def _orientation(image: Image.Image) -> int:
    if image.format == "HEIF":
        return 1  # it is turned by what HEIF itself says, which holds instead of EXIF
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are usable even if the metadata is damaged
        return 1
    return orientation
