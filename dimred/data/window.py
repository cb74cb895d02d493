"""How the values of an image file become bytes: the window that 0 to 255 are spread over."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dimred.errors import InputError

AUTO, TYPE = "auto", "type"
ANY = "any"
"""In place of the name of a type: the values of every type."""
BYTES = "uint8"
BOOL = "bool"
READ_TYPES = (
    *(BOOL, BYTES, "uint16", "int16", "uint32", "int32"),
    *("float16", "float32", "float64"),
)
"""The types of values that arrays may have."""

MAX_SAMPLED = 1_000
"""Images that the ranges of `auto` are taken from."""
MAX_OF_IMAGE = 4_096
"""Values of each channel of each of these, of fewer than three channels; of more they are fewer."""
_MAX_KEPT = 2**23  # values in all, of 8 bytes
_OUTSIDE = 0.1  # percent of the values on either side that become 0 or 255
_REACHED = 0.5  # floats in [0, 1] are taken for shares of the whole if they reach this

NOT_FINITE = "NaN or infinite values; make numbers of them first, as numpy.nan_to_num does"
"""What images with such values, which are not read, are told to have."""

MAX_CHANNELS = 16
"""Of images."""

_LARGEST = sys.float_info.max

Range = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """The range of values that become 0 to 255, for each type of values and each channel.

    Raises ValueError for what is no range.

    by_type: (low, high) of each of C channels, low < high, or one for all channels, by the name of
        the type of the values, such as "uint16" (`type_name`), or by ANY; for types without an
        entry, see `Reading.ranges`. Values outside a range become 0 or 255.
    """

    by_type: Mapping[str, tuple[Range, ...]]

    def __post_init__(self) -> None:
        for of in self.by_type.values():
            if not (of and all(map(_is_range, of))):
                raise ValueError(f"{of}: must be ranges (low, high), low < high, of finite widths")

    def ranges(self, name: str) -> tuple[Range, ...] | None:
        """The ranges of a type's values; None where there is no entry for it."""
        return self.by_type.get(name, self.by_type.get(ANY))

    def text(self, channels: int) -> str:
        """What becomes 0 to 255 of images with C channels, such as "uint16 as 0 to 4095"."""
        return "; ".join(
            f"{'values' if name == ANY else name} as "
            + in_channels([_in_words(*pair) for pair in of], channels)
            for name, of in self.by_type.items()
        )

    def as_json(self) -> dict[str, list[list[float]]]:
        """Plain values for summary.json."""
        return {name: [list(pair) for pair in of] for name, of in self.by_type.items()}

    @classmethod
    def from_json(cls, content: Any, named: str) -> Self:
        """The window that `as_json` gave. named: how messages begin.

        Raises InputError for anything else.
        """
        try:
            window = cls(
                {
                    str(name): tuple((float(low), float(high)) for low, high in of)
                    for name, of in content.items()
                }
            )
        except (AttributeError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"{named}: {content!r} is no window as a run writes it") from error
        return window


def in_channels(texts: Sequence[str], channels: int) -> str:
    """A text for each of C channels, or one for all; said once where it is the same for all."""
    if len(set(texts)) > 1:
        return ", ".join(texts)
    return texts[0] if channels == 1 else f"{texts[0]} in each channel"


def check_window(value: Any) -> None:
    """Raise InputError for a `dataset.window` that is neither `auto`, `type`, a range [low, high]
    nor a list of ranges, one a channel."""
    if value in (AUTO, TYPE) or _is_range(value):
        return
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if is_list and value and all(map(_is_range, value)):
        return
    shown = "null" if value is None else value
    raise InputError(
        f"dataset.window={shown}: must be auto, type, [low,high] with low < high, or a list of "
        "such ranges, one a channel"
    )


def given_window(value: Any, channels: int) -> Window | None:
    """The window that the ranges in a `dataset.window` are; None for `auto` and `type`.

    channels: of the images. Raises InputError as `check_window`, and where there are neither one
    range nor one for each channel.
    """
    check_window(value)
    if value in (AUTO, TYPE):
        return None
    pairs = [value] if _is_range(value) else value
    if len(pairs) not in (1, channels):
        has = "1 channel" if channels == 1 else f"{channels} channels"
        raise InputError(
            f"dataset.window={value}: has {len(pairs)} ranges, but the images have {has}; must be "
            "one range, or one for each channel"
        )
    return Window({ANY: tuple((float(low), float(high)) for low, high in pairs)})


def type_name(dtype: np.dtype[Any]) -> str:
    """The name of a type of values in `Window.by_type`, whatever its order of bytes. TIFFs of 12
    bits have a type of their own there, "uint12"."""
    return dtype.newbyteorder("=").name


def range_of_type(name: str) -> Range:
    """The whole range of a type of values: 0 to the largest, [0, 1] for floats.

    Raises ValueError for integers of 32 bits, whose range is that of no measurement.
    """
    if name.startswith("float"):
        return 0.0, 1.0
    is_signed, bits = name.startswith("int"), int(name.removeprefix("u").removeprefix("int"))
    if bits > 16:
        raise ValueError(
            f"the range of its {bits}-bit integers is not known; set dataset.window=auto or "
            "[low,high], or save it with 16 bits"
        )
    return 0.0, float(2 ** (bits - is_signed) - 1)


