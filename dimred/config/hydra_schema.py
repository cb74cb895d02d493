"""Registers the typed configuration with Hydra, and converts composed configurations to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from unicodedata import category

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dimred.config.conf_folder import config_folder
from dimred.config.run import RunConfig, check, run_schema
from dimred.errors import InputError
from dimred.files import expanded
from dimred.options.option import walk
from dimred.options.plugins import load_installed_plugins
from dimred.options.registry import registered
from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.schedule import ScheduleOptions

# Groups whose choices have options of their own.
CHOICES = ("dataset", "pairing", "model", "loss", "log")
# Earlier names of schemas, which YAML files of users may contain: (group, name) -> choice.
_FORMER_SCHEMAS = {("dataset", "torchvision"): "mnist"}
# Nodes stored with Hydra so far, by group and name: storing all of them again would be slow.
_stored: dict[tuple[str, str], type] = {}


def register() -> None:
    """Store all choices with Hydra, and `schema`, `schema/GROUP/NAME` for its defaults lists."""
    load_installed_plugins()
    nodes = dict(_nodes())
    for place in [place for place in _stored if place not in nodes]:
        _drop(*place)  # a plug-in has dropped it
    for place, (kind, choice) in nodes.items():
        if _stored.get(place) is not kind:
            _store(*place, kind, choice)


def _nodes() -> Iterator[tuple[tuple[str, str], tuple[type, object]]]:
    """The nodes of Hydra's store, as (group, name), (dataclass of options, value of its field
    `name`, where None keeps the default)."""
    yield ("", "schema"), (run_schema(), None)
    yield ("schema/schedule", "stages"), (ScheduleOptions, None)
    yield ("schema/device", "device"), (DeviceOptions, None)
    for device in DeviceName:
        yield ("device", device.value), (DeviceOptions, device)
    for group in CHOICES:
        options = registered(group)
        for name, kind in options.items():
            yield (f"schema/{group}", name), (kind, name)
            if not (config_folder() / group / f"{name}.yaml").exists():
                yield (group, name), (kind, name)
        for (former_group, name), choice in _FORMER_SCHEMAS.items():
            if former_group == group:
                yield (f"schema/{group}", name), (options[choice], choice)


def _store(group: str, name: str, kind: type, choice: object) -> None:
    node = OmegaConf.structured(kind)
    if choice is not None:
        node.name = choice
    ConfigStore.instance().store(group=group or None, name=name, node=node)
    _stored[group, name] = kind


def _drop(group: str, name: str) -> None:
    nodes = ConfigStore.instance().repo
    for part in group.split("/"):
        nodes = nodes[part]
    nodes.pop(f"{name}.yaml", None)
    del _stored[group, name]


class NoSuchKey(InputError):
    """A key is none of the configuration.

    key: dotted. known: the keys beside it.
    """

    def __init__(self, key: str, known: Sequence[str]):
        super().__init__(f"{key}: no such key")
        self.key = key
        self.known = known


def typed(composed: DictConfig, fits: bool = True) -> RunConfig:
    """The checked RunConfig of a composed config. Raises InputError for invalid values. fits: also
    for choices that do not go together, as in `check`."""
    _check_nodes(composed, "")
    for key in OmegaConf.missing_keys(composed):
        stages = ", ".join(composed.schedule.stages)
        known = f"; the stages here are {stages}" if key.startswith("schedule.stages.") else ""
        raise InputError(f"{key}=???: must be given{known}")
    try:
        config = OmegaConf.to_object(composed)
    except ValueError as error:  # raised by a dataclass of options, not by OmegaConf
        if isinstance(error, OmegaConfBaseException):
            raise
        raise InputError(str(error)) from error
    if not isinstance(config, RunConfig):
        raise TypeError(f"not a run's configuration: {type(config)}")
    check(config, fits)
    check_names(config)
    return replace(config, schedule=config.schedule.scaled())


def check_names(config: RunConfig) -> None:
    """Raise InputError for names that make folders elsewhere than meant, or cannot be their names.
    Runs that others made are read whatever their names."""
    for key, name in (("name", config.name), ("schedule.name", config.schedule.name)):
        if name is not None and (reason := _no_name(name)):
            raise InputError(f"{key}={name}: is part of the run folder's name, so it {reason}")
    for name in config.schedule.stages:
        if len(name.encode(errors="surrogateescape")) > 100:
            raise InputError(f"schedule.stages.{name}: must be at most 100 bytes long")
    for key, spec, value in walk(config):
        if spec is not None and spec.metadata.get("is_path") and isinstance(value, str):
            if "\0" in value:
                raise InputError(f"{key}={value}: must not hold a null character")
            try:
                expanded(value)
            except InputError as error:
                raise InputError(f"{key}={error}") from error


def _no_name(name: str) -> str | None:
    """Why a text cannot be part of a folder's name; None if it can."""
    if "/" in name or any(category(c) in ("Cc", "Zl", "Zp") for c in name):
        return "must not hold / or control characters"
    if name[:1] in ("~", "."):
        return f"must not begin with {name[0]}"
    # A name of a file is at most 255 bytes; behind this part come the seed and a hash.
    return "must be at most 200 bytes long" if len(os.fsencode(name)) > 200 else None


def _check_nodes(node: DictConfig, prefix: str) -> None:
    """Raise InputError for an unknown key added by +KEY=VALUE, which Hydra does not check, and for
    a list that is replaced by something else."""
    schema = OmegaConf.get_type(node)
    known = [spec.name for spec in fields(schema)] if is_dataclass(schema) else None
    for key in map(str, node):
        if known is not None and key not in known:
            raise NoSuchKey(f"{prefix}{key}", known)
        value = node._get_node(key)
        if isinstance(value, ListConfig) and value._is_interpolation():
            replaced = node[key]
            if not isinstance(replaced, ListConfig | None):
                raise InputError(
                    f"{prefix}{key}={value._value()}: must be a list, and is {replaced}"
                )
        elif isinstance(value, DictConfig) and not value._is_none():
            _check_nodes(value, f"{prefix}{key}.")
