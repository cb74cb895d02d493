"""From the words typed to runs: Hydra composes, the typed configuration checks, `train` runs."""

from __future__ import annotations

import errno
import os
import re
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass
from difflib import get_close_matches
from enum import Enum
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from dimred.config.hydra_schema import register, typed
from dimred.config.option import allowed, walk
from dimred.errors import InputError, TrainingDiverged
from dimred.help import GROUPS, choices, config_folder

# Text that users type as their shell would take it, with any letter and `~`, much of which means
# something in Hydra's grammar. Only `${...}` keeps that meaning.
_TEXT_KEYS = ("dataset.root", "dataset.path", "output_dir", "run_dir", "name")

_FIRST_SPEAKS = 5.0  # seconds

_STAGE_LOSS = re.compile(r"\+{0,2}(schedule\.stages\.[^.]+\.loss)(\..+)?")


@dataclass(frozen=True)
class _Failure:
    """A job that failed: in words, since the error itself would keep the job's tensors alive."""

    overrides: str
    line: str
    code: int


_failures: list[_Failure] = []  # of a sweep
_error: list[Exception] = []  # of a single run
_flags: list[str] = []


def launch(words: list[str]) -> int:
    """Run what the words of `dimred train` say, one run or a sweep; returns the exit code."""
    try:
        typed_words = _checked(words)
    except InputError as error:
        return _report(error)
    register()
    # Hydra's own reports exit with 1 and speak of Hydra; its exceptions are explained here instead.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sweep = typed_words.multirun
    overrides = [_quoted(word, sweep) for word in typed_words.overrides]
    _flags[:] = ["--config-dir", typed_words.config_dir] if typed_words.config_dir else []
    _failures.clear()
    _error.clear()
    sys.argv = ["dimred train", *_flags, *(["--multirun"] if sweep else []), *overrides]
    main = hydra.main(version_base="1.3", config_path=str(config_folder()), config_name="config")
    try:
        code = _reporting(lambda: main(_job)(), words)
    finally:
        if sweep and _failures:
            print(f"\ndimred: {len(_failures)} job(s) of the sweep failed:", file=sys.stderr)
            for failure in _failures:
                print(f"  {failure.overrides}: {failure.line}", file=sys.stderr)
    if _error:
        return _report(_error[0])
    return max([code, *(failure.code for failure in _failures)])


def _checked(words: list[str]) -> Namespace:
    """Flags and overrides. Raises InputError for what Hydra would answer with a usage text or a
    traceback, or would let pass."""
    typed_words = _parsed(words)
    folder = typed_words.config_dir
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--config-dir {folder}: must be a folder that is laid out like conf/")
    for word in typed_words.overrides:
        key, given, value = word.partition("=")
        if not given and not key.startswith("~"):
            raise InputError(f"{word}: must be KEY=VALUE")
        no_choice = value in ("", "null") or value.isdigit()
        if key in GROUPS and key != "experiment" and no_choice:
            raise InputError(f"{word}: no such choice; the choices are {', '.join(choices(key))}")
        if key == "schedule.stages":
            raise InputError(
                f"{word}: stages are set one by one (schedule.stages.STAGE.KEY=VALUE) and dropped "
                "by ~schedule.stages.STAGE; other stages are a YAML file of their own"
            )
        loss = _STAGE_LOSS.fullmatch(key)
        if loss and not loss[2] and value != "null":
            shown = value if value in choices("loss") else "NAME"
            raise InputError(
                f"{word}: the loss of a stage is set by +loss@{loss[1]}={shown}; "
                f"the choices are {', '.join(choices('loss'))}"
            )
    return typed_words


class _Parser(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        flags = "the flags are -m (--multirun) and --config-dir FOLDER"
        raise InputError(f"{message}; {flags}")


def _parsed(words: list[str]) -> Namespace:
    """Flags and overrides, in whatever order they were typed."""
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("overrides", nargs="*")
    return parser.parse_intermixed_args(words)


def _quoted(word: str, sweep: bool) -> str:
    """The word with its text quoted for Hydra and `~` expanded, where its key holds text."""
    key, _, value = word.partition("=")
    if key.lstrip("+") not in _TEXT_KEYS or value[:1] in ("", "'", '"'):
        return word

    def quoted(text: str) -> str:
        if text == "null":
            return text
        text = os.path.expanduser(text)  # noqa: PTH111  (leaves an unknown ~user as it is)
        # A quote is escaped; so are backslashes, but only those before a quote.
        return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), text) + "'"

    return f"{key}=" + ",".join(map(quoted, value.split(",") if sweep else [value]))


