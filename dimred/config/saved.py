"""The configuration of a run, as its folder keeps it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf._utils import get_omega_conf_dumper

from dimred.config.renamed import current_config
from dimred.config.run import RunConfig, check, run_schema
from dimred.config.safe_yaml import safe_yaml
from dimred.data.options import DatasetOptions
from dimred.errors import InputError
from dimred.loggers.options import NoLog
from dimred.losses.options import LossOptions
from dimred.models.options import ModelOptions
from dimred.options.plugins import load_installed_plugins
from dimred.options.registry import Choice, is_same_code, registered, unknown
from dimred.pairing.options import PairingOptions

# The class of these groups' options follows from the choice that config.yaml names.
_GROUPS: dict[str, type[Choice]] = {
    "dataset": DatasetOptions,
    "pairing": PairingOptions,
    "model": ModelOptions,
    "loss": LossOptions,
}


def config_text(config: RunConfig) -> str:
    """The text of a config.yaml, which `read_config` reads."""
    return str(
        yaml.dump(
            _plain(asdict(config)),
            default_flow_style=False,
            allow_unicode=True,
            sort_keys=False,
            Dumper=get_omega_conf_dumper(),  # quotes texts that look like numbers
        )
    )


def read_config(
    text: str, origins: Mapping[str, Any] | None = None, run: str = "the run"
) -> RunConfig:
    """The RunConfig in the text of a config.yaml. All texts are taken as they are: nothing, such as
    `${oc.env:HOME}`, is replaced.

    origins: the plug-ins that the run used, as returned by `provenance`. They are not imported:
        options of one that is not loaded, or whose source has changed since, are kept as plain
        values (see `unknown`), which are refused where its code would be used.
    run: whose configuration it is, for messages.
    Raises InputError for a text that is no configuration, or one of another version of dimred.
    """
    load_installed_plugins()
    origins = origins or {}
    try:
        content = current_config(safe_yaml(text))
        schema = run_schema()
        # Options of measures that are not loaded are dropped: reading a run does not need them.
        known = {spec.name for spec in fields(schema().eval)}
        content["eval"] = {key: value for key, value in content["eval"].items() if key in known}
        content.pop("log", None)  # where numbers went while it trained is not its result
        groups = {key: _options(key, content.pop(key), key, origins, run) for key in _GROUPS}
        stages = content["schedule"]["stages"]
        losses = {name: stage.pop("loss", None) for name, stage in stages.items()}
        config = _object(schema, content)
        assert isinstance(config, RunConfig)
        config.log = NoLog()
        for key, options in groups.items():
            setattr(config, key, options)
        for name, loss in losses.items():
            place = f"schedule.stages.{name}.loss"
            stage = config.schedule.stages[name]
            stage.loss = loss and _options("loss", loss, place, origins, run)
        check(config)
    except (KeyError, TypeError, AttributeError, ValueError, AssertionError) as error:
        raise InputError(f"is no configuration of dimred ({error})") from error
    return config


def _options(
    group: str, values: dict[str, Any], place: str, origins: Mapping[str, Any], run: str
) -> Any:
    """The options of a group with these values, of the class that their `name` selects.

    place: their key in the configuration, by which `origins` names plug-ins.
    """
    options, origin = registered(group), origins.get(place)
    # A loss may be around another, which is of the class that its own name selects.
    inner = values.get("metric") if group == "loss" else None
    if isinstance(inner, Mapping):
        around = _options(group, {**values, "metric": None}, place, origins, run)
        around.metric = _options(group, dict(inner), f"{place}.metric", origins, run)
        return around
    if origin is not None:
        here = options.get(values["name"])
        if here is None:
            return unknown(_GROUPS[group], values, origin)
        if not is_same_code(here, origin):
            return unknown(_GROUPS[group], values, origin, here.origin, run)
    return _object(options[values["name"]], values)


def _object(schema: type[Any], values: Mapping[str, Any]) -> Any:
    """An instance of a dataclass with these plain values, checked and converted by OmegaConf."""
    content = OmegaConf.create(_escaped(values))
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), content))


def _escaped(value: Any) -> Any:
    """Plain values, with each `${` in a text escaped, so that OmegaConf does not replace it."""
    if isinstance(value, Mapping):
        return {key: _escaped(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_escaped(part) for part in value]
    if isinstance(value, str) and "${" in value:
        return re.sub(r"(\\*)\$\{", lambda found: rf"{2 * found[1]}\${{", value)
    return value


def _plain(value: Any) -> Any:
    """Options as plain values, enums by their names."""
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.name if isinstance(value, Enum) else value
