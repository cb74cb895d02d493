"""Trains three steps as one of several processes and saves what came of it; a test starts it.

python shared_steps.py OUT: with torchrun's environment.
"""

import sys
from dataclasses import replace

import torch

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions
from dimred.data.resident import ResidentImages
from dimred.losses import LossSizes, drlim_loss, simclr_loss, squared_error_loss, tsimcne_loss
from dimred.losses.dvml_options import Dvml
from dimred.losses.metric_options import ProxyNCA
from dimred.models import ConvNetBackbone, Encoder
from dimred.pairing import ClassBatches, FixedTargets, LabeledPairs, StepBatch, TwoViews
from dimred.training.device import DeviceName, DeviceOptions
from dimred.training.learned_loss import state_of
from dimred.training.processes import connect, processes_of_torchrun
from dimred.training.schedule import (
    FrozenBatchNorm,
    ScheduleOptions,
    Stage,
    StageOptions,
    Trainable,
)
from dimred.training.stage import StageTrainer


class OddPairs:
    """Steps of an odd number of rows, every two of which are a pair."""

    anchors = torch.arange(21)
    same_size = True

    def select(self, anchors, generator):
        left, right = torch.triu_indices(7, 7, 1)
        similar = (left + right)[:, None] % 2 == 0
        weight = torch.full(similar.shape, 1 / len(similar))
        return StepBatch(anchors, 7, LabeledPairs(left, right, similar, weight))

    def views(self, images, generator, part=slice(None)):
        return images[part].float().div(255)


def dvml():
    """A loss with parameters, random numbers and a view of H, around another with parameters."""
    torch.manual_seed(1)
    options, sizes = Dvml(samples=2, decoder_dim=4, metric=ProxyNCA()), LossSizes(8, 2, 3)
    return options.build_for(sizes)


CLASSES = torch.arange(21) % 3
CASES = {
    "tsimcne": (
        tsimcne_loss,
        TwoViews(torch.arange(21), BatchAugmentation(AugmentationOptions(noise=0.1))),
    ),
    "simclr": (simclr_loss, TwoViews(torch.arange(21), BatchAugmentation())),
    "readout": (tsimcne_loss, TwoViews(torch.arange(21), BatchAugmentation())),
    "kept_h": (
        squared_error_loss,
        FixedTargets(torch.arange(21), torch.arange(42.0).view(21, 2) / 42, torch.device("cpu")),
    ),
    "bf16": (tsimcne_loss, TwoViews(torch.arange(21), BatchAugmentation())),
    "drlim": (drlim_loss, OddPairs()),
    "dvml": (
        None,
        ClassBatches(torch.arange(21), CLASSES, 3, BatchAugmentation(), torch.device("cpu")),
    ),
}


def train(compute, name):
    loss, pairing = CASES[name]
    loss = loss or dvml()  # one of its own, since it learns
    torch.manual_seed(0)
    encoder = Encoder(ConvNetBackbone(3, [4, 8]), [0.5] * 3, [0.3] * 3, hidden_dim=8, out_dim=2)
    pixels = torch.randint(0, 256, (21, 3, 8, 8), generator=torch.Generator().manual_seed(0))
    parts = {"readout": Trainable.readout, "kept_h": Trainable.head}
    options = StageOptions(1, 2, trainable=parts.get(name, Trainable.all), warmup_epochs=0)
    if name == "kept_h":
        options = replace(options, frozen_batchnorm=FrozenBatchNorm.freeze)
    stage = Stage(0, "train", options, ScheduleOptions(batch_size=7), seed=1)
    images = ResidentImages(pixels.to(torch.uint8), compute.device, 0.5)
    compute = replace(compute, bf16=name == "bf16")
    trainer = StageTrainer(stage, encoder, loss, pairing, images, compute)
    state = trainer.new_epoch()
    for _ in trainer.train_epoch(0, state):
        pass
    gradients = {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}
    learned = {f"loss.{key}": part for key, part in (state_of(loss) or {}).items()}
    weights = encoder.state_dict() | learned
    return {"losses": state.losses, "weights": weights, "gradients": gradients}


if __name__ == "__main__":
    torch.set_num_threads(1)
    processes = processes_of_torchrun()
    connect(processes, "cpu")
    compute = DeviceOptions(name=DeviceName.cpu).compute(processes)
    torch.save({name: train(compute, name) for name in CASES}, sys.argv[1])
