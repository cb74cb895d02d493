"""Renamed options, choices and runs. The command line refuses an old name and gives the new one;
run folders with old names are still read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dimred.errors import InputError

KEYS = {
    "pairing.greyscale": "pairing.grayscale",
    "pairing.items_per_step": "pairing.samples_per_step",
}
"""Keys of the configuration, old to new."""
VALUES = {
    "schedule": {"thesis": "angel2015"},
    "experiment": {
        "thesis_mnist_drlim": "angel2015_mnist_drlim",
        "thesis_mnist_generalized": "angel2015_mnist_generalized",
    },
    "pairing.variant": {
        "neighbours": "neighbors",
        "shifted_neighbours": "shifted_neighbors",
    },
}
"""Choices and values, by key: old to new."""
GONE = ("device.cuda_graphs",)
"""Keys that were removed."""
_NO_LONGER_IDENTITY = ("device.threads",)
"""Keys that a run's identity had in earlier versions, and which may change when it goes on."""
# Names that contain renamed choices: a run is named after its experiment.
_IN_FILES = {
    "name": VALUES["experiment"],
    "schedule.name": VALUES["schedule"],
    "pairing.variant": VALUES["pairing.variant"],
}


def refusal(override: str) -> str | None:
    """The error message for an override with an old name; None for others."""
    key, equals, value = override.partition("=")
    bare = key.lstrip("+~")
    if bare in KEYS:
        return f"{bare}: is called {KEYS[bare]} now"
    for old in value.split(",") if equals else ():
        if old in VALUES.get(bare, {}):
            return f"{bare}={old}: is called {bare}={VALUES[bare][old]} now"
    return None


def current_overrides(overrides: Sequence[str]) -> list[str]:
    """Overrides of a command line under their current names."""
    current = []
    for override in overrides:
        key, equals, value = override.partition("=")
        value = {**VALUES, **_IN_FILES}.get(key, {}).get(value, value)
        current.append(f"{KEYS.get(key, key)}{equals}{value}")
    return current


def current_identity(identity: Any) -> dict[str, Any]:
    """A run's identity under the current names, without `eval` and other keys that earlier versions
    included.

    Raises InputError for what is no identity.
    """
    kinds = {"config": dict, "data": str, "plugins": dict, "files": dict}
    whole = {"plugins": {}, "files": {}, **identity} if isinstance(identity, dict) else {}
    if not all(isinstance(whole.get(key), kind) for key, kind in kinds.items()):
        raise InputError("holds no identity of a run")
    values = {
        KEYS.get(key, key): _current(key, value)
        for key, value in identity["config"].items()
        if key not in (*GONE, *_NO_LONGER_IDENTITY) and not key.startswith("eval.")
    }
    return {**identity, "config": values}


def current_config(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The content of a config.yaml under its current names."""
    current = {}
    for key, value in content.items():
        dotted = f"{prefix}{key}"
        if dotted in GONE:
            continue
        name = KEYS.get(dotted, dotted).removeprefix(prefix)
        if isinstance(value, Mapping):
            value = current_config(value, f"{dotted}.")
        current[name] = _current(dotted, value)
    return current


def _current(key: str, value: Any) -> Any:
    renamed = key in _IN_FILES and isinstance(value, str)
    return _IN_FILES[key].get(value, value) if renamed else value
