"""How the values of an image file become bytes: the window that 0 to 255 are spread over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dimred.errors import InputError

AUTO, TYPE = "auto", "type"

Range = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """The range of values that become 0 to 255, for each type of values and each channel.

    by_type: (low, high) of each of C channels, low < high, by the NumPy name of the type of the
        values, such as "uint16". Types without an entry are taken as they are, which is possible
        for bytes only. Values outside a range become 0 or 255.
    """

    by_type: Mapping[str, tuple[Range, ...]]

    def as_json(self) -> dict[str, list[list[float]]]:
        """Plain values for summary.json."""
        return {name: [list(pair) for pair in of] for name, of in self.by_type.items()}

    @classmethod
    def from_json(cls, content: Any, named: str) -> Self:
        """The window that `as_json` gave. named: how messages begin.

        Raises InputError for anything else.
        """
        try:
            return cls(
                {
                    str(name): tuple((float(low), float(high)) for low, high in of)
                    for name, of in content.items()
                }
            )
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"{named}: {content!r} is no window as a run writes it") from error


def check_window(value: Any) -> None:
    """Raise InputError for a `dataset.window` that is neither `auto`, `type`, a range [low, high]
    nor a list of ranges, one a channel."""
    if value in (AUTO, TYPE) or _is_range(value):
        return
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if is_list and value and all(map(_is_range, value)):
        return
    raise InputError(
        f"dataset.window={value}: must be auto, type, [low,high] with low < high, or a list of "
        "such ranges, one a channel"
    )


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and len(value) == 2
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
        and float("-inf") < value[0] < value[1] < float("inf")
    )
