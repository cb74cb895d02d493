"""The images of an array as bytes: its channels, its window, and reading it in blocks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.array_shapes import channels_first, shape_of
from dimred.data.pixel_source import Block
from dimred.data.stored_array import Rows
from dimred.data.window import (
    AUTO,
    TYPE,
    Range,
    Sample,
    Window,
    explicit,
    range_of_type,
    sampled,
    to_bytes,
    type_name,
)
from dimred.errors import InputError

Error = Callable[[str], InputError]

READ_TYPES = (
    "uint8",
    "bool",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float16",
    "float32",
    "float64",
)
_UNIT = (0.0, 1.0)
_AT_A_TIME = 2**24  # bytes read for a digest
_FORMAT = b"array 1"  # changes where the same values become other bytes


class ArraySource:
    """The images of an array as a `PixelSource`.

    axis: of the channel, None where there is none. ranges: that become 0 to 255, one a channel;
        None for bytes that stay as they are.
    whole: refuse values outside of `ranges`, which are then those of the type.
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
        """All images, (N, C, H, W), where they are in memory and bytes already; else None."""
        if self.ranges is not None or not isinstance(self.rows, np.ndarray):
            return None
        return np.ascontiguousarray(channels_first(self.rows, self.axis))

    def read(self, first: int, stop: int) -> Block:
        images = channels_first(self.rows[first:stop], self.axis)
        if self.ranges is None:
            return Block(np.ascontiguousarray(images))
        self._check(images)
        if images.dtype.kind in "fb" and set(self.ranges) == {_UNIT}:
            # In the type's own precision, as versions before windows did.
            wide = images.dtype.type if images.dtype.kind == "f" else np.float32
            scaled = images.clip(0, 1).astype(wide, copy=False) * wide(255)
            return Block(np.ascontiguousarray(np.rint(scaled).astype(np.uint8)))
        return Block(np.ascontiguousarray(to_bytes(images, self.ranges, channel_axis=1)))

    def key(self) -> bytes:
        digest = hashlib.blake2b(_FORMAT, digest_size=32)
        about = (self.rows.shape, self.rows.dtype.str, self.axis, self.ranges)
        digest.update(repr(about).encode())
        row = math.prod(self.rows.shape[1:]) * self.rows.dtype.itemsize
        step = max(_AT_A_TIME // row, 1)
        for first in range(0, len(self), step):
            digest.update(np.ascontiguousarray(self.rows[first : first + step]).data)
        return digest.digest()

    def _check(self, images: NDArray[Any]) -> None:
        dtype = images.dtype
        if dtype.kind == "f" and not np.isfinite(images).all():
            raise self.error("array 'images' has NaN or infinite values")
        if not self.whole or dtype.kind not in "if":
            return
        assert self.ranges is not None
        low, high = float(images.min()), float(images.max())
        if low < self.ranges[0][0] or high > self.ranges[0][1]:
            rule = (
                "floats must be in [0, 1], so scale them, save uint8 or set dataset.window"
                if dtype.kind == "f"
                else "what is black is not known, so set dataset.window"
            )
            raise self.error(f"array 'images' is {dtype} from {low:g} to {high:g}; {rule}")


def source_of(
    rows: Rows, axis: int | None, window: Any, is_test: NDArray[np.bool_], error: Error
) -> tuple[ArraySource, Window | None]:
    """The images of an array, and the window by which values become bytes.

    window: `dataset.window`. is_test: of each image; the others are learned from.
    Raises InputError as made by `error` for values that have no such window.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    ranges: tuple[Range, ...] | None
    if window not in (AUTO, TYPE):
        ranges = explicit(window, channels, [name]).by_type[name]
    elif name == "uint8":
        ranges = None
    elif window == TYPE or name == "bool":
        ranges = (_whole_range(name, error),) * channels
    else:
        ranges = _sample(rows, axis, is_test, error).ranges(rows.dtype.kind == "f")
    chosen = None if ranges is None else Window({name: ranges})
    return ArraySource(rows, axis, ranges, window == TYPE, error), chosen


def source_for(rows: Rows, axis: int | None, window: Window | None, error: Error) -> ArraySource:
    """The images of an array as a run takes them whose window is given.

    A type that the run has no window for is taken where nothing needs to be known: bytes, bool,
    and floats by the window of other floats or, without one, in [0, 1].
    Raises InputError as made by `error` for other types, and for another number of channels.
    """
    name = _checked_type(rows.dtype, error)
    channels = shape_of(rows.shape, axis)[0]
    by_type = {} if window is None else window.by_type
    kind = rows.dtype.kind
    floats = [ranges for of, ranges in by_type.items() if kind == "f" and of.startswith("float")]
    ranges = by_type.get(name, floats[0] if floats else None)
    if ranges is not None:
        if len(ranges) != channels:
            count = "1 channel" if channels == 1 else f"{channels} channels"
            raise error(f"array 'images' has {count}; the run's window is of {len(ranges)}")
        return ArraySource(rows, axis, ranges, False, error)
    if name == "uint8":
        return ArraySource(rows, axis, None, False, error)
    if kind not in "fb":
        known = " or ".join(by_type) or "uint8"
        raise error(f"array 'images' is {name}; the run learned from {known} and has no window")
    return ArraySource(rows, axis, (_UNIT,) * channels, True, error)


def _checked_type(dtype: np.dtype[Any], error: Error) -> str:
    if dtype.name not in READ_TYPES:
        raise error(f"array 'images' is {dtype}; must be {', '.join(READ_TYPES)}")
    return type_name(dtype)


def _whole_range(name: str, error: Error) -> Range:
    if name == "bool":
        return _UNIT
    try:
        return range_of_type(name)
    except ValueError as problem:
        raise error(f"array 'images': {problem}; set dataset.window") from problem


def _sample(rows: Rows, axis: int | None, is_test: NDArray[np.bool_], error: Error) -> Sample:
    sample = Sample(shape_of(rows.shape, axis)[0])
    for i in sampled(np.flatnonzero(~is_test)):
        (image,) = channels_first(rows[i : i + 1], axis)
        if rows.dtype.kind == "f" and not np.isfinite(image).all():
            raise error(f"array 'images' has NaN or infinite values, in image {i}")
        sample.add(image)
    return sample
