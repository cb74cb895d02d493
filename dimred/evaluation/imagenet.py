"""Features of a ResNet-18 that torchvision offers trained on ImageNet, with its labels."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import ResNet18_Weights, resnet18

from dimred.errors import InputError

_BATCH = 64


def imagenet_weights() -> Path:
    """The file where torchvision keeps the weights; it may not exist."""
    name = Path(ResNet18_Weights.DEFAULT.url).name
    return Path(torch.hub.get_dir()) / "checkpoints" / name


@torch.inference_mode()
def imagenet_features(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The 512 features before the classifier, of images resized and cropped to 224 pixels.

    images: uint8 (n, C, h, w), C 1 or 3.
    Returns (n, 512).
    Raises InputError where `imagenet_weights` is not a file of weights, or for other channels.
    """
    if images.shape[1] not in (1, 3):
        raise InputError(
            f"imagenet: needs images of 1 or 3 channels, and these have {images.shape[1]}"
        )
    network, file = resnet18(), imagenet_weights()
    try:
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, UnpicklingError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{file}: cannot be read as the weights of ResNet-18 ({reason})"
        ) from error
    network.fc = nn.Identity()
    network.eval()
    transform = ResNet18_Weights.DEFAULT.transforms(antialias=True)
    parts = []
    for batch in torch.from_numpy(images).split(_BATCH):  # type: ignore[no-untyped-call]
        pixels = transform(batch.expand(-1, 3, -1, -1))
        parts.append(network(pixels).numpy())
    return np.concatenate(parts)
