"""The folder of one run: its files, its lock, and whether it is complete."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.config.provenance import PROVENANCE
from dimred.config.renamed import current_identity
from dimred.config.same_run import differing_keys
from dimred.errors import InputError
from dimred.files import is_at, is_shared, is_temporary, naming, open_own
from dimred.files import lock as take_lock
from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles
from dimred.run_folder.record import check_metrics, check_summary
from dimred.training.checkpoint import Checkpoint, checkpoint_bytes, load_checkpoint

_ANEW = "; restart=true begins anew, run_dir=OTHER writes elsewhere"
_PATIENCE = 0.2  # seconds: who looks whether a run goes on has its lock for a moment


class RunFolder:
    """The files of a run. A run is complete when its summary.json, written last, exists.

    Used as a context manager, it locks the folder; InputError if another run holds the lock.

    is_locked: whether the lock is held, which keeps other processes out; False on file systems
        without locks.
    """

    def __init__(self, path: Path):
        self.path = path
        self.files = RunFiles(path)
        self.checkpoint = path / layout.CHECKPOINT
        self.is_locked = False
        self._lock: int | None = None
        self._made_lock = False

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"run_dir={self.path}: is a file; name a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / layout.LOCK
        self._made_lock = not self.files.exists(layout.LOCK)
        lock = self._lock = self._locked(file)
        try:
            with naming(file):
                os.ftruncate(lock, 0)
                os.pwrite(lock, str(os.getpid()).encode(), 0)
        except OSError:
            self.__exit__()
            raise
        return self

    def _locked(self, file: Path) -> int:
        """A descriptor of the lock, which this process holds, and which is of this folder alone: a
        copy of the folder made of hard links needs its own."""
        last = time.monotonic() + _PATIENCE
        while True:
            lock = self._open_lock(file)
            try:
                self.is_locked = take_lock(lock)
            except BlockingIOError:
                holder = os.pread(lock, 32, 0).decode(errors="replace") or "unknown"
                os.close(lock)
                if time.monotonic() < last:
                    time.sleep(_PATIENCE / 10)
                    continue
                raise InputError(
                    f"{self.path}: another run (process {holder}) is writing this folder; wait for "
                    "it, or write to another folder"
                ) from None
            except OSError as error:
                os.close(lock)
                raise OSError(error.errno, error.strerror, str(file)) from error
            if not self.is_locked:
                print(
                    f"{self.path}: this file system has no locks; take care that no two commands "
                    "write this folder at once",
                    flush=True,
                )
            shared = is_shared(lock)
            if not shared and is_at(lock, file):
                return lock
            if shared:
                file.unlink(missing_ok=True)
            os.close(lock)  # of a file that another process has removed meanwhile

    @staticmethod
    def _open_lock(file: Path) -> int:
        try:
            return open_own(file, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise InputError(f"{file}: is a link; only a file can be a lock") from error

    def __exit__(self, *_: object) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            with naming(self.path / layout.LOCK):
                os.close(lock)

    def admit(self, identity: dict[str, Any], restart: bool) -> None:
        """Check that the folder is empty or holds the run of this identity; restart clears it.

        identity: {"config": values by dotted key, "data": fingerprint of the images}.
        Raises InputError, naming what differs, for the folder of another run.
        """
        existing = self._identity()
        if existing is None:
            others = sorted(p.name for p in self.path.iterdir() if not _is_passing(p.name))
            if others:
                if self._made_lock:
                    (self.path / layout.LOCK).unlink()
                raise InputError(
                    f"run_dir={self.path}: holds files but no run of dimred ({others[0]}); name "
                    "an empty or new folder"
                )
            return
        differences = _differences(existing, identity)
        if restart:
            if differences:
                print(f"{self.path}: another run is replaced ({differences})", flush=True)
            self.clear()
            return
        if differences:
            raise InputError(
                f"{self.path}: holds another run ({differences}); restart=true replaces it, "
                "run_dir=OTHER keeps both"
            )

    def _identity(self) -> dict[str, Any] | None:
        """The identity of the run in this folder, or None without one."""
        if not self.files.exists(layout.ENVIRONMENT):
            return None
        record = self.files.json(layout.ENVIRONMENT, _ANEW)
        try:
            return current_identity(record.get("identity") if isinstance(record, dict) else None)
        except InputError:
            return None

    def clear(self) -> None:
        """Remove the files of a run, and no others."""
        self.files.remove(*layout.FILES)
        for name in layout.FOLDERS:
            folder = self.path / name
            if folder.is_symlink():
                folder.unlink()
            else:
                shutil.rmtree(folder, ignore_errors=True)
        self.files.remove(layout.ENVIRONMENT)

    def sessions(self) -> list[Any]:
        """The sessions of the run so far, as environment.json has them."""
        if not self.files.exists(layout.ENVIRONMENT):
            return []
        sessions = self.files.json(layout.ENVIRONMENT, _ANEW).get("sessions")
        if not isinstance(sessions, list):
            raise InputError(f"{self.path / layout.ENVIRONMENT}: has no list of sessions{_ANEW}")
        return sessions

    def end_session(self, state: str, reason: str) -> None:
        """Record in environment.json how the last session has failed."""
        record = self.files.json(layout.ENVIRONMENT)
        record["sessions"][-1]["ended"] = {"state": state, "reason": reason}
        self.write_json(layout.ENVIRONMENT, record)

    def read_summary(self) -> dict[str, Any]:
        """The summary of a complete run. Raises InputError for a file that is no summary."""
        summary = self.files.json(layout.SUMMARY, _ANEW)
        with self.files.decoding(layout.SUMMARY, _ANEW):
            check_summary(summary)
        return dict(summary)

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file."""
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        self.files.write(name, text.encode())

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self.files.write(name, text.encode())

    def write_arrays(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Write arrays as an .npz file; equal arrays give equal bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        self.files.write(name, buffer.getbuffer())

    def write_weights(self, weights: dict[str, Tensor]) -> str:
        """Write an encoder's state dict as weights.safetensors; returns the file's SHA-256."""
        plain = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
        content = safetensors.torch.save(plain)
        self.files.write(layout.WEIGHTS, content)
        return hashlib.sha256(content).hexdigest()

    def write_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write checkpoint.pt; the previous one is kept where it cannot be written."""
        self.files.write(layout.CHECKPOINT, checkpoint_bytes(checkpoint))

    def read_checkpoint(self) -> Checkpoint:
        """The content of checkpoint.pt. Raises InputError for a damaged one."""
        with self.files.open(layout.CHECKPOINT) as file:
            checkpoint = load_checkpoint(file, str(self.checkpoint))
        with self.files.decoding(layout.CHECKPOINT, _ANEW):
            check_metrics(checkpoint.rows)
        return checkpoint

    def write_plot(self, name: str, png: bytes) -> None:
        """Write plots/NAME.png."""
        self.files.write(layout.plot(name), png)

    def write_picture(self, name: str, content: bytes) -> None:
        """Write a file of plots/."""
        self.files.write(f"{layout.PLOTS}/{name}", content)

    def reset_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of metrics.jsonl."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self.files.write(layout.METRICS, text.encode())

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row to metrics.jsonl."""
        self.files.append(layout.METRICS, json.dumps(row) + "\n")


def _is_passing(name: str) -> bool:
    """Whether a file may lie in a folder that is new to a run: what a start that was killed
    leaves, in earlier versions too."""
    former = name.startswith(f".{layout.ENVIRONMENT}") and name.endswith(".tmp")
    return name == layout.LOCK or is_temporary(name) or former


def _differences(existing: dict[str, Any], given: dict[str, Any]) -> str:
    """The differences between two identities as text, "" for equal ones."""
    old, new = existing["config"], given["config"]
    keys = differing_keys(old, new)
    differences = [f"{key} is {old.get(key)} there, {new.get(key)} here" for key in keys[:3]]
    if len(keys) > 3:
        differences.append(f"and {len(keys) - 3} more keys")
    if not keys and existing["data"] != given["data"]:
        differences.append("the images have changed since")
    for part in PROVENANCE:
        old, new = existing.get(part, {}), given.get(part, {})
        for key in sorted({*old, *new}):
            if not keys and old.get(key) != new.get(key):
                differences.append(f"the {part} of {key} have changed since")
    return "; ".join(differences)
