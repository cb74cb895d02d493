"""The configuration of a run, read back from its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any

import yaml
from omegaconf import OmegaConf

from dimred.config.renamed import current_config
from dimred.config.run import RunConfig, check, run_schema
from dimred.data.options import DatasetOptions
from dimred.errors import InputError
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


def read_config(
    text: str, origins: Mapping[str, Any] | None = None, run: str = "the run"
) -> RunConfig:
    """The RunConfig in the text of a config.yaml.

    origins: the plug-ins that the run used, as returned by `provenance`. They are not imported:
        options of one that is not loaded, or whose source has changed since, are kept as plain
        values (see `unknown`), which are refused where its code would be used.
    run: whose configuration it is, for messages.
    Raises InputError for a text that is no configuration, or one of another version of dimred.
    """
    load_installed_plugins()
    origins = origins or {}
    try:
        content = current_config(yaml.safe_load(text))
        for key, value in _interpolations(content):
            raise InputError(f"{key}={value}: must be a plain value, as a run writes it")
        schema = run_schema()
        # Options of measures that are not loaded are dropped: reading a run does not need them.
        known = {spec.name for spec in fields(schema().eval)}
        content["eval"] = {key: value for key, value in content["eval"].items() if key in known}
        groups = {key: _options(key, content.pop(key), origins.get(key), run) for key in _GROUPS}
        stages = content["schedule"]["stages"]
        losses = {name: stage.pop("loss", None) for name, stage in stages.items()}
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), content))
        assert isinstance(config, RunConfig)
        for key, options in groups.items():
            setattr(config, key, options)
        for name, loss in losses.items():
            origin = origins.get(f"schedule.stages.{name}.loss")
            config.schedule.stages[name].loss = loss and _options("loss", loss, origin, run)
        check(config)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"is no configuration of dimred ({error})") from error
    return config


def _interpolations(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys and values that OmegaConf would replace, such as by environment variables."""
    if isinstance(content, str) and "${" in content:
        yield key, content
    elif isinstance(content, Mapping):
        for name, value in content.items():
            yield from _interpolations(value, f"{key}.{name}" if key else str(name))
    elif isinstance(content, list):
        for value in content:
            yield from _interpolations(value, key)


def _options(group: str, values: dict[str, Any], origin: Mapping[str, Any] | None, run: str) -> Any:
    """The options of a group with these values, of the class that their `name` selects."""
    options = registered(group)
    if origin is not None:
        here = options.get(values["name"])
        if here is None:
            return unknown(_GROUPS[group], values, origin)
        if not is_same_code(here, origin):
            return unknown(_GROUPS[group], values, origin, here.origin, run)
    schema = OmegaConf.structured(options[values["name"]])
    return OmegaConf.to_object(OmegaConf.merge(schema, values))
