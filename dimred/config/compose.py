"""From command-line overrides to a typed configuration: Hydra composes, `typed` checks."""

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


def composed(overrides: Sequence[str], folder: str | None = None) -> RunConfig:
    """The configuration with overrides such as `loss=simclr` and `seed=1`.

    folder: additional YAML, laid out like conf/.
    Raises InputError, or an exception of Hydra or OmegaConf, for invalid overrides.
    """
    check_overrides(overrides, folder)

    def compose() -> RunConfig:
        with hydra_app():
            return typed(hydra.compose("config", overrides=hydra_overrides(overrides, folder)))

    return with_stage_losses(compose, overrides)


@contextmanager
def hydra_app() -> Iterator[Hydra]:
    """Context with an initialized Hydra. `hydra.main` would drop the results of a sweep's jobs."""
    register()
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
    quoted = [_quoted(override, sweep) for override in overrides]
    if folder:
        quoted.append(f"hydra.searchpath=['file://{Path(folder).resolve()}']")
    return quoted


def check_overrides(overrides: Sequence[str], folder: str | None) -> None:
    """Raise InputError for overrides that Hydra would accept wrongly, or answer with a usage text
    or a traceback."""
    if folder is not None and not Path(folder).is_dir():
        raise InputError(f"--config-dir {folder}: must be a folder that is laid out like conf/")
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals and not key.startswith("~"):
            raise InputError(f"{override}: must be KEY=VALUE")
        if message := refusal(override):
            raise InputError(message)
        no_choice = value in ("", "null") or value.isdigit()
        if key in GROUPS and key != "experiment" and no_choice:
            raise InputError(
                f"{override}: no such choice; the choices are {', '.join(choices(key))}"
            )
        if key == "schedule.stages":
            raise InputError(
                f"{override}: stages are set one by one (schedule.stages.STAGE.KEY=VALUE) and "
                "dropped by ~schedule.stages.STAGE; other stages are a YAML file of their own"
            )
        loss = _STAGE_LOSS.fullmatch(key)
        if loss and not loss[2] and value != "null":
            shown = value if value in choices("loss") else "NAME"
            raise InputError(
                f"{override}: the loss of a stage is set by +loss@{loss[1]}={shown}; "
                f"the choices are {', '.join(choices('loss'))}"
            )


def with_stage_losses(action: Callable[[], T], overrides: Sequence[str]) -> T:
    """Call `action`. Raises InputError where an override sets an option of a stage's loss and the
    stage has no loss of its own, for which OmegaConf raises AssertionError."""
    try:
        return action()
    except AssertionError:
        for override in overrides:
            loss = _STAGE_LOSS.fullmatch(override.partition("=")[0])
            if loss:
                raise InputError(
                    f"{override}: give this stage a loss of its own first, +loss@{loss[1]}=NAME"
                ) from None
        raise


def _is_path(key: str) -> bool:
    """Whether a key holds the name of a file or folder, in any of the choices of its group."""
    stage_loss = _STAGE_LOSS.fullmatch(key)
    if stage_loss and stage_loss[2]:
        key = f"loss{stage_loss[2]}"
    group, _, rest = key.partition(".")
    options = registered(group).values() if rest else (RunConfig,)
    specs = (spec for kind in options for name, spec in leaves(kind) if name == (rest or key))
    return any(spec.metadata.get("is_path") for spec in specs)


def _quoted(override: str, sweep: bool) -> str:
    """The override, with the value quoted for Hydra and `~` expanded where the key holds a path.
    Paths may hold characters that mean something in Hydra's grammar; only `${...}` keeps its
    meaning."""
    key, _, value = override.partition("=")
    if value[:1] in ("", "'", '"') or not _is_path(key.lstrip("+")):
        return override

    def quoted(text: str) -> str:
        if text == "null":
            return text
        text = os.path.expanduser(text)  # noqa: PTH111  (leaves an unknown ~user as it is)
        # Hydra's escapes: each quote, and backslashes only before a quote.
        return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + (m[2] and "\\'"), text) + "'"

    return f"{key}=" + ",".join(map(quoted, value.split(",") if sweep else [value]))
