"""The option --out of the commands."""

from __future__ import annotations

from pathlib import Path

from dimred.errors import InputError
from dimred.files import expanded


def out_file(out: str | None) -> Path | None:
    """The file that --out names; None where it was not given. Raises InputError for a folder."""
    if out is None:
        return None
    file = expanded(out)
    if out.endswith("/") or file.name in ("", "..") or file.is_dir():
        raise InputError(f"--out {out}: must name a file, not a folder")
    if out == "-":
        raise InputError("--out -: must name a file; /dev/stdout is the standard output")
    return file
