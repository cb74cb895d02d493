"""Decoding an image file to pixels of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError, features

from dimred.files import open_regular

# Pillow's decoders for the suffixes in READ. Pillow chooses one by the content of a file, and some
# of its other decoders run another program (EPS). "JPEG" opens MPO too.
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM")
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
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # tags of TIFF
_WHITE_IS_ZERO, _SIGNED = 0, 2  # values of the last two
_MIN_SPAN = 16  # levels between the darkest and the lightest, below which an image seems blank
# The largest text or color profile of a PNG, and all of them together, in bytes unpacked. Editors
# write more than Pillow's 1 MiB, which would make the whole image unreadable.
_MAX_TEXT_CHUNK, _MAX_TEXT = 2**26, 2**28
_SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n": "PNG",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"RIFF": "WebP",
}
# What stands after the first four bytes of formats that are not read.
_OTHER_FORMATS = {b"jP  ": "JPEG 2000", b"JXL ": "JPEG XL"}
_HEIF, _AVIF = (
    b"ftyp",
    (b"avif", b"avis"),
)  # how HEIF files, AVIF among them, begin; the latter's kinds


class Decoded(NamedTuple):
    """An image file.

    pixels: uint8 (1 or 3, height, width), 1 channel where it is gray.
    kind: format and mode of the file, such as "PNG RGB". size: its width and height.
    peak: for a file of more than 8 bits, its highest gray value and the highest that its type can
        have; None for others.
    ground: what its transparent parts were laid over: "white", "black" or "nothing"; "" where
        there are none.
    several: whether it has several pages or frames, of which this is the first.
    """

    pixels: NDArray[np.uint8]
    kind: str
    size: tuple[int, int]
    peak: tuple[int, int] | None
    ground: str
    several: bool = False

    @property
    def is_gray(self) -> bool:
        """Whether it has one channel."""
        return len(self.pixels) == 1


def decode(path: str, size: tuple[int, int] | int) -> Decoded:
    """An image file.

    size: the shape (height, width), of which the largest central part is resized; or the longer
        side of the whole picture, which is made smaller but never larger.
    Raises an exception of any class for a file that cannot be read, such as a damaged one.
    """
    with open_regular(path) as file, _opened(file) as image:
        kind, full_size = f"{image.format} {image.mode}", image.size
        if image.format != "HEIF":  # which would give a thumbnail
            # The JPEG decoder shrinks large images at little cost; the final resizing is precise.
            longest = size if isinstance(size, int) else max(size)
            image.draft(None, (2 * longest, 2 * longest))
        tile = getattr(image, "tile", None) if image.format == "PNG" else None
        raw_mode = tile[0].args if tile else None
        image.load()
        several = _has_several_frames(image)
        of_8_bits, peak = _of_8_bits(image, raw_mode)
        plain, ground = _opaque(of_8_bits)
        # After load(), as TIFF images are turned while they are loaded.
        transpose = _TRANSPOSE.get(_orientation(image))
    if isinstance(size, int):
        scale = min(size / max(plain.size), 1)
        width, height = (max(round(side * scale), 1) for side in plain.size)
    else:
        height, width = reversed(size) if transpose in _ON_ITS_SIDE else size
    inside_width = min(plain.width, plain.height * width / height)
    inside_height = min(plain.height, plain.width * height / width)
    left, top = (plain.width - inside_width) / 2, (plain.height - inside_height) / 2
    box = (left, top, left + inside_width, top + inside_height)
    part = plain.resize((width, height), Image.Resampling.BILINEAR, box, reducing_gap=3.0)
    if transpose is not None:
        part = part.transpose(transpose)
    pixels: NDArray[np.uint8] = np.asarray(part)
    pixels = pixels[np.newaxis] if plain.mode == "L" else pixels.transpose(2, 0, 1)
    return Decoded(pixels, kind, full_size, peak, ground, several)


@contextmanager
def long_png_texts() -> Iterator[None]:
    """Context in which Pillow reads PNGs with long texts and color profiles."""
    before = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _MAX_TEXT_CHUNK, _MAX_TEXT
    try:
        yield
    finally:
        PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = before


def reason_of(error: Exception) -> str:
    """One line that says why a file cannot be read."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _opened(file: BinaryIO) -> Image.Image:
    start = file.read(16)
    file.seek(0)
    try:
        return Image.open(file, formats=_formats(start))
    except UnidentifiedImageError as error:
        if not start:
            raise ValueError("is empty") from error
        for signature, name in _SIGNATURES.items():
            if start.startswith(signature):
                raise ValueError(f"a {name} of a kind that is not read, or damaged") from error
        if start[4:8] == _HEIF:
            raise ValueError("a HEIF or AVIF of a kind that is not read, or damaged") from error
        if start[4:8] in _OTHER_FORMATS:
            name = _OTHER_FORMATS[start[4:8]]
            raise ValueError(f"{name}, which is not read; convert it to PNG or JPEG") from error
        raise ValueError("not an image of a known format") from error


