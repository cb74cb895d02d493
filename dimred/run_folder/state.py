"""How far a run has come, from the small files of its folder: nothing else is read, so that
hundreds of runs are listed in a moment."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from dimred.config.renamed import current_identity, current_overrides
from dimred.errors import InputError
from dimred.files import escaped, open_own, shell_word
from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles
from dimred.run_folder.names import base_name
from dimred.run_folder.record import check_summary

FINISHED, GOING_ON, UNFINISHED = "finished", "going on", "unfinished"
DIVERGED, FAILED, DAMAGED = "diverged", "failed", "damaged"
STOPPED = (UNFINISHED, DIVERGED, FAILED)
"""States of runs that nothing works on and that have no result."""

_EPOCHS = re.compile(r"schedule\.stages\.[^.]+\.epochs")
_MAX_ENTRIES = 20_000  # files of one run that are counted for its size, folders that are searched
_MAX_REASON = 300  # characters
_MAX_DEPTH = 4  # of runs below the folder that is listed
_READING = (OSError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class RunState:
    """A run, finished or not.

    state: one of the words above. reason: why it has failed or is damaged.
    identity: under current names; {"config": {}} where it cannot be read.
    sessions: of environment.json. summary: summary.json, None without one.
    done: (stage, its epoch, epochs in all) of the last row of metrics.jsonl of an unfinished run.
    """

    folder: Path
    state: str
    reason: str = ""
    identity: dict[str, Any] = field(default_factory=lambda: {"config": {}})
    sessions: tuple[dict[str, Any], ...] = ()
    summary: dict[str, Any] | None = None
    done: tuple[str, int, int] = ("", 0, 0)

    @property
    def values(self) -> dict[str, Any]:
        """The values that affect the result, by dotted key."""
        values: dict[str, Any] = self.identity["config"]
        return values

    @property
    def base(self) -> str:
        """The name of the folder without the seed, the hash, and what a sweep varied."""
        return base_name(self.folder.name)

    @property
    def epochs(self) -> int:
        """The epochs of all stages, those that were not trained yet included."""
        counts = [value for key, value in self.values.items() if _EPOCHS.fullmatch(key)]
        return sum(count for count in counts if isinstance(count, int))

    @property
    def epochs_done(self) -> int:
        """The epochs that were trained."""
        return self.epochs if self.state == FINISHED else self.done[2]

    @property
    def started(self) -> str:
        """When its last session began, ISO 8601; "" where that is not recorded."""
        started = self.sessions[-1].get("started") if self.sessions else ""
        return started if isinstance(started, str) else ""

    @property
    def begun(self) -> float:
        """When its last session began, in seconds since 1970; 0 where that is not recorded."""
        try:
            return datetime.fromisoformat(self.started).timestamp()
        except (ValueError, OverflowError):
            return 0.0

    @property
    def command(self) -> str:
        """The command that goes on with it, as typed into a shell: that of its last session without
        restart=true, which would begin anew. "" where it is not recorded."""
        words = self.sessions[-1].get("command") if self.sessions else None
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            return ""
        going_on = [word for word in words[2:] if not word.startswith("restart=")]
        plain = map(_plainly, current_overrides(going_on))
        return " ".join(map(shell_word, [*words[:2], *plain]))

    @property
    def progress(self) -> str:
        """Its state in words, such as "unfinished, epoch 16 of 305, in stage pretrain"."""
        if self.state not in (*STOPPED, GOING_ON) or not self.epochs:
            return self.state
        stage = f", in stage {self.done[0]}" if self.done[0] else ""
        return f"{self.state}, epoch {self.done[2]:,} of {self.epochs:,}{stage}"

    @property
    def why_unfinished(self) -> str:
        """Why it has no result, and the command that goes on with it, as a part of a sentence."""
        reason = f": {self.reason}" if self.reason else ""
        goes_on = f"; {self.command} goes on with it" if self.command else ""
        return escaped(f"it is {self.progress}{reason}{goes_on}")

    @cached_property
    def n_bytes(self) -> int:
        """The size on disk of the files that dimred wrote."""
        names = (self.folder / name for name in layout.WRITTEN)
        return sum(_sizes(names, _MAX_ENTRIES))


def state_of(folder: Path) -> RunState | None:
    """The state of the run in a folder; None where there is none. Whatever cannot be read makes it
    damaged, and raises nothing."""
    files = RunFiles(folder)
    try:
        environment = files.json(layout.ENVIRONMENT)
    except FileNotFoundError:
        return None
    except (OSError, InputError) as error:
        if not any(files.exists(name) for name in (layout.LOCK, layout.CONFIG, layout.SUMMARY)):
            return None  # of another program
        return RunState(folder, DAMAGED, _reason(folder, error))
    if not isinstance(environment, dict) or "identity" not in environment:
        return None  # of another program
    try:
        identity = current_identity(environment["identity"])
        sessions = tuple(s for s in environment.get("sessions", ()) if isinstance(s, dict))
        known: dict[str, Any] = {"identity": identity, "sessions": sessions}
        if files.exists(layout.SUMMARY):
            summary = files.json(layout.SUMMARY)
            check_summary(summary)
            return RunState(folder, FINISHED, summary=summary, **known)
        done = _last_row(files)
    except _READING as error:
        return RunState(folder, DAMAGED, _reason(folder, error))
    state, reason = UNFINISHED, ""
    if is_locked(folder):
        state = GOING_ON
    elif sessions and isinstance(ended := sessions[-1].get("ended"), dict):
        state = DIVERGED if ended.get("state") == DIVERGED else FAILED
        reason = str(ended.get("reason", ""))[:_MAX_REASON]
    return RunState(folder, state, reason, done=done, **known)


def is_locked(folder: Path) -> bool:
    """Whether a process is writing a run."""
    try:
        lock = open_own(folder / layout.LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(lock)
    return False


def runs_below(place: Path) -> Iterator[RunState]:
    """The runs in a folder and in the folders below it, but not below runs; a link is followed only
    to a run."""
    if (run := state_of(place)) is not None:
        yield run
        return
    level, seen = [place], 0
    for _ in range(_MAX_DEPTH):
        below = []
        for folder in level:
            for name in sorted(_folders(folder)):
                seen += 1
                if seen > _MAX_ENTRIES:
                    return
                path = folder / name
                if (run := state_of(path)) is not None:
                    yield run
                elif not path.is_symlink():
                    below.append(path)
        level = below


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    except OSError:
        return []


def _last_row(files: RunFiles) -> tuple[str, int, int]:
    """Stage and epoch of the last row of metrics.jsonl, and the number of rows."""
    if not files.exists(layout.METRICS):
        return "", 0, 0
    text = files.text(layout.METRICS)
    lines = text[: text.rfind("\n") + 1].splitlines()  # a line may be half-written
    if not lines:
        return "", 0, 0
    row = json.loads(lines[-1])
    return str(row["stage"]), int(row["epoch"]), len(lines)


def _reason(folder: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename or folder).name}: {error.strerror}"
    if isinstance(error, LookupError):
        return f"there is no {error}"
    return str(error).removeprefix(f"{folder}{os.sep}")


def _sizes(paths: Iterator[Path], at_most: int) -> Iterator[int]:
    """The bytes of files, and of those in folders; links are not followed."""
    left = list(paths)
    for _ in range(at_most):
        if not left:
            return
        path = left.pop()
        try:
            if path.is_dir() and not path.is_symlink():
                left += [path / name for name in os.listdir(path)]  # noqa: PTH208  (names)
            else:
                yield path.lstat().st_size
        except OSError:
            continue


def _plainly(word: str) -> str:
    """An override without the quotes in which dimred records a text, where it needs none."""
    found = re.fullmatch(r"([^=']+)='([A-Za-z_./~][\w./~-]*)'", word)
    special = found is None or found[2].lower() in ("true", "false", "null", "nan", "inf")
    return word if found is None or special else f"{found[1]}={found[2]}"
