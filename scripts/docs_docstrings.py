"""An extension of mkdocstrings for this package, used by `make docs`.

Docstrings here name a parameter at the start of a line ("path: its folder.") and errors in a
separate line ("Raises InputError for ..."), which Markdown would join into one paragraph. Packages
import their exports lazily, so these are not seen without help.
"""

import re
from typing import Any

from griffe import Extension, Module, Object

_PARAMETER = re.compile(r"(\w+(?:, \w+)*): (?=\S)")


def as_markdown(docstring: str) -> str:
    """The docstring as Markdown: parameters as list items, and lines that begin with "Raises" or
    "Returns" as paragraphs."""
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
    """Callbacks of griffe for each object that it reads."""

    def on_module_members(self, *, mod: Module, **_: Any) -> None:
        """Set the exports of a package with a computed `__all__`: its imports from its modules."""
        if mod.is_init_module and not mod.exports:
            inside = f"{mod.path}."
            mod.exports = [name for name, path in mod.imports.items() if path.startswith(inside)]

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Convert the docstring to Markdown."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
