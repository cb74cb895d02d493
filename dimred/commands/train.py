"""The command `dimred train`: one run or a sweep."""

from __future__ import annotations

import logging
import os
import shlex
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dimred.commands.jobs import as_sweeps, job_overrides, jobs, swept_keys
from dimred.commands.messages import Parser, complain, exit_code, explain, shown
from dimred.commands.sweep import in_a_line, table_of, varied_words
from dimred.config.conf_folder import GROUPS, choices, folded
from dimred.errors import InputError, near
from dimred.files import expanded, printable, write_atomically
from dimred.options.plugins import load_plugins, share_with_processes

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

    from dimred.config import RunConfig

# Environment variables that torchrun sets.
_SHARED = os.environ.get("WORLD_SIZE", "1") != "1"
_IS_WORKER = _SHARED and os.environ.get("RANK", "0") != "0"
_WORKER_ERROR_DELAY = 5.0  # seconds, so that the main process reports its error first

_HELP_HEAD = """\
dimred train [GROUP=CHOICE ...] [KEY=VALUE ...] [-m] [--list] [--preview]

Learns a map of an image set: builds the network, trains it stage by stage, measures the map after
each stage, and writes embedding, metrics, weights and plots to a run folder.

Groups and their choices:"""

_HELP_TAIL = """
Examples:
  dimred train experiment=demo
  dimred train dataset=fashion_mnist dataset.root=data dataset.download=true model=resnet18 \\
      schedule=annealed_1500 device=cuda seed=3
  dimred train -m seed=0,1,2 loss=tsimcne,simclr            a sweep: one run for each combination
  dimred train experiment=demo --list                       its folder, its state and how long it
                                                            takes; trains nothing, writes nothing
                                                            but a packed file (dataset.store)
  dimred train experiment=demo --preview                    a picture of what the network would see,
                                                            of up to 64 images (2,000 where the
                                                            pairing needs more); trains nothing

Results go to outputs/NAME-seedSEED-HASH/ (output_dir=FOLDER or run_dir=FOLDER change that).
The same command continues a stopped run. A finished run is not repeated, except with restart=true;
it is only measured again where options of eval differ (see dimred options).

Single values:  schedule.stages.finetune.epochs=20   dataset.classes=[4,9]
All of them:    dimred options        (the ten that matter first, then all by group)
Find one:       dimred options learning rate;  dimred options experiment lists these with meanings
Your own YAML:  dimred train --config-dir FOLDER ..., FOLDER laid out like conf/
Your own code:  dimred train --plugin my_loss.py loss=mine ...
                a Python file or module that registers a loss, pairing, dataset, model or measure"""


def _help() -> str:
    lines = []
    for group, meaning in GROUPS.items():
        lines.append(f"  {group:<11} {meaning}")
        lines += _wrapped(folded(choices(group)))
    return "\n".join([_HELP_HEAD, *lines, _HELP_TAIL])


def _wrapped(names: list[str], width: int = 84) -> list[str]:
    lines = [" " * 13]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > width:
            lines.append(" " * 13)
        lines[-1] += f" {name}"
    return lines


HELP = _help()


@dataclass(frozen=True)
class _JobResult:
    """How a job of a sweep ended. Holds text instead of the error, which would keep tensors alive
    and may come from another process."""

    overrides: str
    line: str  # the run folder, or the error
    code: int
    folder: str = ""


def run(arguments: list[str]) -> int:
    """Train one run or a sweep; returns the exit code."""
    if not _IS_WORKER:
        return _run(arguments)
    # Only the main process prints.
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    try:
        return _run(arguments)
    except Exception:
        time.sleep(_WORKER_ERROR_DELAY)  # torchrun ends the workers meanwhile
        raise


def _run(arguments: list[str]) -> int:
    args = parsed(arguments)
    load_plugins(args.plugin)
    from dimred.config.compose import check_overrides

    check_overrides(args.overrides, args.config_dir)
    return _launch(args)


