"""Which plug-in a choice comes from."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

_FILE_MODULE = re.compile(r"dimred_plugin_(.*)_[0-9a-f]{8}")


def file_module(path: Path) -> str:
    """The module name of a single-file plug-in: the file's name and a digest of its path."""
    digest = sha256(str(path).encode()).hexdigest()[:8]
    return f"dimred_plugin_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}_{digest}"


@dataclass(frozen=True)
class Origin:
    """A plug-in.

    name: file name (letters, digits and _) or package name.
    version: of the distribution it belongs to, or None.
    sha256: digest of the source (for a package, of all its Python files); None without a file.
    """

    name: str
    version: str | None
    sha256: str | None

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON-serializable dict."""
        return asdict(self)


def origin_of(module: str) -> Origin | None:
    """The plug-in that a module belongs to; None for modules of dimred."""
    top = module.partition(".")[0]
    if top == "dimred":
        return None
    loaded = sys.modules.get(top)
    file = getattr(loaded, "__file__", None)
    folders = sorted(getattr(loaded, "__path__", ()))
    if match := _FILE_MODULE.fullmatch(top):
        return Origin(f"{match[1]}.py", None, _digest(file, []))
    name = top if folders or file is None else Path(file).name
    return Origin(name, _version(top), _digest(file, folders))


def _version(top: str) -> str | None:
    if top == "__main__":
        return None
    try:
        return version(packages_distributions().get(top, [top])[0])
    except PackageNotFoundError:
        return None


def _digest(file: str | None, folders: list[str]) -> str | None:
    digest = sha256()
    if folders:
        for folder in map(Path, folders):
            for path in sorted(folder.rglob("*.py")):
                digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(sha256(path.read_bytes()).digest())
    elif file is not None and Path(file).is_file():
        digest.update(Path(file).read_bytes())
    else:
        return None
    return digest.hexdigest()
