"""A classifier trained on labeled images, in one stage of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.resident import ResidentImages
from dimred.losses.supervised import cross_entropy_loss
from dimred.models import Encoder
from dimred.pairing.targets import FixedTargets
from dimred.training.compute import Compute
from dimred.training.schedule import (
    LrUpdate,
    OptimizerName,
    OptimizerOptions,
    ScheduleOptions,
    StageOptions,
)
from dimred.training.stage import StageTrainer

BATCH = 64
"""Images in a batch, or all where there are fewer."""
MIN_EPOCHS = 5


@dataclass(frozen=True)
class Budget:
    """How a classifier is trained: by AdamW, the learning rate falling to 0 along a cosine.

    steps: the number of batches, rounded up to whole passes over the images; where that would be
        fewer than MIN_EPOCHS passes, so many passes. lr: learning rate at the beginning.
    """

    steps: int
    lr: float

    def epochs(self, n: int) -> int:
        """Passes over n images."""
        return max(math.ceil(self.steps / (n // batch_size(n))), MIN_EPOCHS)

    def total(self, n: int) -> int:
        """Steps for n images."""
        return self.epochs(n) * (n // batch_size(n))


def batch_size(n: int) -> int:
    """Images in a batch of n."""
    return min(BATCH, n)


def training(
    encoder: Encoder,
    images: ResidentImages,
    rows: NDArray[np.int64],
    classes: NDArray[np.int64],
    budget: Budget,
    compute: Compute,
    seed: int,
) -> Iterator[None]:
    """Train all weights of an encoder, whose Z are the logits of the classes, with images as they
    are; yields after each step.

    rows: int64 (n,), which of the images are labeled, n at least 2. classes: of each of these,
        int64 (n,), below the dimension of Z.
    seed: of the order of the images.
    Raises TrainingDiverged where the loss or the weights do not stay finite, and InputError where a
    batch does not fit into the device's memory.
    """
    n, size = len(rows), batch_size(len(rows))
    optimizer = OptimizerOptions(
        name=OptimizerName.adamw,
        lr_per_256=budget.lr * 256 / size,  # the same for smaller batches
    )
    stage = StageOptions(epochs=budget.epochs(n), out_dim=encoder.out_dim, warmup_epochs=0)
    schedule = ScheduleOptions(
        batch_size=size, lr_update=LrUpdate.step, optimizer=optimizer, stages={"fit": stage}
    )
    targets = torch.from_numpy(classes)
    pairing = FixedTargets(torch.from_numpy(rows), targets, compute.device, encoder.out_dim)
    (numbered,) = schedule.numbered(seed)
    trainer = StageTrainer(numbered, encoder, cross_entropy_loss, pairing, images, compute)
    for epoch in range(stage.epochs):
        state = trainer.new_epoch()
        yield from trainer.train_epoch(epoch, state)
        trainer.check_finite(epoch, state)
