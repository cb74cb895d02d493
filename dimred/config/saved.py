"""The configuration of a run, read back from its folder."""

from __future__ import annotations

from typing import Any

import yaml
from omegaconf import OmegaConf

from dimred.config.dataset import DatasetOptions
from dimred.config.loss import LossOptions
from dimred.config.model import ModelOptions
from dimred.config.option import kinds
from dimred.config.pairing import PairingOptions
from dimred.config.run import RunConfig, check
from dimred.errors import InputError

# config.yaml names the choice of these groups, and which class it has follows from that.
_GROUPS: dict[str, type] = {
    "dataset": DatasetOptions,
    "pairing": PairingOptions,
    "model": ModelOptions,
    "loss": LossOptions,
}


def read_config(text: str) -> RunConfig:
    """The RunConfig that a config.yaml holds.

    Raises InputError for a text that is none, such as one of another version of dimred.
    """
    try:
        content = yaml.safe_load(text)
        groups = {key: _options(_GROUPS[key], content.pop(key)) for key in _GROUPS}
        stages = content["schedule"]["stages"]
        losses = {name: stage.pop("loss", None) for name, stage in stages.items()}
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RunConfig), content))
        assert isinstance(config, RunConfig)
        for key, options in groups.items():
            setattr(config, key, options)
        for name, loss in losses.items():
            config.schedule.stages[name].loss = loss and _options(LossOptions, loss)
        check(config)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"is no configuration of dimred ({error})") from error
    return config


def _options(group: type, values: dict[str, Any]) -> Any:
    """The options of a group with these values, of the class whose choice they name."""
    kind = kinds(group)[values["name"]]
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kind), values))
