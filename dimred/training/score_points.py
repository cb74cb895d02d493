"""Where images score highest, by an encoder that scores every position."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.models.score_maps import ScoreMaps
from dimred.training.compute import Compute


@torch.inference_mode()
def score_points(
    encoder: Encoder, images: ResidentImages, samples: Tensor, batch_size: int, compute: Compute
) -> tuple[NDArray[np.float64], float]:
    """The place of the highest score of each class (n, K, 2), as of `ScoreMaps.peaks`, and the
    stride of the score map in pixels.

    samples: positions of the n images, int64 on the device.
    """
    training = encoder.training
    encoder.eval()
    height, width = images.images.shape[2:]
    maps = ScoreMaps(encoder, (height, width))
    points = []
    for batch in images.batches(torch.split(samples, batch_size)):
        pixels = batch.float().div_(255).contiguous(memory_format=compute.memory_format)
        points.append(maps.peaks(maps.of(pixels))[0].numpy())
    encoder.train(training)
    return np.concatenate(points), maps.stride
