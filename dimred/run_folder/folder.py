"""The folder of one run: its files, its lock, and whether it is complete."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.config.provenance import PROVENANCE
from dimred.config.renamed import current_identity
from dimred.errors import InputError
from dimred.files import write_atomically
from dimred.run_folder import layout


class RunFolder:
    """The files of a run. A run is complete when its summary.json, written last, exists.

    Used as a context manager, it locks the folder; InputError if another run holds the lock.
    """

    def __init__(self, path: Path):
        self.path = path
        self.checkpoint = path / layout.CHECKPOINT
        self.summary = path / layout.SUMMARY
        self.plots = path / layout.PLOTS
        self._lock: int | None = None
        self._made_lock = False

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"run_dir={self.path}: is a file; name a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / layout.LOCK
        self._made_lock = not file.exists()
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode() or "unknown"
            os.close(lock)
            raise InputError(
                f"{self.path}: another run (process {holder}) is writing this folder; wait for it, "
                "or write to another folder"
            ) from None
        except OSError as error:  # a file system without locks
            os.close(lock)
            raise OSError(error.errno, error.strerror, str(file)) from error
        self._lock = lock
        try:
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        except OSError as error:
            self.__exit__()
            raise OSError(error.errno, error.strerror, str(file)) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def admit(self, identity: dict[str, Any], restart: bool) -> None:
        """Check that the folder is empty or holds the run of this identity; restart clears it.

        identity: {"config": values by dotted key, "data": fingerprint of the images}.
        Raises InputError, naming what differs, for the folder of another run.
        """
        existing = self._identity()
        if existing is None:
            # A run killed while it wrote its first file may have left a part of that.
            own = re.compile(rf"{re.escape(layout.LOCK)}|\.{re.escape(layout.ENVIRONMENT)}.*\.tmp")
            others = sorted(p.name for p in self.path.iterdir() if not own.fullmatch(p.name))
            if others:
                if self._made_lock:
                    (self.path / layout.LOCK).unlink()
                raise InputError(
                    f"run_dir={self.path}: holds files but no run of dimred ({others[0]}); name "
                    "an empty or new folder"
                )
            return
        if restart:
            self.clear()
            return
        differences = _differences(existing, identity)
        if differences:
            raise InputError(
                f"{self.path}: holds another run ({differences}); restart=true replaces it, "
                "run_dir=OTHER keeps both"
            )

    def _identity(self) -> dict[str, Any] | None:
        """The identity of the run in this folder, or None without one."""
        if not (self.path / layout.ENVIRONMENT).exists():
            return None
        record = self.read_json(layout.ENVIRONMENT)
        identity = record.get("identity") if isinstance(record, dict) else None
        if not isinstance(identity, dict) or not isinstance(identity.get("config"), dict):
            return None
        return current_identity(identity)

    def clear(self) -> None:
        """Remove the files of a run, and no others."""
        for name in layout.FILES:
            (self.path / name).unlink(missing_ok=True)
        for name in layout.FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)
        (self.path / layout.ENVIRONMENT).unlink(missing_ok=True)

    def remove(self, *names: str) -> None:
        """Remove files that may not exist."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def read_json(self, name: str) -> Any:
        """The content of a JSON file. Raises InputError if it is not JSON."""
        try:
            return json.loads((self.path / name).read_text())
        except ValueError as error:
            raise InputError(
                f"{self.path / name}: is damaged ({error}); delete the folder or give run_dir=OTHER"
            ) from error

    def read_summary(self) -> dict[str, Any]:
        """The summary of a complete run. Raises InputError for a file that is no summary."""
        summary = self.read_json(layout.SUMMARY)
        if not isinstance(summary, dict) or "stages" not in summary:
            raise InputError(f"{self.summary}: is no summary of a run; restart=true begins anew")
        return summary

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file."""
        text = json.dumps(content, indent=2, allow_nan=False) + "\n"
        write_atomically(self.path / name, text.encode())

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        write_atomically(self.path / name, text.encode())

    def write_arrays(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        """Write arrays as an .npz file; equal arrays give equal bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(self.path / name, buffer.getbuffer())

    def write_weights(self, weights: dict[str, Tensor]) -> None:
        """Write an encoder's state dict as weights.safetensors."""
        plain = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
        write_atomically(self.path / layout.WEIGHTS, safetensors.torch.save(plain))

    def write_plot(self, name: str, png: bytes) -> None:
        """Write plots/NAME.png."""
        write_atomically(self.path / layout.plot(name), png)

    def write_picture(self, name: str, content: bytes) -> None:
        """Write a file of plots/."""
        write_atomically(self.plots / name, content)

    def reset_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace the rows of metrics.jsonl."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / layout.METRICS, text.encode())

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row to metrics.jsonl."""
        path = self.path / layout.METRICS
        try:
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def _differences(existing: dict[str, Any], given: dict[str, Any]) -> str:
    """The differences between two identities as text, "" for equal ones."""
    old, new = existing["config"], given["config"]
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
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
