"""File operations of a process, each of which may be made to fail or to be its last.

    intercept(folder, before)

calls `before(name, path, tear)` ahead of each operation on a path below the folder: open, write,
fsync, replace, mkdir, unlink, flock, ftruncate. `before` may raise OSError, or kill the process;
for a write, `tear(share)` first writes that share of the bytes.
"""

from __future__ import annotations

import _io
import builtins
import fcntl
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tear = Callable[[float], None]
Before = Callable[[str, str, Tear], None]
NAMES = ("open", "write", "fsync", "replace", "mkdir", "unlink", "flock", "ftruncate")


def intercept(folder: Path, before: Before) -> None:
    """Patch this process."""
    real_open, real_write = io.open, os.write

    def announce(name: str, target: Any, tear: Tear = lambda share: None) -> None:
        path = _path(target)
        if Path(path).is_relative_to(folder):
            before(name, path, tear)

    def patch(module: Any, attribute: str, name: str) -> None:
        real = getattr(module, attribute)

        def patched(target: Any, *arguments: Any, **options: Any) -> Any:
            announce(name, target)
            return real(target, *arguments, **options)

        setattr(module, attribute, patched)

    class Watched:
        """A file open for writing."""

        def __init__(self, file: Any):
            self._file = file

        def write(self, data: Any) -> Any:
            def tear(share: float) -> None:
                self._file.write(data[: int(len(data) * share)])
                self._file.flush()

            announce("write", self._file.fileno(), tear)
            return self._file.write(data)

        def __enter__(self) -> Watched:
            self._file.__enter__()
            return self

        def __exit__(self, *error: object) -> None:
            self._file.__exit__(*error)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    def opened(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not isinstance(file, int):
            announce("open", file)
        content = real_open(file, mode, *arguments, **options)
        ours = Path(_path(content.fileno())).is_relative_to(folder)
        return Watched(content) if ours and set(mode) & set("wax+") else content

    def write(descriptor: int, data: Any) -> int:
        def tear(share: float) -> None:
            real_write(descriptor, data[: int(len(data) * share)])

        announce("write", descriptor, tear)
        return real_write(descriptor, data)

    builtins.open = io.open = _io.open = opened  # type: ignore[assignment]
    os.write = write
    for name in ("open", "fsync", "replace", "mkdir", "unlink", "ftruncate"):
        patch(os, name, name)
    patch(os, "rename", "replace")
    patch(fcntl, "flock", "flock")


def logs(folder: Path, log: Path) -> Callable[[], None]:
    """A hook by which a process notes its operations, a line each."""

    def before(name: str, path: str, tear: Tear) -> None:
        descriptor = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(descriptor, f"{name} {path}\n".encode())
        os.close(descriptor)

    return lambda: intercept(folder, before)


def _path(target: Any) -> str:
    if isinstance(target, int):
        try:
            return os.readlink(f"/proc/self/fd/{target}")  # noqa: PTH115  (Path.readlink opens it)
        except OSError:
            return ""
    return os.path.abspath(os.fsdecode(target))  # noqa: PTH100  (works with bytes)
