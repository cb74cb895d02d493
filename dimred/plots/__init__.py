"""Figures, drawn by matplotlib."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from dimred.files import can_be_written, expanded, private_cache


def _provide_cache() -> None:
    """Give matplotlib a folder for its list of fonts where it has none, before it is imported: it
    would make the list every time, and say so."""
    places = (("XDG_CONFIG_HOME", "~/.config"), ("XDG_CACHE_HOME", "~/.cache"))
    folders = [Path(os.environ.get(key) or expanded(default)) for key, default in places]
    if all(f.is_absolute() and can_be_written(f / "matplotlib") for f in folders):
        return
    with suppress(OSError):  # then matplotlib says what it lacks
        os.environ["MPLCONFIGDIR"] = str(private_cache("matplotlib"))


if "MPLCONFIGDIR" not in os.environ and "matplotlib" not in sys.modules:
    _provide_cache()
