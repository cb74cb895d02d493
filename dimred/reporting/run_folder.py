"""The folder of one run: what is in it, who may write it, and whether it is complete."""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.errors import InputError
from dimred.files import write_atomically

_FILES = (
    "summary.json",
    "config.yaml",
    "environment.json",
    "metrics.jsonl",
    "checkpoint.pt",
    "weights.safetensors",
    "embedding.npz",
)
_FOLDERS = ("stages", "plots")


class RunFolder:
    """One run's files. A run is complete when its summary.json, written last, exists.

    Enter it to lock it: a second run that enters it meanwhile gets an InputError.
    """

    def __init__(self, path: Path):
        self.path = path
        self.checkpoint = path / "checkpoint.pt"
        self.embedding = path / "embedding.npz"
        self.summary = path / "summary.json"
        self.plots = path / "plots"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"run_dir={self.path}: is a file; name a folder")
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode() or "unknown"
            os.close(lock)
            raise InputError(
                f"{self.path}: another run (process {holder}) is writing this folder; wait for it "
                "or give run_dir=OTHER"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def admit(self, identity: dict[str, Any], restart: bool) -> None:
        """Make sure that the folder is empty, or holds this very run.

        identity: {"config": values by dotted key, "data": fingerprint of the images}.
        Raises InputError, naming what differs, for the folder of another run.
        """
        environment = self.path / "environment.json"
        if not environment.exists():
            strangers = sorted(p.name for p in self.path.iterdir() if not p.name.startswith("."))
            if strangers:
                raise InputError(
                    f"run_dir={self.path}: holds files but no run of dimred ({strangers[0]}); name "
                    "an empty or new folder"
                )
            return
        if restart:
            self.clear()
            return
        differences = _differences(self.read_json("environment.json")["identity"], identity)
        if differences:
            raise InputError(
                f"{self.path}: holds another run ({differences}); restart=true replaces it, "
                "run_dir=OTHER keeps both"
            )

    def clear(self) -> None:
        """Remove a run, the mark of its completeness first; other files stay."""
        for name in _FILES:
            (self.path / name).unlink(missing_ok=True)
        for name in _FOLDERS:
            shutil.rmtree(self.path / name, ignore_errors=True)

    def read_json(self, name: str) -> Any:
        """The content of a JSON file. Raises InputError if it is not JSON."""
        try:
            return json.loads((self.path / name).read_text())
        except ValueError as error:
            raise InputError(
                f"{self.path / name}: is damaged ({error}); begin anew with restart=true"
            ) from error

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
        write_atomically(self.path / "weights.safetensors", safetensors.torch.save(plain))

    def write_plot(self, name: str, png: bytes) -> Path:
        """Write plots/NAME.png; returns its path."""
        path = self.plots / f"{name}.png"
        write_atomically(path, png)
        return path

    def reset_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Make metrics.jsonl hold just these rows."""
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / "metrics.jsonl", text.encode())

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row to metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        try:
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error


def _differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What differs between two identities, in words; "" where nothing does."""
    old, new = there["config"], here["config"]
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    words = [f"{key} is {old.get(key)} there, {new.get(key)} here" for key in keys[:3]]
    if len(keys) > 3:
        words.append(f"and {len(keys) - 3} more keys")
    if not keys and there["data"] != here["data"]:
        words.append("the images have changed since")
    return "; ".join(words)
