"""The images of an array as bytes: its channels, its window, and reading it in blocks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.array_shapes import channels_first, shape_of
from dimred.data.known_digests import DIGEST, KnownDigests
from dimred.data.pixel_source import Block
from dimred.data.reading import Reading
from dimred.data.stored_array import Rows, StoredArray
from dimred.data.window import (
    BOOL,
    BYTES,
    NOT_FINITE,
    READ_TYPES,
    TYPE,
    Range,
    Sample,
    Window,
    check_inside,
    given_window,
    range_of_type,
    sampled,
    to_bytes,
    type_name,
)
from dimred.errors import InputError

Error = Callable[[str], InputError]

_COLORS = 3
_UNIT = (0.0, 1.0)
_AT_A_TIME = 2**24  # bytes read for a digest
_VALUES = 2**18  # that become bytes at a time
_FORMAT = b"array 1"  # changes where the same values become other bytes


class ArraySource:
    """The images of an array as a `PixelSource`.

    axis: of the channel, None where there is none. ranges: that become 0 to 255, one for each
        channel or for all; None for bytes that stay as they are. Gray images have three channels
        by three ranges.
    whole: refuse values outside of the range of their type.
    error: makes an exception from a message; raised for values that cannot be bytes.
    channels: of the array. is_rgb: whether three are red, green and blue; None in memory, where
        nothing says.
    """

    is_rgb: bool | None = None

    def __init__(
        self,
        rows: Rows,
        axis: int | None,
        ranges: tuple[Range, ...] | None,
        whole: bool,
        error: Error,
    ):
        self.rows, self.axis, self.ranges = rows, axis, ranges
        self.whole, self.error = whole, error
        self.shape = shape_of(rows.shape, axis)
        self.channels = self.shape[0]
        if self.channels == 1 and ranges is not None and len(ranges) == _COLORS:
            self.shape = (_COLORS, *self.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def as_they_are(self) -> NDArray[np.uint8] | None:
        """All images, (N, C, H, W), where they are in memory as such already; else None."""
        if self.ranges is not None or not isinstance(self.rows, np.ndarray):
            return None
        images = channels_first(self.rows, self.axis)
        return images if images.flags.c_contiguous else None

    def read(self, first: int, stop: int) -> Block:
        images = channels_first(self.rows[first:stop], self.axis)
        if self.ranges is None:
            return Block(np.ascontiguousarray(images))
        self._check(images)
        images = np.broadcast_to(images, (len(images), *self.shape))
        pixels = np.empty(images.shape, np.uint8)
        step = max(_VALUES // math.prod(self.shape), 1)
        for i in range(0, len(images), step):
            pixels[i : i + step] = to_bytes(images[i : i + step], self.ranges)
        return Block(pixels)

    def key(self, known: KnownDigests | None = None) -> bytes:
        about = (self.rows.shape, self.rows.dtype.str, self.axis, self.ranges, self.whole)
        key = hashlib.blake2b(_FORMAT + repr(about).encode(), digest_size=32)
        if known is not None and isinstance(self.rows, StoredArray):
            key.update(known.of(self.rows.path, f"values from {self.rows.start}", self._digest))
        else:
            key.update(self._digest())
        return key.digest()

    def state(self, first: int, stop: int) -> str:
        """See `PixelSource`: rows in memory do not change, and changed files are not read."""
        return ""

    def _digest(self) -> bytes:
        """BLAKE2b of the values."""
        digest = hashlib.blake2b(digest_size=DIGEST)
        row = math.prod(self.rows.shape[1:]) * self.rows.dtype.itemsize
        step = max(_AT_A_TIME // row, 1)
        for first in range(0, len(self), step):
            digest.update(np.ascontiguousarray(self.rows[first : first + step]).data)
        return digest.digest()

    def _check(self, images: NDArray[Any]) -> None:
        _check_finite(images, self.error)
        if self.whole:
            try:
                check_inside(images, type_name(images.dtype))
            except ValueError as problem:
                raise self.error(f"array 'images' is {images.dtype}: {problem}") from problem


def source_of(
    rows: Rows,
    axis: int | None,
    window: Any,
    learned: Callable[[], NDArray[np.int64]],
    error: Error,
) -> tuple[ArraySource, Window | None]:
    """The images of an array, and the window by which values become bytes.

    window: `dataset.window`. learned: the positions of the images that are learned from, at
        least one; called where percentiles are taken.
    Raises InputError as made by `error` for values that have no such window.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    given = given_window(window, channels)
    if given is not None:
        return ArraySource(rows, axis, given.ranges(name), False, error), given
    if name in (BYTES, BOOL):
        ranges = (_UNIT,) if name == BOOL else None
        return ArraySource(rows, axis, ranges, False, error), None
    if window == TYPE:
        chosen = Window({name: (_whole_range(name, error),) * channels})
    else:
        chosen = Window({name: _sample(rows, axis, learned(), error).ranges()})
    return ArraySource(rows, axis, chosen.ranges(name), window == TYPE, error), chosen


def source_for(rows: Rows, axis: int | None, reading: Reading, error: Error) -> ArraySource:
    """The images of an array as a run takes them, by its reading.

    Raises InputError as made by `error` for types that it has no window for (`Reading.ranges`),
    and for another number of channels, but gray in color.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    try:
        ranges = reading.ranges(name)
    except ValueError as problem:
        raise error(f"array 'images' {problem}") from problem
    gray_in_color = channels == 1 and ranges is not None and len(ranges) == _COLORS
    if ranges is not None and len(ranges) not in (1, channels) and not gray_in_color:
        has = "1 channel" if channels == 1 else f"{channels} channels"
        raise error(f"array 'images' has {has}; the run's window is of {len(ranges)}")
    return ArraySource(rows, axis, ranges, reading.is_limited(name), error)


def _checked_type(dtype: np.dtype[Any], error: Error) -> str:
    if dtype.name not in READ_TYPES:
        raise error(f"array 'images' is {dtype}; must be {', '.join(READ_TYPES)}")
    return type_name(dtype)


def _whole_range(name: str, error: Error) -> Range:
    try:
        return range_of_type(name)
    except ValueError as problem:
        raise error(f"array 'images': {problem}") from problem


def _sample(rows: Rows, axis: int | None, learned: NDArray[np.int64], error: Error) -> Sample:
    sample = Sample(shape_of(rows.shape, axis)[0], type_name(rows.dtype))
    for i in sampled(learned):
        (image,) = channels_first(rows[i : i + 1], axis)
        _check_finite(image, error)
        sample.add(image)
    return sample


def _check_finite(values: NDArray[Any], error: Error) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise error(f"array 'images' has {NOT_FINITE}")
