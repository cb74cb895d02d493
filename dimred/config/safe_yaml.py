"""YAML of plain values, from a file that may come from a stranger."""

from __future__ import annotations

from typing import Any

import yaml

from dimred.errors import InputError

_MAX_DEPTH = 50
_MAX_TEXT = 2**20  # characters


def safe_yaml(text: str) -> Any:
    """The content of a YAML text.

    Raises InputError for a text that is no YAML, longer than a MiB or nested deeper than 50 levels,
    and for aliases, with which few lines can stand for more than memory holds.
    """
    if len(text) > _MAX_TEXT:
        raise InputError(f"has {len(text):,} characters; at most {_MAX_TEXT:,} are read")
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except InputError:
        raise
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"is no YAML ({' '.join(str(error).split())})") from error


class _PlainLoader(yaml.SafeLoader):  # type: ignore[misc]
    """A SafeLoader that refuses aliases and deep nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise InputError("has an alias (*NAME or <<: *NAME); write the value out")
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise InputError(f"is nested more than {_MAX_DEPTH} levels deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node
