"""README.md and the pages of docs/, as tests read them."""

import re
from pathlib import Path
from typing import NamedTuple

import dimred

ROOT = Path(dimred.__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^ *```(\w*) *(.*)")
_HEADING = re.compile(r"^#+ +(.+?) *#*$")


class Block(NamedTuple):
    """A block of code: its language ("" for an indented one), what follows that, its text."""

    language: str
    title: str
    text: str


class Page:
    """A page, cut into prose and blocks of code."""

    def __init__(self, path: Path):
        self.path = path
        self.blocks: list[Block] = []
        self.headings: list[str] = []
        prose: list[str] = []
        fence: list[str] | None = None
        language = title = ""
        indented: list[str] = []
        for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
            opening = _FENCE.match(line)
            if fence is not None:
                if opening:
                    self.blocks.append(Block(language, title, "\n".join(fence)))
                    fence = None
                else:
                    fence.append(line)
            elif opening:
                fence, language, title = [], opening[1], opening[2]
            elif line.startswith("    ") and (indented or not prose or not prose[-1].strip()):
                indented.append(line[4:])
            else:
                if indented:
                    self.blocks.append(Block("", "", "\n".join(indented)))
                    indented = []
                heading = _HEADING.match(line)
                if heading:
                    self.headings.append(heading[1])
                prose.append(line)
        assert fence is None, f"{path}: a block of code is not closed"
        self.prose = "\n".join(prose)

    @property
    def anchors(self) -> set[str]:
        """What a link to a heading of this page may say after #, on the site and on GitHub."""
        return {slug(heading) for heading in self.headings}


def slug(heading: str) -> str:
    """The anchor of a heading."""
    words = re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower()
    return re.sub(r"[-\s]+", "-", words)
