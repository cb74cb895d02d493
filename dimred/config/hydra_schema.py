"""Registers the typed configuration with Hydra, and turns what Hydra composed into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from dimred.config import dataset, device, loss, model, pairing, relation, schedule, target
from dimred.config.run import RunConfig, check
from dimred.errors import InputError

SCHEMAS: dict[str, dict[str, type]] = {
    "dataset": {
        "digits": dataset.Digits,
        "torchvision": dataset.Torchvision,
        "image_folder": dataset.ImageFolder,
        "npz": dataset.Npz,
        "turntable": dataset.Turntable,
        "norb_small": dataset.NorbSmall,
    },
    "pairing": {
        "augmentation": pairing.Augmentation,
        "knn": relation.Knn,
        "knn_translations": relation.KnnTranslations,
        "neighborhood_transformation": relation.NeighborhoodTransformation,
        "viewpoint": relation.Viewpoint,
        "class_label": relation.ClassLabel,
        "class_target": target.ClassTarget,
        "factor_target": target.FactorTarget,
    },
    "model": {
        "resnet18": model.ResNet18,
        "convnet": model.ConvNet,
        "lenet": model.LeNet,
        "drlim_cnn": model.DrlimCnn,
        "linear_20_3": model.Linear203,
    },
    "loss": {
        "tsimcne": loss.TSimCNE,
        "simclr": loss.SimCLR,
        "drlim": loss.Drlim,
        "generalized_contrastive": loss.GeneralizedContrastive,
        "squared_error": loss.SquaredError,
        "cross_entropy": loss.CrossEntropy,
    },
    "schedule": {"stages": schedule.ScheduleOptions},
    "device": {"device": device.DeviceOptions},
}


def register() -> None:
    """Make `schema` and `schema/GROUP/NAME` known to Hydra's defaults lists."""
    store = ConfigStore.instance()
    store.store(name="schema", node=RunConfig)
    for group, schemas in SCHEMAS.items():
        for name, node in schemas.items():
            store.store(group=f"schema/{group}", name=name, node=node)


def typed(composed: DictConfig) -> RunConfig:
    """The checked RunConfig of a composed config. Raises InputError for bad values."""
    for line in _unknown_keys(composed, ""):
        raise InputError(line)
    for key in OmegaConf.missing_keys(composed):
        stages = ", ".join(composed.schedule.stages)
        raise InputError(f"{key}: must be given; the stages here are {stages}")
    config = OmegaConf.to_object(composed)
    if not isinstance(config, RunConfig):
        raise TypeError(f"not a run's configuration: {type(config)}")
    check(config)
    return replace(config, schedule=config.schedule.scaled())


def _unknown_keys(node: DictConfig, prefix: str) -> Iterator[str]:
    """Keys that were forced in with +KEY=VALUE, which Hydra lets pass."""
    schema = OmegaConf.get_type(node)
    known = [spec.name for spec in fields(schema)] if is_dataclass(schema) else None
    for key in map(str, node):
        if known is not None and key not in known:
            yield f"{prefix}{key}: no such key; known here: {', '.join(known)}"
        elif isinstance(value := node._get_node(key), DictConfig) and not value._is_none():
            yield from _unknown_keys(value, f"{prefix}{key}.")
