"""Error messages of the command, and its exit codes."""

from __future__ import annotations

import errno
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from traceback import walk_tb
from typing import TYPE_CHECKING, NoReturn

from dimred.errors import InputError, ProcessLost, TrainingFailed

if TYPE_CHECKING:
    from hydra.errors import MissingConfigException
    from omegaconf.errors import OmegaConfBaseException

# The choices of hydra-submitit-launcher, the optional extra `cluster`.
_CLUSTER = ("hydra/launcher/submitit_local", "hydra/launcher/submitit_slurm")
# Groups that a plug-in adds choices to.
_PLUGIN_GROUPS = ("dataset", "pairing", "model", "loss")


class Parser(ArgumentParser):
    """An ArgumentParser whose errors are InputErrors.

    help_text: help of the command, whose first paragraph is the usage.
    """

    def __init__(self, help_text: str):
        super().__init__(add_help=False, allow_abbrev=False)
        self._usage = " ".join(help_text.partition("\n\n")[0].split())

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self._usage}")


def run_reporting_errors(action: Callable[[], int]) -> int:
    """Call `action`, which returns an exit code. An error that is no bug is printed as one line,
    and its exit code is returned."""
    try:
        return action()
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    """Print an error that is no bug as one line and return its exit code; raise any other."""
    code = exit_code(error)
    if code is None:
        raise error
    print(f"dimred: {explain(error)}", file=sys.stderr)
    return code


def exit_code(error: Exception) -> int | None:
    """2 for input that cannot be used, 1 for a run that failed, None for a bug."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    unusable = (InputError, HydraException, OmegaConfBaseException, YAMLError, UnicodeDecodeError)
    if isinstance(error, unusable):
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        return 2
    return 1 if isinstance(error, TrainingFailed | ProcessLost) else None


def explain(error: BaseException) -> str:
    """One line for an error: the key or file, the value, and what is allowed."""
    from hydra.errors import HydraException, MissingConfigException, OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

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
        modules = (str(f.f_globals.get("__name__")) for f, _ in walk_tb(error.__traceback__))
        kind = "YAML file" if any(name.startswith("yaml.") for name in modules) else "file"
        return f"a {kind} is not UTF-8 ({error})"
    cause = error.__cause__ or error.__context__ or error
    if isinstance(cause, OmegaConfBaseException) and cause.full_key:
        return _explain_key(cause, str(error))
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file in _CLUSTER:
        word = "=".join(error.missing_cfg_file.rsplit("/", 1))
        return (
            f"{word}: is not installed; it comes with pip install -e '.[cluster]' in dimred's clone"
        )
    if isinstance(error, MissingConfigException):
        return _explain_choice(error)
    if isinstance(error, HydraException):
        lines = [line for line in lines if not line.startswith(("See https", "^"))]
    return "; ".join(lines) or type(error).__name__


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question with the known word nearest to `word`; "" where none is near."""
    close = get_close_matches(word, list(known), 1)
    return f"did you mean {close[0]}? " if close else ""


def _explain_choice(error: MissingConfigException) -> str:
    """One line for a choice that is not there."""
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    names = [str(option) for option in error.options or ()]
    hint = did_you_mean(name, names)
    own = ", and what a plug-in adds (--plugin FILE)" if group in _PLUGIN_GROUPS else ""
    return f"{group}={name}: no such choice; {hint}the choices are {', '.join(names)}{own}"


def _explain_key(error: OmegaConfBaseException, context: str) -> str:
    """One line for an error about one key of the configuration."""
    from omegaconf.errors import ConfigAttributeError, ConfigKeyError

    key = str(error.full_key)
    reason = str(error).splitlines()[0]
    if isinstance(error, ConfigKeyError | ConfigAttributeError):
        siblings = [str(name) for name in error.parent_node or () if name != "hydra"]
        hint = did_you_mean(key.rpartition(".")[2], siblings)
        return f"{key}: no such key; {hint}known here: {', '.join(siblings)}"
    assignment = context.removeprefix("Error merging override ")
    return f"{assignment if assignment != context else key}: {reason}"
