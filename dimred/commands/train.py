"""The command `dimred train`: one run or a sweep."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.messages import Parser, exit_code, explain
from dimred.config.conf_folder import GROUPS, choices
from dimred.errors import InputError
from dimred.files import expanded
from dimred.options.plugins import load_plugins, share_with_processes

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

# As torchrun sets them.
_SHARED = os.environ.get("WORLD_SIZE", "1") != "1"
_IS_WORKER = _SHARED and os.environ.get("RANK", "0") != "0"
_MAIN_SPEAKS_FIRST = 5.0  # seconds

_HELP_HEAD = """\
dimred train [GROUP=CHOICE ...] [KEY=VALUE ...] [-m]

Learns a map of an image set: builds the network, trains it stage by stage, measures the map after
each stage, and writes embedding, metrics, weights and plots to a run folder.

Groups and their choices:"""

_HELP_TAIL = """
Examples:
  dimred train experiment=demo
  dimred train dataset=fashion_mnist dataset.root=data dataset.download=true model=resnet18 \\
      schedule=annealed_1500 device=cuda seed=3
  dimred train -m seed=0,1,2 loss=tsimcne,simclr            a sweep: one run for each combination

Results go to outputs/NAME-seedSEED-HASH/ (output_dir=FOLDER or run_dir=FOLDER change that).
The same command goes on where a stopped run was; a finished run is not repeated unless
restart=true, only measured again where what is measured at the end differs (see dimred options).

Single values:  schedule.stages.finetune.epochs=20   dataset.classes=[4,9]
All of them:    dimred options
Your own YAML:  dimred train --config-dir FOLDER ..., FOLDER laid out like conf/
Your own code:  dimred train --plugin my_loss.py loss=mine ...
                a Python file, or a module, that registers a loss, pairing, dataset or model"""


def _help() -> str:
    lines = []
    for group, meaning in GROUPS.items():
        lines.append(f"  {group:<11} {meaning}")
        lines += _wrapped(choices(group))
    return "\n".join([_HELP_HEAD, *lines, _HELP_TAIL])


def _wrapped(words: list[str], width: int = 84) -> list[str]:
    lines = [" " * 13]
    for word in words:
        if len(lines[-1]) + len(word) + 1 > width:
            lines.append(" " * 13)
        lines[-1] += f" {word}"
    return lines


HELP = _help()


@dataclass(frozen=True)
class _Ended:
    """How a job of a sweep ended: in words, since the job may have run in another process, and its
    error itself would keep its tensors alive."""

    overrides: str
    line: str  # the run folder, or what went wrong
    code: int


def run(arguments: list[str]) -> int:
    """Train what the arguments say, one run or a sweep; returns the exit code."""
    if not _IS_WORKER:
        return _run(arguments)
    # The main one of several processes says it all.
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        return _run(arguments)
    except Exception:
        time.sleep(_MAIN_SPEAKS_FIRST)  # torchrun ends the others meanwhile
        raise


def _run(arguments: list[str]) -> int:
    given = parsed(arguments)
    load_plugins(given.plugin)
    from dimred.config.compose import check_words, with_stage_losses

    check_words(given.overrides, given.config_dir)
    return with_stage_losses(lambda: _launch(given), given.overrides)


def parsed(arguments: list[str]) -> Namespace:
    """Flags and overrides, in whatever order they were typed."""
    parser = Parser(
        "the flags are -m (--multirun), --config-dir FOLDER and --plugin FILE.py or MODULE"
    )
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("overrides", nargs="*")
    return parser.parse_intermixed_args(arguments)


def flags_of(given: Namespace) -> list[str]:
    """The flags that the configuration of a run depends on, as they were given."""
    folder = ["--config-dir", given.config_dir] if given.config_dir else []
    return folder + [word for plugin in given.plugin for word in ("--plugin", plugin)]


def _launch(given: Namespace) -> int:
    from hydra.types import RunMode

    from dimred.config.compose import hydra_app, overrides

    flags = flags_of(given)
    words = overrides(given.overrides, given.config_dir, given.multirun)
    with hydra_app() as app:
        if given.multirun or app.get_mode("config", words) is RunMode.MULTIRUN:
            if _SHARED:
                raise InputError("-m: torchrun starts the processes of one run, not of a sweep")
            return _sweep(app, partial(_job, flags), words)
        for word in words:
            if word.startswith("hydra/launcher="):
                raise InputError(f"{word}: launches the jobs of a sweep; add -m")
        error: Exception | None = app.run("config", partial(_single, flags), words).return_value
    if error is not None:
        raise error
    return 0


def _sweep(app: Hydra, job: Callable[[DictConfig], _Ended], overrides: list[str]) -> int:
    """Run or submit the jobs of a sweep and wait for them; returns the exit code."""
    import hydra
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    from dimred.config.hydra_schema import typed

    parsed_words = OverridesParser.create(app.config_loader).parse_overrides(overrides)
    for words in BasicSweeper.split_arguments(parsed_words, None)[0]:
        # What is wrong with a job should not come out after hours in a queue.
        config = typed(hydra.compose("config", overrides=words))
    if any(word.startswith("hydra/launcher=") for word in overrides):
        share_with_processes(expanded(config.output_dir) / "sweeps" / "plugins")
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
    import hydra
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import DictConfig, OmegaConf

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


def _single(flags: list[str], composed: DictConfig) -> Exception | None:
    """A single run. Its error is returned, since Hydra would report it in its own words."""
    try:
        _train(flags, composed)
    except Exception as error:
        return error
    return None


def _job(flags: list[str], composed: DictConfig) -> _Ended:
    """A job of a sweep. It returns its error too, so that the other jobs still run."""
    from hydra.core.hydra_config import HydraConfig

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
    from hydra.core.hydra_config import HydraConfig

    from dimred.commands.summary import describe
    from dimred.config.hydra_schema import typed

    config = typed(composed)
    # torch is imported only once the configuration is known to be good.
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
