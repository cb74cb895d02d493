"""A finished run in a few lines."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dimred.errors import InputError
from dimred.files import printable, shell_word
from dimred.options.registry import registered
from dimred.run_folder import layout
from dimred.run_folder.names import class_split_text, spelled

_MEAN_AP = "mean_ap"  # the headline where Z are scores of classes
_FEW = 100  # test images, below which the error of accuracies is said


def describe(folder: Path, summary: dict[str, Any]) -> str:
    """The lines printed at the end of a run: data, quality of the map, and paths of the results.

    Raises InputError for a summary that somebody has changed.
    """
    try:
        return _described(folder, summary)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        file = folder / layout.SUMMARY
        raise InputError(f"{file}: is not as a run writes it ({error!r})") from error


def _described(folder: Path, summary: dict[str, Any]) -> str:
    last = list(summary["stages"])[-1]
    lines = [
        *verdict_lines(summary),
        *_data(summary["dataset"], summary["headline"], "begins_with" in summary),
        "",
        *_table(summary),
        "",
    ]
    for name, measure in registered("measure").items():
        lines += measure.lines(summary.get(name) or {})
    left_out = summary.get("measures", {}).get("left_out", {})
    lines += [f"left out              {name}: {reason}" for name, reason in left_out.items()]
    text = "\n".join(
        [
            *lines,
            *_falling(summary["stages"]),
            f"training              {summary['training_seconds']:.0f} s",
            f"map                   {folder / layout.plot(f'map_{last}')}",
            f"metrics               {folder / layout.SUMMARY}",
            f"run folder            {folder}",
            f"look into the map     dimred view {shell_word(folder)} --open",
        ]
    )
    return printable(text)


def verdict_lines(summary: dict[str, Any]) -> list[str]:
    """The verdict on the map and what to do about it, with an empty line after; none for runs
    without one."""
    verdict = summary.get("verdict")
    if not verdict:
        return []
    advice = [f"  {verdict['advice']}"] if verdict["advice"] else []
    return [f"map: {verdict['word']}. {verdict['text']}", *advice, ""]


def _falling(stages: dict[str, Any]) -> list[str]:
    """A line on the stages whose loss was falling fast when they ended."""
    names = [name for name, values in stages.items() if values.get(layout.STILL_FALLING) is True]
    if not names:
        return []
    return [f"still falling         the loss of {' and '.join(names)}: more epochs would lower it"]


def _data(dataset: dict[str, Any], headline: str, begun: bool) -> list[str]:
    line = f"{dataset['name']}: {dataset['images']:,} images"
    if dataset["learned_from"] != dataset["images"]:
        line += f", learned from {dataset['learned_from']:,}"
    counts = dataset["classes"].values()
    if counts:
        classes = "1 class" if len(counts) == 1 else f"{len(counts)} classes"  # of earlier versions
        line += f", {classes} of {_range(counts)}, chance {_chance(dataset)}"
    else:
        present = dataset.get("present", {})
        labels = f"several labels an image, of {len(present)} classes" if present else "no labels"
        chance = "" if headline == _MEAN_AP else "trustworthiness 0.5, overlap "
        line += f", {labels}, by chance {chance or 'mean AP '}{dataset['chance']:.4f}"
    part = dataset.get("class_split")
    learned_from = dataset["learned_from"]
    lines = [line, *([class_split_text(part, learned_from, begun)] if part else [])]
    lines += [*(f"{name} split: {text}" for name, text in dataset["splits"].items())]
    tested = min(dataset.get("test_images", {}).values(), default=_FEW)
    if tested < _FEW:
        images = "1 test image" if tested == 1 else f"{tested} test images"
        error = 0.5 / math.sqrt(tested)  # of a share of one half, where it is largest
        lines.append(f"accuracies of {images} have a standard error of up to {error:.2f}")
    unreadable = dataset["unreadable"]
    if unreadable:
        reasons = dataset.get("first_look", {}).get("unreadable", [])
        count = sum(reason["count"] for reason in reasons) or len(unreadable)  # not all are named
        lines.append(f"left out, {count:,} unreadable")
    return lines


def _chance(dataset: dict[str, Any]) -> str:
    """The accuracy of always predicting the largest training class. It says nothing where the test
    images have none of that class, as where there are few of each."""
    return f"{dataset['chance']:.4f}" if dataset["chance"] else "unknown"


def _table(summary: dict[str, Any]) -> list[str]:
    """A table of numbers (rows) by stage (columns), with further columns for the references without
    learning and for LLE."""
    numbers = [key for key in summary["final"] if not layout.is_of_training(key)]
    numbers += [key for key in summary["lle"] if key not in numbers]
    columns: dict[str, dict[str, Any]] = dict(summary["stages"])
    for space, values in _references(summary).items():
        columns[space] = values
    if summary["lle"]:
        columns["LLE"] = summary["lle"]
    width = max(len(word) for word in [*columns, "0.0000"]) + 2
    names = {key: spelled(key, summary) for key in numbers}
    first = max(len(name) for name in [*names.values(), "loss"])
    lines = [" " * first + "".join(word.rjust(width) for word in columns)]
    for key, name in {"loss": "loss", **names}.items():
        cells = [f"{values[key]:.4f}" if key in values else "" for values in columns.values()]
        lines.append((name.ljust(first) + "".join(c.rjust(width) for c in cells)).rstrip())
    return lines


def _references(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The references by space, each under the name of the number of the run that it compares with:
    of Z, or for the network before training of the same space."""
    parts = _parts(summary)
    own = {tuple(sorted(part.items())): name for name, part in parts.items()}
    references: dict[str, dict[str, float]] = {}
    for name, value in {**summary["references"], **(summary.get("untrained") or {})}.items():
        part = parts.get(name)
        if part is None:
            continue
        column, _, same = part["space"].partition("_")
        compares_with = own.get(tuple(sorted({**part, "space": same or "z"}.items())))
        if compares_with is not None:
            references.setdefault(column, {})[compares_with] = value
    return references


def _parts(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each number describes."""
    parts: dict[str, dict[str, Any]] = summary.get("measures", {}).get("numbers", {})
    return parts


def _range(counts: Collection[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
