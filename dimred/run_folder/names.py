"""How numbers and runs are named where people read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

_ENDING = re.compile(r"(?P<base>.*?)(?:-(?P<varied>[^-=]*=.*))?-seed(?P<seed>\d+)-[0-9a-f]{8}")
_OF_TWO_SPACES = {"trustworthiness": "of Z against H", "overlap": "of Z and H"}


def numbered(stem: str) -> Iterator[str]:
    """Names for a result, to take the first that is free: stem, stem-2, stem-3, ..."""
    return chain([stem], (f"{stem}-{number}" for number in count(2)))


def base_name(folder: str) -> str:
    """The name of a run folder without the seed, the hash, and what a sweep varied."""
    match = _ENDING.fullmatch(folder)
    return match["base"] if match else folder


def begun_with(part: Mapping[str, str]) -> dict[str, str]:
    """What a run's network began with, by dotted key: the name of a run and a digest of its
    configuration, the same for all seeds; or the name of a file and its digest.

    part: `begins_with` in summary.json; {} for random weights.
    """
    if not part:
        return {}
    # A record without the configuration is of an earlier version.
    digest = part["sha256"] if part["option"] == "model.weights" else part.get("configuration", "")
    name = base_name(Path(part["value"]).name)
    return {part["option"]: "-".join(filter(None, [name, digest[:8]]))}


def spelled(name: str, summary: Mapping[str, Any]) -> str:
    """The name of a number of a run as read by people: where it is of two spaces, these are said.

    summary: the run's summary.json. Numbers that it does not describe keep their names.
    """
    part = summary.get("measures", {}).get("numbers", {}).get(name, {})
    said = _OF_TWO_SPACES.get(part.get("measure", ""))
    return f"{part['measure']}{part['k']} {said}" if said else name


def headline_text(summary: Mapping[str, Any]) -> str:
    """The headline of a run with its name; without labels, with the same before training."""
    name = summary["headline"]
    if name not in summary["final"]:
        return ""
    text = f"{spelled(name, summary)} {summary['final'][name]:.3f}"
    before = (summary.get("untrained") or {}).get(name.removesuffix("_z") + "_untrained_z")
    told = before is not None and name.startswith("trustworthiness")
    return f"{text}, {before:.3f} before training" if told else text


def class_split_text(
    part: Mapping[str, Mapping[str, int]], learned_from: int, begun: bool = False
) -> str:
    """How many classes a run learns from, and on how many others it is measured.

    part: `class_split` of the dataset in its summary.json. learned_from: how many images.
    begun: whether its network began with other weights, which may have learned from any class.
    """
    learned, unseen = part["learned"], part["unseen"]
    of = f"of {unseen['images']:,} " if unseen["measured"] != unseen["images"] else ""
    by = " by this training" if begun else ""
    return (
        f"learned from {_classes(learned)} ({learned_from:,} images), measured on "
        f"{_classes(unseen)} never seen{by} ({unseen['measured']:,} {of}images)"
    )


def _classes(part: Mapping[str, int]) -> str:
    return "1 class" if part["classes"] == 1 else f"{part['classes']:,} classes"
