"""One image in an .npy file."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from dimred.data.reading import Header, Values, check_size, check_values
from dimred.data.window import MAX_CHANNELS, type_name


def npy_header(file: BinaryIO) -> Header:
    """What an .npy file says of its image. Raises ValueError for one that is none."""
    shape, dtype = _header(file)
    channels = 1 if len(shape) == 2 else shape[_channel_axis(shape)]
    return Header(channels, channels == 3, type_name(dtype))


def npy_values(file: BinaryIO) -> Values:
    """The image in an .npy file: (H, W), (H, W, C) or (C, H, W), where the axis of at most 16 is
    the channel. Three channels are red, green and blue.

    Raises ValueError for other arrays, and where the file is damaged.
    """
    shape, dtype = _header(file)
    file.seek(0)
    values: NDArray[Any] = npy.read_array(file, allow_pickle=False)
    if len(shape) == 2:
        values = values[np.newaxis]
    elif _channel_axis(shape) == 2:
        values = values.transpose(2, 0, 1)
    check_values(values)
    name = type_name(dtype)
    channels = "" if len(values) == 1 else f", {len(values)} channels"
    return Values(values, name, len(values) == 3, f"NPY {name}{channels}")


def _header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type, checked before anything is read."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in "uif":
        raise ValueError(f"its values are {dtype}; must be integers or floats")
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
