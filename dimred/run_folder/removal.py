"""Removes unfinished runs."""

from __future__ import annotations

from pathlib import Path

from dimred.errors import InputError
from dimred.files import sweep
from dimred.run_folder import layout
from dimred.run_folder.folder import RunFolder
from dimred.run_folder.state import GOING_ON, STOPPED, state_of


def removed(path: Path) -> str:
    """Remove what dimred wrote of an unfinished run, and its folder where that is then empty.

    Returns a note on what is left, "" for nothing.
    Raises InputError for a run that is written meanwhile, or that is no unfinished run any more,
    for a link, and on a file system without locks.
    """
    if path.is_symlink():
        raise InputError(f"{path}: is a link")
    if state_of(path) is None:  # to lock it would make a folder
        raise InputError(f"{path}: is no run now")
    with RunFolder(path) as folder:  # no other process can go on with it now
        if not folder.is_locked:
            raise InputError(f"{path}: whether a command writes it cannot be known without locks")
        run = state_of(path)
        if run is None or run.state not in (*STOPPED, GOING_ON):  # going on: by this very lock
            raise InputError(f"{path}: is {run.state if run else 'no run'} now")
        folder.clear()
        sweep(path)
        others = sorted(p.name for p in path.iterdir() if p.name != layout.LOCK)
        (path / layout.LOCK).unlink()
    if others:
        return f" (but for what dimred did not write: {others[0]})"
    path.rmdir()
    return ""
