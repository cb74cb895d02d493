"""From the words typed to runs: Hydra composes, the typed configuration checks, `train` runs."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dimred.commands.help import GROUPS, choices, config_folder
from dimred.commands.messages import FOLLOWS, SHARED, Parser, exit_code, explain, reporting
from dimred.config import RunConfig
from dimred.config.hydra_schema import register, typed
from dimred.config.option import allowed, walk
from dimred.errors import InputError

# Text that users type as their shell would take it, with any letter and `~`, much of which means
# something in Hydra's grammar. Only `${...}` keeps that meaning.
_TEXT_KEYS = ("dataset.root", "dataset.path", "output_dir", "run_dir", "name")

T = TypeVar("T")

_STAGE_LOSS = re.compile(r"\+{0,2}(schedule\.stages\.[^.]+\.loss)(\..+)?")


@dataclass(frozen=True)
class _Ended:
    """How a job of a sweep ended: in words, since the job may have run in another process, and its
    error itself would keep its tensors alive."""

    overrides: str
    line: str  # the run folder, or what went wrong
    code: int


def launch(words: list[str]) -> int:
    """Run what the words of `dimred train` say, one run or a sweep; returns the exit code."""
    if FOLLOWS:
        # The first of several processes says it all.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    return reporting(lambda: _with_stage_losses(lambda: _launch(_checked(words)), words))


def _launch(typed_words: Namespace) -> int | Exception:
    """The exit code, or the error of a single run."""
    folder = typed_words.config_dir
    flags = ["--config-dir", folder] if folder else []
    overrides = _overrides(typed_words)
    with _hydra() as app:
        if typed_words.multirun or app.get_mode("config", overrides) is RunMode.MULTIRUN:
            if SHARED:
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


def composed(words: Sequence[str]) -> RunConfig:
    """The configuration that the words of a single `dimred train` make."""

    def compose() -> RunConfig:
        with _hydra():
            return typed(hydra.compose("config", overrides=_overrides(_checked(list(words)))))

    return _with_stage_losses(compose, words)


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
        batches = app.multirun("config", job, _as_sweeps(app, overrides))
    except (RuntimeError, ValueError) as error:
        if exit_code(error) is not None:
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


def _as_sweeps(app: Hydra, overrides: list[str]) -> list[str]:
    """Keys that the default configuration lacks, as choices of one value: Hydra composes once
    without what is swept over, and would refuse `dataset.root` beside `experiment=a,b`."""
    default, words = hydra.compose("config"), []
    for override in OverridesParser.create(app.config_loader).parse_overrides(overrides):
        word, path = str(override.input_line), override.key_or_group
        key, _, value = word.partition("=")
        parent = OmegaConf.select(default, path.rpartition(".")[0]) if "." in path else default
        known = isinstance(parent, DictConfig) and path.rpartition(".")[2] in parent
        if not (known or override.is_sweep_override() or path.startswith("hydra") or "/" in path):
            word = word if value in ("", "null") else f"{key}=choice({value})"
        words.append(word)
    return words


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


def _parsed(words: list[str]) -> Namespace:
    """Flags and overrides, in whatever order they were typed."""
    parser = Parser("the flags are -m (--multirun) and --config-dir FOLDER")
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


def _with_stage_losses(action: Callable[[], T], words: Sequence[str]) -> T:
    """Call `action`, with a better word for OmegaConf's answer to a key of a loss not there."""
    try:
        return action()
    except AssertionError:
        for word in words:
            loss = _STAGE_LOSS.fullmatch(word.partition("=")[0])
            if loss:
                raise InputError(
                    f"{word}: give this stage a loss of its own first, +loss@{loss[1]}=NAME"
                ) from None
        raise


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
        code = exit_code(error)
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
    from dimred.commands.summary import describe
    from dimred.run.train import run

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


def show_options(words: list[str]) -> int:
    """Print every key of the configuration that `words` make; returns the exit code."""
    return reporting(lambda: _print_options(words))


def _print_options(words: list[str]) -> int:
    typed_words = _checked(words)
    if typed_words.multirun:
        raise InputError("-m: options are those of one run")
    config = composed(words)
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
