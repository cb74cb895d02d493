"""Plug-ins: Python files and modules outside dimred that register choices.

Only what the user names (`--plugin`) or has installed (the entry-point group `dimred.plugins`) is
imported; nothing that a run folder says ever is.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from dimred.errors import InputError
from dimred.files import expanded, write_atomically
from dimred.options.origin import file_module
from dimred.options.registry import forget

ENTRY_POINTS = "dimred.plugins"

_files: dict[str, bytes] = {}  # module name of each plug-in that is a file: its source
_installed_loaded = False


def load_plugins(given: Sequence[str]) -> None:
    """Import plug-ins as named by --plugin: .py files, or modules that Python can import.

    A file that has changed since it was imported is imported anew.
    Raises InputError, naming file and line, for one that cannot be imported.
    """
    for name in given:
        if name.endswith(".py") or "/" in name:
            _load_file(name)
        elif not re.fullmatch(r"[A-Za-z_][\w.]*", name) or not _exists(name):
            raise InputError(
                f"--plugin {name}: no such module; give a .py file, or a module that Python finds"
            )
        else:
            _reported(f"--plugin {name}", lambda name=name: import_module(name))  # type: ignore[misc]


def load_installed_plugins() -> None:
    """Import the plug-ins that are installed, once; one that cannot be imported is named on the
    standard error, and the run goes on without it."""
    global _installed_loaded
    if _installed_loaded:
        return
    _installed_loaded = True
    for point in entry_points(group=ENTRY_POINTS):
        try:
            _reported(_described(point), point.load)
        except InputError as error:
            print(f"dimred: {error}; going on without it", file=sys.stderr)


def share_with_processes(folder: Path) -> None:
    """Let processes that this one starts import the plug-ins that are files by the names that they
    have here, as they are now: from copies below `folder`, which PYTHONPATH then has."""
    if not _files:
        return
    copies = folder.absolute() / sha256(b"".join(_files.values())).hexdigest()[:12]
    for name, source in _files.items():
        write_atomically(copies / f"{name}.py", source)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(copies), before)))


def _load_file(given: str) -> None:
    path = expanded(given).resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"--plugin {given}: {error.strerror}") from error
    name = file_module(path)
    if _files.get(name) == source:
        return
    module = ModuleType(name)
    module.__file__ = str(path)
    forget(name)
    _files.pop(name, None)
    # Dataclasses look up their types in it.
    sys.modules[name] = module
    try:
        _reported(
            f"--plugin {given}",
            # Not by an import, which might take the bytecode of an earlier version.
            lambda: exec(compile(source, str(path), "exec"), vars(module)),
            path,
        )
    except InputError:
        forget(name)
        del sys.modules[name]
        raise
    _files[name] = source


def _reported(what: str, action: Callable[[], object], file: Path | None = None) -> None:
    """Call what imports a plug-in (from a file, if it is one); its errors become one line with the
    place in it."""
    try:
        action()
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        if isinstance(error, SyntaxError) and error.filename:
            place, message = f"{error.filename}, line {error.lineno}", error.msg
        else:
            place = _place(error, file)
        raise InputError(f"{what}: {place}: {type(error).__name__}: {message}") from error


def _place(error: BaseException, file: Path | None) -> str:
    """The innermost line of an error that is in the file; where there is no file, that is neither
    dimred's nor the import system's."""
    own = Path(__file__).resolve().parent.parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and (Path(frame.filename) == file if file else not Path(frame.filename).is_relative_to(own))
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "cannot be imported"


def _exists(module: str) -> bool:
    try:
        return module in sys.modules or find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _described(point: EntryPoint) -> str:
    of = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"plug-in {point.name}{of}"
