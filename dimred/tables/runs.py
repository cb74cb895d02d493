"""A table of runs, finished or not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dimred.errors import InputError, did_you_mean
from dimred.files import csv_file, escaped
from dimred.run_folder.state import FINISHED, RunState
from dimred.tables.distinctions import distinctions
from dimred.tables.formats import pipes

COLUMNS = {
    "run": "the folder",
    "state": "finished, going on, unfinished, diverged, failed, damaged",
    "headline": "the measure that stands for the run",
    "value": "its value",
    "chance": "the same by chance",
    "pixels": "the same of raw pixels",
    "verdict": "whether the map is good",
    "epochs": "trained, of those of all stages",
    "minutes": "of training",
    "MB": "on disk",
    "started": "when the last session began",
    "differs": "the options in which runs of one name differ",
}
"""The columns, with their meaning."""
_SORTED = {"time": "minutes", "size": "MB", "name": "run", "newest": "started"}
_MAX_VALUE = 60  # characters
_BEGUN_WITH = ("model.init_from=", "model.weights=")
_NOT_TEXT = ("started", "headline")  # left out of the terminal's table


@dataclass(frozen=True)
class RunRow:
    """A run in the table. differs: as in `distinctions`."""

    run: RunState
    differs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> dict[str, Any]:
        """The numbers of the last stage, and other numbers of the end."""
        summary = self.run.summary or {}
        of_end = [summary.get(name) for name in ("retrieval", "variational")]
        others = {k: v for part in of_end if isinstance(part, dict) for k, v in part.items()}
        numbers = {k: v for k, v in others.items() if isinstance(v, int | float)}
        linear = (summary.get("linear") or {}).get("accuracy")
        final = {"linear": linear} if isinstance(linear, int | float) else {}
        return {**summary.get("final", {}), **summary.get("references", {}), **final, **numbers}

    @cached_property
    def cells(self) -> dict[str, Any]:
        """The values of the columns; None for what is not known."""
        run, summary = self.run, self.run.summary or {}
        headline, dataset = summary.get("headline", ""), summary.get("dataset", {})
        judges_classes = headline.startswith("knn")
        pixels = headline.replace("_z", "_pixels", 1)
        seconds = summary.get("training_seconds")
        verdict = summary.get("verdict")
        word = verdict.get("word") if isinstance(verdict, dict) else None
        return {
            "run": str(run.folder),
            "state": run.state,
            "headline": headline or None,
            "value": self.final.get(headline),
            "chance": dataset.get("chance") if judges_classes else None,
            "pixels": summary.get("references", {}).get(pixels),
            "verdict": word if isinstance(word, str) else None,
            "epochs": run.epochs_done,
            "minutes": None if seconds is None else round(seconds / 60, 2),
            "MB": round(run.n_bytes / 1e6, 1),
            "started": run.started or None,
            "differs": _as_words(self.differs),
        }


def _as_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={_as_word(value)}" for key, value in values.items())


def _as_word(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."


def run_rows(runs: Sequence[RunState]) -> list[RunRow]:
    """The rows of runs, in their order; each says how it differs from those of the same name."""
    names: dict[str, list[int]] = {}
    for number, run in enumerate(runs):
        names.setdefault(str(run.folder.with_name(run.base)), []).append(number)
    differ: dict[int, dict[str, Any]] = {}
    for numbers in names.values():
        known = [number for number in numbers if runs[number].values]
        of_runs = distinctions([_compared(runs[number]) for number in known])
        differ |= dict(zip(known, of_runs, strict=True))
    return [RunRow(run, differ.get(number, {})) for number, run in enumerate(runs)]


def _compared(run: RunState) -> dict[str, Any]:
    """The values of a run, what it began with as its command says, and its images: by the folder or
    file in its command, if it has one."""
    words = run.sessions[-1].get("command") if run.sessions else None
    typed = [word for word in words if isinstance(word, str)] if isinstance(words, list) else []
    places = [w.partition("=")[2] for w in typed if w.startswith(("dataset.root", "dataset.path"))]
    pairs = (word.split("=", 1) for word in typed if word.startswith(_BEGUN_WITH))
    begun = {key: value.strip("'") for key, value in pairs}
    return {**run.values, **begun, "images": [run.identity.get("data", "")[:6], *places[-1:]]}


def sorted_rows(rows: Iterable[RunRow], key: str, reverse: bool = False) -> list[RunRow]:
    """Rows by a column or a number of their summary: names in order, numbers from the largest,
    times from the newest; those without a value last.

    key: a column, `time`, `size`, `newest`, or a name in `final` or its beginning, such as knn15.
    Raises InputError for any other.
    """
    rows, key = list(rows), _SORTED.get(key, key)
    if key in COLUMNS:
        values = [row.cells[key] for row in rows]
    else:
        names = dict.fromkeys(name for row in rows for name in row.final)
        if not any(name.startswith(key) for name in names):
            known = [*COLUMNS, *_SORTED, *names]
            hint = did_you_mean(key, known)
            raise InputError(f"--sort {key}: no such column; {hint}they are {', '.join(known)}")
        values = [number_named(row, key) for row in rows]
    known_rows = [(v, row) for v, row in zip(values, rows, strict=True) if v is not None]
    texts = all(isinstance(value, str) for value, _ in known_rows) and key != "started"
    known_rows.sort(key=lambda pair: pair[0], reverse=texts == reverse)
    unknown = [row for value, row in zip(values, rows, strict=True) if value is None]
    return [row for _, row in known_rows] + unknown


def number_named(row: RunRow, name: str) -> float | None:
    """A number of a run by its name, or by the beginning of it: then that of the headline, if that
    is one, else the first."""
    numbers = row.final
    headline = (row.run.summary or {}).get("headline", "")
    named = [key for key in (name, headline, *numbers) if key in numbers]
    value = next((numbers[key] for key in named if key.startswith(name)), None)
    return float(value) if isinstance(value, int | float) else None


def _text_cells(row: RunRow) -> dict[str, str]:
    """The cells as a terminal shows them."""
    cells, run = row.cells, row.run
    texts = {key: "" if value is None else str(value) for key, value in cells.items()}
    in_name = f"-seed{row.differs.get('seed')}-" in run.folder.name
    differs = {k: v for k, v in row.differs.items() if k != "seed" or not in_name}
    texts["differs"] = _as_words(differs)
    for key in ("value", "chance", "pixels"):
        texts[key] = "" if cells[key] is None else f"{cells[key]:.3f}"
    texts["minutes"] = "" if cells["minutes"] is None else f"{cells['minutes']:,.1f}"
    texts["MB"] = f"{cells['MB']:,.1f}"
    if run.values and run.state != FINISHED:
        texts["epochs"] = f"{run.epochs_done:,}/{run.epochs:,}"
    return {key: escaped(text) for key, text in texts.items()}


def _shown(rows: Sequence[RunRow], more: str) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the columns that say something of these runs."""
    texts = [_text_cells(row) for row in rows]
    headlines = sorted({each["headline"] for each in texts} - {""})
    keys = [key for key in COLUMNS if key not in _NOT_TEXT]
    if len(headlines) > 1:
        for each in texts:
            each["value"] = f"{each['headline']} {each['value']}".strip()
    keys = [key for key in keys if key in ("run", "state") or any(each[key] for each in texts)]
    heads = {key: key for key in keys} | {"value": headlines[0] if len(headlines) == 1 else "value"}
    is_shown = len(headlines) == 1 and headlines[0].startswith(more)
    if more and more not in (*COLUMNS, *_SORTED) and not is_shown:
        for row, each in zip(rows, texts, strict=True):
            number = number_named(row, more)
            each[more] = "" if number is None else f"{number:.4g}"
        keys.insert(keys.index("state") + 1, more)
        heads[more] = more
    return [heads[key] for key in keys], [[each[key] for key in keys] for each in texts]


