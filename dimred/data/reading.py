"""How the image files of a set become bytes: what a run keeps to read new ones alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.window import BYTES, NOT_FINITE, Window, check_inside, range_of_type, to_bytes
from dimred.errors import InputError

CHANNELS, IMAGES = "channels", "images"
"""What the pages of a file are."""


@dataclass(frozen=True)
class Reading:
    """How files are read.

    window: what values become bytes by; types without an entry, and all types where it is None, by
        the range of their type. pages: CHANNELS or IMAGES; None where files of several pages are
        not read. whole_type: whether values outside the range of their type make a file unreadable,
        as with `dataset.window=type`.
    """

    window: Window | None = None
    pages: str | None = None
    whole_type: bool = False


AS_STORED = Reading()


class Header(NamedTuple):
    """What a file says of its image before its pixels are read.

    channels: without one for transparency. is_color: whether these are red, green and blue.
    type: of the values, as `window.type_name`. pages: how many images or channels the further axes
    of a TIFF make, `axes`, such as "ZT"; 1 and "" for others.
    """

    channels: int
    is_color: bool
    type: str
    pages: int = 1
    axes: str = ""


class Values(NamedTuple):
    """The values of an image file.

    values: (C, height, width), of a real type, finite. type: its name, as `window.type_name`.
    is_color: whether the channels are red, green and blue. kind: such as "TIFF uint16".
    alpha: (height, width) in [0, 1], 0 where it is transparent; None without transparency.
    several: whether the file has further images. orientation: how it is turned, as in EXIF.
    """

    values: NDArray[Any]
    type: str
    is_color: bool
    kind: str
    alpha: NDArray[np.float32] | None = None
    several: bool = False
    orientation: int = 1


def check_size(width: int, height: int, n_bytes: int) -> None:
    """Raise ValueError for an image of more pixels than Pillow takes for a decompression bomb, or
    one that needs more memory than such an image in color with transparency.

    n_bytes: of all values of the image.
    """
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and (width * height > 2 * most or n_bytes > 8 * most):
        raise ValueError(
            f"{width}x{height} pixels of {n_bytes / 2**30:,.1f} GiB: could be a decompression bomb"
        )


def check_values(values: NDArray[Any]) -> None:
    """Raise ValueError for values that are not real and finite."""
    if values.dtype.kind not in "uif":
        raise ValueError(f"its values are {values.dtype}; must be integers or floats")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"has {NOT_FINITE}")


def as_bytes(values: NDArray[Any], name: str, reading: Reading) -> NDArray[np.uint8]:
    """Values (C, H, W) as bytes, by the window of a reading; (3, H, W) of gray where that has
    ranges for three channels.

    name: of the type that the file has. Raises ValueError for values outside the range of their
    type where that is their window, and for other numbers of channels than the window has.
    """
    ranges = reading.window.ranges(name) if reading.window else None
    if ranges is None and name == BYTES:
        return to_bytes(values, ((0.0, 255.0),))
    if ranges is None or (reading.whole_type and name != BYTES):
        check_inside(values, name)
        ranges = (range_of_type(name),)
    if len(values) == 1 and len(ranges) == 3:
        values = np.broadcast_to(values, (3, *values.shape[1:]))
    if len(ranges) not in (1, len(values)):
        has = "is gray" if len(values) == 1 else f"has {len(values)} channels"
        raise ValueError(f"{has}, where the window is of {len(ranges)}")
    return to_bytes(values, ranges)


def reading_of(dataset: Any, window: Window | None) -> Reading:
    """How files are read for the options of a dataset, of any kind, and a window. Raises InputError
    for pages that are no choice."""
    pages = getattr(dataset, "pages", None)
    pages = getattr(pages, "value", pages)
    if pages not in (None, CHANNELS, IMAGES):
        raise InputError(f"dataset.pages={pages}: must be {CHANNELS}, {IMAGES} or null")
    return Reading(window, pages, getattr(dataset, "window", None) == "type")
