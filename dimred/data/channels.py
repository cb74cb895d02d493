"""Which channels the images of a set have, and images of a file with these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dimred.data.window import MAX_CHANNELS

_GRAY_OR_COLOR = 0  # one kind, as gray becomes color


class Channeled(Protocol):
    """What says of an image which channels it has."""

    @property
    def channels(self) -> int: ...

    @property
    def is_color(self) -> bool: ...


@dataclass(frozen=True)
class Channels:
    """The channels of a set. is_rgb: whether three are red, green and blue. whose: images, for
    messages on others."""

    count: int
    is_rgb: bool = True
    whose: str = field(default="most", compare=False)

    def problem(self, channels: int, is_color: bool) -> str | None:
        """Why an image with these channels does not belong to such a set; None for one that does.
        Gray belongs to a set in color, and is in all of its channels."""
        if channels > MAX_CHANNELS:
            return f"has {channels} channels; at most {MAX_CHANNELS} are read"
        of_color = self.count == 3 and self.is_rgb
        if (channels == self.count and is_color == of_color) or (channels == 1 and of_color):
            return None
        has = "is in color" if is_color else f"has {_counted(channels)}"
        has = "is gray" if channels == 1 else has
        said_of_both = "channels" in has and self.count != 3
        others = f"have {self.count if said_of_both else _counted(self.count)}"
        if of_color or self.count == 1:
            others = "are gray or in color" if of_color else "are gray"
        return f"{has}, where {self.whose} {others}"


def channels_of(count: int, is_rgb: bool) -> Channels:
    """The channels of a finished run's images. is_rgb: as of `FinishedRun`."""
    return Channels(count, is_rgb or count == 1, "the run's images")


def common_channels(headers: Sequence[Channeled]) -> Channels:
    """The channels of a set of N images, at least 1: those of most of them, where gray and color
    count together, and are color if any is."""
    kinds = Counter(_kind(header) for header in headers if header.channels <= MAX_CHANNELS)
    if not kinds:
        return Channels(1)
    kind = min(kinds, key=lambda kind: (-kinds[kind], kind))
    if kind != _GRAY_OR_COLOR:
        return Channels(kind, is_rgb=False)
    return Channels(3 if any(header.is_color for header in headers) else 1)


def _kind(header: Channeled) -> int:
    return _GRAY_OR_COLOR if header.channels == 1 or header.is_color else header.channels


def _counted(channels: int) -> str:
    return f"{channels} channels{' that are no colors' if channels == 3 else ''}"
