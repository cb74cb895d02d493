"""Records of finished runs: the JSON and YAML files of their folders."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dimred.config.renamed import current_config, current_identity, current_overrides
from dimred.errors import InputError
from dimred.files import open_regular, printable
from dimred.options.registry import registered
from dimred.run_folder import layout
from dimred.run_folder.files import RunFiles, strict_json
from dimred.run_folder.names import begun_with
from dimred.run_folder.probes import Probed, probes_of

_UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError)


@dataclass(frozen=True)
class RunRecord:
    """The JSON and YAML files of a finished run.

    folder: the folder's name. summary: summary.json. config: config.yaml. environment:
    environment.json. baselines: baselines.json, {} without one. probes: the results of `dimred
    probe` by name, each the content of its result.json; where they are read, by `read_records`.
    """

    folder: str
    summary: dict[str, Any]
    config: dict[str, Any]
    environment: dict[str, Any]
    baselines: dict[str, Any]
    probes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The run's name in its configuration."""
        return str(self.config["name"])

    @property
    def values(self) -> dict[str, Any]:
        """The values that affect the result, by dotted key, and what its network began with."""
        begun = begun_with(self.summary.get("begins_with", {}))
        return {**self.environment["identity"]["config"], **begun}

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
    def files(self) -> int | None:
        """The number of image files in the data's folder; None where it is not recorded."""
        files: int | None = self.summary["dataset"].get("first_look", {}).get("files")
        return files

    @property
    def measured(self) -> dict[str, Any]:
        """The options of measuring, by dotted key, such as `eval.linear`."""
        return {f"eval.{key}": value for key, value in self.summary["eval"].items()}

    @property
    def probed(self) -> dict[str, Probed]:
        """The results of `dimred probe`, by name."""
        return {name: Probed.of_json(content) for name, content in self.probes.items()}

    @property
    def budget(self) -> str:
        """The run's size, such as "smoke"; "" for none."""
        return self.config.get("budget") or ""

    @property
    def command(self) -> list[str]:
        """The arguments of `dimred train` that made it, except the output folder and restart."""
        arguments = current_overrides(self.environment["sessions"][-1]["command"][2:])
        left_out = ("output_dir=", "run_dir=", "restart=")
        return [_unquoted(a) for a in arguments if not a.startswith(left_out)]

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
        """Raise ValueError, LookupError, TypeError or AttributeError where something that tables
        read is missing, or of another kind."""
        check_summary(self.summary)
        config_values = (self.name, self.started, self.data, self.epochs, self.budget, self.command)
        groups = [self.values[f"{name}.name"] for name in ("dataset", "model", "pairing", "loss")]
        session = self.environment["sessions"][-1]
        json.dumps([config_values, groups, self.fingerprint])
        _require(session["device"], str, "sessions.device")
        _require(session["commit"], str | None, "sessions.commit")
        _require(session.get("threads", 1), int, "sessions.threads")
        for result in self.probed.values():
            json.dumps(result.settings)
        for method, baseline in self.baselines.items():
            for key in _BASELINE_KEYS:
                baseline[key]  # a LookupError where it is missing
            for key, value in baseline.items():
                _require(value, _BASELINE.get(key, int | float), f"baselines.{method}.{key}")

    def as_json(self) -> dict[str, Any]:
        """The record as one line of a .jsonl file, which `read_records` reads."""
        return {
            "folder": self.folder,
            "summary": self.summary,
            "config": self.config,
            "environment": self.environment,
            "baselines": self.baselines,
            **({"probes": self.probes} if self.probes else {}),
        }


