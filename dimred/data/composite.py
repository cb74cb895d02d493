"""Images of any number of channels as pictures for people: gray, color or false colors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dimred.errors import InputError

_PAIR = ((0, 255, 0), (255, 0, 255))  # green and magenta, which the color-blind tell apart
# Red, green, blue, cyan, magenta, yellow, white.
_COLORS = (
    *((255, 0, 0), (0, 255, 0), (0, 0, 255)),
    *((0, 255, 255), (255, 0, 255), (255, 255, 0), (255, 255, 255)),
)
MAX_SHOWN = len(_COLORS)
_DEFAULT = 3


def composite(
    images: NDArray[np.uint8], channels: Sequence[int] | None = None, is_rgb: bool = True
) -> NDArray[np.uint8]:
    """Pictures of images: uint8 (..., C, H, W) to (..., 1 or 3, H, W).

    channels: those to show, in the order of their colors: one gray; two green and magenta; more
        red, green, blue, cyan, magenta, yellow and white, which add up. None: images of one channel
        and, where is_rgb, of three are as they are; of others the first three channels.
    is_rgb: whether three channels are red, green and blue.
    Raises InputError for channels that the images do not have, and for more than 7 or none.
    """
    count = images.shape[-3]
    if channels is None:
        if count == 1 or (count == 3 and is_rgb):
            return images
        channels = range(min(count, _DEFAULT))
    check_channels(channels, count)
    chosen = images[..., list(channels), :, :]
    if len(channels) in (1, 3):
        return chosen
    colors = np.array(_PAIR if len(channels) == 2 else _COLORS[: len(channels)], dtype=np.float32)
    mixed = np.einsum("...chw,ck->...khw", chosen.astype(np.float32), colors / 255)
    shown: NDArray[np.uint8] = np.rint(mixed.clip(0, 255)).astype(np.uint8)
    return shown


def check_channels(channels: Sequence[int], count: int) -> None:
    """Raise InputError for channels to show that images of `count` channels do not have."""
    shown = ",".join(map(str, channels))
    if not 1 <= len(channels) <= MAX_SHOWN or len(set(channels)) < len(channels):
        raise InputError(f"--channels {shown}: must be 1 to {MAX_SHOWN} different channels")
    if min(channels) < 0 or max(channels) >= count:
        last = count - 1
        raise InputError(f"--channels {shown}: the images have channels 0 to {last}")
