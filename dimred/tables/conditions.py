"""Short texts on how the conditions of a measured number differ from the published one's."""

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

# Runs with a smaller share of the published epochs are not compared with published numbers.
MIN_EPOCHS_SHARE = 0.1
MAX_CELL_LENGTH = 60
_TITLES = {
    "cars196": "Cars196",
    "cifar10": "CIFAR-10",
    "cifar10-jpeg": "CIFAR-10 as JPEG",
    "cifar100": "CIFAR-100",
    "convnet": "small convnet",
    "cub200": "CUB-200-2011",
    "fashion_mnist": "Fashion-MNIST",
    "mnist": "MNIST",
    "norb_small": "NORB",
    "resnet18": "ResNet-18",
    "stanford_online_products": "Stanford Online Products",
}
_TEMPLATES = {"schedule.batch_size": "batch {}", "eval.linear": "{} for the linear accuracy"}


def has_all_images(record: RunRecord, protocol: Values) -> bool:
    """Whether a run has at least as many images as its protocol, judging by `dataset.limit`."""
    limit, published = (values.get("dataset.limit") for values in (record.values, protocol))
    return limit is None or (published is not None and bool(limit >= published))


def is_comparable(record: RunRecord, protocol: Values) -> bool:
    """Whether a run's numbers can be compared with those of a protocol: it has the same network,
    all the images and at least MIN_EPOCHS_SHARE of the epochs."""
    if record.budget == "smoke" or not has_all_images(record, protocol):
        return False
    same = all(record.values.get(k) == protocol.get(k) for k in ("model.name", "model.widths"))
    published = sum(stage_epochs(protocol).values())
    return same and record.epochs >= MIN_EPOCHS_SHARE * published


def conditions(record: RunRecord, protocol: Values, column: Column) -> list[str]:
    """The differences of a run from a protocol that matter for a column, a few words each."""
    values = {**record.values, **record.measured}
    other = other_groups(values, protocol)
    texts = [*other_data(record, protocol), *_other_epochs(values, protocol)]
    texts += [_instead(values, protocol, name) for name in other if name != "dataset"]
    if set(stage_epochs(values)) == set(stage_epochs(protocol)):
        options = other_stage_options(values, protocol)
        texts += [f"{key.replace('.', ' ')} {value}" for key, value in options.items()]
    for key, value in other_options(values, protocol).items():
        if column.path.startswith("linear.") or not key.startswith("eval.linear"):
            texts.append(_TEMPLATES.get(key, key.rpartition(".")[2] + " {}").format(value))
    return texts + (["bf16"] if values.get("device.precision") == "bf16" else [])


def other_data(record: RunRecord, protocol: Values) -> list[str]:
    """The differences of a run's images from a protocol's."""
    texts = []
    if record.values["dataset.name"] != protocol["dataset.name"]:
        if not of_published_data(record, protocol):
            texts.append(f"{title(record.data)}, not {title(protocol['dataset.name'])}")
        elif re.search("jpe?g", record.data.lower()):
            texts.append("JPEG copy")
        else:
            texts.append(f"copy {record.data}")
    if record.values.get("dataset.limit") != protocol.get("dataset.limit"):
        texts.append(f"{record.summary['dataset']['images']:,} images")
    return texts


def in_a_cell(differences: list[str], limit: int = MAX_CELL_LENGTH) -> str:
    """The differences as one cell of a table, "yes" without any. Those that do not fit are
    counted."""
    text = "; ".join(differences) or "yes"
    shown = len(differences)
    while len(text) > limit and shown:
        shown -= 1
        more = len(differences) - shown
        text = "; ".join([*differences[:shown], f"{more} more differences"])
    return text


def title(name: str) -> str:
    """The usual spelling of the name of a data set or network."""
    return _TITLES.get(name, name)


def _other_epochs(values: Values, protocol: Values) -> list[str]:
    counts, published = stage_epochs(values), stage_epochs(protocol)
    total, published_total = sum(counts.values()), sum(published.values())
    texts = []
    if total != published_total:
        texts.append(f"{total:,} epochs instead of {published_total:,}")
    if set(counts) != set(published):
        texts.append("other stages")
    elif not of_one_factor(counts, published):
        texts.append("divided otherwise")
    return texts


def _instead(values: Values, protocol: Values, group: str) -> str:
    ours, theirs = (title(each[f"{group}.name"]) for each in (values, protocol))
    return f"{ours}, not {theirs}"
