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
from dimred.data.stored_array import Rows, StoredArray
from dimred.data.window import (
    BYTES,
    NOT_FINITE,
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

_INTEGERS = ("bool", "uint8", "uint16", "int16", "uint32", "int32")
READ_TYPES = (*_INTEGERS, "float16", "float32", "float64")
_BOOL = "bool"
_UNIT = (0.0, 1.0)
_AT_A_TIME = 2**24  # bytes read for a digest
_VALUES = 2**18  # that become bytes at a time
_FORMAT = b"array 1"  # changes where the same values become other bytes


class ArraySource:
    """The images of an array as a `PixelSource`.

    axis: of the channel, None where there is none. ranges: that become 0 to 255, one for each
        channel or for all; None for bytes that stay as they are.
    whole: refuse values outside of the range of their type.
    error: makes an exception from a message; raised for values that cannot be bytes.
    """

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
        pixels = np.empty(images.shape, np.uint8)
        step = max(_VALUES // math.prod(self.shape), 1)
        for i in range(0, len(images), step):
            pixels[i : i + step] = to_bytes(images[i : i + step], self.ranges)
        return Block(pixels)

    def key(self, known: KnownDigests | None = None) -> bytes:
        about = (self.rows.shape, self.rows.dtype.str, self.axis, self.ranges)
        key = hashlib.blake2b(_FORMAT + repr(about).encode(), digest_size=32)
        if known is not None and isinstance(self.rows, StoredArray):
            key.update(known.of(self.rows.path, f"values from {self.rows.start}", self._digest))
        else:
            key.update(self._digest())
        return key.digest()

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
        if self.whole and images.dtype.kind != "b":
            try:
                check_inside(images, type_name(images.dtype))
            except ValueError as problem:
                raise self.error(f"array 'images' is {images.dtype}: {problem}") from problem


def source_of(
    rows: Rows, axis: int | None, window: Any, is_test: NDArray[np.bool_], error: Error
) -> tuple[ArraySource, Window | None]:
    """The images of an array, and the window by which values become bytes.

    window: `dataset.window`. is_test: of each image; the others are learned from.
    Raises InputError as made by `error` for values that have no such window.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    given = given_window(window, channels)
    if given is not None:
        return ArraySource(rows, axis, given.ranges(name), False, error), given
    if name in (BYTES, _BOOL):
        ranges = (_UNIT,) if name == _BOOL else None
        return ArraySource(rows, axis, ranges, False, error), None
    if window == TYPE:
        chosen = Window({name: (_whole_range(name, error),) * channels})
    else:
        chosen = Window({name: _sample(rows, axis, is_test, error).ranges()})
    return ArraySource(rows, axis, chosen.ranges(name), window == TYPE, error), chosen


def source_for(rows: Rows, axis: int | None, window: Window | None, error: Error) -> ArraySource:
    """The images of an array as a run takes them whose window is given.

    A type that the run has no window for is taken where nothing needs to be known: bytes, bool,
    and floats by the window of other floats or, without one, in [0, 1].
    Raises InputError as made by `error` for other types, and for another number of channels.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    ranges = None if window is None else _ranges_for(rows.dtype, window)
    if ranges is not None:
        if len(ranges) not in (1, channels):
            has = "1 channel" if channels == 1 else f"{channels} channels"
            raise error(f"array 'images' has {has}; the run's window is of {len(ranges)}")
        return ArraySource(rows, axis, ranges, False, error)
    if name == BYTES:
        return ArraySource(rows, axis, None, False, error)
    if rows.dtype.kind not in "fb":
        known = ", ".join(window.by_type if window else (BYTES,))
        raise error(f"array 'images' is {name}; the run learned from {known} and has no window")
    return ArraySource(rows, axis, (_UNIT,), True, error)


def _ranges_for(dtype: np.dtype[Any], window: Window) -> tuple[Range, ...] | None:
    """The ranges of values of a type, or of another type of floats."""
    of_type = window.ranges(type_name(dtype))
    if of_type is not None or dtype.kind != "f":
        return of_type
    return next((found for name, found in window.by_type.items() if name.startswith("float")), None)


def _checked_type(dtype: np.dtype[Any], error: Error) -> str:
    if dtype.name not in READ_TYPES:
        raise error(f"array 'images' is {dtype}; must be {', '.join(READ_TYPES)}")
    return type_name(dtype)


def _whole_range(name: str, error: Error) -> Range:
    try:
        return range_of_type(name)
    except ValueError as problem:
        raise error(f"array 'images': {problem}") from problem


def _sample(rows: Rows, axis: int | None, is_test: NDArray[np.bool_], error: Error) -> Sample:
    sample = Sample(shape_of(rows.shape, axis)[0], type_name(rows.dtype))
    for i in sampled(np.flatnonzero(~is_test)):
        (image,) = channels_first(rows[i : i + 1], axis)
        _check_finite(image, error)
        sample.add(image)
    return sample


def _check_finite(values: NDArray[Any], error: Error) -> None:
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise error(f"array 'images' has {NOT_FINITE}")
