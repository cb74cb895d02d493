"""The loss of each sample by a trained encoder."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import tee

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.losses import StepContext, loss_of
from dimred.pairing import StepBatch
from dimred.training.seeds import generator_at
from dimred.training.stage import StageTrainer


@torch.no_grad()
def sample_losses(trainer: StageTrainer) -> NDArray[np.float32]:
    """The current loss of each sample (N,), in eval mode, in batches as in training: the mean
    over its rows. NaN for samples that are not learned from or, where a pairing draws
    its samples, were not drawn, and for all samples where a batch shared by several processes
    does not fit into one device's memory."""
    training = trainer.encoder.training
    trainer.encoder.eval()
    try:
        return _sample_losses(trainer)
    except torch.OutOfMemoryError:
        return np.full(len(trainer.images), np.nan, dtype=np.float32)
    finally:
        trainer.encoder.train(training)


def _sample_losses(trainer: StageTrainer) -> NDArray[np.float32]:
    compute, pairing = trainer.compute, trainer.pairing
    total, counts = np.zeros(len(trainer.images)), np.zeros(len(trainer.images))
    selections, again = tee(_everything(trainer))
    batches = trainer.images.batches(selection.samples for selection in selections)
    for step, (selection, images) in enumerate(zip(again, batches, strict=True)):
        inputs = pairing.views(images, _generator(trainer, "views of item losses", step))
        with compute.autocast():
            h, z = trainer.encoder(inputs.contiguous(memory_format=compute.memory_format))
        context = StepContext(h, _generator(trainer, "item losses", step), progress=1.0)
        rows = loss_of(trainer.loss, z, selection.pairs, context, "none")
        losses = rows.double().cpu().numpy()
        # The rows are the samples in their order, repeated for each view.
        n_views = selection.rows // len(selection.samples)
        samples = selection.samples.repeat(n_views).cpu().numpy()
        np.add.at(total, samples, losses)
        np.add.at(counts, samples, 1)
    with np.errstate(invalid="ignore"):
        return (total / counts).astype(np.float32)


def _everything(trainer: StageTrainer) -> Iterator[StepBatch]:
    """Batches of all anchors in random order; the last one is filled with earlier anchors. A
    pairing whose batches do not follow the anchors has its own way to have all images."""
    device, size, anchors = trainer.compute.device, trainer.batch_size, trainer.anchors
    if covering := getattr(trainer.pairing, "covering", None):
        yield from covering(size, _generator(trainer, "selection of item losses"))
        return
    generator = _generator(trainer, "order of item losses")
    order = torch.randperm(len(anchors), generator=generator, device=device)
    for step, first in enumerate(range(0, len(order), size)):
        part = order[min(first, len(order) - size) :][:size]
        generator = _generator(trainer, "selection of item losses", step)
        yield trainer.pairing.select(anchors[part], generator)


def _generator(trainer: StageTrainer, *place: str | int) -> torch.Generator:
    stage = trainer.stage
    return generator_at(trainer.compute.device, stage.seed, *place, stage.number)
