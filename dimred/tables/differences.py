"""Texts on how runs differ from a paper's protocol."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dimred.config.same_run import with_defaults
from dimred.run_folder.record import RunRecord
from dimred.tables.published import SEEDS

Values = Mapping[str, Any]

_GROUPS = ("dataset", "model", "pairing", "loss")
# Options that are listed even where the choice of their group differs.
_ALWAYS_LISTED = (
    "dataset.classes",
    "dataset.fit_classes",
    "dataset.fit_on",
    "dataset.train_per_class",
    "model.hidden_dim",
)
SHOWN_EVAL = ("k", "random_test", "linear", "linear_epochs", "linear_lr", "lle", "shifted_test")
"""The keys of `eval` that affect the columns of tables."""
# Keys that are described in another way, or do not affect results.
_NOT_LISTED = re.compile(
    rf"seed|device\..*|eval\.(?!({'|'.join(SHOWN_EVAL)})$).*|eval\.lle|dataset\.limit|"
    r"(?!loss\.metric\.).*\.name"
)
_STAGE = re.compile(r"schedule\.stages\.([^.]+)\.(.*)")


def of_published_data(record: RunRecord, protocol: Values) -> bool:
    """Whether a run's data are the protocol's, or a folder of images named after them."""
    name = protocol["dataset.name"]
    if record.values["dataset.name"] == name:
        return True
    # CIFAR-10, cifar10-jpeg and cifar_10 match cifar10; cifar100 does not.
    pattern = re.sub(r"(\d+)$", r"[-_]?\1(?!\\d)", name)
    return record.has_own_images and re.search(pattern, record.data.lower()) is not None


def differences(group: Sequence[RunRecord], protocol: Values) -> list[str]:
    """The differences of a group of runs, which differ in the seed only, from a protocol with three
    seeds; last, the device that they ran on."""
    record, n = group[0], len(group)
    values = {**record.values, **record.measured}
    texts = [record.budget] if record.budget else []
    if n < len(SEEDS):
        texts.append(f"{n} seed{'s' if n > 1 else ''}")
    other = other_groups(values, protocol)
    texts += _other_images(record, protocol)
    if "model" in other:
        widths = values.get("model.widths")
        texts.append(values["model.name"] + (f" {widths}" if widths else ""))
    texts += [f"{name}={values[f'{name}.name']}" for name in _GROUPS[2:] if name in other]
    texts += _other_stages(values, protocol)
    texts += [f"{key}={value}" for key, value in other_options(values, protocol).items()]
    if values.get("device.precision") == "bf16":
        texts.append("bf16")
    return [*texts, str(record.environment["sessions"][-1]["device"])]


def data_differences(record: RunRecord, protocol: Values) -> list[str]:
    """The differences of a run's images from those of a protocol."""
    options = other_options(record.values, protocol)
    texts = [f"{key}={value}" for key, value in options.items() if key.startswith("dataset.")]
    return [*_other_images(record, protocol), *texts]


def _other_images(record: RunRecord, protocol: Values) -> list[str]:
    """Which images they are, and how many, where that differs."""
    images = f"{record.summary['dataset']['images']:,} images"
    if "dataset" in other_groups(record.values, protocol):
        return [f"data {record.data}, {images}"]
    return [images] if record.values.get("dataset.limit") != protocol.get("dataset.limit") else []


def other_groups(values: Values, protocol: Values) -> list[str]:
    """The groups (dataset, model, pairing, loss) whose choice differs from a protocol's."""
    return [name for name in _GROUPS if values[f"{name}.name"] != protocol[f"{name}.name"]]


def other_options(values: Values, protocol: Values) -> dict[str, Any]:
    """The options outside the stages whose values differ from a protocol's, by dotted key.

    Without those of a group whose choice differs, since the choice says enough.
    """
    other = other_groups(values, protocol)
    options = {}
    for key in sorted(values):
        skipped = bool(_NOT_LISTED.fullmatch(key) or _STAGE.fullmatch(key))
        skipped |= key.partition(".")[0] in other and key not in _ALWAYS_LISTED
        if not skipped and values[key] != protocol.get(key, values[key]):
            options[key] = values[key]
    return options


def _other_stages(values: Values, protocol: Values) -> list[str]:
    """The differences of stages, or of their epochs and options. Only the total of the epochs where
    one factor explains all of them."""
    counts, printed = stage_epochs(values), stage_epochs(protocol)
    total, printed_total = sum(counts.values()), sum(printed.values())
    texts = [f"{total:,} of {printed_total:,} epochs"] if total != printed_total else []
    if set(counts) != set(printed):
        return [f"stages {_listed(counts)}", *texts]
    if not of_one_factor(counts, printed):
        texts = [f"epochs {_listed(counts)} instead of {_listed(printed)}"]
    options = other_stage_options(values, protocol)
    return [*texts, *(f"{key}={value}" for key, value in options.items())]


def of_one_factor(counts: Mapping[str, int], printed: Mapping[str, int]) -> bool:
    """Whether the epochs of all stages are scaled by the same factor, up to rounding."""
    factor = sum(counts.values()) / sum(printed.values())
    scaled = {name: factor * epochs for name, epochs in printed.items()}
    return all(abs(counts[name] - n) <= max(1.5, 0.05 * n) for name, n in scaled.items())


def other_stage_options(values: Values, protocol: Values) -> dict[str, Any]:
    """The options of the stages, except epochs, whose values differ from a protocol's, by
    `STAGE.key`. The stages must have the same names."""
    ours, theirs = _stages(values), _stages(protocol)
    counts, printed = stage_epochs(values), stage_epochs(protocol)
    total, printed_total = sum(counts.values()), sum(printed.values())
    options = {}
    for name, stage in ours.items():
        for key in sorted({*stage, *theirs[name]} - {"epochs"}):
            value, expected = stage.get(key), theirs[name].get(key)
            if key == "warmup_epochs" and total != printed_total:
                # Warm-ups are scaled with the epochs, down to none in a stage of one epoch.
                one_epoch = counts[name] == 1
                value, expected = bool(value) or one_epoch, bool(expected) or one_epoch
            if value != expected:
                options[f"{name}.{key}"] = stage.get(key)
    return options


def _stages(values: Values) -> dict[str, dict[str, Any]]:
    """Values by stage and key, those of options added since a run as by default. The loss of a
    stage is its name, None for the loss of the run."""
    stages: dict[str, dict[str, Any]] = {}
    for key, value in with_defaults(values).items():
        if match := _STAGE.fullmatch(key):
            stage, name = stages.setdefault(match[1], {}), match[2]
            if name == "loss.name":
                name = "loss"
            if not name.startswith("loss.") and (key in values or name not in stage):
                stage[name] = value
    return stages


def stage_epochs(values: Values) -> dict[str, int]:
    """The epochs of each stage."""
    return {name: int(stage["epochs"]) for name, stage in _stages(values).items()}


def _listed(epochs: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in epochs.items())
