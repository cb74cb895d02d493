"""From the words typed to runs: Hydra composes, the typed configuration checks, `train` runs."""

from __future__ import annotations

import errno
import logging
import os
import re
import sys
import time
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, dataclass
from difflib import get_close_matches
from enum import Enum
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from yaml import YAMLError

from dimred.config.hydra_schema import register, typed
from dimred.config.option import allowed, walk
from dimred.errors import InputError, ProcessLost, TrainingDiverged
from dimred.help import GROUPS, choices, config_folder

# Text that users type as their shell would take it, with any letter and `~`, much of which means
# something in Hydra's grammar. Only `${...}` keeps that meaning.
_TEXT_KEYS = ("dataset.root", "dataset.path", "output_dir", "run_dir", "name")

# As torchrun sets them.
_SHARED = os.environ.get("WORLD_SIZE", "1") != "1"
_FOLLOWS = _SHARED and os.environ.get("RANK", "0") != "0"
_FIRST_SPEAKS = 5.0  # seconds

_STAGE_LOSS = re.compile(r"\+{0,2}(schedule\.stages\.[^.]+\.loss)(\..+)?")

# The choices of hydra-submitit-launcher, the optional extra `cluster`.
_CLUSTER = ("hydra/launcher/submitit_local", "hydra/launcher/submitit_slurm")


@dataclass(frozen=True)
class _Ended:
    """How a job of a sweep ended: in words, since the job may have run in another process, and its
    error itself would keep its tensors alive."""

    overrides: str
    line: str  # the run folder, or what went wrong
    code: int


def launch(words: list[str]) -> int:
    """Run what the words of `dimred train` say, one run or a sweep; returns the exit code."""
    if _FOLLOWS:
        # The first of several processes says it all.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    return _reporting(lambda: _launch(_checked(words)), words)


def _launch(typed_words: Namespace) -> int | Exception:
    """The exit code, or the error of a single run."""
    folder = typed_words.config_dir
    flags = ["--config-dir", folder] if folder else []
    overrides = _overrides(typed_words)
    with _hydra() as app:
        if typed_words.multirun or app.get_mode("config", overrides) is RunMode.MULTIRUN:
            if _SHARED:
                raise InputError("-m: torchrun starts the processes of one run, not of a sweep")
            return _sweep(app, partial(_job, flags), overrides)
        for word in overrides:
            if word.startswith("hydra/launcher="):
                raise InputError(f"{word}: launches the jobs of a sweep; add -m")
        error: Exception | None = app.run("config", partial(_run, flags), overrides).return_value
        return error or 0


@contextmanager
def _hydra() -> Iterator[Hydra]:
    """Hydra, as long as it is entered. `hydra.main` would drop what the jobs of a sweep return."""
    register()
    with hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
        app = GlobalHydra.instance().hydra
        assert app is not None
        yield app


def _overrides(typed_words: Namespace) -> list[str]:
    """What Hydra is given."""
    overrides = [_quoted(word, typed_words.multirun) for word in typed_words.overrides]
    if typed_words.config_dir:
        folder = Path(typed_words.config_dir).resolve()
        overrides.append(f"hydra.searchpath=['file://{folder}']")
    return overrides


def _sweep(app: Hydra, job: Callable[[DictConfig], _Ended], overrides: list[str]) -> int:
    """Run or submit the jobs of a sweep and wait for them; returns the exit code."""
    parsed = OverridesParser.create(app.config_loader).parse_overrides(overrides)
    for words in BasicSweeper.split_arguments(parsed, None)[0]:
        # What is wrong with a job should not come out after hours in a queue.
        typed(hydra.compose("config", overrides=words))
    # A launcher that submits says what, and where it will be.
    launchers = logging.getLogger("hydra_plugins")
    launchers.addHandler(logging.StreamHandler(sys.stdout))
    launchers.setLevel(logging.INFO)
    try:
        batches = app.multirun("config", job, overrides)
    except (RuntimeError, ValueError) as error:
        if _exit_code(error) is not None:
            raise
        # The launcher's error: what a job raises is among the results.
        line, code = str(error), 2
        if type(error).__name__ == "UncompletedJobError":
            # Killed, such as for its memory. The text goes on with all that the job printed.
            line = " ".join(line.splitlines()[:2]) + "; its log lies there; the other jobs go on"
            code = 1
        print(f"dimred: {line}", file=sys.stderr)
        return code
    ended: list[_Ended] = [result.return_value for batch in batches for result in batch]
    done = [f"{end.overrides}: {end.line}" for end in ended if not end.code]
    failed = [f"  {end.overrides}: {end.line}" for end in ended if end.code]
    print("", *done, sep="\n", flush=True)
    if failed:
        head = f"\ndimred: {len(failed)} job(s) of the sweep failed:"
        print(head, *failed, sep="\n", file=sys.stderr)
    return max(end.code for end in ended)


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


