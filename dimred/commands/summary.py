"""A finished run in a few lines."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

_NAMED_FILES = 5
_OF_TRAINING = ("stage", "epoch", "loss", "lr", "images_per_s", "seconds", "compiled")


def describe(folder: Path, summary: dict[str, Any]) -> str:
    """The lines that a run ends with: the data, how good the map is, and where everything is."""
    last = list(summary["stages"])[-1]
    lines = [*_data(summary["dataset"]), "", *_table(summary), ""]
    linear = summary["linear"]
    if linear:
        lines.append(
            f"linear accuracy in H  {linear['accuracy']:.4f} "
            f"({linear['method']}, {linear['split']} split)"
        )
    for key, value in {**summary["errors"], **summary["tsne"]}.items():
        lines.append(f"{key.replace('_', ' '):<22}{value:.4f}")
    return "\n".join(
        [
            *lines,
            f"training              {summary['training_seconds']:.0f} s",
            f"map                   {folder / 'plots' / f'map_{last}.png'}",
            f"metrics               {folder / 'summary.json'}",
            f"run folder            {folder}",
            f"look into the map     dimred view {shlex.quote(str(folder))} --open",
        ]
    )


def _data(dataset: dict[str, Any]) -> list[str]:
    line = f"{dataset['name']}: {dataset['images']:,} images"
    if dataset["learned_from"] != dataset["images"]:
        line += f", learned from {dataset['learned_from']:,}"
    counts = dataset["classes"].values()
    if counts:
        line += (
            f", {len(counts)} classes of {min(counts):,} to {max(counts):,}, "
            f"chance {dataset['chance']:.4f}"
        )
    else:
        line += f", no labels, overlap of neighbours by chance {dataset['chance']:.4f}"
    lines = [line, *(f"{name} split: {text}" for name, text in dataset["splits"].items())]
    unreadable = dataset["unreadable"]
    if unreadable:
        names = ", ".join(map(repr, unreadable[:_NAMED_FILES]))
        more = ", ..." if len(unreadable) > _NAMED_FILES else ""
        lines.append(f"left out, {len(unreadable)} unreadable: {names}{more}")
    return lines


def _table(summary: dict[str, Any]) -> list[str]:
    """Measures down, stages across, and beside them what is had without learning."""
    measures = [key for key in summary["final"] if key not in _OF_TRAINING]
    measures += [key for key in summary["lle"] if key not in measures]
    references = sorted({key.split("_")[1] for key in summary["references"]}, reverse=True)
    stages = summary["stages"]
    head = [*stages, *references, *(["LLE"] if summary["lle"] else [])]
    width = max(len(word) for word in [*head, "0.0000"]) + 2
    first = max(len(key) for key in [*measures, "loss"])
    lines = [" " * first + "".join(word.rjust(width) for word in head)]
    for key in ["loss", *measures]:
        cells = [f"{values[key]:.4f}" if key in values else "" for values in stages.values()]
        for name in references:
            # A reference stands beside the map that it compares with, in the rows of Z.
            value = summary["references"].get(key.replace("_z_", f"_{name}_"))
            cells.append(f"{value:.4f}" if value is not None and "_z_" in key else "")
        cells.append(f"{summary['lle'][key]:.4f}" if key in summary["lle"] else "")
        lines.append((key.ljust(first) + "".join(c.rjust(width) for c in cells)).rstrip())
    return lines
