"""What affects a run's result besides its configuration and images: plug-ins and their data."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from dimred.config.run import RunConfig
from dimred.errors import InputError
from dimred.files import expanded, read_regular
from dimred.models.options import ModelOptions
from dimred.options.registry import Choice
from dimred.options.trial import tried

PROVENANCE = ("plugins", "files")
"""The keys of `provenance`."""


def provenance(config: RunConfig) -> dict[str, Any]:
    """The plug-ins and data files of a run's choices, by configuration key.

    `plugins`: name, version and source digest of the plug-in that a choice comes from. `files`:
    digests of its `data_files`. Both without choices that have none, and left out if empty.
    Raises InputError for a file that cannot be read.
    """
    choices = dict(_choices(config))
    plugins = {key: it.origin.as_json() for key, it in choices.items() if it.origin is not None}
    listed = {key: _digests(key, it) for key, it in choices.items()}
    files = {key: digests for key, digests in listed.items() if digests}
    return {key: value for key, value in zip(PROVENANCE, (plugins, files), strict=True) if value}


def _choices(config: RunConfig) -> Iterator[tuple[str, Choice]]:
    yield "dataset", config.dataset
    yield "pairing", config.pairing
    yield "model", config.model
    yield from _losses("loss", config.loss)
    for name, stage in config.schedule.stages.items():
        if stage.loss is not None:
            yield from _losses(f"schedule.stages.{name}.loss", stage.loss)


def _losses(key: str, loss: Choice) -> Iterator[tuple[str, Choice]]:
    """A loss, and the one that it is around."""
    yield key, loss
    inner = getattr(loss, "metric", None)
    if isinstance(inner, Choice):
        yield f"{key}.metric", inner


def _digests(key: str, choice: Choice) -> list[str]:
    with tried(choice, "data_files"):
        files = dict.fromkeys(map(str, choice.data_files()))
    if isinstance(choice, ModelOptions):
        # Of a plug-in too, which may name further files in place of this one.
        files |= dict.fromkeys(map(str, ModelOptions.data_files(choice)))
    digests = []
    for file in files:
        try:
            digests.append(sha256(read_regular(expanded(file))).hexdigest())
        except OSError as error:
            raise InputError(f"{key}={choice.name}: {file}: {error.strerror}") from error
    return digests