def _reporting(action: Callable[[], int | Exception], words: Sequence[str] = ()) -> int:
    """Call `action`; an error that is no bug becomes one line and an exit code."""
    try:
        outcome = action()
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
    return _report(outcome) if isinstance(outcome, Exception) else outcome


def _report(error: Exception) -> int:
    """Print an error that is no bug as one line and return its exit code; raise any other."""
    code = _exit_code(error)
    if code is None:
        raise error
    if _FOLLOWS:
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
    return 1 if isinstance(error, TrainingDiverged | ProcessLost) else None


def _run(flags: list[str], composed: DictConfig) -> Exception | None:
    """A single run. Its error is returned, since Hydra would report it in its own words."""
    try:
        _train(flags, composed)
    except Exception as error:
        return error
    return None


def _job(flags: list[str], composed: DictConfig) -> _Ended:
    """A job of a sweep. It returns its error too, so that the other jobs still run."""
    overrides = " ".join(HydraConfig.get().overrides.task)
    print(f"\n{overrides}", flush=True)
    try:
        return _Ended(overrides, _train(flags, composed), 0)
    except BrokenPipeError:
        raise
    except Exception as error:
        line = explain(error)
        print(f"dimred: failed: {line}", file=sys.stderr)
        code = _exit_code(error)
        if code is None:
            traceback.print_exc()
        return _Ended(overrides, line + _log(), code or 1)


def _log() -> str:
    """Where the errors of a job are that submitit started."""
    if "SUBMITIT_FOLDER" not in os.environ:
        return ""
    from submitit import JobEnvironment

    return f" (log: {JobEnvironment().paths.stderr})"


def _train(flags: list[str], composed: DictConfig) -> str:
    """Train, and print what came out; returns where it is."""
    config = typed(composed)
    # torch is imported only once the configuration is known to be good.
    from dimred.reporting.describe import describe
    from dimred.train import run

    outcome = run(config, ["dimred", "train", *flags, *HydraConfig.get().overrides.task])
    if outcome is None:  # the first of several processes says it
        return ""
    before = f"{outcome.path}: finished before; restart=true runs it again\n\n"
    text = describe(outcome.path, outcome.summary)
    try:
        print(f"{before if outcome.finished_before else ''}{text}", flush=True)
    except BrokenPipeError:
        # Nobody reads what is in the summary too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"{outcome.path}{', finished before' if outcome.finished_before else ''}"


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
    if isinstance(error, MissingConfigException) and error.missing_cfg_file in _CLUSTER:
        word = "=".join(error.missing_cfg_file.rsplit("/", 1))
        return f"{word}: is not installed; it comes with pip install 'dimred[cluster]'"
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


def _print_options(words: list[str]) -> int:
    typed_words = _checked(words)
    if typed_words.multirun:
        raise InputError("-m: options are those of one run")
    with _hydra():
        config = typed(hydra.compose("config", overrides=_overrides(typed_words)))
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
    return 0


def _type_name(value: object, spec: Field[Any]) -> str:
    if isinstance(value, Enum):
        return "one of " + ", ".join(member.value for member in type(value))
    # Under deferred annotations a field's type is the text written in the source.
    return str(spec.type).replace(" | None", " or null")
