"""Texts on the command line, quoted for Hydra, whose grammar gives many characters a meaning and
reads `1_0` as the number 10."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from dimred.config.run import run_schema
from dimred.options.registry import Choice, registered

# Ways to write the values of a sweep, such as range(1,4).
_FUNCTION = re.compile(r"[a-z_]+\(.*\)", re.DOTALL)
# An element of a list, in quotes or not, and what ends it.
_ELEMENT = re.compile(
    r"""\s*(?:('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")\s*(?=[,\]])|((?:\\.|[^,\]\\])*))([,\]])""",
    re.DOTALL,
)
# Characters that Hydra takes as they are behind a backslash.
_ESCAPED = re.compile(r"\\([\\()\[\]{}:=,\s])")


def hydra_word(override: str, sweep: bool) -> str:
    """The override, with what is text by the type of its key quoted for Hydra: one text, or each
    element of a list of texts. In paths `~` is expanded. Only `null` and `${...}` keep their
    meaning, and in a sweep the commas between values, and functions such as choice(a,b)."""
    key, _, value = override.partition("=")
    declared = list(declarations(key.lstrip("+")))
    kinds = {without_none(hint) for hint, _ in declared}
    if kinds == {list[str]}:
        return f"{key}={_with_quoted_lists(value)}"
    is_path = any(spec.metadata.get("is_path") for _, spec in declared)
    is_text = is_path or kinds == {str}
    if not is_text or value[:1] in ("", "'", '"') or (sweep and _FUNCTION.fullmatch(value)):
        return override
    texts = value.split(",") if sweep else [value]
    if is_path:
        texts = [os.path.expanduser(text) for text in texts]  # noqa: PTH111  (see `expanded`)
    return f"{key}=" + ",".join(text if text == "null" else quoted(text) for text in texts)


def quoted(text: str) -> str:
    """A text in quotes, as Hydra reads it: with a backslash before each quote, and two for each
    backslash before one."""
    return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), text) + "'"


def declarations(key: str) -> Iterator[tuple[Any, Field[Any]]]:
    """Type and field of a dotted key, in each choice of its group that has it."""
    yield from _declared(run_schema(), key)


def without_none(hint: Any) -> Any:
    """A type without `| None`."""
    inner = [part for part in get_args(hint) if part is not NoneType]
    return inner[0] if len(inner) == 1 and NoneType in get_args(hint) else hint


def _declared(kind: type[Any], key: str) -> Iterator[tuple[Any, Field[Any]]]:
    name, _, rest = key.partition(".")
    spec = next((spec for spec in fields(kind) if spec.name == name), None)
    if spec is None:
        return
    hint = get_type_hints(kind)[name]
    if not rest:
        yield hint, spec
        return
    inner = without_none(hint)
    if get_origin(inner) is dict:  # the stages, by name
        inner, rest = get_args(inner)[1], rest.partition(".")[2]
        if not rest:
            yield inner, spec
            return
    if isinstance(inner, type) and issubclass(inner, Choice):
        for choice in dict.fromkeys(registered(inner.group).values()):
            yield from _declared(choice, rest)
    elif isinstance(inner, type) and is_dataclass(inner):
        yield from _declared(inner, rest)


def _with_quoted_lists(value: str) -> str:
    """The value, with each element of the lists in it quoted that is not yet."""
    parts, position = [], 0
    while position < len(value):
        start = value.find("[", position)
        if start < 0:
            break
        elements, end = _elements(value, start + 1)
        if elements is None:
            return value  # Hydra says what is wrong
        parts += [value[position:start], f"[{','.join(elements)}]"]
        position = end
    return "".join([*parts, value[position:]])


def _elements(value: str, start: int) -> tuple[list[str] | None, int]:
    """The elements of a list that begins at `start`, in quotes, and where it ends; None for one
    that is not closed or holds lists."""
    elements: list[str] = []
    while match := _ELEMENT.match(value, start):
        start = match.end()
        bare = (match[2] or "").strip()
        if bare.startswith(("[", "{")):
            return None, start
        elements.append(match[1] or (quoted(_ESCAPED.sub(r"\1", bare)) if bare else ""))
        if match[3] == "]":
            return elements, start
    return None, start