def parsed(arguments: list[str]) -> Namespace:
    """The parsed flags and overrides, which may come in any order."""
    parser = Parser(
        "the flags are -m (--multirun), --list, --preview, --config-dir FOLDER and "
        "--plugin FILE.py or MODULE"
    )
    parser.add_argument("-m", "--multirun", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--preview", action="store_true")
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--plugin", action="append", default=[])
    parser.add_argument("overrides", nargs="*")
    args, others = parser.parse_known_intermixed_args(arguments)
    for flag in others:
        known = ["--multirun", "--list", "--preview", "--config-dir", "--plugin"]
        if near(flag.partition("=")[0], known):
            parser.error(f"unrecognized arguments: {flag}")
        raise InputError(explain_flag(flag, arguments, args.overrides, args.config_dir))
    return args


def explain_flag(
    flag: str, arguments: Sequence[str], overrides: Sequence[str], folder: str | None = None
) -> str:
    """One line for a key that is typed like a flag, such as --batch-size 64.

    arguments: all that were typed. overrides: those that are no flags. folder: of --config-dir.
    """
    from dimred.config.compose import composed

    name, equals, value = flag.partition("=")
    if not equals:
        following = [*arguments, ""][list(arguments).index(flag) + 1]
        is_value = following and "=" not in following and following[:1] != "-"
        value = following if is_value else "true"
    word = f"{name.lstrip('-').replace('-', '_')}={value}"
    others = [w for w in overrides if "=" in w and w.partition("=")[0] in GROUPS]
    line = f"{flag}: no such flag; keys are typed KEY=VALUE"
    try:
        composed([*others, word], folder, fits=False)
    except InputError as error:
        _, _, asked = str(error).partition("no such key; ")
        return f"{line}; {asked}" if asked else line
    return f"{line}: {shlex.quote(word)}"


def flags_of(args: Namespace) -> list[str]:
    """The flags that affect the configuration of a run, as command-line arguments."""
    folder = ["--config-dir", args.config_dir] if args.config_dir else []
    return folder + [argument for plugin in args.plugin for argument in ("--plugin", plugin)]


def _launch(args: Namespace) -> int:
    from hydra.types import RunMode
    from omegaconf.errors import OmegaConfBaseException

    from dimred.config.compose import hydra_app, hydra_overrides
    from dimred.config.hydra_errors import composing
    from dimred.config.hydra_schema import NoSuchKey

    flags = flags_of(args)
    error: Exception | None = None

    def words(typed: Sequence[str]) -> list[str]:
        return hydra_overrides(typed, args.config_dir, args.multirun)

    overrides = words(args.overrides)
    with hydra_app() as app, composing(args.overrides, lambda typed: jobs(app, words(typed))[0]):
        if args.list and args.preview:
            raise InputError("--list and --preview: give one of them")
        if args.list:
            if _SHARED:
                raise InputError("--list: one process tells it; run it without torchrun")
            swept = swept_keys(app, overrides) if args.multirun else []
            names = [varied_words(job, swept) for job in job_overrides(app, overrides)]
            return _list(jobs(app, overrides), names)
        if args.preview:
            configs = jobs(app, overrides)
            if args.multirun or _SHARED or len(configs) > 1:
                raise InputError("--preview: draws one run, without -m and torchrun")
            return _preview(configs[0])
        # Hydra composes once to read its mode, which is not ours but only a user's own to set.
        own = args.config_dir or any("hydra" in word for word in args.overrides)
        if args.multirun or (own and app.get_mode("config", overrides) is RunMode.MULTIRUN):
            if _SHARED:
                raise InputError("-m: torchrun starts the processes of one run, not of a sweep")
            return _sweep(app, flags, overrides)
        for override in overrides:
            if override.startswith("hydra/launcher="):
                raise InputError(f"{override}: launches the jobs of a sweep; add -m")
        result = app.run("config", partial(_single, flags), overrides)
        error = result.return_value
        # Interpolations are resolved last, and keys added by + are looked at then.
        if isinstance(error, OmegaConfBaseException | NoSuchKey):
            raise error
    if error is not None:
        raise error
    return 0


def _list(configs: Sequence[RunConfig], varied: Sequence[str]) -> int:
    """Print what training these would make, and how long it takes; returns the exit code.

    varied: what a sweep varies in each, for the names of new folders.
    """
    from dimred.run.listing import listed, total

    runs = []
    for run in listed(configs, varied):
        parts = (str(run.path), run.state, run.time)
        print(printable("  ".join(part for part in parts if part)), flush=True)
        runs.append(run)
    print(f"\n{total(runs)}")
    return 0


def _preview(config: RunConfig) -> int:
    """Draw what the network would see; returns the exit code."""
    from dimred.plots.style import to_png
    from dimred.run.views import preview

    config.dataset.check_place()
    sheet = preview(config)
    write_atomically(sheet.file, to_png(sheet.figure))
    for line in sheet.lines:
        print(line)
    print(f"{printable(sheet.file)}: what the network sees, of {sheet.images:,} images read")
    return 0


def _sweep(app: Hydra, flags: list[str], overrides: list[str]) -> int:
    """Run or submit the jobs of a sweep and wait for them; returns the exit code."""
    from hydra.types import RunMode

    configs = jobs(app, overrides)  # checks every job before any of them waits in a queue
    sweeps = as_sweeps(app, overrides)
    hydra_config = app.compose_config("config", sweeps, run_mode=RunMode.MULTIRUN).hydra
    launcher = str(hydra_config.launcher._target_)
    if "BasicLauncher" in launcher:  # others may run where the data are
        for dataset in {str(config.dataset): config.dataset for config in configs}.values():
            dataset.check_place()
    if "submitit" in launcher:
        for config in configs:
            if "%" in config.output_dir:
                raise InputError(
                    f"output_dir={config.output_dir}: a launcher replaces % and a letter in paths, "
                    "such as %j by the job's number; name a folder without %"
                )
        share_with_processes(expanded(configs[-1].output_dir) / "sweeps" / "plugins")
    # Launchers log which jobs they submit, and where the logs are.
    launchers = logging.getLogger("hydra_plugins")
    launchers.addHandler(logging.StreamHandler(sys.stdout))
    launchers.setLevel(logging.INFO)
    try:
        batches = app.multirun("config", partial(_job, flags, swept_keys(app, overrides)), sweeps)
    except (RuntimeError, ValueError) as error:
        if exit_code(error) is not None:
            raise
        # An error of the launcher: `job` returns its errors.
        line, code = str(error), 2
        if type(error).__name__ == "UncompletedJobError":
            # The job was killed, such as for its memory. Only the first lines are the message; the
            # rest is what the job printed.
            line = " ".join(line.splitlines()[:2]) + "; its log lies there; the other jobs go on"
            code = 1
        complain(line)
        return code
    results: list[_JobResult] = [result.return_value for batch in batches for result in batch]
    failed = [f"  {shown(f'{job.overrides}: {job.line}')}" for job in results if job.code]
    print(table_of(job.folder for job in results if not job.code), end="", flush=True)
    if failed:
        head = f"\ndimred: {len(failed)} job(s) of the sweep failed:"
        print(head, *failed, sep="\n", file=sys.stderr)
    return max(result.code for result in results)


def _single(flags: list[str], composed: DictConfig) -> Exception | None:
    """Train a single run. Returns its error, since Hydra would catch and report it itself."""
    try:
        _train(flags, composed)
    except Exception as error:
        return error
    return None


def _job(flags: list[str], swept: list[str], composed: DictConfig) -> _JobResult:
    """Train a job of a sweep. Returns its error, so that the other jobs still run."""
    from hydra.core.hydra_config import HydraConfig

    overrides = " ".join(HydraConfig.get().overrides.task)
    print(f"\n{overrides}", flush=True)
    try:
        path, line = _train(flags, composed, varied_words(HydraConfig.get().overrides.task, swept))
        return _JobResult(overrides, line, 0, path)
    except BrokenPipeError:
        raise
    except Exception as error:
        line = explain(error)
        complain(f"failed: {line}")
        code = exit_code(error)
        if code is None:
            traceback.print_exc()
        return _JobResult(overrides, line + _log(), code or 1)


def _log() -> str:
    """A note on the log file of a job that submitit started; "" for others."""
    if "SUBMITIT_FOLDER" not in os.environ:
        return ""
    from submitit import JobEnvironment

    return f" (log: {JobEnvironment().paths.stderr})"


def _train(flags: list[str], composed: DictConfig, varied: str | None = None) -> tuple[str, str]:
    """Train, and print a summary, of a job of a sweep one line; returns the run folder and a line.

    varied: what a sweep varies, as in `run`; None for a single run.
    """
    from hydra.core.hydra_config import HydraConfig

    from dimred.commands.summary import describe
    from dimred.config.hydra_schema import typed
    from dimred.run_folder.sources import with_source_found

    config = with_source_found(typed(composed))
    config.dataset.check_place()
    # torch is imported only after the configuration has been checked.
    from dimred.run.train import run

    outcome = run(config, ["dimred", "train", *flags, *HydraConfig.get().overrides.task], varied)
    if outcome is None:  # a worker process
        return "", ""
    line = f"{outcome.path}{', finished before' if outcome.finished_before else ''}"
    before = f"{outcome.path}: finished before; restart=true runs it again\n\n"
    text = describe(outcome.path, outcome.summary)
    if varied is not None:
        before, text = "", in_a_line(line, outcome.summary)
    try:
        print(f"{before if outcome.finished_before else ''}{text}", flush=True)
    except BrokenPipeError:
        # The reader is gone; summary.json has the same numbers.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if outcome.samples is not None and outcome.h is not None:
        from dimred.analysis.end_of_run import write_page

        with suppress(BrokenPipeError):
            for note in write_page(outcome.path, outcome.samples, outcome.h, config.view):
                print(note, flush=True)
    return str(outcome.path), line
