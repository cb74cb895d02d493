"""Opening image files with Pillow, whatever their suffix says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError, features

# Pillow's decoders for the suffixes in READ. Pillow chooses one by the content of a file, and some
# of its other decoders run another program (EPS). "JPEG" opens MPO too.
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM")
# The largest text or color profile of a PNG, and all of them together, in bytes unpacked. Editors
# write more than Pillow's 1 MiB, which would make the whole image unreadable.
_MAX_TEXT_CHUNK, _MAX_TEXT = 2**26, 2**28
SIGNATURES = {
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
_HEIF = b"ftyp"  # after the first four bytes of HEIF files, AVIF among them
_AVIF = (b"avif", b"avis")  # of the kinds that a file says it is of, one of AVIF's
_MAX_KINDS = 64  # bytes in which they are looked for


@contextmanager
def long_png_texts() -> Iterator[None]:
    """Context in which Pillow reads PNGs with long texts and color profiles."""
    before = PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
    PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = _MAX_TEXT_CHUNK, _MAX_TEXT
    try:
        yield
    finally:
        PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = before


def opened(file: BinaryIO) -> Image.Image:
    """The image in an open file, of a format in READ; its pixels are not read yet.

    Raises ValueError, or what Pillow raises, for anything else.
    """
    start = file.read(_MAX_KINDS)
    file.seek(0)
    try:
        return Image.open(file, formats=_formats(start))
    except UnidentifiedImageError as error:
        if not start:
            raise ValueError("is empty") from error
        for signature, name in SIGNATURES.items():
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
    end = min(int.from_bytes(start[:4], "big"), len(start))
    kinds = [start[at : at + 4] for at in (8, *range(16, end, 4))]
    is_avif = any(kind in _AVIF for kind in kinds)
    formats = _formats_of_heif()
    if is_avif and "AVIF" not in formats:
        raise ValueError("AVIF is not read by this Pillow; convert it to PNG or JPEG")
    if not is_avif and "HEIF" not in formats:
        raise ValueError(
            "HEIC is not read; pip install -e '.[heif]' in dimred's clone, or convert it with "
            "heif-convert or sips"
        )
    return ("AVIF",) if is_avif else ("HEIF",)


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


def has_several_frames(image: Image.Image) -> bool:
    """The further images in an MPO do not count: they are previews and the like."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # GIF looks for a second frame, which may be damaged
        return True
