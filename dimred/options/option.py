"""One configuration field: its default, its sentence of documentation, and what it may be."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import MISSING, Field, field, fields, is_dataclass
from typing import Any


def option(
    default: Any,
    doc: str,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    changes_result: bool = True,
    is_path: bool = False,
) -> Any:
    """A dataclass field with documentation and bounds.

    Bounds hold for numbers and for each number of a list. A field with `changes_result=False` may
    differ between the run that wrote a checkpoint and the run that continues it; where the data lie
    is such a field, since a run's identity holds a fingerprint of the data themselves. `is_path`
    marks the name of a file or folder: on the command line it may hold any character, and a leading
    `~` is expanded.
    """
    metadata = {
        "doc": doc,
        "at_least": at_least,
        "above": above,
        "at_most": at_most,
        "below": below,
        "changes_result": changes_result,
        "is_path": is_path,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def nested(factory: Any, doc: str, *, changes_result: bool = True) -> Any:
    """A dataclass field that holds further options; with `changes_result=False`, none of them
    does."""
    metadata = {"doc": doc, "changes_result": changes_result}
    return field(default_factory=factory, metadata=metadata)


def decides(spec: Field[Any]) -> bool:
    """Whether a field's value decides a run's result."""
    return bool(spec.metadata.get("changes_result", True))


def copy_of(spec: Field[Any]) -> Any:
    """A field like another, for a class of its own."""
    if spec.default_factory is not MISSING:
        return field(default_factory=spec.default_factory, metadata=spec.metadata)
    return field(default=spec.default, metadata=spec.metadata)


def leaves(options: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """The fields of a dataclass, of a class or an object of it: (dotted key, field); those of
    nested dataclasses in place of the field that holds them."""
    for spec in fields(options):
        held = spec.default_factory() if spec.default_factory is not MISSING else None
        if is_dataclass(held):
            yield from leaves(held, f"{prefix}{spec.name}.")
        else:
            yield f"{prefix}{spec.name}", spec


def allowed(spec: Field[Any]) -> str:
    """The bounds of a field in words, or "" where it has none."""
    words = {
        "at_least": "at least {}",
        "above": "above {}",
        "at_most": "at most {}",
        "below": "below {}",
    }
    bounds = [
        text.format(_plain(spec.metadata[key]))
        for key, text in words.items()
        if spec.metadata.get(key) is not None
    ]
    return " and ".join(bounds)


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _within(number: float, spec: Field[Any]) -> bool:
    limits = spec.metadata
    return (
        math.isfinite(number)
        and (limits.get("at_least") is None or number >= limits["at_least"])
        and (limits.get("above") is None or number > limits["above"])
        and (limits.get("at_most") is None or number <= limits["at_most"])
        and (limits.get("below") is None or number < limits["below"])
    )


def walk(options: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any] | None, Any]]:
    """Every leaf of nested option dataclasses: (dotted key, its field, its value)."""
    items: list[tuple[str, Field[Any] | None, Any]]
    if is_dataclass(options):
        items = [(spec.name, spec, getattr(options, spec.name)) for spec in fields(options)]
    else:
        items = [(str(key), None, value) for key, value in options.items()]
    for name, spec, value in items:
        key = f"{prefix}{name}"
        if is_dataclass(value) or (isinstance(value, dict) and value):
            yield from walk(value, f"{key}.")
        else:
            yield key, spec, value


def violations(options: Any) -> Iterator[str]:
    """One line for each value outside its bounds."""
    for key, spec, value in walk(options):
        if spec is None:
            continue
        numbers = value if isinstance(value, list | tuple) else [value]
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if not _within(number, spec):
                bounds = allowed(spec) if math.isfinite(number) else ""
                yield f"{key}={value}: must be {bounds or 'a finite number'}"
                break
