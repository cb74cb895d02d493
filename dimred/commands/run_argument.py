"""The argument RUN of the commands."""

from __future__ import annotations

from pathlib import Path

from dimred.files import escaped, expanded


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
