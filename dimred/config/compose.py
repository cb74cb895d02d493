"""From command-line overrides to a typed configuration: Hydra composes, `typed` checks."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra._internal.hydra import Hydra
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.global_hydra import GlobalHydra

from dimred.config import RunConfig
from dimred.config.conf_folder import GROUPS, choices, config_folder
from dimred.config.hydra_errors import STAGE_LOSS, composing, no_choice
from dimred.config.hydra_schema import register, typed
from dimred.config.meant import not_a_setting
from dimred.config.own_yaml import OwnYaml
from dimred.config.quoting import hydra_word, quoted
from dimred.config.renamed import refusal
from dimred.errors import InputError


def composed(
    overrides: Sequence[str], folder: str | None = None, *, fits: bool = True
) -> RunConfig:
    """The configuration with overrides such as `loss=simclr` and `seed=1`.

    folder: additional YAML, laid out like conf/. fits: whether the loss must go with the pairing
        and the stages; where it need not, the configuration is one to look at, not to train.
    Raises InputError for overrides and YAML that cannot be used.
    """
    check_overrides(overrides, folder)

    def compose(words: Sequence[str]) -> RunConfig:
        return typed(hydra.compose("config", overrides=hydra_overrides(words, folder)), fits)

    with hydra_app(), composing(overrides, compose):
        return compose(overrides)


@contextmanager
def hydra_app() -> Iterator[Hydra]:
    """Context with an initialized Hydra. `hydra.main` would drop the results of a sweep's jobs."""
    register()
    SourcesRegistry.instance().register(OwnYaml)
    with (
        hydra.initialize_config_dir(str(config_folder()), version_base="1.3"),
        warnings.catch_warnings(),
    ):
        # Raised for a user's YAML named like a choice, whose keys should be checked.
        warnings.filterwarnings("ignore", "[\\s\\S]*is validated against ConfigStore schema")
        app = GlobalHydra.instance().hydra
        assert app is not None
        yield app


def hydra_overrides(overrides: Sequence[str], folder: str | None, sweep: bool = False) -> list[str]:
    """The overrides as Hydra expects them. sweep: commas separate the values to sweep over."""
    words = [hydra_word(word, sweep) for word in overrides if word != "experiment=null"]
    if folder:
        place = quoted(f"{OwnYaml.scheme()}://{Path(folder).resolve()}")
        words.append(f"hydra.searchpath=[{place}]")
    return words


def check_overrides(overrides: Sequence[str], folder: str | None) -> None:
    """Raise InputError for overrides that Hydra would accept wrongly, or answer with a usage text
    or a traceback."""
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--config-dir {folder}: must be a folder that is laid out like conf/")
    for number, override in enumerate(overrides):
        key, equals, value = override.partition("=")
        if not equals and (not key.startswith("~") or "/" in key):
            raise InputError(not_a_setting(overrides[number:]))
        if not key.lstrip("+~"):
            raise InputError(f"{override}: must be KEY=VALUE, and has no key")
        if re.fullmatch(r"\{\s*\}", value):
            bare = key.lstrip("+")
            raise InputError(f"{override}: changes nothing; {bare}.OPTION=VALUE sets an option")
        if message := refusal(override):
            raise InputError(message)
        is_name = value not in ("", "null") and not value.isdigit()
        if key in GROUPS and key != "experiment" and not is_name:
            raise InputError(no_choice(key, value, choices(key)))
        if key == "eval":
            raise InputError(
                f"{override}: options of eval are set one by one (eval.KEY=VALUE); dimred options "
                "eval lists them"
            )
        if key == "schedule.stages":
            raise InputError(
                f"{override}: stages are set one by one (schedule.stages.STAGE.KEY=VALUE) and "
                "dropped by ~schedule.stages.STAGE; other stages are a YAML file of their own"
            )
        inner = re.fullmatch(r"(\+{0,2})(loss@)?(([^@]+\.)?loss\.metric)", key)
        if inner and value != "null" and (inner[1] or not inner[2]):
            shown = value if value in choices("loss") else "NAME"
            raise InputError(
                f"{override}: the loss that loss=dvml is around is set by loss@{inner[3]}={shown}"
            )
        loss = STAGE_LOSS.fullmatch(key)
        if loss and not loss[2] and value != "null":
            shown = value if value in choices("loss") else "NAME"
            raise InputError(
                f"{override}: the loss of a stage is set by +loss@{loss[1]}={shown}; "
                f"the choices are {', '.join(choices('loss'))}"
            )
