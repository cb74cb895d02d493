"""YAML that others wrote: plain values only, and none that a small text makes large."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dimred.errors import InputError
from dimred.files import open_regular

MAX_BYTES = 2**20
"""Largest text that is read. A configuration is a few KiB."""
MAX_DEPTH = 50
"""Deepest nesting that is read. A configuration nests six deep."""

# The C loader is thirty times as fast, where PyYAML was built with it, but does not read the bytes
# of a path that is not UTF-8, which are written as lone surrogates.
_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MAX_SLOW_BYTES = 2**16


def safe_yaml(text: str, as_texts: bool = False) -> Any:
    """The plain values in a YAML text.

    as_texts: give every value as it is written, without making it a number, a date or null.
    Raises InputError for a text that is no YAML or makes other objects, and for one that could take
    all memory or time: longer than `MAX_BYTES`, nested deeper than `MAX_DEPTH`, or with aliases
    (`*name`), by which nine lines make a billion values.
    """
    slow = len(text) <= _MAX_SLOW_BYTES and _SURROGATE.search(text) is not None
    loader = yaml.SafeLoader if slow else _FAST
    _check(text, loader)
    if as_texts:
        loader = yaml.BaseLoader
    try:
        return yaml.load(text, loader)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        # ValueError: such as a date that is none, or a number of too many digits.
        raise InputError(f"cannot be read as YAML ({_in_a_line(error)})") from error


def read_yaml_file(path: Path, as_texts: bool = False) -> Any:
    """The plain values in a YAML file, as by `safe_yaml`.

    Raises InputError as that does, naming the file, and OSError where it cannot be opened.
    """
    if not path.is_file():  # a pipe would wait for ever
        raise InputError(f"{path}: must be a file")
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    try:
        return safe_yaml(content.decode(), as_texts)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error})") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _check(text: str, loader: Any) -> None:
    if len(text) > MAX_BYTES:
        raise InputError(f"is longer than {MAX_BYTES >> 20} MiB of YAML")
    depth = 0
    try:
        for event in yaml.parse(text, loader):
            if isinstance(event, yaml.AliasEvent):
                raise InputError(
                    f"has an alias on line {event.start_mark.line + 1} (*{event.anchor}); write "
                    "the values out: aliases, and the merge key << that needs them, are not read"
                )
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH:
                raise InputError(
                    f"is nested more than {MAX_DEPTH} deep on line {event.start_mark.line + 1}"
                )
    except (yaml.YAMLError, UnicodeError) as error:
        raise InputError(f"cannot be read as YAML ({_in_a_line(error)})") from error


def _in_a_line(error: Exception) -> str:
    """The message of a parser's error, which has lines, as one line."""
    text = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return text.replace('in "<unicode string>", ', "")
