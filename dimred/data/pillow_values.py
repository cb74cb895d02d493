"""The values of images that Pillow has read, and images of 8 bits without transparency."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from dimred.data.image_opening import opened
from dimred.data.window import BYTES

_MIN_SPAN = 16  # levels between the darkest and the lightest, below which an image seems blank
GRAY = ("1", "L", "LA", "La")
# How PNGs of 16 bits store colors, of which Pillow reads the upper bytes, and how the lower ones of
# the same bytes are read.
_LOWER = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
_AV1, _MORE_BITS = b"av1C", 0x40  # box of an AVIF's configuration, and its flag high_bitdepth
_MAX_BYTE, _WHITE = 255, 65535
GRAY_ALPHA_16 = "LA;16B"
"""How PNGs of 16 bits store gray and transparency, which Pillow makes a color of."""


class _Ppm(NamedTuple):
    """Where the pixels of a PGM or PPM begin, its mode, the value that white has, and whether they
    are written as text."""

    offset: int
    mode: str
    white: int
    is_text: bool


def raw_mode_of(image: Image.Image) -> object:
    """How a PNG, PGM or PPM that has just been opened stores its pixels; None for others, and for
    PGMs and PPMs of the whole range of their type."""
    tile = getattr(image, "tile", None)
    if not tile or image.format not in ("PNG", "PPM"):
        return None
    if image.format == "PNG":
        return tile[0].args
    codec, args = tile[0].codec_name, tile[0].args
    if not codec.startswith("ppm") or isinstance(args, str):  # the latter of one bit
        return None
    return _Ppm(tile[0].offset, args[0], args[1], codec == "ppm_plain")


def type_of(image: Image.Image, raw_mode: object, of_tiff: str | None) -> str:
    """The type of the values of an opened image, as `window.type_name`.

    of_tiff: that which a TIFF says. Raises ValueError for pixels whose type is not known.
    """
    if of_tiff is not None and (image.mode == "F" or image.mode.startswith("I")):
        return of_tiff
    if image.mode == "F":
        return "float32"
    if image.mode.startswith("I"):
        if image.format not in ("PNG", "PPM"):
            raise ValueError(f"the range of its pixels is not known (mode {image.mode})")
        return _type_of_ppm(raw_mode) if isinstance(raw_mode, _Ppm) else "uint16"
    if isinstance(raw_mode, _Ppm) and _is_deep_color(raw_mode):
        return _type_of_ppm(raw_mode)
    return "uint16" if raw_mode in _LOWER or raw_mode == GRAY_ALPHA_16 else BYTES


def has_more_bits(image: Image.Image, file: BinaryIO) -> bool:
    """Whether an opened image that is no TIFF, of which Pillow gives 8 bits, has more in `file`."""
    if image.format == "PPM":  # in color and written as text; those in binary are read here
        tile = getattr(image, "tile", None) or ()
        return any(part.codec_name == "ppm_plain" and part.args[1] > _MAX_BYTE for part in tile)
    if image.format != "AVIF":
        return int(image.info.get("bit_depth", 8)) > 8  # which pillow-heif says
    where = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(where)
    at = content.find(_AV1)
    return 0 <= at < len(content) - 6 and bool(content[at + 6] & _MORE_BITS)


def values_of(
    image: Image.Image, raw_mode: object, file: BinaryIO
) -> tuple[NDArray[np.float64], NDArray[np.float32] | None]:
    """The values of a loaded image of more than 8 bits as they are stored, (C, H, W), C = 1 or 3,
    and its alpha in [0, 1], (H, W), None without transparency.

    raw_mode: how a PNG, PGM or PPM in `file` stores them.
    """
    if isinstance(raw_mode, _Ppm) and _is_deep_color(raw_mode):
        return _ppm_values(image.size, raw_mode, file), None
    transparent = image.info.get("transparency")
    alpha: NDArray[np.float32] | None = None
    if raw_mode == GRAY_ALPHA_16:
        upper_lower = _read_as("RGBA", file).astype(np.float64).reshape(*image.size[::-1], 2, 2)
        values = upper_lower @ (256.0, 1.0)
        return values[np.newaxis, ..., 0], (values[..., 1] / _WHITE).astype(np.float32)
    if raw_mode in _LOWER:
        lower = _read_as(_LOWER[str(raw_mode)], file)
        values = np.asarray(image, np.float64) * 256 + lower
        values = values.transpose(2, 0, 1)
        if len(values) == 4:
            values, alpha = values[:3], (values[3] / _WHITE).astype(np.float32)
        elif isinstance(transparent, tuple):
            of_color = np.array(transparent).reshape(3, 1, 1)
            alpha = (values != of_color).any(axis=0).astype(np.float32)
        return values, alpha
    values = np.asarray(image).astype(np.float64)[np.newaxis]
    if isinstance(raw_mode, _Ppm):  # Pillow makes white 65535
        values = np.rint(values * (raw_mode.white / _WHITE))
    if isinstance(transparent, int):  # a gray value
        alpha = (values[0] != transparent).astype(np.float32)
    return values, alpha


def _is_deep_color(stored: _Ppm) -> bool:
    return stored.mode == "RGB" and stored.white > _MAX_BYTE and not stored.is_text


def _type_of_ppm(stored: _Ppm) -> str:
    """Such as "uint12" where white is 4095."""
    return f"uint{stored.white.bit_length()}"


def _ppm_values(size: tuple[int, int], stored: _Ppm, file: BinaryIO) -> NDArray[np.float64]:
    """The values of a binary PPM in color, (3, H, W), none above white."""
    width, height = size
    file.seek(stored.offset)
    values = np.frombuffer(file.read(6 * width * height), ">u2").astype(np.float64)
    values = np.minimum(values, stored.white)
    return values.reshape(height, width, 3).transpose(2, 0, 1)


def _read_as(raw_mode: str, file: BinaryIO) -> NDArray[np.uint8]:
    """The pixels of a PNG, (H, W, C), as if it stored them in another way."""
    file.seek(0)
    with opened(file) as image:
        assert isinstance(image, ImageFile.ImageFile)
        image.tile = [part._replace(args=raw_mode) for part in image.tile]
        image.load()
        return np.asarray(image)


def scale_transparency(image: Image.Image, raw_mode: object) -> None:
    """Scale a PNG's transparent color as Pillow scales the pixels, which it does not do itself."""
    transparent = image.info.get("transparency")
    if raw_mode in ("L;2", "L;4") and isinstance(transparent, int):
        image.info["transparency"] = transparent * (85 if raw_mode == "L;2" else 17)


def opaque(image: Image.Image) -> tuple[Image.Image, str]:
    """The image in mode L or RGB, and its `Decoded.ground`.

    Transparent parts are laid over white. Where that leaves less than 16 levels between the darkest
    and the lightest pixel, as with white drawings, they are laid over black, or over nothing, that
    is, the colors are taken without transparency, if these leave more.
    """
    mode = "L" if image.mode in GRAY else "RGB"
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
