"""The argument RUN of the commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dimred.files import escaped, expanded


def run_and_images(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """RUN, None for the newest, and the images that follow it: files, folders, or selectors of the
    run's own, such as RUN:test. The first word is RUN unless it is one of these."""
    from dimred.run_folder.find import is_run

    if not words:
        return None, []
    first, *rest = words
    is_set = first.lower().startswith("run:") or (expanded(first).exists() and not is_run(first))
    return (None, [first, *rest]) if is_set else (first, rest)


def chosen(text: str | None) -> Path:
    """The folder of the run that RUN means. It is printed where another path, or none, was typed.

    Raises InputError as `find_run`.
    """
    from dimred.run_folder.find import find_run

    path = find_run(text)
    if text is None:
        print(f"{escaped(str(path))} (newest)", flush=True)
    elif path != expanded(text):
        print(escaped(str(path)), flush=True)
    return path
