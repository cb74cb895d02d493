"""The configuration of a finished run: what runs that differ in the seed only have in common."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from dimred.run_folder.record import RunRecord

_DRAWN_BY_SEED = ("dataset.train_per_class", "dataset.n_test")


def configuration(record: RunRecord) -> list[Any]:
    """Name, values and images of a run, as JSON, without the seed and what follows from it, and
    without what it measures."""
    values = {k: v for k, v in record.values.items() if k != "seed" and not k.startswith("eval.")}
    drawn = any(values.get(key) is not None for key in _DRAWN_BY_SEED)
    data = [record.data, record.summary["dataset"]["images"], drawn or record.fingerprint]
    return [record.name, values, data]


def configuration_digest(record: RunRecord) -> str:
    """A digest of the configuration."""
    text = json.dumps(configuration(record), sort_keys=True)
    return sha256(text.encode()).hexdigest()