def _formats(start: bytes) -> tuple[str, ...]:
    """The names of Pillow's decoders for a file that begins so. Raises ValueError for a kind of
    HEIF that is not read here."""
    if start[4:8] != _HEIF:
        return _FORMATS
    is_avif = start[8:12] in _AVIF
    formats = _formats_of_heif()
    if is_avif and "AVIF" not in formats:
        raise ValueError("AVIF is not read by this Pillow; convert it to PNG or JPEG")
    if not is_avif and "HEIF" not in formats:
        raise ValueError(
            "HEIC is not read; pip install pillow-heif, or convert it with heif-convert or sips"
        )
    return formats


@cache
def _formats_of_heif() -> tuple[str, ...]:
    """Pillow's decoders for kinds of HEIF: AVIF is among its own, HEIC needs pillow-heif."""
    formats = ["AVIF"] if features.check("avif") else []
    try:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        formats.append("HEIF")
    except ImportError:
        pass
    return tuple(formats)


def _has_several_frames(image: Image.Image) -> bool:
    """The further images in an MPO do not count: they are previews and the like."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # GIF looks for a second frame, which may be damaged
        return True


def _orientation(image: Image.Image) -> int:
    if image.format == "HEIF":
        return 1  # it is turned by what HEIF itself says, which holds instead of EXIF
    try:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # the pixels are usable even if the metadata is damaged
        return 1
    return orientation


def _of_8_bits(image: Image.Image, raw_mode: object) -> tuple[Image.Image, tuple[int, int] | None]:
    """The image with at most 8 bits a channel, and its `Decoded.peak`.

    The scale is that of the file's type and bit depth, whatever values occur. raw_mode: how the
    file stores pixels, for a PNG. Raises ValueError for pixels whose range is not known.
    """
    if image.mode == "F":
        raise ValueError(
            "the range of its floating-point pixels is not known; save it with 8 or 16 bits"
        )
    bits, is_signed, is_inverted = _of_tiff(image)
    if image.mode.startswith("I"):
        if bits > 16:
            raise ValueError("the range of its 32-bit integers is not known; save it with 16 bits")
        if image.format not in ("PNG", "PPM", "TIFF"):
            raise ValueError(f"the range of its pixels is not known (mode {image.mode})")
    elif not (is_signed and image.mode == "L"):
        _scale_transparency(image, raw_mode)
        return image, None
    values = np.asarray(image).astype(np.int32)
    full = 2**bits - 1
    if is_signed:
        full = 2 ** (bits - 1) - 1
        if image.mode == "L":  # which Pillow reads as unsigned
            values = values.astype(np.int8).astype(np.int32)
        if values.min() < 0:
            raise ValueError("its signed gray values go below 0, and what is black is not known")
    if is_inverted:
        values = full - values
    gray = Image.fromarray(np.rint(values / (full / 255)).astype(np.uint8))
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # a gray value
        alpha = Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8))
        gray = Image.merge("LA", (gray, alpha))
    return gray, (int(values.max()), full)


def _of_tiff(image: Image.Image) -> tuple[int, bool, bool]:
    """Bits of a gray value, whether it is signed, and whether 0 means white and Pillow leaves it
    so. For other formats 16, False, False."""
    tags = getattr(image, "tag_v2", None)
    if image.format != "TIFF" or tags is None:
        return 16, False, False
    bits, sample_format = (
        value[0] if isinstance(value, tuple) else value
        for value in (tags.get(_BITS, 1), tags.get(_SAMPLE_FORMAT, 1))
    )
    return int(bits), sample_format == _SIGNED, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _scale_transparency(image: Image.Image, raw_mode: object) -> None:
    """Scale a PNG's transparent color as Pillow scales the pixels, which it does not do itself."""
    transparent = image.info.get("transparency")
    if raw_mode in ("L;2", "L;4") and isinstance(transparent, int):
        image.info["transparency"] = transparent * (85 if raw_mode == "L;2" else 17)
    elif raw_mode == "RGB;16B" and isinstance(transparent, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in transparent)


def _opaque(image: Image.Image) -> tuple[Image.Image, str]:
    """The image in mode L or RGB, and its `Decoded.ground`.

    Transparent parts are laid over white. Where that leaves less than 16 levels between the darkest
    and the lightest pixel, as with white drawings, they are laid over black, or over nothing, that
    is, the colors are taken without transparency, if these leave more.
    """
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if not image.has_transparency_data:
        return (image if image.mode == mode else image.convert(mode)), ""
    layer = image.convert("RGBA")
    chosen, ground, span = layer, "", -1
    for name in ("white", "black", "nothing"):
        if name == "nothing":
            drawn = layer.convert("RGB")
        else:
            under = Image.new("RGBA", layer.size, name)
            drawn = Image.alpha_composite(under, layer).convert("RGB")
        its_span = max(high - low for low, high in _extrema(drawn))
        if its_span > span:
            chosen, ground, span = drawn, name, its_span
        if span >= _MIN_SPAN:
            break
    return chosen.convert(mode), ground


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    """The lowest and highest value of each channel of an RGB image."""
    return [channel.getextrema() for channel in image.split()]  # type: ignore[misc]
