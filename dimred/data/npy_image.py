"""One image in an .npy file."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dimred.data.reading import Header, Values, check_size, check_values
from dimred.data.window import BYTES, MAX_CHANNELS, READ_TYPES, type_name


def npy_header(file: BinaryIO) -> Header:
    """What an .npy file says of its image. Raises ValueError for one that is none."""
    shape, dtype = _header(file)
    channels = 1 if len(shape) == 2 else shape[_channel_axis(shape)]
    return Header(channels, _is_color(channels, dtype), _type(dtype))


def npy_values(file: BinaryIO) -> Values:
    """The image in an .npy file: (H, W), (H, W, C) or (C, H, W), where the axis of at most 16 is
    the channel. Three channels of bytes are red, green and blue; of other types they are channels.
    bool is 0 and 255.

    Raises ValueError for other arrays, and where the file is damaged.
    """
    shape, dtype = _header(file)
    file.seek(0)
    values: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    if dtype == np.bool_:
        values = values.astype(np.uint8) * 255
    if len(shape) == 2:
        values = values[np.newaxis]
    elif _channel_axis(shape) == 2:
        values = values.transpose(2, 0, 1)
    check_values(values)
    channels = "" if len(values) == 1 else f", {len(values)} channels"
    kind = f"NPY {type_name(dtype)}{channels}"
    return Values(values, _type(dtype), _is_color(len(values), dtype), kind)


def _type(dtype: np.dtype[Any]) -> str:
    """The type that values are read as."""
    return BYTES if dtype == np.bool_ else type_name(dtype)


def _is_color(channels: int, dtype: np.dtype[Any]) -> bool:
    return channels == 3 and dtype == np.uint8


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, checked before anything is read."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.name not in READ_TYPES:
        raise ValueError(f"its values are {dtype}; must be {', '.join(READ_TYPES)}")
    if len(shape) not in (2, 3) or 0 in shape:
        raise ValueError(f"has the shape {shape}; must be (H, W), (H, W, C) or (C, H, W)")
    axis = _channel_axis(shape) if len(shape) == 3 else None
    height, width = (length for i, length in enumerate(shape) if i != axis)
    check_size(width, height, int(np.prod(shape, dtype=object)) * dtype.itemsize)
    return shape, dtype


def _channel_axis(shape: tuple[int, ...]) -> int:
    """0 or 2. Raises ValueError where both, or neither, may be the channel."""
    first, last = shape[0] <= MAX_CHANNELS, shape[2] <= MAX_CHANNELS
    if first == last:
        many = "both the first and the last axis are" if first else "neither end is"
        raise ValueError(
            f"has the shape {shape}: {many} of at most {MAX_CHANNELS}, so that the channel is not "
            "known"
        )
    return 0 if first else 2
