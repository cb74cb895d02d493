"""The files of a run folder, which may come from a stranger: the one door for reading and writing.

Nothing outside the folder is read or written through links, nothing but regular files is opened,
and JSON and YAML are read up to a size and a depth.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dimred.config.safe_yaml import safe_yaml
from dimred.errors import InputError
from dimred.files import is_shared, naming, open_own, open_regular, replace_file

_MAX_TEXT = 2**26  # bytes of a JSON or YAML file; a run writes a few KiB to a few MiB
_MAX_LINE = 2**20  # bytes of a line of JSON
# What Python raises for values of other kinds than expected.
_OF_OTHER_KINDS = (ValueError, LookupError, TypeError, AttributeError)


class RunFiles:
    """The files of a folder by name, such as "stages/annealed.npz".

    All methods raise InputError, naming the file, for one that leads out of the folder or holds
    something else than it should, and OSError for one that cannot be read or written.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def exists(self, name: str) -> bool:
        """Whether there is anything of this name."""
        return os.path.lexists(self.folder / name)

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading."""
        root = os.path.realpath(self.folder)
        real = os.path.realpath(self.folder / name)
        if not Path(real).is_relative_to(root):
            raise InputError(
                f"{self.folder / name}: leads out of the run folder; put the file itself there"
            )
        with naming(self.folder / name):
            return open_regular(real, follow=False)

    def read(self, name: str, at_most: int | None = None) -> bytes:
        """The bytes of a file."""
        with self.open(name) as file:
            size = os.fstat(file.fileno()).st_size
            if at_most is not None and size > at_most:
                raise InputError(
                    f"{self.folder / name}: has {size:,} bytes; at most {at_most:,} are read"
                )
            return file.read()

    def text(self, name: str) -> str:
        """The text of a file in UTF-8."""
        try:
            return self.read(name, _MAX_TEXT).decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{self.folder / name}: is damaged (it is not UTF-8)") from error

    def json(self, name: str, advice: str = "") -> Any:
        """The content of a JSON file. NaN and infinities are refused: a run writes none. advice: as
        in `decoding`."""
        text = self.text(name)
        with self.decoding(name, advice):
            return strict_json(text)

    def json_lines(self, name: str) -> list[Any]:
        """The content of each line of a file of JSON lines, as of a JSON file."""
        with self.open(name) as file, self.decoding(name):
            lines: list[Any] = []
            while line := file.readline(_MAX_LINE + 1):
                if len(line) > _MAX_LINE:
                    raise ValueError(f"line {len(lines) + 1} has more than {_MAX_LINE:,} bytes")
                lines.append(strict_json(line.decode("utf-8")))
            return lines

    def yaml(self, name: str) -> Any:
        """The content of a YAML file of plain values."""
        text = self.text(name)
        with self.decoding(name):
            return safe_yaml(text)

    @contextmanager
    def decoding(self, name: str, advice: str = "") -> Iterator[None]:
        """Context that turns whatever decoding a file, and using what it holds, raises into
        InputErrors that name it. advice: what can be done, after a semicolon."""
        try:
            yield
        except (*_OF_OTHER_KINDS, RecursionError, MemoryError) as error:
            said = str(error).strip() or type(error).__name__
            if isinstance(error, LookupError):
                said = f"has no {said}"
            reason = " ".join(said.splitlines()[0].split())
            raise InputError(f"{self.folder / name}: is damaged ({reason}){advice}") from error

    def write(self, name: str, content: bytes | memoryview) -> None:
        """Write a file and the folder that it is in. A link of its name is replaced."""
        path = self.folder / name
        self._require_own(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, content)

    def made_folder(self, name: str) -> Path:
        """A sub-folder that a library writes into, made where it is missing."""
        path = self.folder / name
        self._require_own(path)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def append(self, name: str, text: str) -> None:
        """Add a line or more to a text file."""
        path = self.folder / name
        self._require_own(path.parent)
        with naming(path):
            descriptor = open_own(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            with os.fdopen(descriptor, "rb+") as file:
                if is_shared(descriptor):  # such as with a backup made of hard links
                    replace_file(path, file.read() + text.encode())
                else:
                    file.write(text.encode())

    def remove(self, *names: str) -> None:
        """Remove files that may not exist."""
        for name in names:
            path = self.folder / name
            self._require_own(path.parent)
            path.unlink(missing_ok=True)

    def _require_own(self, folder: Path) -> None:
        """Raise InputError where a sub-folder is a link, which could lead anywhere."""
        while folder != self.folder:
            if folder.is_symlink():
                raise InputError(f"{folder}: is a link; only a folder can be written into")
            folder = folder.parent


def strict_json(text: str) -> Any:
    """The content of a JSON text. Raises ValueError for NaN, infinities and texts that are no JSON,
    RecursionError for deep nesting."""
    return json.loads(text, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no finite number")
    return number