def check_summary(summary: Any) -> None:
    """Raise ValueError, LookupError, TypeError or AttributeError for a summary that is not as a run
    writes it: where a key that readers need is missing, or a value is of another kind."""
    _require(summary, dict, "the summary")
    for key in ("headline", "seed", "training_seconds", "linear"):
        _require(summary[key], _SUMMARY[key], key)
    dataset = summary["dataset"]
    for key in ("images", "transformations"):
        if _require(dataset[key], int, f"dataset.{key}") < (key == "images"):
            raise ValueError(f"dataset.{key}={dataset[key]}: is too small")
    for part, kinds in ((summary, _SUMMARY), (dataset, _DATASET)):
        for key, kind in kinds.items():
            if key in part:
                _require(part[key], kind, key)
    for name, count in dataset.get("test_images", {}).items():
        if _require(count, int, f"dataset.test_images.{name}") < 1:
            raise ValueError(f"dataset.test_images.{name}={count}: is too small")
    _require(dataset.get("first_look", {}).get("files"), int | None, "dataset.first_look.files")
    for name, stage in summary["stages"].items():
        _check_row(stage, f"stages.{name}")
    _check_row(summary["final"], "final")
    verdict = summary.get("verdict") or {"word": "", "text": "", "advice": None}
    for key, kind in (("word", str), ("text", str), ("advice", str | None)):
        _require(verdict[key], kind, f"verdict.{key}")
    for key in ("option", "value", "sha256") if "begins_with" in summary else ():
        _require(summary["begins_with"][key], str, f"begins_with.{key}")
    _require(summary.get("begins_with", {}).get("configuration", ""), str, "begins_with")
    for key in ("references", "lle"):
        for name, value in summary.get(key, {}).items():
            _require(value, int | float, f"{key}.{name}")


_SUMMARY: dict[str, Any] = {
    "seed": int,
    "headline": str,
    "training_seconds": int | float,
    "linear": dict | None,
    **dict.fromkeys(("eval", "stages", "final", "dataset", "measures"), dict),
    **dict.fromkeys(("references", "lle", "tsne", "errors"), dict),
    "weights_sha256": str,
    "verdict": dict,
    "begins_with": dict,
}
_BASELINE: dict[str, Any] = {
    **dict.fromkeys(("label", "library", "places", "device"), str),
    **dict.fromkeys(("date", "commit"), str | None),
}
_BASELINE_KEYS = ("label", "library", "places", "device", "images", "threads")
_DATASET: dict[str, Any] = {
    "name": str,
    "shape": list,
    "learned_from": int,
    "first_look": dict,
    "unreadable": list,
    "classes": dict,
    "chance": int | float,
    "splits": dict,
    "test_images": dict,
    "class_split": dict,
}


def _require(value: Any, kind: Any, key: str) -> Any:
    """The value. Raises TypeError, naming the key, for one that is not of this kind, such as a
    whole number that no count reaches."""
    if kind is bool and isinstance(value, bool):
        return value
    beyond = isinstance(value, bool) or (isinstance(value, int) and abs(value) >= 2**63)
    if beyond or not isinstance(value, kind):
        raise TypeError(f"{key} is {str(value)[:40]!r}, and not as a run writes it")
    return value


def _check_row(row: dict[str, Any], where: str) -> None:
    """Raise TypeError or AttributeError for a row of metrics that holds more than numbers by name
    and the texts that a run writes."""
    for key, value in row.items():
        text = key in ("stage", "compiled")
        number = bool if key == layout.STILL_FALLING else int | float
        _require(value, str if text else number, f"{where}.{key}")


def check_metrics(rows: Any) -> None:
    """Raise LookupError, TypeError or AttributeError for rows of metrics.jsonl, or of a checkpoint,
    that are not as a run writes them."""
    for number, row in enumerate(rows):
        _check_row(row, f"row {number}")
        for key, kind in (("stage", str), ("epoch", int), ("loss", int | float)):
            _require(row[key], kind, f"row {number}.{key}")


def _location_of_own(dataset: str) -> str | None:
    """The option that locates a user's own images; None for other data sets."""
    options = registered("dataset").get(dataset)
    return options().location_key if options is not None and options.of_user else None


def _unquoted(argument: str) -> str:
    """The argument without the quotes that Hydra adds to recorded texts."""
    key, _, value = argument.partition("=")
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return f"{key}={value[1:-1]}" if quoted and "\\" not in value else argument


