"""Error messages of the command, and its exit codes."""

from __future__ import annotations

import errno
import re
import sys
from argparse import Action, ArgumentError, ArgumentParser
from collections.abc import Callable
from traceback import walk_tb
from typing import Any, NoReturn

from dimred.errors import InputError, ProcessLost, TrainingFailed, did_you_mean
from dimred.files import escaped

_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)

# Longest value and longest line that are shown whole. Lists of choices are many short words.
_MAX_WORD, _MAX_LINE = 200, 2_000
# Lists, texts in quotes, and words, that are longer.
_LONG = re.compile(
    rf"\[[^\[\]]{{{_MAX_WORD},}}\]|(?<!\w)'[^']{{{_MAX_WORD},}}'(?!\w)|\S{{{_MAX_WORD + 1},}}"
)

# What libraries say when an allocation fails, besides MemoryError and torch.OutOfMemoryError.
_NO_MEMORY = re.compile(
    "can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc"
    "|could not create a primitive|failed to map segment",
    re.IGNORECASE,
)
# Options that need less memory where they are smaller, by the modules that use it.
_SMALLER = {
    "dimred.data.canvases": "dataset.n_train, dataset.n_test or dataset.size",
    "dimred.data": "dataset.limit or dataset.image_size",
    "dimred.pairing": "dataset.limit or schedule.batch_size",
    "dimred.evaluation": "eval.batch_size",
    "dimred.measures": "eval.batch_size",
    "dimred.run.measuring": "eval.batch_size",
    "dimred.training.embed": "eval.batch_size",
    "dimred.training": "schedule.batch_size",
    "dimred.losses": "schedule.batch_size",
    "dimred.models": "schedule.batch_size or the widths of the model",
    "dimred.run": "schedule.batch_size",
}


class Parser(ArgumentParser):
    """An ArgumentParser whose errors are InputErrors, and which refuses empty words.

    help_text: help of the command, whose first paragraph is the usage.
    """

    def __init__(self, help_text: str):
        super().__init__(add_help=False, allow_abbrev=False)
        self._usage = " ".join(help_text.partition("\n\n")[0].split())

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self._hint(message)}{self._usage}")

    def _hint(self, message: str) -> str:
        """The flags that unrecognized ones may stand for, as a question."""
        said, _, words = message.partition(": ")
        flag = words.partition(" ")[0].partition("=")[0]
        if said != "unrecognized arguments" or not flag.startswith("-"):
            return ""
        flags = [name for name in self._option_string_actions if name.startswith("--")]
        return did_you_mean(flag, flags) if flag.strip("-") else ""

    def _check_value(self, action: Action, value: Any) -> None:
        if value == "":  # such as of an unset variable of the shell
            raise ArgumentError(action, "must not be empty")
        super()._check_value(action, value)


def run_reporting_errors(action: Callable[[], int]) -> int:
    """Call `action`, which returns an exit code. An error that is no bug is printed as one line,
    and its exit code is returned."""
    try:
        return action()
    except Exception as error:
        code = exit_code(error)
        if code is None:
            raise
        complain(explain(error))
        return code


def complain(line: str) -> None:
    """Print an error message."""
    print(f"dimred: {shown(line)}", file=sys.stderr)


def shown(message: str) -> str:
    """A message, `escaped`, and with values of thousands of characters cut."""
    line = _LONG.sub(lambda value: f"{value[0][:100]}...{value[0][-20:]}", escaped(message))
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE // 2]} ... {line[-300:]}"


def exit_code(error: BaseException) -> int | None:
    """2 for input or a disk that cannot be used, 1 for a run that failed or ran out of memory, None
    for a bug."""
    if _lacks_memory(error):
        return 1
    if isinstance(error, InputError):
        return 2
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _FULL):
        return 2
    return 1 if isinstance(error, TrainingFailed | ProcessLost) else None


def explain(error: BaseException) -> str:
    """One line for an error: the key or file, the value, and what is allowed."""
    if _lacks_memory(error):
        return _explain_memory(error)
    if isinstance(error, InputError | TrainingFailed | ProcessLost):
        return str(error)
    if isinstance(error, OSError) and error.errno is not None:
        full = error.errno in _FULL and not str(error.filename).startswith("/dev/")
        kept = "; what was written before is kept" if full else ""
        return f"{error.filename or 'standard output'}: {error.strerror}{kept}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines) or type(error).__name__


def _lacks_memory(error: BaseException) -> bool:
    """Whether an allocation has failed, by the system's limits or a GPU's."""
    if isinstance(error, InputError | TrainingFailed):
        return False
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    cause = error.__cause__ or error.__context__
    if cause is not None and _lacks_memory(cause):
        return True
    kinds = RuntimeError | ImportError | OSError
    return isinstance(error, kinds) and _NO_MEMORY.search(str(error)) is not None


def _explain_memory(error: BaseException) -> str:
    reason = " ".join(str(error).split())[:_MAX_WORD] or "an allocation failed"
    modules = list(_modules(error))
    if "dimred.commands.train" not in modules:
        return f"memory ran out ({reason})"
    places = (place for module in reversed(modules) for place in _parents(module))
    smaller = next((_SMALLER[place] for place in places if place in _SMALLER), None)
    advice = f"a smaller {smaller} needs less, and " if smaller else ""
    return f"memory ran out ({reason}); {advice}the same command goes on once there is more"


def _modules(error: BaseException) -> list[str]:
    """The module of each frame of an error's traceback, the innermost last."""
    return [str(f.f_globals.get("__name__")) for f, _ in walk_tb(error.__traceback__)]


def _parents(module: str) -> list[str]:
    """A module and the packages around it, the innermost first."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
