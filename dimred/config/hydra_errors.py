"""What Hydra and OmegaConf say of a command line, as one line that names what was typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING
from enum import Enum
from traceback import walk_tb
from typing import get_origin

from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationKeyError,
    OmegaConfBaseException,
)

from dimred.config.conf_folder import GROUPS, choices, folded
from dimred.config.hydra_schema import NoSuchKey
from dimred.config.meant import OFF, alike, choice_question, in_shell, key_question, question
from dimred.config.quoting import declarations, quoted, without_none
from dimred.config.run import RunConfig
from dimred.errors import InputError, did_you_mean, near

# The choices of hydra-submitit-launcher, the optional extra `cluster`.
_CLUSTER = ("hydra/launcher/submitit_local", "hydra/launcher/submitit_slurm")
# Groups that a plug-in adds choices to.
_PLUGIN_GROUPS = ("dataset", "pairing", "model", "loss", "log")
# What OmegaConf says in place of a key.
_NO_KEY = (None, "", "_dummy_")
# Packages that compose a configuration.
_COMPOSERS = ("hydra", "omegaconf", "antlr4")
# Ways to write a range of numbers that are none of Hydra's.
_SPAN = re.compile(r"\[?(\d{1,9})(?:-|\.\.\.?|:|\.\.=)(\d{1,9})\]?")
STAGE_LOSS = re.compile(r"\+{0,2}(schedule\.stages\.[^.]+\.loss)(\..+)?")

INNER_LOSS = re.compile(r"loss@(\S+\.)?loss\.metric\b")


@contextmanager
def composing(
    overrides: Sequence[str], compose: Callable[[Sequence[str]], RunConfig]
) -> Iterator[None]:
    """Context in which Hydra composes a configuration.

    overrides: what was typed. compose: composes the first of them, to find the one at fault.
    Raises InputError, one line, in place of every exception that arises in the code of Hydra or
    OmegaConf: what was typed cannot be used, whatever its class. Other exceptions pass.
    """
    try:
        yield
    except Exception as error:
        missing = _missing_key(error)
        if missing is not None:
            raise InputError(_explain_missing(*missing, overrides, compose, error)) from error
        if not _is_of_composing(error):
            raise
        line = _explained(error)
        if line is None or not any(_key(word) in line for word in overrides):
            culprit = _culprit(overrides, compose, type(error))
            if culprit is not None:
                line = f"{culprit}: {line or _reason(error, culprit)}"
            elif line is None:  # a bug: nothing that was typed brings it
                raise
        raise InputError(line) from error


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def _missing_key(error: Exception) -> tuple[str, list[str]] | None:
    """A key that is none of the configuration, dotted, and the keys beside it; None for errors that
    are about something else."""
    if isinstance(error, NoSuchKey):
        return error.key, list(error.known)
    for cause in (error.__cause__, error.__context__, error):
        if isinstance(cause, ConfigKeyError | ConfigAttributeError):
            key = str(cause.full_key)
            if key not in (*map(str, _NO_KEY), "experiment"):
                return key, [str(name) for name in cause.parent_node or () if name != "hydra"]
    deleted = re.match(r"Could not delete from config\. '(.+)' does not exist", str(error))
    return (deleted[1], []) if deleted else None


def _explain_missing(
    key: str,
    known: Sequence[str],
    overrides: Sequence[str],
    compose: Callable[[Sequence[str]], RunConfig],
    error: Exception,
) -> str:
    """One line for a key that is none. known: the keys beside it."""
    typed = next((w for w in overrides if f"{_key(w)}.".startswith(f"{key}.")), None)
    where = ""
    if typed is None:  # of a YAML file
        words = {_key(w): w for w in overrides}
        group = key.partition(".")[0]
        if group in words and "experiment" in words:
            return (
                f"{words[group]}: {words['experiment']} sets {key}, which this choice does not "
                f"have; leave out {words[group]}, or choose an experiment that does not set it"
            )
        culprit = _culprit(overrides, compose, type(error))
        where = f"{culprit}: " if culprit else ""
    word, _, value = (typed or key).lstrip("+~").partition("=")
    node, _, last = key.rpartition(".")
    rest, prefix = word[len(key) :], f"{node}." if node else ""
    given = value if typed and "=" in typed else None

    def repaired(names: Sequence[str]) -> str:
        values = "" if given is None else f"={given}"
        return question([in_shell(f"{prefix}{name}{rest}{values}") for name in names])

    asked = (
        repaired(alike(last, known))
        or key_question(word, given, _chosen(overrides, compose))
        or repaired(near(last, known))
    )
    if not asked:
        listed = [name for name in known if name != "name" or not node]
        asked = f"known here: {', '.join(listed)}; dimred options has all with their meanings"
    return f"{where}{word if given is None else f'{word}={given}'}: no such key; {asked}"


def _chosen(overrides: Sequence[str], compose: Callable[[Sequence[str]], RunConfig]) -> RunConfig:
    """The configuration of the choices among some overrides, or else the default one."""
    words = [word for word in overrides if _key(word) in GROUPS and not set(word) & set(",(")]
    try:
        return compose(words)
    except (InputError, HydraException, OmegaConfBaseException):
        return compose([])


def _is_of_composing(error: Exception) -> bool:
    """Whether an exception arose in the code of Hydra or OmegaConf, not in dimred's or a plug-in's
    that they called."""
    if isinstance(error, HydraException | OmegaConfBaseException | RecursionError):
        return True
    if isinstance(error, OSError | MemoryError):
        return False
    tops = [
        str(f.f_globals.get("__name__")).partition(".")[0] for f, _ in walk_tb(error.__traceback__)
    ]
    composers = [place for place, top in enumerate(tops) if top in _COMPOSERS]
    others = [place for place, top in enumerate(tops) if top.startswith("dimred")]
    return bool(composers) and composers[-1] > max(others, default=-1)


def _culprit(
    overrides: Sequence[str], compose: Callable[[Sequence[str]], RunConfig], kind: type[Exception]
) -> str | None:
    """The first override that brings an exception of this class; None if there is none."""
    for count in range(len(overrides) + 1):
        try:
            compose(overrides[:count])
        except Exception as error:
            if type(error) is kind:
                return overrides[count - 1] if count else None
    # Where and how Hydra itself runs is not composed but used.
    return next((word for word in overrides if word.lstrip("+").startswith("hydra")), None)


def _reason(error: Exception, override: str) -> str:
    """What an exception says that does not name what it is about."""
    stage_loss = STAGE_LOSS.fullmatch(override.partition("=")[0])
    if isinstance(error, AssertionError) and stage_loss:
        return f"give this stage a loss of its own first, +loss@{stage_loss[1]}=NAME"
    if isinstance(error, RecursionError):
        return "is nested too deep, or a YAML file that is among its own defaults"
    # What follows is for programmers.
    text = " ".join(str(error).partition("\n    full_key:")[0].split(";")[0].split())
    return f"cannot be used ({text or type(error).__name__})"


def _explained(error: Exception) -> str | None:
    """One line for an error that names its key or choice; None for others."""
    if isinstance(error, OverrideParseException):
        return _explain_parse(error.override)
    for cause in (error.__cause__, error.__context__, error):
        if isinstance(cause, OmegaConfBaseException) and cause.full_key not in _NO_KEY:
            return _explain_key(cause, str(error))
    if isinstance(error, MissingConfigException):
        return _explain_choice(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("See https", "^", "full_key:"))]
    lines = [line for line in lines if not line.startswith("object_type=")]
    if lines and lines[0].startswith("Ambiguous value for argument '"):
        return _explain_commas(
            lines[0].removeprefix("Ambiguous value for argument '").removesuffix("'")
        )
    named = isinstance(error, HydraException | OmegaConfBaseException)
    inner = INNER_LOSS.search(lines[0]) if lines else None
    if named and inner and "Could not override" in lines[0]:
        return f"{inner[0]}: only a loss that is around another one has this: loss=dvml"
    return "; ".join(lines) if named and lines else None


def _explain_commas(override: str) -> str:
    """One line for several values without -m."""
    key, _, value = override.partition("=")
    takes_list = any(
        get_origin(without_none(hint)) is list for hint, _ in declarations(key.lstrip("+"))
    )
    listed = f"; a list is {in_shell(f'{key}=[{value}]')}" if takes_list else ""
    return (
        f"{override}: is more than one value{listed}; -m sweeps over them, a run for each: "
        f"-m {in_shell(override)}"
    )


def _explain_parse(override: str) -> str:
    """One line for a word that Hydra's grammar does not read."""
    key, _, value = override.partition("=")
    line = f"{override}: cannot be read as KEY=VALUE"
    if key.partition("@")[0] in GROUPS or key.startswith("hydra"):
        return f"{line}; quote the value: {shlex.quote(f'{key}={quoted(value)}')}"
    return line


