"""The command `dimred`. Commands import heavy modules only when they run, so that help is quick;
this module imports next to nothing, so that `entry` handles signals from the start."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NoReturn

import dimred
from dimred.commands import COMMANDS
from dimred.errors import Interrupted, did_you_mean

_SIGNALS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


def entry() -> NoReturn:
    """Run the command and exit without cleaning up: freeing PyTorch's objects takes a second.

    SIGINT and SIGTERM end the process with 130 and 143 and without a traceback, whenever they come.
    """
    stop = _Stop()
    code = 1
    try:
        # Names of files and of classes may hold what the terminal's encoding lacks.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.reconfigure(errors="backslashreplace")
        # Collecting garbage among what importing PyTorch makes takes as long as the import.
        gc.set_threshold(200_000, 20, 20)
        code = main()
        stop.at_once()
        code = _flushed(code)
    except BaseException:
        if stop.code is None:
            raise
    os._exit(code if stop.code is None else stop.code)


class _Stop:
    """Handler of SIGINT and SIGTERM. The first raises Interrupted, so that what is open is closed;
    the next ends the process.

    code: exit code of the signal that came; None without one. It counts whatever has become of the
        exception: importing a library may turn it into another, or print and drop it.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        self._excepthook = sys.excepthook
        self._unraisablehook = sys.unraisablehook
        sys.excepthook = self._print_exception
        sys.unraisablehook = self._print_unraisable
        _handle(self._raise)

    def at_once(self) -> None:
        """Let a signal end the process from now on: the command is done."""
        _handle(lambda number, _: os._exit(128 + number))

    def _raise(self, number: int, _frame: object) -> None:
        if self.code is not None:
            os._exit(128 + number)
        self.code = 128 + number
        raise Interrupted(number, _SIGNALS[signal.Signals(number)])

    def _print_exception(self, *error: Any) -> None:
        if self.code is None:
            self._excepthook(*error)

    def _print_unraisable(self, error: Any) -> None:
        if self.code is not None:  # raised where nothing can be, such as in a destructor
            os._exit(self.code)
        self._unraisablehook(error)


def _handle(handler: Callable[[int, Any], None]) -> None:
    """Let a function handle the signals, but for those that are ignored, as by nohup."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _flushed(code: int) -> int:
    """The exit code after writing what is still to be printed."""
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except BrokenPipeError:
        pass  # as in `main`
    except OSError as error:
        from dimred.commands.messages import complain

        complain(f"standard output: {error.strerror}")
        return code or 2
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code.

    0 = done, 1 = the run failed, 2 = input or a disk that cannot be used, 130 and 143 = stopped by
    Ctrl-C and SIGTERM.
    """
    from dimred.commands.messages import complain

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if arguments[0:1] == ["help"] and arguments[1:2]:
        arguments = [arguments[1], "--help"]
    try:
        return _run(arguments)
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has closed it; flushing would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        trains = arguments[0:1] in (["train"], ["reproduce"], ["map"])
        if trains:
            complain("nobody reads the output any more; the same command goes on")
        return 1 if trains else 0
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or "interrupted")
        return getattr(interrupt, "exit_code", 130)


def _run(arguments: list[str]) -> int:
    from dimred.commands.messages import complain, run_reporting_errors

    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(command_help())
        return 0
    name, *rest = arguments
    if name == "--version":
        print(f"dimred {dimred.__version__}")
        return 0
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        complain(f"{name}: no such command; {hint}the commands are {', '.join(COMMANDS)}")
        return 2
    command = import_module(f"dimred.commands.{name}")
    if any(argument in ("-h", "--help") for argument in rest):
        print(command.HELP)
        return 0
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
            "First steps:  dimred map FOLDER, or dimred train experiment=demo",
        ]
    )
