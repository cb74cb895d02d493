"""Features of a ResNet-18 that torchvision offers trained on ImageNet, with its labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torchvision.models import ResNet18_Weights, resnet18

_BATCH = 64


def imagenet_weights() -> Path:
    """Where torchvision keeps the weights, there or not."""
    name = Path(ResNet18_Weights.DEFAULT.url).name
    return Path(torch.hub.get_dir()) / "checkpoints" / name


@torch.inference_mode()
def imagenet_features(
    images: NDArray[np.uint8], device: torch.device | None = None
) -> NDArray[np.float32]:
    """The 512 features before the classifier, of images resized and cropped to 224 pixels.

    images: uint8 (n, C, h, w), C 1 or 3. device: where to compute; None for the CPU.
    Returns (n, 512). Raises OSError where `imagenet_weights` is no file.
    """
    network = resnet18()
    state = torch.load(imagenet_weights(), map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    network.fc = nn.Identity()
    network = network.to(device).eval()
    transform = ResNet18_Weights.DEFAULT.transforms(antialias=True)
    parts = []
    for batch in torch.from_numpy(images).split(_BATCH):  # type: ignore[no-untyped-call]
        pixels = transform(batch.to(device).expand(-1, 3, -1, -1))
        parts.append(network(pixels).cpu().numpy())
    return np.concatenate(parts)