def as_text(rows: Sequence[RunRow], more: str = "") -> str:
    """For a terminal. more: a number of the summary as a further column."""
    heads, cells = _shown(rows, more)
    columns = list(zip(heads, *cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    left = [head in ("run", "state", "verdict", "differs") for head in heads]
    lines = [
        "  ".join(
            text.ljust(width) if to_left else text.rjust(width)
            for text, width, to_left in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in zip(*columns, strict=True)
    ]
    reasons = [
        f"{escaped(str(row.run.folder))}: {row.run.state} ({escaped(row.run.reason)})"
        for row in rows
        if row.run.reason
    ]
    return "\n".join([*lines, *([""] if reasons else []), *reasons])


def as_markdown(rows: Sequence[RunRow], more: str = "") -> str:
    """As a Markdown table."""
    heads, cells = _shown(rows, more)
    return "\n".join([pipes(heads), pipes(["---"] * len(heads)), *map(pipes, cells)])


def as_csv(rows: Sequence[RunRow], more: str = "") -> str:
    """As CSV: the columns, and all numbers of the end."""
    numbers = list(dict.fromkeys(name for row in rows for name in row.final))
    columns = [*COLUMNS, *(name for name in numbers if name not in COLUMNS)]
    lines = [{**row.final, **row.cells} for row in rows]
    return csv_file(columns, lines).decode("utf-8-sig").replace("\r\n", "\n").rstrip("\n")


def as_json(rows: Sequence[RunRow], more: str = "") -> str:
    """As a JSON list of objects, with all numbers of the end."""
    content = [
        {
            **row.cells,
            "differs": dict(row.differs),
            "epochs_in_all": row.run.epochs,
            "bytes": row.run.n_bytes,
            "reason": row.run.reason or None,
            "command": row.run.command or None,
            "final": row.final,
        }
        for row in rows
    ]
    return json.dumps(content, indent=2)


FORMATS: dict[str, Callable[[Sequence[RunRow], str], str]] = {
    "table": as_text,
    "csv": as_csv,
    "markdown": as_markdown,
    "json": as_json,
}
