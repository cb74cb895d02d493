"""Embedding of images with a trained encoder."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.steps import bar
from dimred.training.compute import Compute


@torch.inference_mode()
def embed(
    encoder: Encoder,
    images: ResidentImages,
    batch_size: int,
    compute: Compute,
    rows: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """H (N, h) and Z (N, out_dim), float32, of the images at `rows` (N,), None for all, unaugmented
    and in eval mode."""
    training = encoder.training
    encoder.eval()
    h_parts, z_parts = [], []
    chosen = torch.arange(len(images)) if rows is None else torch.from_numpy(rows)
    parts = torch.split(chosen.to(compute.device), batch_size)
    for batch in bar(images.batches(parts), len(parts), "embedding"):
        pixels = batch.float().div_(255)
        h, z = encoder(pixels.contiguous(memory_format=compute.memory_format))
        h_parts.append(h)
        z_parts.append(z)
    encoder.train(training)
    return torch.cat(h_parts).cpu().numpy(), torch.cat(z_parts).cpu().numpy()
