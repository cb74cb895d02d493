"""Whether two identities are of the same run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from dimred.config.provenance import PROVENANCE
from dimred.options.option import changes_result, walk
from dimred.options.registry import registered
from dimred.training.schedule import StageOptions

# Groups of choices by their key.
_GROUPS = {key: key for key in ("dataset", "pairing", "model", "loss")} | {"loss.metric": "loss"}


def differing_keys(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ. A key that one lacks, such as that of an option added since,
    counts as null or its default."""
    keys = [key for key in {**there, **here} if there.get(key) != here.get(key)]
    if all(key in there and key in here for key in keys):
        return keys
    old, new = with_defaults(there), with_defaults(here)
    return [key for key in keys if old.get(key) != new.get(key)]


def is_same_run(there: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    """Whether two current identities are of the same run: equal values, images and code."""
    return (
        not differing_keys(there["config"], here["config"])
        and there["data"] == here["data"]
        and all(there.get(part, {}) == here.get(part, {}) for part in PROVENANCE)
    )


def with_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, and the defaults of further options of the choices and stages that they name,
    such as options added since."""
    found = [pair for key, group in _GROUPS.items() for pair in _of_choice(key, group, values)]
    for stage in {key.rpartition(".")[0] for key in values if key.endswith(".epochs")}:
        found += _values(StageOptions(), f"{stage}.")
    return {**values, **{key: value for key, value in found if key not in values}}


def _of_choice(place: str, group: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    kind = registered(group).get(str(values.get(f"{place}.name")))
    if kind is not None:
        yield from _values(kind(), f"{place}.")


def _values(options: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """The value of each option that affects results."""
    for key, spec, value in walk(options, prefix):
        if spec is not None and changes_result(spec):
            yield key, value.value if isinstance(value, Enum) else value