def check_inside(values: NDArray[Any], name: str) -> None:
    """Raise ValueError for values that lie outside the range of their type, which
    `dataset.window=type` spreads over the bytes."""
    low, high = range_of_type(name)
    lowest, highest = float(values.min()), float(values.max())
    if lowest >= low and highest <= high:
        return
    advice = "set dataset.window=auto or [low,high]"
    if not name.startswith("float") and lowest >= low:
        raise ValueError(f"its values go up to {highest:g}, above {high:g}; {advice}")
    if not name.startswith("float"):
        raise ValueError(f"its signed values go below 0, and what is black is not known; {advice}")
    raise ValueError(
        f"its floating-point values go from {lowest:g} to {highest:g}, not 0 to 1; {advice}"
    )


def to_bytes(values: NDArray[Any], ranges: Sequence[Range]) -> NDArray[np.uint8]:
    """Values of any real type, finite, as bytes: (..., C, H, W) to uint8 of that shape.

    ranges: of each of C channels, or one for all. low becomes 0, high 255, rounded to the nearest;
        values outside are 0 or 255.
    Takes some 16 bytes for each value of a channel: give large arrays in parts.
    """
    channels = values.shape[-3]
    pairs = ranges if len(ranges) == channels else [*ranges] * channels
    found = np.empty(values.shape, dtype=np.uint8)
    for channel, (low, high) in zip(range(channels), pairs, strict=True):
        of_channel = values[..., channel, :, :]
        if (low, high) == (0, 1) and values.dtype.kind == "f":
            # In their own precision, to the bytes of earlier versions.
            scaled = of_channel.clip(0, 1) * values.dtype.type(255)
        else:
            with np.errstate(over="ignore"):  # of values far outside
                scaled = (of_channel.astype(np.float64) - low) * (255 / (high - low))
        found[..., channel, :, :] = np.rint(scaled).clip(0, 255)
    return found


class Sample:
    """Values of images of one type, to choose the range of each channel by.

    channels: of the images. name: of the type, as `type_name`.
    """

    def __init__(self, channels: int, name: str):
        self._name = name
        self._most = min(MAX_OF_IMAGE, _MAX_KEPT // (MAX_SAMPLED * channels))
        self._kept: list[list[NDArray[Any]]] = [[] for _ in range(channels)]
        self._low, self._high = np.full(channels, np.inf), np.full(channels, -np.inf)

    def add(self, image: NDArray[Any]) -> None:
        """Take an image, (C, H, W) of finite values, into account; of gray ones (1, H, W) as well,
        whose channels are then equal."""
        for channel, kept in enumerate(self._kept):
            values = image[channel if len(image) > 1 else 0]
            self._low[channel] = min(self._low[channel], values.min())
            self._high[channel] = max(self._high[channel], values.max())
            step = -(-values.size // self._most)
            while math.gcd(step, values.shape[-1]) > 1:  # which would be the same few columns
                step += 1
            kept.append(values.ravel()[::step].copy())

    def __len__(self) -> int:
        """The number of images."""
        return len(self._kept[0])

    def ranges(self) -> tuple[Range, ...]:
        """For each channel the 0.1 and 99.9 percentiles. Floats that all lie in [0, 1] and reach
        0.5 in some channel keep [0, 1] in all. Where the percentiles are equal, the lowest and the
        highest value; where these are equal too, a range of width 1 or, for values that this is
        nothing to, the next.

        Raises InputError for values that are too far apart for a range.
        """
        return tuple(map(self._range, range(len(self._kept))))

    def _range(self, channel: int) -> Range:
        is_float = self._name.startswith("float")
        if is_float and self._low.min() >= 0 and _REACHED <= self._high.max() <= 1:
            return 0.0, 1.0
        low, high = float(self._low[channel]), float(self._high[channel])
        values = np.concatenate(self._kept[channel]).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # see below
            ends = np.percentile(values, [_OUTSIDE, 100 - _OUTSIDE], overwrite_input=True)
        first, last = ends.tolist()
        chosen = [(first, last), (low, high)]
        if high - low < 1:  # without contrast
            chosen.append((low, max(low + 1, math.nextafter(low, math.inf))))
            chosen.append((math.nextafter(low, -math.inf), low))  # of the largest number
        for found in chosen:
            if _is_range(found):
                return found
        raise InputError(
            f"dataset.window=auto: values of {self._name} go from {low:g} to {high:g}, which is no "
            "range for bytes; set dataset.window=[low,high]"
        )


def sampled(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most MAX_SAMPLED of some positions, evenly spaced."""
    if len(positions) <= MAX_SAMPLED:
        return positions
    return positions[np.linspace(0, len(positions) - 1, MAX_SAMPLED).round().astype(np.int64)]


def _in_words(low: float, high: float) -> str:
    """A range by whole numbers or 4 digits; more where these are too few to tell the ends apart."""
    for digits in (4, 8, 17):
        ends = [
            f"{end:.0f}" if 10**3 <= abs(end) < 10**15 and digits == 4 else f"{end:.{digits}g}"
            for end in (low, high)
        ]
        if ends[0] != ends[1]:
            break
    return " to ".join(ends)


def _is_range(value: Any) -> bool:
    """Whether it is a pair of numbers, low < high, that bytes can be spread over."""
    if not isinstance(value, Sequence) or len(value) != 2:
        return False
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        return False
    low, high = value
    # Integers may be too large for floats.
    if not -_LARGEST <= low < high <= _LARGEST:
        return False
    width = float(high) - float(low)
    return 0 < width < math.inf and 255 / width < math.inf
