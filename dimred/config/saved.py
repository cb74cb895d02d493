"""The configuration of a run, read back from its folder."""

from __future__ import annotations

from typing import Any

import yaml
from omegaconf import OmegaConf

from dimred.config.hydra_schema import SCHEMAS
from dimred.config.run import RunConfig, check
from dimred.errors import InputError

# config.yaml names the choice of these groups, and which class it has follows from that.
_GROUPS = ("dataset", "pairing", "model", "loss")
# Keys that runs of before have and that mean nothing any more, by group.
_GONE = {"device": ("cuda_graphs",)}


def read_config(text: str) -> RunConfig:
    """The RunConfig that a config.yaml holds.

    Raises InputError for a text that is none, such as one of another version of dimred.
    """
    try:
        content = yaml.safe_load(text)
        for group, keys in _GONE.items():
            for key in keys:
                content[group].pop(key, None)
        groups = {key: _options(key, content.pop(key)) for key in _GROUPS}
        stages = content["schedule"]["stages"]
        losses = {name: stage.pop("loss", None) for name, stage in stages.items()}
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RunConfig), content))
        assert isinstance(config, RunConfig)
        for key, options in groups.items():
            setattr(config, key, options)
        for name, loss in losses.items():
            config.schedule.stages[name].loss = loss and _options("loss", loss)
        check(config)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"is no configuration of dimred ({error})") from error
    return config


def _options(group: str, values: dict[str, Any]) -> Any:
    """The options of a group with these values, of the class whose choice they name."""
    schemas: dict[str, Any] = SCHEMAS[group]
    kinds = {choice: kind for kind in schemas.values() for choice in kind.choices}
    return OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(kinds[values["name"]]), values))