def _explain_choice(error: MissingConfigException) -> str:
    """One line for a choice that is not there."""
    if error.missing_cfg_file in _CLUSTER:
        word = "=".join(error.missing_cfg_file.rsplit("/", 1))
        return (
            f"{word}: is not installed; it comes with pip install -e '.[cluster]' in dimred's clone"
        )
    group, _, name = str(error.missing_cfg_file).rpartition("/")
    return no_choice(group, name, [str(option) for option in error.options or choices(group)])


def no_choice(group: str, name: str, names: Sequence[str]) -> str:
    """One line for a choice that is not there. names: those that are."""
    needed = ""
    if group in GROUPS and name.lower() in OFF and group != "experiment":
        needed = f"; a run needs one: {GROUPS[group].partition(' (')[0]}"
    asked = choice_question(group, name, names)
    own = ", and what a plug-in adds (--plugin FILE)" if group in _PLUGIN_GROUPS else ""
    listed = f"the choices are {', '.join(folded(names))}{own}"
    if len(names) > len(folded(names)):
        listed += f"; dimred options {group} lists them all"
    return f"{group}={name}: no such choice{needed}; {asked}{' ' if asked else ''}{listed}"


# What OmegaConf says of values of other types, and what that means.
_WANTED = {
    "is not a ListConfig, list or tuple": "must be a list, such as {example}",
    "is not Optional": "must be given{among}; null is no value of it",
    "could not be converted to Integer": "must be a whole number",
    "could not be converted to Float": "must be a number",
    "is not a valid bool": "must be true or false",
}


