"""For `make docs`: docstrings of this project as Markdown.

They name a parameter at the start of a line ("path: its folder.") and errors in a line of their own
("Raises InputError for ..."), which Markdown would run together into one paragraph.
"""

import re

from griffe import Extension, Object

_PARAMETER = re.compile(r"^(\w+(?:, \w+)*): (?=\S)")


def as_markdown(docstring: str) -> str:
    """The docstring with each parameter as an item of a list, and each line that begins with
    "Raises" or "Returns" as a paragraph."""
    lines: list[str] = []
    in_list = False
    for line in docstring.splitlines():
        if _PARAMETER.match(line):
            names = _PARAMETER.match(line)[1]
            if not in_list:
                lines.append("")
            line = f"- `{names}`: {line[len(names) + 2 :]}"
            in_list = True
        elif not line.startswith(" "):
            if in_list or line.startswith(("Raises ", "Returns ")):
                lines.append("")
            in_list = False
        lines.append(line)
    return "\n".join(lines)


class Docstrings(Extension):
    """What mkdocstrings calls for each object that it reads."""

    def on_object(self, *, obj: Object, **kwargs: object) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)
