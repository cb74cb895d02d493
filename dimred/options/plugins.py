"""Plug-ins: Python files and modules outside dimred that register choices.

Only plug-ins that the user names (`--plugin`) or has installed (entry-point group `dimred.plugins`)
are imported, never one that only a run folder names.
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
from dimred.files import expanded, read_regular, write_atomically
from dimred.options.origin import file_module
from dimred.options.registry import forget

ENTRY_POINTS = "dimred.plugins"

# Environment variable with the modules of all plug-ins, for child processes.
_SHARED = "DIMRED_PLUGINS"

_files: dict[str, bytes] = {}  # source of each single-file plug-in, by module name
_modules: set[str] = set()  # names of the other plug-ins that --plugin has named
_installed_loaded = False


def load_plugins(names: Sequence[str]) -> None:
    """Import the plug-ins named by --plugin: .py files, or importable modules.

    A file that has changed since it was imported is imported again.
    Raises InputError, naming file and line, for one that cannot be imported.
    """
    for name in names:
        if name.endswith(".py") or "/" in name:
            _load_file(name)
        elif not re.fullmatch(r"[A-Za-z_][\w.]*", name) or not _exists(name):
            raise InputError(
                f"--plugin {name}: no such module; give a .py file, or a module that Python finds"
            )
        else:
            _import(f"--plugin {name}", lambda name=name: import_module(name))  # type: ignore[misc]
            _modules.add(name)


def load_installed_plugins() -> None:
    """Import the installed plug-ins, once. One that cannot be imported is skipped, with a line on
    standard error."""
    global _installed_loaded
    if _installed_loaded:
        return
    _installed_loaded = True
    for point in entry_points(group=ENTRY_POINTS):
        try:
            _import(_described(point), point.load)
        except InputError as error:
            print(f"dimred: {error}; going on without it", file=sys.stderr)


def share_with_processes(folder: Path) -> None:
    """Let child processes import the plug-ins under the same module names.

    The single-file ones are copied, as they are now, below `folder` and put on PYTHONPATH.
    """
    os.environ[_SHARED] = ",".join([*_files, *sorted(_modules)])
    if not _files:
        return
    copies = folder.absolute() / sha256(b"".join(_files.values())).hexdigest()[:12]
    for name, source in _files.items():
        write_atomically(copies / f"{name}.py", source)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(copies), before)))


def load_shared_plugins() -> None:
    """In a child process, import the plug-ins of the process that called `share_with_processes`."""
    load_installed_plugins()
    for name in filter(None, os.environ.get(_SHARED, "").split(",")):
        import_module(name)


def _load_file(file: str) -> None:
    path = expanded(file).resolve()
    try:
        source = read_regular(path)
    except OSError as error:
        raise InputError(f"--plugin {file}: {error.strerror}") from error
    name = file_module(path)
    if _files.get(name) == source:
        return
    for copy in [other for other, content in _files.items() if content == source]:
        forget(copy)  # the same file in another folder
        del _files[copy]
    module = ModuleType(name)
    module.__file__ = str(path)
    forget(name)
    _files.pop(name, None)
    # Dataclasses look up their types in sys.modules.
    sys.modules[name] = module
    try:
        _import(
            f"--plugin {file}",
            # exec, since an import might use cached bytecode of an earlier version.
            lambda: exec(compile(source, str(path), "exec"), vars(module)),
            path,
        )
    except InputError:
        forget(name)
        del sys.modules[name]
        raise
    _files[name] = source


def _import(plugin: str, action: Callable[[], object], file: Path | None = None) -> None:
    """Call `action`, which imports a plug-in. Raises InputError, naming file and line, for any
    error. file: of a single-file plug-in."""
    try:
        action()
    except (Exception, SystemExit) as error:
        message = " ".join(str(error).split())
        if isinstance(error, SyntaxError) and error.filename:
            place, message = f"{error.filename}, line {error.lineno}", error.msg
        else:
            place = _place(error, file)
        raise InputError(f"{plugin}: {place}: {type(error).__name__}: {message}") from error


def _place(error: BaseException, file: Path | None) -> str:
    """The innermost line of a traceback that is in `file`; without a file, the innermost outside
    dimred and the import system."""
    package = Path(__file__).resolve().parent.parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and (
            Path(frame.filename) == file
            if file
            else not Path(frame.filename).is_relative_to(package)
        )
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "cannot be imported"


def _exists(module: str) -> bool:
    try:
        return module in sys.modules or find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _described(point: EntryPoint) -> str:
    distribution = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    return f"plug-in {point.name}{distribution}"