def _reporting(action: Callable[[], object], words: Sequence[str] = ()) -> int:
    """Call `action`; an error that is no bug becomes one line and an exit code."""
    try:
        action()
    except AssertionError:
        # OmegaConf's answer to a key of a loss that is not there.
        for word in words:
            loss = _STAGE_LOSS.fullmatch(word.partition("=")[0])
            if loss:
                error = f"{word}: give this stage a loss of its own first, +loss@{loss[1]}=NAME"
                return _report(InputError(error))
        raise
    except Exception as error:
        return _report(error)
    return 0


def _report(error: Exception) -> int:
    """Print an error that is no bug as one line and return its exit code; raise any other."""
    code = _exit_code(error)
    if code is None:
        raise error
    if os.environ.get("RANK", "0") != "0":
        # Of several processes the first says what all have found, and torchrun ends the others.
        time.sleep(_FIRST_SPEAKS)
    print(f"dimred: {explain(error)}", file=sys.stderr)
    return code


def _exit_code(error: Exception) -> int | None:
    """2 for input that cannot be used, 1 for a run that failed, None for a bug."""
    unusable = (InputError, HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError)
    if isinstance(error, unusable):
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        return 2
    return 1 if isinstance(error, TrainingDiverged) else None


def _job(composed: DictConfig) -> None:
    """One run. Its error is kept for the end: Hydra would report it in its own words, and the other
    jobs of a sweep still run."""
    if HydraConfig.get().mode != RunMode.MULTIRUN:
        try:
            _train(composed)
        except Exception as error:
            _error.append(error)
        return
    print(f"\n{_overrides()}", flush=True)
    try:
        _train(composed)
    except BrokenPipeError:
        raise
    except Exception as error:
        line = explain(error)
        print(f"dimred: failed: {line}", file=sys.stderr)
        code = _exit_code(error)
        if code is None:
            traceback.print_exc()
        _failures.append(_Failure(_overrides(), line, code or 1))


def _overrides() -> str:
    return " ".join(HydraConfig.get().overrides.task)


def _train(composed: DictConfig) -> None:
    config = typed(composed)
    # torch is imported only once the configuration is known to be good.
    from dimred.reporting.describe import describe
    from dimred.train import run

    outcome = run(config, ["dimred", "train", *_flags, *HydraConfig.get().overrides.task])
    if outcome is None:  # another process speaks for this one
        return
    before = f"{outcome.path}: finished before; restart=true runs it again\n\n"
    text = describe(outcome.path, outcome.summary)
    try:
        print(f"{before if outcome.finished_before else ''}{text}", flush=True)
    except BrokenPipeError:
        # Nobody reads what is in the summary too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def explain(error: BaseException) -> str:
    """One line for an error: the key or file, the value, and what is allowed."""
    if isinstance(error, OSError) and error.filename is not None:
        full = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
        kept = "; what was written before is kept" if full else ""
        return f"{error.filename}: {error.strerror}{kept}"
    if isinstance(error, OverrideParseException):
        value = error.override.partition("=")[2].replace("'", "")
        key = error.override.partition("=")[0]
        return (
            f"{error.override}: cannot be read as KEY=VALUE; quote the value: \"{key}='{value}'\""
        )
    if isinstance(error, UnicodeDecodeError):
        return f"a YAML file is not UTF-8 ({error})"
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
        siblings = [str(name) for name in error.parent_node or () if name != "hydra"]
        close = get_close_matches(key.rpartition(".")[2], siblings, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        return f"{key}: no such key; {hint}known here: {', '.join(siblings)}"
    assignment = context.removeprefix("Error merging override ")
    return f"{assignment if assignment != context else key}: {reason}"


def show_options(words: list[str]) -> int:
    """Print every key of the configuration that `words` make; returns the exit code."""
    return _reporting(lambda: _print_options(words))


def _print_options(words: list[str]) -> None:
    typed_words = _checked(words)
    if typed_words.multirun:
        raise InputError("-m: options are those of one run")
    overrides = [_quoted(word, sweep=False) for word in typed_words.overrides]
    if typed_words.config_dir:
        folder = Path(typed_words.config_dir).resolve()
        overrides.append(f"hydra.searchpath=['file://{folder}']")
    register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        config = typed(hydra.compose("config", overrides=overrides))
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