def read_records(place: Path, probes: bool = True) -> tuple[list[RunRecord], list[str]]:
    """The finished runs below a folder, or in a .jsonl file with one record per line.

    Returns the records in the order of their names, of equal runs the last one, and an error line
    for each folder that cannot be read.
    probes: whether to read their probes too; one that cannot be read is a line of its own.
    Raises InputError for a place that does not exist, or a .jsonl file with other content.
    """
    if place.suffix == ".jsonl" and place.is_file():
        records, damaged = list(_lines(place)), list[str]()
    elif place.is_dir():
        records, damaged = _folders(place, probes)
    else:
        raise InputError(f"{place}: must be a folder of run folders, or a .jsonl file of records")
    return latest(sorted(records, key=lambda record: record.started)), damaged


def latest(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The last of each set of equal runs, in the order of their names."""
    last = {json.dumps([r.environment["identity"], r.data, r.name]): r for r in records}
    return sorted(last.values(), key=lambda record: (record.name, record.folder))


def read_record(folder: Path) -> RunRecord:
    """The record of a finished run, without its probes. Raises InputError for a folder that holds
    none."""
    files = RunFiles(folder)
    if not files.exists(layout.SUMMARY):
        reason = "no summary.json"
        if not folder.exists():
            reason = "it does not exist"
        elif not folder.is_dir():
            reason = "it is a file; give the folder"
        elif files.exists(layout.ENVIRONMENT):
            from dimred.run_folder.state import state_of  # which reads summaries as this does

            run = state_of(folder)
            reason = run.why_unfinished if run is not None else "no summary.json"
        raise InputError(f"{folder}: holds no finished run ({reason})")
    try:
        has_baselines = files.exists(layout.BASELINES)
        return _record(
            folder=folder.name,
            summary=files.json(layout.SUMMARY),
            config=files.yaml(layout.CONFIG),
            environment=files.json(layout.ENVIRONMENT),
            baselines=files.json(layout.BASELINES) if has_baselines else {},
        )
    except _UNREADABLE as error:
        reason = str(error).removeprefix(f"{folder}{os.sep}")
        if isinstance(error, OSError) and error.filename is not None:
            reason = f"{Path(error.filename).name}: {error.strerror}"
        elif isinstance(error, LookupError):
            reason = f"there is no {reason}"
        raise InputError(
            f"{folder}: is not the folder of a finished run, or damaged ({reason})"
        ) from error


def _record(config: dict[str, Any], environment: dict[str, Any], **rest: Any) -> RunRecord:
    """A checked record, under current names. Raises what `RunRecord.check` raises for an invalid
    one."""
    parts = {layout.CONFIG: config, layout.ENVIRONMENT: environment}
    parts |= {layout.BASELINES: rest["baselines"], layout.PROBED: rest.get("probes", {})}
    for name, part in parts.items():
        _require(part, dict, name)
    identity = current_identity(environment["identity"])
    environment = {**environment, "identity": identity}
    record = RunRecord(config=current_config(config), environment=environment, **rest)
    record.check()
    return record


def _folders(place: Path, probes: bool) -> tuple[list[RunRecord], list[str]]:
    records, damaged = [], []
    for summary in sorted(place.rglob(layout.SUMMARY)):
        try:
            record = read_record(summary.parent)
        except InputError as error:
            damaged.append(str(error))
            continue
        if probes:
            found, unreadable = probes_of(RunFiles(summary.parent))
            record = replace(record, probes=found)
            damaged += unreadable
        records.append(record)
    return records, damaged


def _lines(file: Path) -> Iterator[RunRecord]:
    try:
        with open_regular(file) as opened:
            text = opened.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not UTF-8 ({error})") from error
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            record = _record(**strict_json(line))
        except (*_UNREADABLE, RecursionError) as error:
            raise InputError(f"{file}: line {number} holds no record of a run") from error
        yield record
