"""Finds the run whose weights another one begins with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dimred.config import RunConfig
from dimred.errors import InputError
from dimred.models.pretrained import source_of
from dimred.run_folder.find import find_run, named
from dimred.run_folder.record import read_record
from dimred.run_folder.state import FINISHED, RunState


def with_source_found(config: RunConfig) -> RunConfig:
    """The configuration with the folder of the finished run that `model.init_from` means in its
    place; of several, one that the others began with.

    Raises InputError where no finished run, or several, are meant, and for weights that are not
    there.
    """
    text = config.model.init_from
    if text is None:
        source_of(config.model)  # which looks for a file
        return config
    try:
        folder = _found(text)
        read_record(folder)
    except InputError as error:
        reason = str(error).removeprefix(f"{text}: ")
        raise InputError(f"model.init_from={text}: {reason}") from error
    config = replace(config, model=replace(config.model, init_from=str(folder)))
    source_of(config.model)
    return config


def check_source(config: RunConfig, folder: Path) -> None:
    """Raise InputError for a run that would begin with its own weights. folder: its own."""
    source = config.model.init_from
    if source is not None and folder.resolve() == Path(source).resolve():
        raise InputError(
            f"model.init_from={source}: is the folder of this very run; name=NAME names another"
        )


def _found(text: str) -> Path:
    try:
        return find_run(text)
    except InputError:
        # A run may be called like the one that it began with, in particular in a sweep.
        finished = [run for run in named(text) if run.state == FINISHED]
        digests = {str((run.summary or {}).get("weights_sha256")) for run in finished}
        sources = [run for run in finished if not digests & _began_with(run)]
        if len(sources) != 1:
            raise
        return sources[0].folder


def _began_with(run: RunState) -> set[str]:
    """Digests of the weights that a run began with."""
    files = run.identity.get("files", {})
    return set(files.get("model", ())) if isinstance(files, dict) else set()
