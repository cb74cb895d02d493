"""In a few words, whether a measured number was made as the published one beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dimred.run_folder.record import RunRecord
from dimred.tables.differences import (
    of_one_factor,
    of_published_data,
    other_groups,
    other_options,
    other_stage_options,
    stage_epochs,
)
from dimred.tables.published import Column

Values = Mapping[str, Any]

# A run of fewer of the published epochs says nothing about what they give.
LEAST_EPOCHS = 0.1
CELL = 60
_TITLES = {
    "cifar10": "CIFAR-10",
    "cifar10-jpeg": "CIFAR-10 as JPEG",
    "cifar100": "CIFAR-100",
    "convnet": "small convnet",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
    "norb_small": "NORB",
    "resnet18": "ResNet-18",
}
_WORDS = {"schedule.batch_size": "batch {}", "eval.linear": "{} for the linear accuracy"}


def has_all_images(record: RunRecord, protocol: Values) -> bool:
    """Whether a run has no fewer images than were published, as far as its options say."""
    limit, published = (values.get("dataset.limit") for values in (record.values, protocol))
    return limit is None or (published is not None and bool(limit >= published))


def speaks(record: RunRecord, protocol: Values) -> bool:
    """Whether a run says something about what a protocol gave: one of its network, all its images
    and a good part of its epochs."""
    if record.budget == "smoke" or not has_all_images(record, protocol):
        return False
    same = all(record.values.get(k) == protocol.get(k) for k in ("model.name", "model.widths"))
    published = sum(stage_epochs(protocol).values())
    return same and record.epochs >= LEAST_EPOCHS * published


def conditions(record: RunRecord, protocol: Values, column: Column) -> list[str]:
    """What a run does otherwise than a protocol that bears on a column, a few words each."""
    values = {**record.values, **record.measured}
    other = other_groups(values, protocol)
    words = [*other_data(record, protocol), *_other_epochs(values, protocol)]
    words += [_instead(values, protocol, name) for name in other if name != "dataset"]
    if set(stage_epochs(values)) == set(stage_epochs(protocol)):
        options = other_stage_options(values, protocol)
        words += [f"{key.replace('.', ' ')} {value}" for key, value in options.items()]
    for key, value in other_options(values, protocol).items():
        if column.path.startswith("linear.") or not key.startswith("eval.linear"):
            words.append(_WORDS.get(key, key.rpartition(".")[2] + " {}").format(value))
    return words + (["bf16"] if values.get("device.precision") == "bf16" else [])


def other_data(record: RunRecord, protocol: Values) -> list[str]:
    """What a run's images are instead of a protocol's."""
    words = []
    if record.values["dataset.name"] != protocol["dataset.name"]:
        if not of_published_data(record, protocol):
            words.append(f"{title(record.data)}, not {title(protocol['dataset.name'])}")
        elif re.search("jpe?g", record.data.lower()):
            words.append("JPEG copy")
        else:
            words.append(f"copy {record.data}")
    if record.values.get("dataset.limit") != protocol.get("dataset.limit"):
        words.append(f"{record.summary['dataset']['images']:,} images")
    return words


def in_a_cell(words: list[str], limit: int = CELL) -> str:
    """Words for one cell of a table, "yes" for none; of too many, how many more there are."""
    text = "; ".join(words) or "yes"
    shown = len(words)
    while len(text) > limit and shown:
        shown -= 1
        text = "; ".join([*words[:shown], f"{len(words) - shown} more differences"])
    return text


def title(name: str) -> str:
    """A data set or network as one writes it."""
    return _TITLES.get(name, name)


def _other_epochs(values: Values, protocol: Values) -> list[str]:
    counts, published = stage_epochs(values), stage_epochs(protocol)
    total, of = sum(counts.values()), sum(published.values())
    words = [f"{total:,} epochs instead of {of:,}"] if total != of else []
    if set(counts) != set(published):
        words.append("other stages")
    elif not of_one_factor(counts, published):
        words.append("divided otherwise")
    return words


def _instead(values: Values, protocol: Values, group: str) -> str:
    ours, theirs = (title(of[f"{group}.name"]) for of in (values, protocol))
    return f"{ours}, not {theirs}"
