"""Links in the documentation lead somewhere."""

import re

from pages import PAGES, ROOT, Page

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def test_every_link_and_anchor_is_there():
    pages = {path: Page(path) for path in PAGES}
    dead = []
    for path, page in pages.items():
        for target in _LINK.findall(page.prose):
            if re.match(r"https?:|mailto:", target):
                continue
            file, _, anchor = target.partition("#")
            there = (path.parent / file).resolve() if file else path
            if not there.exists() or (anchor and anchor not in pages[there].anchors):
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert not dead, "\n".join(dead)


def test_every_page_is_reached_from_the_readme_and_from_the_index():
    for start in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        text = start.read_text(encoding="utf-8")
        names = {path.name for path in (ROOT / "docs").glob("*.md")} - {start.name}
        missing = {name for name in names if f"{name})" not in text and f"{name}#" not in text}
        assert not missing, f"{start.name} leads to no {missing}"


def test_no_page_has_the_marks_of_an_unfinished_merge():
    marks = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
    assert not [path for path in PAGES if marks.search(path.read_text(encoding="utf-8"))]
