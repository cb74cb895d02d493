"""Images of any number of channels as pictures for people: gray, color or false colors."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dimred.errors import InputError

# Green and magenta can be told apart by the color-blind, too.
_PAIR = {"green": (0, 255, 0), "magenta": (255, 0, 255)}
_COLORS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "white": (255, 255, 255),
}
MAX_SHOWN = len(_COLORS)
_DEFAULT = 3


def composite(
    images: NDArray[np.uint8], channels: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Pictures of images: uint8 (..., C, H, W) to (..., 1 or 3, H, W).

    One channel is gray, and three are red, green and blue. Other numbers of channels are in false
    colors: two are green and magenta; of more each is a shade of red, green, blue, cyan, magenta,
    yellow or white, in this order, and the shades add up, at most to white.

    channels: those to show, in the order of their colors; None for all of up to three, else the
        first three.
    Raises InputError for channels that the images do not have, more than 7, or none.
    """
    count = images.shape[-3]
    if channels is None:
        channels = range(min(count, _DEFAULT))
        chosen = images[..., : len(channels), :, :]
    else:
        chosen = images[..., list(as_channels(channels, count)), :, :]
    if len(channels) in (1, 3):
        return chosen
    colors = np.array([*_colors(len(channels)).values()], dtype=np.float32) / 255
    mixed = np.einsum("...chw,ck->...khw", chosen.astype(np.float32), colors)
    shown: NDArray[np.uint8] = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return shown


def in_words(channels: Sequence[int] | None, count: int, is_rgb: bool) -> str:
    """What `composite` shows, such as "channels 0, 2, 3 as red, green, blue"; "" where it shows all
    channels of images in gray or, as is_rgb says, in red, green and blue, as anyone expects.

    count: channels of the images.
    """
    if channels is None:
        if count == 1 or (count == _DEFAULT and is_rgb):
            return ""
        channels = range(min(count, _DEFAULT))
    if len(channels) == 1:
        return f"channel {channels[0]} in gray"
    return f"channels {', '.join(map(str, channels))} as {', '.join(_colors(len(channels)))}"


def as_channels(channels: str | Sequence[int], count: int) -> tuple[int, ...]:
    """Channels to show, as typed ("0,2,3") or as numbers.

    count: channels of the images.
    Raises InputError for text that names none, and for channels that the images do not have, more
    than 7, or none.
    """
    named = f"channels=[{','.join(map(str, channels))}]"
    if isinstance(channels, str):  # of a command
        named = f"--channels {channels}"
        if not re.fullmatch(r"\s*-?\d+\s*(,\s*-?\d+\s*)*", channels):
            raise InputError(f"{named}: must be numbers, as in 0,2,3")
        channels = [int(word) for word in channels.split(",")]
    _check(channels, count, named)
    return tuple(map(int, channels))


def _check(channels: Sequence[int], count: int, named: str) -> None:
    """Raise InputError for channels to show that images of `count` channels do not have. named: how
    they were given."""
    if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in channels):
        raise InputError(f"{named}: must be whole numbers")
    if not 1 <= len(channels) <= MAX_SHOWN or len(set(channels)) < len(channels):
        raise InputError(f"{named}: must be 1 to {MAX_SHOWN} different channels")
    if min(channels) < 0 or max(channels) >= count:
        there = "only channel 0" if count == 1 else f"channels 0 to {count - 1}"
        raise InputError(f"{named}: the images have {there}")


def _colors(count: int) -> dict[str, tuple[int, int, int]]:
    """The colors of so many channels, by name."""
    return _PAIR if count == len(_PAIR) else dict([*_COLORS.items()][:count])
