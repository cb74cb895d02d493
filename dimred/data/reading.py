"""How the image files of a set become bytes: what a run keeps to read new ones alike."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dimred.data.window import (
    BOOL,
    BYTES,
    NOT_FINITE,
    TYPE,
    Range,
    Window,
    check_inside,
    range_of_type,
    to_bytes,
)
from dimred.errors import InputError

CHANNELS, IMAGES = "channels", "images"
"""What the pages of a file are."""


@dataclass(frozen=True)
class Reading:
    """How files, and arrays, are read.

    window: what values become bytes by; see `ranges`. pages: CHANNELS or IMAGES; None where files
        of several pages are not read. whole_type: whether all types have their whole range, outside
        of which a file is unreadable, as with `dataset.window=type`.
    """

    window: Window | None = None
    pages: str | None = None
    whole_type: bool = False

    def ranges(self, name: str) -> tuple[Range, ...] | None:
        """The ranges that values of a type become bytes by, of each channel or one for all; None
        for bytes that stay as they are.

        name: as of `window.type_name`. A type that the window has no entry for is read where
        nothing needs to be known: bytes, bool, floats by the window of other floats, and in [0, 1]
        where there is no window at all. Raises ValueError for others, as their window is that of
        other images.
        """
        found = self.window.ranges(name) if self.window else None
        is_float = name.startswith("float")
        if name == BYTES or (found and not self.whole_type):
            return found
        if name == BOOL or (is_float and self.window is None):
            return ((0.0, 1.0),)
        if self.whole_type:
            return (range_of_type(name),)
        if self.window is None:
            raise ValueError(
                f"is {name}, where the run learned from 8 bits, without dataset.window"
            )
        by_type = self.window.by_type
        of_floats = [ranges for other, ranges in by_type.items() if other.startswith("float")]
        if is_float and of_floats:
            return of_floats[0]
        raise ValueError(f"is {name}, where the run's dataset.window is of {', '.join(by_type)}")

    def is_limited(self, name: str) -> bool:
        """Whether values of a type outside of their range are refused, instead of clipped."""
        return name not in (BYTES, BOOL) and (self.whole_type or self.window is None)


AS_STORED = Reading(whole_type=True)


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
    is_inverted: whether low values are light, so that the bytes that they become are inverted.
    """

    values: NDArray[Any]
    type: str
    is_color: bool
    kind: str
    alpha: NDArray[np.float32] | None = None
    several: bool = False
    orientation: int = 1
    is_inverted: bool = False


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


def is_seen(alpha: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether an alpha in [0, 1] is more than 0 as a byte."""
    seen: NDArray[np.bool_] = np.rint(alpha * 255) > 0
    return seen


def as_bytes(values: NDArray[Any], name: str, reading: Reading) -> NDArray[np.uint8]:
    """Values (C, H, W) as bytes, by the window of a reading; (3, H, W) of gray where that has
    ranges for three channels.

    name: of the type that the file has. Raises ValueError as `Reading.ranges`, for values outside
    the range of their type where that is their window, and for other numbers of channels than the
    window has.
    """
    ranges = reading.ranges(name)
    if ranges is None:
        return to_bytes(values, ((0.0, 255.0),))
    if reading.is_limited(name):
        check_inside(values, name)
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
    pages = pages.value if isinstance(pages, Enum) else pages
    if pages not in (None, CHANNELS, IMAGES):
        raise InputError(f"dataset.pages={pages}: must be {CHANNELS}, {IMAGES} or null")
    return Reading(window, pages, getattr(dataset, "window", None) == TYPE)
