"""For `make docs`: how mkdocstrings reads this package.

Docstrings here name a parameter at the start of a line ("path: its folder.") and errors in a line
of their own ("Raises InputError for ..."), which Markdown would run together into one paragraph.
Packages import what they export only when it is asked for.
"""

import re
from typing import Any

from griffe import Extension, Module, Object

_PARAMETER = re.compile(r"(\w+(?:, \w+)*): (?=\S)")


def as_markdown(docstring: str) -> str:
    """The docstring with each parameter as an item of a list, and each line that begins with
    "Raises" or "Returns" as a paragraph."""
    lines: list[str] = []
    in_list = False
    for line in docstring.splitlines():
        parameter = _PARAMETER.match(line)
        if parameter:
            if not in_list:
                lines.append("")
            line = f"- `{parameter[1]}`: {line[parameter.end() :]}"
        elif line.startswith(("Raises ", "Returns ")) or (in_list and not line.startswith(" ")):
            lines.append("")
        in_list = bool(parameter) or (in_list and line.startswith(" "))
        lines.append(line)
    return "\n".join(lines)


class Package(Extension):
    """What is called for each object that is read."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Exports of a package whose `__all__` is worked out: what it imports from its modules."""
        if mod.is_init_module and not mod.exports:
            inside = f"{mod.path}."
            mod.exports = [name for name, path in mod.imports.items() if path.startswith(inside)]

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Docstrings as Markdown."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