def _list_of(key: str) -> str:
    """A list as a key takes it: its default, or that of another key."""
    for _, spec in declarations(key):
        default = None if spec.default_factory is MISSING else spec.default_factory()
        if default and isinstance(default, list):
            return f"[{','.join(map(str, default))}]"
    return "[1,2] or [one]"


def _members_of(key: str) -> str:
    """The values of a key that has a few, in words; "" for others."""
    kinds = [it for it, _ in declarations(key) if isinstance(it, type) and issubclass(it, Enum)]
    names = [str(member.value) for kind in kinds[:1] for member in kind]
    return f", one of {', '.join(names)}" if names else ""


def _plain(reason: str, key: str) -> str:
    names = re.fullmatch(r"Invalid value '(.*)', expected one of \[(.*)\]", reason)
    if names:
        asked = did_you_mean(names[1], names[2].split(", "))
        return f"must be one of {names[2]}{asked and f'; {asked.strip()}'}"
    wanted = next((wanted for said, wanted in _WANTED.items() if said in reason), None)
    if wanted is None:
        return reason
    several = "; -m sweeps over several: KEY=1,2" if "of type 'list'" in reason else ""
    return wanted.format(example=_list_of(key), among=_members_of(key)) + several


def _explain_key(error: OmegaConfBaseException, context: str) -> str:
    """One line for an error about one key of the configuration."""
    key = str(error.full_key)
    reason = _plain(str(error).splitlines()[0], key)
    if isinstance(error, ConfigKeyError) and key == "experiment":
        return "experiment: a YAML file of experiment/ begins with the line # @package _global_"
    if isinstance(error, GrammarParseError | InterpolationKeyError):
        # Such as of a folder whose name holds these characters.
        reason += "; ${ as characters of a text is typed \\${"
    assignment = context.removeprefix("Error merging override ")
    assignment = assignment if assignment != context else key
    span = _SPAN.fullmatch(assignment.partition("=")[2])
    if span and int(span[1]) < int(span[2]):
        several = f"{key}=range({span[1]},{int(span[2]) + 1})"
        reason += f"; -m sweeps over several, a run for each: -m {in_shell(several)}"
    return f"{assignment}: {reason}"
