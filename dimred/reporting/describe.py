"""A finished run in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def describe(folder: Path, summary: dict[str, Any]) -> str:
    """The lines that a run ends with: the data, how good the map is, and where everything is."""
    dataset, final = summary["dataset"], summary["final"]
    lines = [_data(dataset)]
    if dataset["unreadable"]:
        names = ", ".join(repr(name) for name in dataset["unreadable"][:5])
        more = len(dataset["unreadable"]) - 5
        lines.append(
            f"left out, unreadable: {len(dataset['unreadable'])} file(s): {names}"
            + (f" and {more} more" if more > 0 else "")
        )
    rows = [(stage, values) for stage, values in summary["stages"].items()]
    keys = [key for key in final if key.startswith(("knn", "trustworthiness", "overlap"))]
    lines += ["", "after stage".ljust(28) + "  loss    " + "  ".join(keys)]
    for stage, values in rows:
        cells = "  ".join(f"{values[key]:.4f}".ljust(len(key)) for key in keys)
        lines.append(f"{stage:<28}  {values['loss']:.4f}  {cells}")
    if summary["references"]:
        lines += ["", "for comparison"]
        lines += [f"{key:<28}  {value:.4f}" for key, value in summary["references"].items()]
    if dataset["chance"] is not None:
        lines.append(f"{'chance (largest class)':<28}  {dataset['chance']:.4f}")
    if summary["linear"]:
        linear = summary["linear"]
        lines.append(
            f"linear accuracy in H          {linear['accuracy']:.4f}  "
            f"({linear['method']}, {linear['split']} split)"
        )
    return "\n".join([*lines, "", *_places(folder, summary)])


def _data(dataset: dict[str, Any]) -> str:
    text = f"{dataset['name']}: {dataset['images']:,} images"
    if dataset["learned_from"] != dataset["images"]:
        text += f", learned from {dataset['learned_from']:,}"
    counts = dataset["classes"].values()
    if counts:
        text += f", {len(counts)} classes of {min(counts):,} to {max(counts):,}"
    for name, meaning in dataset["splits"].items():
        text += f"\n{name} split: {meaning}"
    return text


def _places(folder: Path, summary: dict[str, Any]) -> list[str]:
    last = list(summary["stages"])[-1]
    return [
        f"{summary['training_seconds']:.0f} s of training",
        f"map      {folder / 'plots' / f'map_{last}.png'}",
        f"metrics  {folder / 'summary.json'}",
        f"folder   {folder}",
    ]
