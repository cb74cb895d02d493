"""The identity of a run: the values that affect its result, and the folder named after them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from dimred.config import RunConfig, identity_fields
from dimred.config.provenance import provenance
from dimred.data.image_set import ImageSet
from dimred.files import expanded
from dimred.training.compute import Compute


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


def run_path(config: RunConfig, identity: dict[str, Any]) -> Path:
    """The run folder. Equal identities give the same folder, so that the same command continues a
    run."""
    if config.run_dir is not None:
        return expanded(config.run_dir)
    parts = (config.dataset.name, config.model.name, config.loss.name, config.schedule.name)
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{config.name or '-'.join(parts)}-seed{config.seed}-{digest}"
    return expanded(config.output_dir) / name
