"""From the words typed to runs: Hydra composes, the typed configuration checks, `train` runs."""

from __future__ import annotations

import os
import sys
import traceback
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

_FLAGS = ("-m", "--multirun", "--config-dir", "-cd", "--cfg", "-c", "--resolve")
_FLAGS_WITH_VALUE = ("--config-dir", "-cd", "--cfg", "-c")

_failures: list[tuple[str, Exception]] = []


def launch(words: list[str]) -> int:
    """Run what the words of `dimred train` say, one run or a sweep; returns the exit code."""
    code = _reporting(lambda: _check_words(words))
    if code:
        return code
    register()
    # Hydra's own reports exit with 1 and speak of Hydra; its exceptions are explained here instead.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv = ["dimred train", *_flags_first(words)]
    _failures.clear()
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    code = _reporting(main(_job))
    sweep = "-m" in words or "--multirun" in words
    if sweep and _failures:
        print(f"\ndimred: {len(_failures)} job(s) of the sweep failed:", file=sys.stderr)
        for overrides, error in _failures:
            print(f"  {overrides}: {explain(error)}", file=sys.stderr)
        return max(_exit_code(error) or 1 for _, error in _failures)
    for _, error in _failures:
        return _report(error)
    return code


def _check_words(words: list[str]) -> None:
    """Refuse what Hydra would answer with a usage text or a traceback."""
    for word in words:
        key, _, value = word.partition("=")
        if word.startswith("-") and key not in _FLAGS:
            raise InputError(f"{word}: no such flag; the flags are {', '.join(_FLAGS)}")
        no_choice = value in ("", "null") or value.isdigit()
        if key in GROUPS and key != "experiment" and no_choice:
            raise InputError(f"{word}: no such choice; the choices are {', '.join(choices(key))}")
        if (
            key.startswith("schedule.stages.")
            and key.endswith(".loss")
            and value in choices("loss")
        ):
            raise InputError(f"{word}: the loss of a stage is set by +loss@{word}")


def _flags_first(words: list[str]) -> list[str]:
    """The words in the order that Hydra's argument parser can read: it takes no flag in between."""
    flags: list[str] = []
    overrides: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            overrides.append(word)
            continue
        flags.append(word)
        if word in _FLAGS_WITH_VALUE:
            flags += [value for value in [next(rest, None)] if value is not None]
    return [*flags, *overrides]


def _reporting(action: Callable[[], object]) -> int:
    """Call `action`; an error that is no bug becomes one line and an exit code."""
    try:
        action()
    except Exception as error:
        return _report(error)
    return 0


def _report(error: Exception) -> int:
    """Print an error that is no bug as one line and return its exit code; raise any other."""
    code = _exit_code(error)
    if code is None:
        raise error
    print(f"dimred: {explain(error)}", file=sys.stderr)
    return code


def _exit_code(error: Exception) -> int | None:
    """2 for input that cannot be used, 1 for a run that failed, None for a bug."""
    if isinstance(error, InputError | HydraException | OmegaConfBaseException):
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        return 2
    return 1 if isinstance(error, TrainingDiverged) else None


def _job(composed: DictConfig) -> None:
    """One run. Its error is kept for the end, so that the other jobs of a sweep still run."""
    config = HydraConfig.get()
    sweep = config.mode == RunMode.MULTIRUN
    if sweep:
        print(f"\n{_overrides()}", flush=True)
    try:
        _train(composed)
    except Exception as error:
        if sweep and not config.launcher._target_.endswith("BasicLauncher"):
            # This is a process of its own; Hydra takes the error back to the one that waits.
            raise
        if sweep:
            print(f"dimred: failed: {explain(error)}", file=sys.stderr)
            if _exit_code(error) is None:
                traceback.print_exc()
        _failures.append((_overrides(), error))


def _overrides() -> str:
    return " ".join(HydraConfig.get().overrides.task)


def _train(composed: DictConfig) -> None:
    config = typed(composed)
    # torch is imported only once the configuration is known to be good.
    from dimred.reporting.describe import describe
    from dimred.train import run

    outcome = run(config, ["dimred", "train", *HydraConfig.get().overrides.task])
    if outcome.finished_before:
        print(f"{outcome.path}: finished before; restart=true runs it again\n")
    print(describe(outcome.path, outcome.summary), flush=True)


def explain(error: BaseException) -> str:
    """One line for an error: the key or file, the value, and what is allowed."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; what was written before is kept"
    if isinstance(error, TrainingDiverged):
        return f"{error}; the last good checkpoint is kept"
    cause = error.__cause__ or error.__context__ or error
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
