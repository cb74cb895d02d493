"""The options in which runs differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Values = Mapping[str, Any]

_OF_EPOCHS = re.compile(r"schedule\.stages\.[^.]+\.(epochs|warmup_epochs)")


def distinctions(runs: Sequence[Values]) -> list[dict[str, Any]]:
    """For each run the options in which it differs from others, under short names: choices
    (`loss`) first. An option that follows from the choice of its group, in all of the runs, is not
    among them; the epochs of stages are one number, where that tells them apart. An option without
    a value is left out.

    runs: the values of each, by dotted key.
    """
    totals = [{"epochs": _epochs(values)} if _epochs(values) else {} for values in runs]
    runs = [{**total, **values} for total, values in zip(totals, runs, strict=True)]
    keys = dict.fromkeys(sorted({key for values in runs for key in values}, key=_order))
    chosen: list[str] = []
    for key in keys:
        texts = _texts(runs, key)
        if len(set(texts)) > 1 and not _follows(texts, [_texts(runs, k) for k in _giving(key)]):
            chosen.append(key)
    names = dict(zip(chosen, short_names(chosen), strict=True))
    return [
        {names[key]: values[key] for key in chosen if values.get(key) is not None}
        for values in runs
    ]


def short_names(keys: Sequence[str]) -> list[str]:
    """The last parts of dotted keys, as many as tell them apart."""
    parts = [key.removesuffix(".name").split(".") for key in keys]
    for length in range(1, max(map(len, parts), default=0) + 1):
        names = [".".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return list(keys)


def _epochs(values: Values) -> int:
    counts = [v for k, v in values.items() if _OF_EPOCHS.fullmatch(k) and k.endswith(".epochs")]
    return sum(count for count in counts if isinstance(count, int))


def _texts(runs: Sequence[Values], key: str) -> list[str]:
    return [json.dumps(values.get(key), sort_keys=True) for values in runs]


def _giving(key: str) -> Iterator[str]:
    """The keys that an option may follow from."""
    group = key.partition(".")[0]
    if "." in key and key != f"{group}.name":
        yield f"{group}.name"
    if _OF_EPOCHS.fullmatch(key):
        yield "epochs"


def _follows(texts: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether one of the others, which differs among the runs, determines an option."""
    return any(
        len(set(other)) > 1 and len(set(zip(other, texts, strict=True))) == len(set(other))
        for other in others
    )


def _order(key: str) -> tuple[int, str]:
    """Choices, epochs, options; then the device and the seed."""
    kinds = (key.endswith(".name") and not key.startswith("device."), key == "epochs")
    last = key == "seed" or key.startswith("device.")
    return (kinds.index(True) if True in kinds else 2 + last), key
