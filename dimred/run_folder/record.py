"""Records of finished runs: the JSON and YAML files of their folders."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dimred.config.renamed import current_config, current_identity, current_overrides
from dimred.errors import InputError
from dimred.files import printable
from dimred.options.registry import registered
from dimred.run_folder import layout

_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError)


@dataclass(frozen=True)
class RunRecord:
    """The JSON and YAML files of a finished run.

    folder: the folder's name. summary: summary.json. config: config.yaml. environment:
    environment.json. baselines: baselines.json, {} without one.
    """

    folder: str
    summary: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    baselines: dict[str, Any]

    @property
    def name(self) -> str:
        """The run's name in its configuration."""
        return str(self.config["name"])

    @property
    def values(self) -> dict[str, Any]:
        """The values that affect the result, by dotted key."""
        values: dict[str, Any] = self.environment["identity"]["config"]
        return values

    @property
    def started(self) -> str:
        """When its last session began, ISO 8601."""
        return str(self.environment["sessions"][-1]["started"])

    @property
    def data(self) -> str:
        """The name of the data set; for a user's own images, of the folder or file, as text."""
        dataset = self.config["dataset"]
        key = _location_of_own(dataset["name"])
        return printable(Path(dataset[key]).absolute().name if key else str(dataset["name"]))

    @property
    def has_own_images(self) -> bool:
        """Whether the images are a user's own files."""
        return _location_of_own(self.config["dataset"]["name"]) is not None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the images."""
        return str(self.environment["identity"]["data"])

    @property
    def measured(self) -> dict[str, Any]:
        """The options of measuring, by dotted key, such as `eval.linear`."""
        return {f"eval.{key}": value for key, value in self.summary["eval"].items()}

    @property
    def budget(self) -> str:
        """The run's size, such as "smoke"; "" for none."""
        return self.config.get("budget") or ""

    @property
    def command(self) -> list[str]:
        """The arguments of `dimred train` that made it, except the output folder."""
        arguments = current_overrides(self.environment["sessions"][-1]["command"][2:])
        places = ("output_dir=", "run_dir=")
        return [_unquoted(a) for a in arguments if not a.startswith(places)]

    @property
    def n_variants(self) -> int:
        """Rows of embedding.npz per image: the image itself and its transformations."""
        transformations: int = self.summary["dataset"]["transformations"]
        return transformations + 1

    @property
    def epochs(self) -> int:
        """The total epochs of all stages."""
        return sum(stage["epochs"] for stage in self.config["schedule"]["stages"].values())

    def check(self) -> None:
        """Raise an exception, of any type, where something is missing that tables read."""
        for part in (self.summary, self.config, self.environment, self.baselines):
            part.keys()
        numbers = {**self.summary["final"], **(self.summary["linear"] or {})}
        if any(isinstance(numbers.get(key), str) for key in ("loss", "accuracy")):
            raise TypeError("a number is a text")
        config_values = (self.name, self.started, self.data, self.epochs, self.budget, self.command)
        summary_values = [self.summary[key] for key in ("seed", "training_seconds", "stages")]
        if not range(self.summary["dataset"]["images"] * self.n_variants):
            raise ValueError("no images")
        headline = self.summary["final"].get(self.summary["headline"], 0.0) + 0.0
        groups = [self.values[f"{name}.name"] for name in ("dataset", "model", "pairing", "loss")]
        session = [self.environment["sessions"][-1][key] for key in ("device", "commit")]
        json.dumps([config_values, summary_values, headline, groups, session])
        json.dumps([self.fingerprint, self.measured])
        keys = ("label", "library", "places", "images", "device", "threads")
        for baseline in self.baselines.values():
            json.dumps([baseline[key] for key in keys])

    def as_json(self) -> dict[str, Any]:
        """The record as one line of a .jsonl file, which `read_records` reads."""
        return {
            "folder": self.folder,
            "summary": self.summary,
            "config": self.config,
            "environment": self.environment,
            "baselines": self.baselines,
        }


def _location_of_own(dataset: str) -> str | None:
    """The option that locates a user's own images; None for other data sets."""
    options = registered("dataset").get(dataset)
    return options().location_key if options is not None and options.of_user else None


def _unquoted(argument: str) -> str:
    """The argument without the quotes that Hydra adds to recorded texts."""
    key, _, value = argument.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return f"{key}={value[1:-1]}" if quoted and "\\" not in value else argument


def read_records(place: Path) -> tuple[list[RunRecord], list[str]]:
    """The finished runs below a folder, or in a .jsonl file with one record per line.

    Returns the records in the order of their names, of equal runs the last one, and an error line
    for each folder that cannot be read.
    Raises InputError for a place that does not exist, or a .jsonl file with other content.
    """
    if place.suffix == ".jsonl" and place.is_file():
        records, damaged = list(_lines(place)), list[str]()
    elif place.is_dir():
        records, damaged = _folders(place)
    else:
        raise InputError(f"{place}: must be a folder of run folders, or a .jsonl file of records")
    return latest(sorted(records, key=lambda record: record.started)), damaged


def latest(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The last of each set of equal runs, in the order of their names."""
    last = {json.dumps([r.environment["identity"], r.data, r.name]): r for r in records}
    return sorted(last.values(), key=lambda record: (record.name, record.folder))


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run. Raises InputError for a folder that holds none."""
    if not (folder / layout.SUMMARY).exists():
        reason = "no summary.json"
        if not folder.exists():
            reason = "it does not exist"
        elif (folder / layout.ENVIRONMENT).exists():
            reason = "it is unfinished; the command that began it continues it"
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
            f"{folder}: is not the folder of a finished run, or damaged ({error!r})"
        ) from error
    return record


def _record(config: dict[str, Any], environment: dict[str, Any], **rest: Any) -> RunRecord:
    """A checked record, under current names. Raises an exception, of any type, for an invalid
    one."""
    identity = current_identity(environment["identity"])
    environment = {**environment, "identity": identity}
    record = RunRecord(config=current_config(config), environment=environment, **rest)
    record.check()
    return record


def _folders(place: Path) -> tuple[list[RunRecord], list[str]]:
    records, damaged = [], []
    for summary in sorted(place.rglob(layout.SUMMARY)):
        try:
            records.append(read_record(summary.parent))
        except InputError as error:
            damaged.append(str(error))
    return records, damaged


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
