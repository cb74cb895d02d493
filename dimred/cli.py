"""The command `dimred`. Heavy imports wait until a command needs them, so that help is quick."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import dimred
from dimred.errors import Interrupted
from dimred.help import (
    baselines_help,
    command_help,
    options_help,
    plot_help,
    reproduce_help,
    table_help,
    train_help,
)


def entry() -> NoReturn:
    """The command as a process of its own, which ends at once: to free what PyTorch made object by
    object takes a second."""
    # What PyTorch's import makes lasts: looking through it for garbage takes as long as the import.
    gc.set_threshold(200_000, 20, 20)
    code = main()
    try:
        sys.stdout.flush()
    except OSError as error:
        _complain(f"standard output: {error.strerror}")
        code = code or 2
    sys.stderr.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0 = done, 1 = the run failed, 2 = input or a disk that cannot be used, 130 and 143 = stopped by
    Ctrl-C and SIGTERM.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    commands: dict[str, tuple[Callable[[list[str]], int], Callable[[], str]]] = {
        "train": (_train, train_help),
        "options": (_options, options_help),
        "table": (_table, table_help),
        "reproduce": (_reproduce, reproduce_help),
        "baselines": (_baselines, baselines_help),
        "plot": (_plot, plot_help),
    }
    if not words or words[0] in ("-h", "--help", "help"):
        print(command_help())
        return 0
    if words[0] == "--version":
        print(f"dimred {dimred.__version__}")
        return 0
    if words[0] not in commands:
        _complain(f"{words[0]}: no such command; the commands are {', '.join(commands)}")
        return 2
    run, help_text = commands[words[0]]
    if any(word in ("-h", "--help") for word in words[1:]):
        print(help_text())
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    try:
        return run(words[1:])
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has seen enough; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        trains = words[0] in ("train", "reproduce")
        if trains:
            _complain("nobody reads the output any more; the same command goes on")
        return 1 if trains else 0
    except KeyboardInterrupt as interrupt:
        _complain(str(interrupt) or "interrupted")
        return getattr(interrupt, "exit_code", 130)


def _train(words: list[str]) -> int:
    from dimred.launch import launch

    return launch(words)


def _options(words: list[str]) -> int:
    from dimred.launch import show_options

    return show_options(words)


def _table(words: list[str]) -> int:
    from dimred.table import show_table

    return show_table(words)


def _reproduce(words: list[str]) -> int:
    from dimred.reproduce import reproduce

    return reproduce(words)


def _baselines(words: list[str]) -> int:
    from dimred.baselines import measure_baselines

    return measure_baselines(words)


def _plot(words: list[str]) -> int:
    from dimred.plot import plot

    return plot(words)


def _terminated(number: int, _frame: object) -> None:
    raise Interrupted(number, "terminated")


def _complain(line: str) -> None:
    print(f"dimred: {line}", file=sys.stderr)
