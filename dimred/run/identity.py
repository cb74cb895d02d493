"""The identity of a run: the values that affect its result, and the folder named after them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dimred.config import RunConfig, identity_fields
from dimred.config.provenance import PROVENANCE, provenance
from dimred.config.same_run import differing_keys, is_same_run
from dimred.data.image_set import ImageSet
from dimred.files import escaped, expanded
from dimred.run_folder.state import DAMAGED, FINISHED, UNFINISHED, RunState, state_of
from dimred.training.compute import Compute

_MAX_SHOWN = 3  # differing keys
# Options added since the first folders were named, with their defaults.
_ADDED: dict[str, Any] = {
    r"dataset\.fit_classes": None,
    r"dataset\.window": "auto",
    r"dataset\.pages": None,
    r"model\.adaptation": None,
    r"model\.init_head": "new",
    r"model\.score_pool": "none",
    r"model\.score_sharpness": 5.0,
    r"model\.test_scales": [1.0],
    r"pairing\.(vertical_flip|quarter_turns|blur|erase|channel_drop)": 0.0,
    r"pairing\.outside": "fill",
    r"pairing\.blur_sigma": [0.1, 2.0],
    r"pairing\.erase_area": [0.02, 0.4],
    r"schedule\.stages\.[^.]+\.frozen_blocks": 0,
    r"schedule\.stages\.[^.]+\.backbone_lr_factor": 1.0,
}


def identity_of(config: RunConfig, compute: Compute, images: ImageSet) -> dict[str, Any]:
    """The identity of a run: {"config": `identity_values`, "data": fingerprint of the images}, and
    the keys of `provenance`."""
    return {
        "config": identity_values(config, compute),
        "data": images.fingerprint(),
        **provenance(config),
    }


def identity_values(config: RunConfig, compute: Compute) -> dict[str, Any]:
    """The values that affect the result, by dotted key, with every `auto` resolved for this
    machine."""
    values = identity_fields(config)
    values["device.name"] = compute.device.type
    values["device.precision"] = "bf16" if compute.bf16 else "float32"
    values["device.compile"] = "auto" if compute.compile is None else compute.compile
    return values


def run_path(config: RunConfig, identity: dict[str, Any], varied: str = "") -> Path:
    """The run folder: the one that holds the run of this identity and name, or a new one. So the
    same command continues a run, whether a sweep or an earlier version has begun it.

    varied: what a sweep varies, for the name of a new folder.
    """
    if config.run_dir is not None:
        return expanded(config.run_dir)
    place = _place(config)
    ending = f"seed{config.seed}-{_digest(identity)}"
    folders = list(_namesakes(config))
    for folder in folders:
        if folder.name.endswith(f"-{ending}"):
            return folder
    for folder in folders:
        run = state_of(folder)
        if run is not None and run.state != DAMAGED and is_same_run(run.identity, identity):
            return folder
    return place.with_name("-".join(filter(None, [place.name, varied, ending])))


def sibling_note(config: RunConfig, identity: dict[str, Any], path: Path) -> str:
    """A line on the run that was perhaps meant where a new folder is about to be made: one of this
    name and seed that was stopped, with what differs; or a finished one of other images. "" for
    none."""
    if config.run_dir is not None or path.exists():
        return ""
    found = []
    for run in filter(None, map(state_of, _namesakes(config))):
        keys = differing_keys(run.values, identity["config"])
        if run.state == UNFINISHED or (run.state == FINISHED and not keys):
            found.append((run.state == FINISHED, len(keys), run, keys))
    if not found:
        return ""
    _, _, run, keys = min(found, key=lambda each: each[:2])
    return escaped(
        f"{run.folder} ({run.progress}) differs in {_difference(run, identity, keys)}"
        f"{f'; {run.command} goes on with it' if run.state != FINISHED and run.command else ''}"
    )


def _difference(run: RunState, identity: dict[str, Any], keys: list[str]) -> str:
    here, there = identity["config"], run.values
    texts = [f"{k} ({there.get(k)} there, {here.get(k)} here)" for k in keys[:_MAX_SHOWN]]
    if len(keys) > _MAX_SHOWN:
        texts.append(f"{len(keys) - _MAX_SHOWN} more keys")
    if run.identity["data"] != identity["data"] and not any("dataset." in key for key in keys):
        texts.append("its images, which have changed since")
    if any(run.identity.get(part, {}) != identity.get(part, {}) for part in PROVENANCE):
        texts.append("its plug-ins, their files, or the weights that it begins with")
    return ", ".join(texts)


def _place(config: RunConfig) -> Path:
    """The path of the run folder without seed and hash."""
    parts = (config.dataset.name, config.model.name, config.loss.name, config.schedule.name)
    return expanded(config.output_dir) / (config.name or "-".join(parts))


def _namesakes(config: RunConfig) -> Iterator[Path]:
    """The run folders of this name and seed."""
    place = _place(config)
    name = re.compile(
        rf"{re.escape(place.name)}-(?:[^-=]*=.*-)?seed{config.seed}-[0-9a-f]{{8}}", re.DOTALL
    )
    if place.parent.is_dir():
        yield from sorted(p for p in place.parent.iterdir() if name.fullmatch(p.name))


def _digest(identity: dict[str, Any]) -> str:
    # As earlier versions computed it, so that runs keep their names: they had the threads among the
    # values, and not what has been added since, unless it is used.
    values = {**identity["config"], "device.threads": None}
    values = {key: value for key, value in values.items() if not _is_added(key, value)}
    text = json.dumps({**identity, "config": values}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _is_added(key: str, value: Any) -> bool:
    """Whether this is the default of an option of `_ADDED`."""
    return any(re.fullmatch(name, key) and value == it for name, it in _ADDED.items())
