"""Finished runs as their folders tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dimred.config.renamed import current_config, current_identity, current_overrides
from dimred.errors import InputError
from dimred.run_folder import layout

_PLACES = {"image_folder": "root", "npz": "path"}
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError)


@dataclass(frozen=True)
class RunRecord:
    """What a finished run's folder says of it, without its arrays.

    folder: the folder's name. summary, baselines: its summary.json and baselines.json ({} without).
    config: its config.yaml. environment: its environment.json.
    """

    folder: str
    summary: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    baselines: dict[str, Any]

    @property
    def name(self) -> str:
        """What the configuration calls the run."""
        return str(self.config["name"])

    @property
    def values(self) -> dict[str, Any]:
        """The values that decided the result, by dotted key."""
        values: dict[str, Any] = self.environment["identity"]["config"]
        return values

    @property
    def started(self) -> str:
        """When its last session began, ISO 8601."""
        return str(self.environment["sessions"][-1]["started"])

    @property
    def data(self) -> str:
        """The data set; of a user's own images the name of the folder or file."""
        dataset = self.config["dataset"]
        place = _PLACES.get(dataset["name"])
        return Path(dataset[place]).absolute().name if place else str(dataset["name"])

    @property
    def is_own(self) -> bool:
        """Whether the images are a user's own files."""
        return self.config["dataset"]["name"] in _PLACES

    @property
    def fingerprint(self) -> str:
        """Of the images."""
        return str(self.environment["identity"]["data"])

    @property
    def measured(self) -> dict[str, Any]:
        """What was measured and how, by dotted key: `eval.linear` and the like."""
        return {f"eval.{key}": value for key, value in self.summary["eval"].items()}

    @property
    def budget(self) -> str:
        """The word on how large it is, "" for none."""
        return self.config.get("budget") or ""

    @property
    def command(self) -> list[str]:
        """The words of `dimred train` that made it, less where its outputs went."""
        words = current_overrides(self.environment["sessions"][-1]["command"][2:])
        return [_unquoted(w) for w in words if not w.startswith(("output_dir=", "run_dir="))]

    @property
    def n_variants(self) -> int:
        """Rows of embedding.npz for each image: itself and its transformations."""
        transformations: int = self.summary["dataset"]["transformations"]
        return transformations + 1

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""
        return sum(stage["epochs"] for stage in self.config["schedule"]["stages"].values())

    def check(self) -> None:
        """Raise an exception of whatever kind where something that tables read is not there."""
        for part in (self.summary, self.config, self.environment, self.baselines):
            part.keys()
        numbers = {**self.summary["final"], **(self.summary["linear"] or {})}
        if any(isinstance(numbers.get(key), str) for key in ("loss", "accuracy")):
            raise TypeError("a number is a text")
        known = (self.name, self.started, self.data, self.epochs, self.budget, self.command)
        of_summary = [self.summary[key] for key in ("seed", "training_seconds", "stages")]
        if not range(self.summary["dataset"]["images"] * self.n_variants):
            raise ValueError("no images")
        headline = self.summary["final"].get(self.summary["headline"], 0.0) + 0.0
        groups = [self.values[f"{name}.name"] for name in ("dataset", "model", "pairing", "loss")]
        session = [self.environment["sessions"][-1][key] for key in ("device", "commit")]
        json.dumps([known, of_summary, headline, groups, session, self.fingerprint, self.measured])
        for measured in self.baselines.values():
            made = [measured[key] for key in ("images", "device", "threads")]
            json.dumps([measured["label"], measured["library"], measured["places"], made])

    def as_json(self) -> dict[str, Any]:
        """What `read_records` reads again from a .jsonl file."""
        return {
            "folder": self.folder,
            "summary": self.summary,
            "config": self.config,
            "environment": self.environment,
            "baselines": self.baselines,
        }


def _unquoted(word: str) -> str:
    """A word as typed: Hydra records texts with its own quotes."""
    key, _, value = word.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return f"{key}={value[1:-1]}" if quoted and "\\" not in value else word


def read_records(place: Path) -> tuple[list[RunRecord], list[str]]:
    """The finished runs below a folder, or of a .jsonl file with a record in each line.

    Returns the records, of equal runs the one that began last, in the order of their names; and a
    line for each folder that cannot be read, which is left out.
    Raises InputError for a place that is not there, or a .jsonl file that holds something else.
    """
    if place.suffix == ".jsonl" and place.is_file():
        found, damaged = list(_lines(place)), list[str]()
    elif place.is_dir():
        found, damaged = _folders(place)
    else:
        raise InputError(f"{place}: must be a folder of run folders, or a .jsonl file of records")
    return latest(sorted(found, key=lambda record: record.started)), damaged


def latest(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Of equal runs the last one given, in the order of their names."""
    last = {json.dumps([r.environment["identity"], r.data, r.name]): r for r in records}
    return sorted(last.values(), key=lambda record: (record.name, record.folder))


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run. Raises InputError for a folder that holds none."""
    if not (folder / layout.SUMMARY).exists():
        reason = "no summary.json"
        if not folder.exists():
            reason = "it is not there"
        elif (folder / layout.ENVIRONMENT).exists():
            reason = "it is unfinished; the command that began it goes on"
        raise InputError(f"{folder}: holds no finished run ({reason})")
    try:
        baselines = folder / layout.BASELINES
        record = _record(
            folder=folder.name,
            summary=json.loads((folder / layout.SUMMARY).read_text()),
            config=yaml.safe_load((folder / layout.CONFIG).read_text()),
            environment=json.loads((folder / layout.ENVIRONMENT).read_text()),
            baselines=json.loads(baselines.read_text()) if baselines.exists() else {},
        )
    except _UNREADABLE as error:
        raise InputError(
            f"{folder}: is no folder of a finished run, or damaged ({error!r})"
        ) from error
    return record


def _record(config: dict[str, Any], environment: dict[str, Any], **rest: Any) -> RunRecord:
    """A record under present names, checked. Raises an exception of whatever kind for another."""
    identity = current_identity(environment["identity"])
    environment = {**environment, "identity": identity}
    record = RunRecord(config=current_config(config), environment=environment, **rest)
    record.check()
    return record


def _folders(place: Path) -> tuple[list[RunRecord], list[str]]:
    found, damaged = [], []
    for summary in sorted(place.rglob(layout.SUMMARY)):
        try:
            found.append(read_record(summary.parent))
        except InputError as error:
            damaged.append(str(error))
    return found, damaged


def _lines(file: Path) -> Iterator[RunRecord]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            record = _record(**json.loads(line))
        except _UNREADABLE as error:
            raise InputError(f"{file}: line {number} holds no record of a run") from error
        yield record
