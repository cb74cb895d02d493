"""From the words typed to a typed configuration: Hydra composes, `typed` checks."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import hydra
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra

from dimred.config import RunConfig
from dimred.config.conf_folder import GROUPS, choices, config_folder
from dimred.config.hydra_schema import register, typed
from dimred.config.renamed import refusal
from dimred.errors import InputError
from dimred.options.option import leaves
from dimred.options.registry import registered

T = TypeVar("T")

_STAGE_LOSS = re.compile(r"\+{0,2}(schedule\.stages\.[^.]+\.loss)(\..+)?")


def composed(words: Sequence[str], folder: str | None = None) -> RunConfig:
    """The configuration that words such as `loss=simclr` and `seed=1` make.

    folder: further YAML, laid out like conf/.
    Raises InputError, or an exception of Hydra or OmegaConf, for words that make none.
    """
    check_words(words, folder)

    def compose() -> RunConfig:
        with hydra_app():
            return typed(hydra.compose("config", overrides=overrides(words, folder)))

    return with_stage_losses(compose, words)


@contextmanager
def hydra_app() -> Iterator[Hydra]:
    """Hydra, as long as it is entered. `hydra.main` would drop what the jobs of a sweep return."""
    register()
    with (
        hydra.initialize_config_dir(str(config_folder()), version_base="1.3"),
        warnings.catch_warnings(),
    ):
        # Of a user's YAML with the name of a choice: that its keys are checked is what is wanted.
        warnings.filterwarnings("ignore", "[\\s\\S]*is validated against ConfigStore schema")
        app = GlobalHydra.instance().hydra
        assert app is not None
        yield app


def overrides(words: Sequence[str], folder: str | None, sweep: bool = False) -> list[str]:
    """What Hydra is given. sweep: commas separate values that are swept over."""
    quoted = [_quoted(word, sweep) for word in words]
    if folder:
        quoted.append(f"hydra.searchpath=['file://{Path(folder).resolve()}']")
    return quoted


def check_words(words: Sequence[str], folder: str | None) -> None:
    """Raise InputError for what Hydra would answer with a usage text or a traceback, or would let
    pass."""
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--config-dir {folder}: must be a folder that is laid out like conf/")
    for word in words:
        key, given, value = word.partition("=")
        if not given and not key.startswith("~"):
            raise InputError(f"{word}: must be KEY=VALUE")
        if line := refusal(word):
            raise InputError(line)
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


def with_stage_losses(action: Callable[[], T], words: Sequence[str]) -> T:
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


def _is_path(key: str) -> bool:
    """Whether a key holds the name of a file or folder, in any of the choices of its group."""
    of_stage = _STAGE_LOSS.fullmatch(key)
    if of_stage and of_stage[2]:
        key = f"loss{of_stage[2]}"
    group, _, rest = key.partition(".")
    options = registered(group).values() if rest else (RunConfig,)
    specs = (spec for kind in options for name, spec in leaves(kind) if name == (rest or key))
    return any(spec.metadata.get("is_path") for spec in specs)


def _quoted(word: str, sweep: bool) -> str:
    """The word with its text quoted for Hydra and `~` expanded, where its key holds a path: users
    type it as their shell would take it, with any letter, much of which means something in Hydra's
    grammar. Only `${...}` keeps that meaning."""
    key, _, value = word.partition("=")
    if value[:1] in ("", "'", '"') or not _is_path(key.lstrip("+")):
        return word

    def quoted(text: str) -> str:
        if text == "null":
            return text
        text = os.path.expanduser(text)  # noqa: PTH111  (leaves an unknown ~user as it is)
        # A quote is escaped; so are backslashes, but only those before a quote.
        return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), text) + "'"

    return f"{key}=" + ",".join(map(quoted, value.split(",") if sweep else [value]))
