"""H of all images by a backbone that a stage leaves as it is: computed once instead of in every
epoch."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.pairing import Pairing
from dimred.steps import bar
from dimred.training.compute import Compute
from dimred.training.schedule import FrozenBatchNorm, Stage

_SECONDS = 1.0  # of computing H of some images


def keeps_h(stage: Stage, encoder: Encoder, pairing: Pairing) -> bool:
    """Whether each image has the same H in every step of a stage, and the head needs no more."""
    return (
        not stage.trains_backbone
        and stage.options.frozen_batchnorm is FrozenBatchNorm.freeze
        and encoder.pool is None
        and getattr(pairing, "fixed_views", False)
    )


class KeptH:
    """H of all images by the last backbone that it was asked for, in memory.

    memory_fraction: of the device's free memory, within which H is kept there.
    between: called before each batch; what it raises ends the computation.
    """

    def __init__(self, memory_fraction: float = 0.5):
        self.between: Callable[[], None] = lambda: None
        self._memory_fraction = memory_fraction
        self._digest = ""
        self._h: ResidentImages | None = None

    def of(
        self, encoder: Encoder, images: ResidentImages, batch_size: int, compute: Compute
    ) -> ResidentImages:
        """H of the images as they are, float32 (N, h), in the place of the images; computed in
        evaluation mode, unless it was the last time."""
        digest = backbone_digest(encoder, repr(compute.bf16))
        if self._h is None or digest != self._digest:
            self._h = None  # before the memory of another is needed
            h = self._computed(encoder, images, batch_size, compute)
            self._h = ResidentImages(h, compute.device, self._memory_fraction)
            self._digest = digest
        return self._h

    def _computed(
        self, encoder: Encoder, images: ResidentImages, batch_size: int, compute: Compute
    ) -> Tensor:
        rows = []
        count = -(-len(images) // batch_size)
        parts = _parts(encoder, images, batch_size, compute)
        self.between()
        for part in bar(parts, count, "H of the frozen backbone"):
            rows.append(part)
            self.between()
        return torch.cat(rows)


class SampledH(KeptH):
    """H of some images in the place of that of all, by which a step is timed.

    seconds: what H of all images takes, by that of the some; None before any.
    """

    seconds: float | None = None

    def _computed(
        self, encoder: Encoder, images: ResidentImages, batch_size: int, compute: Compute
    ) -> Tensor:
        rows: list[Tensor] = []
        began = time.monotonic()
        for part in _parts(encoder, images, batch_size, compute):
            rows.append(part)
            took = time.monotonic() - began
            if took > _SECONDS:
                break
            if len(rows) == 1 and len(part) < len(images):
                began = time.monotonic()  # the first batch warms up
        h = torch.cat(rows)
        timed = len(h) - (len(rows[0]) if len(rows) > 1 else 0)
        self.seconds = took * len(images) / timed
        return h[torch.arange(len(images)) % len(h)]


@torch.no_grad()
def _parts(
    encoder: Encoder, images: ResidentImages, batch_size: int, compute: Compute
) -> Iterator[Tensor]:
    """H of one batch of images after the other, on the CPU."""
    training = encoder.backbone.training
    encoder.backbone.eval()
    everything = torch.arange(len(images), device=compute.device)
    for batch in images.batches(torch.split(everything, batch_size)):
        pixels = batch.float().div_(255).contiguous(memory_format=compute.memory_format)
        with compute.autocast():
            h = encoder.represent(pixels)[0].cpu()
        yield h
    encoder.backbone.train(training)


def backbone_digest(encoder: Encoder, also: str) -> str:
    """What H depends on besides the images: the backbone, and the mean and deviation of the
    encoder. also: what else is to be told apart."""
    digest = hashlib.sha256(also.encode())
    state = {"mean": encoder.mean, "std": encoder.std, **encoder.backbone.state_dict()}
    for name, part in state.items():
        digest.update(f"{name} {tuple(part.shape)}".encode())
        digest.update(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
