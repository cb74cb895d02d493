"""Where an encoder places images a part of which is hidden."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.models import Encoder
from dimred.models.occlusion import Squares
from dimred.training.compute import Compute


@torch.inference_mode()
def occluded(
    encoder: Encoder,
    images: Tensor,
    squares: Squares,
    color: Tensor,
    batch_size: int,
    compute: Compute,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Z of images, float32 (b, d), and of the same images below each of the squares, (b, rows,
    columns, d), batch by batch and in evaluation mode.

    images: uint8 (N, C, height, width). color: of the squares, (C, 1, 1), in [0, 1]. The encoder
    must be on the device of `compute`.
    """
    training, device = encoder.training, compute.device
    encoder.eval()
    for batch in torch.split(images, batch_size):
        pixels = batch.to(device).float().div_(255)
        places = [
            encoder(part.contiguous(memory_format=compute.memory_format))[1]
            for part in (pixels, *squares.hide(pixels, color.to(device)))
        ]
        z, *below = (place.cpu().numpy() for place in places)
        yield z, np.stack(below, axis=1).reshape(len(z), *squares.shape, -1)
    encoder.train(training)
