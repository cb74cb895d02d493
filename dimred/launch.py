"""From the words typed to runs: Hydra composes, the typed configuration checks, `train` runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import Field
from difflib import get_close_matches
from enum import Enum
from itertools import takewhile
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from dimred.config.hydra_schema import register, typed
from dimred.config.option import allowed, walk
from dimred.errors import InputError, TrainingDiverged
from dimred.help import GROUPS, choices, config_folder

_failed_jobs: list[str] = []


def launch(words: list[str]) -> int:
    """Run what the words of `dimred train` say, one run or a sweep; returns the exit code."""
    register()
    # Hydra's own reports exit with 1 and speak of Hydra; its exceptions are explained here instead.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["dimred train", *words]
    _failed_jobs.clear()
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    code = _reporting(main(_job))
    if _failed_jobs:
        print(f"dimred: {len(_failed_jobs)} job(s) of the sweep failed:", file=sys.stderr)
        for line in _failed_jobs:
            print(f"  {line}", file=sys.stderr)
    return code


def _reporting(action: Callable[[], object]) -> int:
    """Call `action`, turning the errors that are not bugs into one line and an exit code."""
    try:
        action()
    except (InputError, HydraException, OmegaConfBaseException) as error:
        code, line = 2, explain(error)
    except TrainingDiverged as error:
        code, line = 1, f"{error}; the last good checkpoint is kept"
    except OSError as error:
        if error.filename is None:
            raise
        code, line = 2, f"{error.filename}: {error.strerror}; nothing written before is lost"
    else:
        return 0
    if not _failed_jobs:
        print(f"dimred: {line}", file=sys.stderr)
    return code


def _job(composed: DictConfig) -> None:
    """One run."""
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        _train(composed)
    except Exception as error:
        if sweep:
            line = explain(error)
            _failed_jobs.append(f"{_overrides()}: {line}")
            print(f"dimred: failed: {line}", file=sys.stderr)
        raise


def _overrides() -> str:
    return " ".join(HydraConfig.get().overrides.task)


def _train(composed: DictConfig) -> None:
    config = typed(composed)
    # torch is imported only once the configuration is known to be good.
    from dimred.reporting.describe import describe
    from dimred.train import run

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        print(f"\n{_overrides()}", flush=True)
    outcome = run(config, [*sys.argv[0].split(), *HydraConfig.get().overrides.task])
    if outcome.finished_before:
        print(f"{outcome.path}: finished before; restart=true runs it again\n")
    print(describe(outcome.path, outcome.summary), flush=True)


def explain(error: BaseException) -> str:
    """One line for an error: the key or file, the value, and what is allowed."""
    cause = error.__cause__ or error
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return _explain_key(cause, str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, MissingConfigException):
        lines = list(takewhile(lambda line: not line.startswith("Config search path"), lines))
        return ", ".join(lines).replace(":,", ":").removeprefix("In 'config': ")
    if isinstance(error, HydraException):
        lines = [line for line in lines if not line.startswith(("See https", "^"))]
    return "; ".join(lines) or type(error).__name__


def _explain_key(error: OmegaConfBaseException, context: str) -> str:
    """One line for an error about one key of the configuration."""
    key = str(error.full_key)
    reason = str(error).splitlines()[0]
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        siblings = [str(name) for name in error.parent_node or ()]
        close = get_close_matches(key.rpartition(".")[2], siblings, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{key}: no such key{hint} known here: {', '.join(siblings)}".replace(
            "key known", "key; known"
        )
    assignment = context.removeprefix("Error merging override ")
    return f"{assignment if assignment != context else key}: {reason}"


def show_options(words: list[str]) -> int:
    """Print every key of the configuration that `words` make; returns the exit code."""
    return _reporting(lambda: _print_options(words))


def _print_options(words: list[str]) -> None:
    register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = typed(hydra.compose("config", overrides=words))
    for key, spec, value in walk(config):
        shown = value.value if isinstance(value, Enum) else value
        print(f"{key} = {'null' if shown is None else shown}")
        if spec is not None:
            bounds = allowed(spec)
            print(f"    {_type_name(value, spec)}{', ' + bounds if bounds else ''}")
            print(f"    {spec.metadata['doc']}")
    print()
    for group in GROUPS:
        print(f"{group}: {', '.join(choices(group))}")


def _type_name(value: object, spec: Field[Any]) -> str:
    if isinstance(value, Enum):
        return "one of " + ", ".join(member.value for member in type(value))
    # Under deferred annotations a field's type is the text written in the source.
    return str(spec.type).replace(" | None", " or null")
