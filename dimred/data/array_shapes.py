"""Which axis of an array of images is the channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.window import MAX_CHANNELS
from dimred.errors import InputError

AXES = {"NCHW": 1, "NHWC": 3}
"""What an array `axes` may say of four axes, and which of them is the channel."""
_USUAL = (1, 3)  # channels: gray and RGB


def channel_axis(
    shape: tuple[int, ...],
    error: Callable[[str], InputError],
    axes: str | None = None,
    known: tuple[int, int, int] | None = None,
) -> int | None:
    """The axis of the channel, 1 or 3; None for images (N, H, W) without one.

    Of four axes it is the only one of axes 1 and 3 that is 1 or 3 long; else the only one that is
    at most MAX_CHANNELS long.

    axes: what the array is said to be, one of AXES; None where nothing is said.
    known: channels, height and width that the images should have, which decide where they can.
    error: makes an exception from a message; raised for any other shape.
    """
    named = f"array 'images' has shape {shape}"
    if len(shape) not in (3, 4):
        raise error(f"{named}; must be (N, H, W), (N, H, W, C) or (N, C, H, W)")
    if 0 in shape:
        raise error(f"{named}: no pixels")
    if axes is not None and (axes not in AXES or len(shape) != 4):
        raise error(f"array 'axes' is {axes!r} and {named}; must be NCHW or NHWC, of four axes")
    if len(shape) == 3:
        return None
    axis = AXES[axes] if axes else _axis_by_size(shape, known) or _axis_by_count(shape)
    if axis is None:
        both = all(shape[i] <= MAX_CHANNELS for i in (1, 3))
        if both:
            raise error(
                f"{named}: which axis is the channel? Save gray images as (N, H, W), others in an "
                ".npz file with an array axes='NCHW' or 'NHWC'"
            )
    if axis is None or shape[axis] > MAX_CHANNELS:
        raise error(f"{named}: one of axes 1 and 3 must be the channel, of 1 to {MAX_CHANNELS}")
    return axis


def channels_first(images: NDArray[Any], axis: int | None) -> NDArray[Any]:
    """A view (N, C, H, W) of images whose channel is `axis`."""
    if axis is None:
        return images[:, np.newaxis]
    return images.transpose(0, 3, 1, 2) if axis == 3 else images


def shape_of(shape: tuple[int, ...], axis: int | None) -> tuple[int, int, int]:
    """Channels, height and width of images whose channel is `axis`."""
    if axis is None:
        return 1, shape[1], shape[2]
    return (shape[3], shape[1], shape[2]) if axis == 3 else (shape[1], shape[2], shape[3])


def _axis_by_size(shape: tuple[int, ...], known: tuple[int, int, int] | None) -> int | None:
    if known is None:
        return None
    sides, whole = known[1:], (known[0],)
    fitting = [axis for axis in AXES.values() if shape_of(shape, axis)[1:] == sides]
    exact = [axis for axis in fitting if shape_of(shape, axis)[:1] == whole]
    return next((found[0] for found in (exact, fitting) if len(found) == 1), None)


def _axis_by_count(shape: tuple[int, ...]) -> int | None:
    for counts in (_USUAL, range(1, MAX_CHANNELS + 1)):
        found = [axis for axis in AXES.values() if shape[axis] in counts]
        if found:
            return found[0] if len(found) == 1 else None
    return None
