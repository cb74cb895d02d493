"""In words, what runs do otherwise than a paper's protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dimred.run_folder.record import RunRecord
from dimred.tables.published import SEEDS

Values = Mapping[str, Any]

# Of a group whose choice differs, the choice says the rest, but for these.
_GROUPS = ("dataset", "model", "pairing", "loss")
_ALWAYS = ("dataset.classes", "dataset.fit_on", "dataset.train_per_class", "model.hidden_dim")
SHOWN_EVAL = ("k", "random_test", "linear", "linear_epochs", "linear_lr", "lle", "shifted_test")
"""The keys of `eval` that bear on the columns of tables."""
# Said otherwise, or of no bearing on a result.
_NOT_NAMED = re.compile(
    rf"seed|device\..*|eval\.(?!({'|'.join(SHOWN_EVAL)})$).*|eval\.lle|.*\.name|dataset\.limit"
)
_STAGE = re.compile(r"schedule\.stages\.([^.]+)\.(.*)")


def of_published_data(record: RunRecord, protocol: Values) -> bool:
    """Whether a run is of the data of the protocol, or of a folder of images named after it."""
    name = protocol["dataset.name"]
    if record.values["dataset.name"] == name:
        return True
    # cifar10 is meant by CIFAR-10, cifar10-jpeg and cifar_10, and not by cifar100.
    pattern = re.sub(r"(\d+)$", r"[-_]?\1(?!\\d)", name)
    return record.has_own_images and re.search(pattern, record.data.lower()) is not None


def differences(group: Sequence[RunRecord], protocol: Values) -> list[str]:
    """What runs that differ in the seed only do otherwise than a protocol of three seeds, and where
    they ran."""
    record, n = group[0], len(group)
    values = {**record.values, **record.measured}
    words = [record.budget] if record.budget else []
    if n < len(SEEDS):
        words.append(f"{n} seed{'s' if n > 1 else ''}")
    other = other_groups(values, protocol)
    images = record.summary["dataset"]["images"]
    if "dataset" in other:
        words.append(f"data {record.data}, {images:,} images")
    elif values.get("dataset.limit") != protocol.get("dataset.limit"):
        words.append(f"{images:,} images")
    if "model" in other:
        widths = values.get("model.widths")
        words.append(values["model.name"] + (f" {widths}" if widths else ""))
    words += [f"{name}={values[f'{name}.name']}" for name in _GROUPS[2:] if name in other]
    words += _other_stages(values, protocol)
    words += [f"{key}={value}" for key, value in other_options(values, protocol).items()]
    if values.get("device.precision") == "bf16":
        words.append("bf16")
    return [*words, str(record.environment["sessions"][-1]["device"])]


def other_groups(values: Values, protocol: Values) -> list[str]:
    """Of data, model, pairing and loss those that are of another kind than a protocol's."""
    return [name for name in _GROUPS if values[f"{name}.name"] != protocol[f"{name}.name"]]


def other_options(values: Values, protocol: Values) -> dict[str, Any]:
    """The options outside the stages that have other values than a protocol's, by dotted key."""
    other = other_groups(values, protocol)
    found = {}
    for key in sorted(values):
        told = bool(_NOT_NAMED.fullmatch(key) or _STAGE.fullmatch(key))
        told |= key.partition(".")[0] in other and key not in _ALWAYS
        if not told and values[key] != protocol.get(key, values[key]):
            found[key] = values[key]
    return found


def _other_stages(values: Values, protocol: Values) -> list[str]:
    """Other stages, or what they do otherwise; epochs in all where one factor explains them."""
    counts, printed = stage_epochs(values), stage_epochs(protocol)
    total, of = sum(counts.values()), sum(printed.values())
    words = [f"{total:,} of {of:,} epochs"] if total != of else []
    if set(counts) != set(printed):
        return [f"stages {_listed(counts)}", *words]
    if not of_one_factor(counts, printed):
        words = [f"epochs {_listed(counts)} instead of {_listed(printed)}"]
    options = other_stage_options(values, protocol)
    return [*words, *(f"{key}={value}" for key, value in options.items())]


def of_one_factor(counts: Mapping[str, int], printed: Mapping[str, int]) -> bool:
    """Whether one factor explains the epochs of the same stages."""
    factor = sum(counts.values()) / sum(printed.values())
    scaled = {name: factor * epochs for name, epochs in printed.items()}
    return all(abs(counts[name] - due) <= max(1.5, 0.05 * due) for name, due in scaled.items())


def other_stage_options(values: Values, protocol: Values) -> dict[str, Any]:
    """What the same stages do otherwise, besides their epochs, by `STAGE.key`."""
    ours, theirs = _stages(values), _stages(protocol)
    counts, printed = stage_epochs(values), stage_epochs(protocol)
    total, of = sum(counts.values()), sum(printed.values())
    found = {}
    for name, stage in ours.items():
        for key in sorted({*stage, *theirs[name]} - {"epochs"}):
            value, due = stage.get(key), theirs[name].get(key)
            if key == "warmup_epochs" and total != of:
                # Shortened with the epochs, down to none in a stage of one epoch.
                value, due = bool(value) or counts[name] == 1, bool(due) or counts[name] == 1
            if value != due:
                found[f"{name}.{key}"] = stage.get(key)
    return found


def _stages(values: Values) -> dict[str, dict[str, Any]]:
    """Values by stage and key; the loss of a stage by its name, None for that of the run."""
    found: dict[str, dict[str, Any]] = {}
    for key in values:
        if match := _STAGE.fullmatch(key):
            stage, name = found.setdefault(match[1], {}), match[2]
            if name == "loss.name":
                name = "loss"
            if not name.startswith("loss."):
                stage[name] = values[key]
    return found


def stage_epochs(values: Values) -> dict[str, int]:
    """The epochs of each stage."""
    return {name: int(stage["epochs"]) for name, stage in _stages(values).items()}


def _listed(epochs: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in epochs.items())
