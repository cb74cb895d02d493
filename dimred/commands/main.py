"""The command `dimred`. Commands import heavy modules only when they run, so that help is quick."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import dimred
from dimred.commands import COMMANDS
from dimred.commands.messages import did_you_mean, run_reporting_errors
from dimred.errors import Interrupted


def entry() -> NoReturn:
    """Run the command and exit without cleaning up: freeing PyTorch's objects takes a second."""
    # Collecting garbage among the objects that importing PyTorch makes takes as long as the import.
    gc.set_threshold(200_000, 20, 20)
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # as in `main`
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
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[0:1] == ["help"] and arguments[1:2]:
        arguments = [arguments[1], "--help"]
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has closed it; flushing would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        trains = arguments[0:1] in (["train"], ["reproduce"])
        if trains:
            _complain("nobody reads the output any more; the same command goes on")
        return 1 if trains else 0
    except KeyboardInterrupt as interrupt:
        _complain(str(interrupt) or "interrupted")
        return getattr(interrupt, "exit_code", 130)


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(command_help())
        return 0
    name, *rest = arguments
    if name == "--version":
        print(f"dimred {dimred.__version__}")
        return 0
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        _complain(f"{name}: no such command; {hint}the commands are {', '.join(COMMANDS)}")
        return 2
    command = import_module(f"dimred.commands.{name}")
    if any(argument in ("-h", "--help") for argument in rest):
        print(command.HELP)
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    return run_reporting_errors(lambda: int(command.run(rest)))


def command_help() -> str:
    """The text of `dimred --help`."""
    lines = [f"  dimred {name:<10} {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(
        [
            "dimred learns low-dimensional maps of image sets with contrastive losses.",
            "",
            *lines,
            "",
            "  dimred COMMAND --help    its arguments, with examples",
            "  dimred --version",
            "",
            "First steps:  dimred train experiment=demo",
        ]
    )


def _terminated(number: int, _frame: object) -> None:
    raise Interrupted(number, "terminated")


def _complain(line: str) -> None:
    print(f"dimred: {line}", file=sys.stderr)
