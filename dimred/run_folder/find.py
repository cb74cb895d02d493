"""Finds the run that a word on the command line means."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dimred.errors import InputError
from dimred.files import escaped, expanded, shell_word
from dimred.run_folder import layout
from dimred.run_folder.state import DAMAGED, FINISHED, RunState, runs_below, state_of

OUTPUTS = Path("outputs")
"""The folder of all runs, where the command line names no other."""
_MAX_NAMED = 5


def find_run(text: str | None = None, outputs: Path = OUTPUTS) -> Path:
    """The folder of a finished run.

    text: its path; or its name, the beginning of it or a part of it, if no other finished run below
        `outputs` is meant by that; None for the newest.
    Raises InputError where no run or several are meant, and for one that is not finished, with the
    command that goes on with it. A path that leads elsewhere is returned as it is.
    """
    if text is None:
        finished = [run for run in runs_below(outputs) if run.state == FINISHED]
        if not finished:
            raise InputError(f"{outputs}: holds no finished run; dimred train makes one")
        return max(finished, key=lambda run: run.begun).folder
    path = expanded(text)
    runs = list(runs_below(path)) if path.is_dir() else []
    if not runs and not _has_parts(path):
        # A folder of images may be called like the run that was made of it.
        runs = named(text, outputs)
    if runs:
        return _only(text, runs)
    if path.exists():
        return path
    hint = "" if os.sep in text else f", and no run below {outputs} has this in its name"
    raise InputError(f"{text}: holds no finished run (it does not exist{hint})")


def named(text: str, outputs: Path = OUTPUTS) -> list[RunState]:
    """The runs below a folder that a word can mean: those of this name, else those that were named
    so by `name=`, else those whose names begin with it, else those that have it in their names."""
    inside = not Path(text).is_absolute() and ".." not in Path(text).parts
    exact = state_of(outputs / text) if inside else None
    if exact is not None:
        return [exact]
    runs = [(str(run.folder.relative_to(outputs)), run) for run in runs_below(outputs)]
    for meant in (
        [run for name, run in runs if text in (run.base, str(Path(name).with_name(run.base)))],
        [run for name, run in runs if name.startswith(text) or run.folder.name.startswith(text)],
        [run for name, run in runs if text in name],
    ):
        if meant:
            return meant
    return []


def is_run(text: str, outputs: Path = OUTPUTS) -> bool:
    """Whether a word means a run, or a folder of runs, and not anything else that is there."""
    path = expanded(text)
    if path.exists():
        return path.is_dir() and any(True for _ in runs_below(path))
    return bool(named(text, outputs))


def _has_parts(path: Path) -> bool:
    """Whether a folder holds files of a run, without being one."""
    return any((path / name).exists() for name in layout.WRITTEN)


def _only(text: str, runs: Iterable[RunState]) -> Path:
    """The only finished run, or the only run if it is damaged, which is for others to say."""
    runs = sorted(runs, key=lambda run: run.begun, reverse=True)
    finished = [run for run in runs if run.state == FINISHED]
    meant = finished or runs
    if len(meant) > 1:
        names = ", ".join(str(run.folder) for run in meant[:_MAX_NAMED])
        more = f" and {len(meant) - _MAX_NAMED} more" if len(meant) > _MAX_NAMED else ""
        raise InputError(
            f"{text}: names {len(meant)} {'finished' if finished else 'unfinished'} runs; type one "
            f"of {escaped(names)}{more} (dimred runs {shell_word(text)} lists them)"
        )
    (run,) = meant
    if run.state in (FINISHED, DAMAGED):
        return run.folder
    raise InputError(f"{run.folder}: holds no finished run ({run.why_unfinished})")
