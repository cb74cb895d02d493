"""Labels that tell runs apart by the options in which they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dimred.tables.distinctions import short_names

Values = Mapping[str, Any]


def run_labels(
    names: Sequence[str], values: Sequence[Values], always: Sequence[str] = ()
) -> list[str]:
    """A label for each of n runs, or groups of runs; no two are equal.

    A label is the name, then the options in which its namesakes differ: choices (`loss=tsimcne`)
    first, then epochs, then others, until the labels are unique. So options that follow from a
    choice are not named. An option without a value is left out. Runs that differ in nothing are
    numbered.

    names: of the n runs, "" for none. values: options of each by dotted key.
    always: keys that are named even if the labels are unique without them.
    """
    labels = [""] * len(names)
    for name in dict.fromkeys(names):
        rows = [row for row, other in enumerate(names) if other == name]
        parts = _distinctions([values[row] for row in rows], always)
        for row, its in zip(rows, parts, strict=True):
            labels[row] = ", ".join(part for part in (name, *its) if part)
    return _numbered(labels)


def _distinctions(values: Sequence[Values], always: Sequence[str]) -> list[list[str]]:
    """The options of each run that tell it from the others, as texts."""
    keys = sorted({key for each in values for key in each}, key=_importance)
    chosen = [key for key in keys if key in always]
    found = _distinct(values, chosen)
    for key in keys:
        if found == len(values):
            break
        with_key = _distinct(values, [*chosen, key])
        if with_key > found:
            chosen, found = [*chosen, key], with_key
    chosen.sort(key=_importance)
    shown = dict(zip(chosen, short_names(chosen), strict=True))
    return [
        [_text(shown[key], each[key]) for key in chosen if each.get(key) is not None]
        for each in values
    ]


def _distinct(values: Sequence[Values], keys: Sequence[str]) -> int:
    """How many of the runs the texts of these options tell apart."""
    return len({tuple(_value(each.get(key)) for key in keys) for each in values})


def _importance(key: str) -> tuple[int, str]:
    """Sorts options by how much they tell: choices, epochs, others, seed and data last."""
    kinds = (
        key.endswith(".name"),
        key == "epochs",
        key.endswith(".epochs"),
        not key.startswith(("device.", "eval.")) and "." in key and "warmup" not in key,
        key != "seed" and "." in key,
        key == "seed",
    )
    return (kinds.index(True) if True in kinds else len(kinds)), key


def _value(value: Any) -> str | None:
    return None if value is None else str(value)


def _text(key: str, value: Any) -> str:
    if key == "epochs" and isinstance(value, int):
        return f"{value:,} epochs"
    return f"seed {value}" if key == "seed" else f"{key}={value}"


def _numbered(labels: Sequence[str]) -> list[str]:
    """The labels, equal ones with numbers."""
    unique: list[str] = []
    taken = set(labels)
    for label in labels:
        new, number = label, 1
        while new in unique or (number > 1 and new in taken):
            number += 1
            new = f"{label} ({number})" if label else f"({number})"
        unique.append(new)
    return unique
