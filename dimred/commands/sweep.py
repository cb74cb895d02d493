"""What a sweep prints, and how its run folders are called."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dimred.files import printable

_MAX_NAME = 80  # characters of what a sweep varies, in a folder's name
_MAX_VALUE = 24
# What shells and file systems take as it is, but for "=", which stands between key and value.
_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")


def varied_words(overrides: Iterable[str], swept: Sequence[str]) -> str:
    """What a sweep varies in a job, for the name of its folder: `loss=simclr-batch_size=64`.

    The seed stands there anyway; options that are no part of a run's configuration, such as its
    name and how it is measured, are not named.
    overrides: of the job. swept: the keys that the sweep varies.
    """
    values = {}
    for override in overrides:
        key, _, value = override.partition("=")
        key = key.lstrip("+")
        is_setting = "." not in key and key in ("seed", "name", "experiment", *_OF_FOLDER)
        if key in swept and not is_setting and not key.startswith(("eval.", "hydra")):
            values[key] = _word(value)
    from dimred.tables.distinctions import short_names

    names = short_names([key.replace("@", ".") for key in values])
    pairs = zip(names, values.values(), strict=True)
    text = "-".join(f"{_UNSAFE.sub('_', name)}={value}" for name, value in pairs)
    if len(text) <= _MAX_NAME:
        return text
    return f"{text[: _MAX_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


_OF_FOLDER = ("output_dir", "run_dir", "restart", "budget", "checkpoint_every")


def _word(value: str) -> str:
    """A value as a part of a folder's name; of a path, its end."""
    text = value.strip("'\"")
    if "/" in text:
        text = Path(text).name
    return _UNSAFE.sub("_", text).strip("_-")[:_MAX_VALUE]


def in_a_line(run: str, summary: dict[str, Any]) -> str:
    """A run's folder and its headline."""
    headline = summary.get("headline")
    value = summary.get("final", {}).get(headline)
    number = f", {headline} {value:.4f}" if isinstance(value, int | float) else ""
    return printable(f"{run}{number}, {summary.get('training_seconds', 0):,.0f} s of training")


def table_of(folders: Iterable[str]) -> str:
    """The table of `dimred runs` of these runs, in this order; "" without any."""
    from dimred.run_folder.state import state_of
    from dimred.tables.runs import as_text, run_rows

    runs = [state_of(Path(folder)) for folder in dict.fromkeys(folders) if folder]
    rows = run_rows([run for run in runs if run is not None])
    return printable(f"\n{as_text(rows)}\n") if rows else ""
