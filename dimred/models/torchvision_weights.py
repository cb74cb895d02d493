"""Pretrained weights that torchvision keeps on disk. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dimred.errors import InputError


class Entry(NamedTuple):
    """An entry of torchvision's list of weights.

    name: such as ResNet18_Weights.IMAGENET1K_V1. file: where it would be on this machine.
    mean, std: of the images that it is of; None where torchvision does not say.
    """

    name: str
    file: Path
    mean: list[float] | None
    std: list[float] | None


def entry(name: str) -> Entry:
    """The entry of a name, or the default one of a network.

    Raises InputError for a name that torchvision does not have, or whose file is not there.
    """
    import torch
    from torchvision import models

    try:
        # An entry has a dot in its name, and a network has none.
        weights: Any = (
            models.get_weight(name) if "." in name else models.get_model_weights(name).DEFAULT
        )
    except (ValueError, AttributeError, KeyError) as error:
        raise InputError(
            f"model.weights=torchvision:{name}: torchvision has no weights of that name; must be "
            "that of a network, such as torchvision:resnet18, or of weights, such as "
            "torchvision:ResNet18_Weights.IMAGENET1K_V1"
        ) from error
    file = Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(weights.url).path).name)
    if not file.is_file():
        raise InputError(
            f"model.weights=torchvision:{name}: {file} is no file; where there is a network, "
            "python -c 'from torchvision.models import get_weight; "
            f'get_weight("{weights}").get_state_dict(check_hash=True)\' fetches it'
        )
    transform = weights.transforms()
    mean, std = getattr(transform, "mean", None), getattr(transform, "std", None)
    return Entry(str(weights), file, mean and list(mean), std and list(std))
