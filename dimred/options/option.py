"""One configuration field: its default, documentation and bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


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
    also: Sequence[str] = (),
    unit: str = "",
    common: bool = False,
    form: str = "",
) -> Any:
    """A dataclass field with documentation and bounds.

    Bounds apply to a number, or to each number of a list. A field with `changes_result=False` may
    differ between the run that wrote a checkpoint and the run that continues it. The data's
    location is such a field, since a run's identity includes a fingerprint of the data. `is_path`
    marks the name of a file or folder: on the command line it may contain any character, and a
    leading `~` is expanded.

    For who looks for it: `also` are other names that it is looked for by; `unit` says what its
    number is where another could be meant, such as "a factor"; `common` marks one of the few that
    matter first; `form` says what is typed, where its type does not.
    """
    metadata = {
        "doc": doc,
        "at_least": at_least,
        "above": above,
        "at_most": at_most,
        "below": below,
        "changes_result": changes_result,
        "is_path": is_path,
        "also": tuple(also),
        "unit": unit,
        "common": common,
        "form": form,
    }
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def nested(factory: Any, doc: str, *, changes_result: bool = True) -> Any:
    """A dataclass field that holds nested options; `changes_result=False` applies to all of
    them."""
    metadata = {"doc": doc, "changes_result": changes_result}
    return field(default_factory=factory, metadata=metadata)


def changes_result(spec: Field[Any]) -> bool:
    """Whether a field's value affects a run's result."""
    return bool(spec.metadata.get("changes_result", True))


def copied(spec: Field[Any]) -> Any:
    """A new field with the default and metadata of another, for use in a second class."""
    if spec.default_factory is not MISSING:
        return field(default_factory=spec.default_factory, metadata=spec.metadata)
    return field(default=spec.default, metadata=spec.metadata)


def leaves(options: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """(dotted key, field) for each field of a dataclass or an instance of one. A field that holds a
    dataclass is replaced by the fields of that dataclass."""
    for spec in fields(options):
        default = spec.default_factory() if spec.default_factory is not MISSING else None
        if is_dataclass(default):
            yield from leaves(default, f"{prefix}{spec.name}.")
        else:
            yield f"{prefix}{spec.name}", spec


def allowed(spec: Field[Any]) -> str:
    """The bounds of a field as text, "" without any."""
    templates = {
        "at_least": "at least {}",
        "above": "above {}",
        "at_most": "at most {}",
        "below": "below {}",
    }
    bounds = [
        template.format(_plain(spec.metadata[key]))
        for key, template in templates.items()
        if spec.metadata.get(key) is not None
    ]
    return " and ".join(bounds)


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _within(number: float, spec: Field[Any]) -> bool:
    limits = spec.metadata
    return (
        _is_computable(number)
        and (limits.get("at_least") is None or number >= limits["at_least"])
        and (limits.get("above") is None or number > limits["above"])
        and (limits.get("at_most") is None or number <= limits["at_most"])
        and (limits.get("below") is None or number < limits["below"])
    )


def _is_computable(number: float) -> bool:
    """Whether a number is finite and fits into 64 bits."""
    return abs(number) < 2**63 if isinstance(number, int) else math.isfinite(number)


def walk(options: Any, prefix: str = "") -> Iterator[tuple[str, Field[Any] | None, Any]]:
    """(dotted key, field, value) for every leaf of nested option dataclasses."""
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


def mistyped(options: Any, prefix: str = "") -> Iterator[str]:
    """One line for each value that is not of its field's type: OmegaConf does not check what is in
    lists."""
    hints = get_type_hints(type(options))
    for spec in fields(options):
        key, value, hint = f"{prefix}{spec.name}", getattr(options, spec.name), hints[spec.name]
        parts = [(key, value, hint)]
        if isinstance(value, dict) and get_origin(hint) is dict:
            parts = [(f"{key}.{name}", part, get_args(hint)[1]) for name, part in value.items()]
        for name, part, kind in parts:
            if not _fits(part, kind):
                yield f"{name}={part}: must be {_type_text(kind)}"
            elif is_dataclass(part):
                yield from mistyped(part, f"{name}.")


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type, as far as types of options go."""
    if hint is Any:
        return True
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if origin in (list, tuple):  # OmegaConf makes lists of tuples
        return isinstance(value, list | tuple) and all(_fits(part, parts[0]) for part in value)
    if origin is not None or not isinstance(hint, type):
        return isinstance(value, origin) if isinstance(origin, type) else True
    if isinstance(value, bool) and hint in (int, float):
        return False
    return isinstance(value, (int, float) if hint is float else hint)


def _type_text(hint: Any) -> str:
    """A type in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (list, tuple):
        return f"{_type_text(parts[0]).replace('a ', 'a list of ')}s"
    if origin in (Union, UnionType):
        return " or ".join(map(_type_text, parts))
    return _TYPES.get(hint, "a mapping of options")


_TYPES: dict[Any, str] = {
    **{int: "a whole number", float: "a number", str: "a text", bool: "true or false"},
    NoneType: "null",
}


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
                bounds = allowed(spec) if _is_computable(number) else ""
                yield f"{key}={value}: must be {bounds or 'a finite number of at most 64 bits'}"
                break
