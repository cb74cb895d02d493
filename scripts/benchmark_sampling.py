"""Time for in-batch sampling to reach the test loss of sampled pairs after 10,000 iterations.

    python scripts/benchmark_sampling.py --root FOLDER_OF_MNIST --seeds 0 1 2

Trains DrLIM invariant to shifts on MNIST's 4s and 9s with Angel's (2015) sampler and schedule
(batches of 64 pairs, 10,000 iterations) and with in-batch sampling for several lengths of its own
schedule. All take turns of a second, so that the machine is equally busy for each; only training
steps are timed. Prints, for each, the seconds, their ratio to `pairs`, and the loss, in the form
that was trained (legacy_caffe), on the test set's pairs (229 per image).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from dimred.config import RunConfig
from dimred.config.compose import composed
from dimred.errors import TrainingDiverged
from dimred.measures.protocol import Embedding
from dimred.models import Encoder
from dimred.run.inputs import Inputs
from dimred.run.measuring import Measuring, setting_of
from dimred.training.compute import Compute
from dimred.training.embed import embed
from dimred.training.stage import StageTrainer

ITERATIONS = 10_000
LENGTHS = (750, 1_125, 1_500, 1_875, 2_250, 3_000)
TURN = 1.0
CPU = Compute(torch.device("cpu"))


class Contender:
    """A training run that takes turns."""

    def __init__(self, name: str, overrides: list[str], steps: int):
        self.name = name
        config = composed(overrides)
        inputs = Inputs(config, CPU)
        self.measuring = Measuring(setting_of(inputs))
        self.resident = inputs.resident
        self.encoder = self._encoder(config, inputs.images.images.shape)
        stage = config.schedule.numbered(config.seed)[0]
        epochs = replace(stage.options, epochs=-(-steps // inputs.steps))
        self.trainer = StageTrainer(
            replace(stage, options=epochs),
            self.encoder,
            config.loss.build(),
            inputs.pairing,
            inputs.resident,
            CPU,
        )
        self.steps, self.done, self.seconds = steps, 0, 0.0
        self._running = self._train()

    def _encoder(self, config: RunConfig, shape: torch.Size) -> Encoder:
        torch.manual_seed(config.seed)
        backbone = config.model.backbone(shape[1], (shape[2], shape[3]))
        encoder = Encoder(backbone, [0.0], [1.0], None, 2)
        encoder.init_xavier()
        return encoder.to(memory_format=CPU.memory_format)

    def _train(self) -> Iterator[None]:
        for epoch in range(self.trainer.stage.options.epochs):
            state = self.trainer.new_epoch()
            yield from self.trainer.train_epoch(epoch, state)
            self.trainer.check_finite(epoch, state)

    def turn(self) -> bool:
        """Train for a turn; returns whether steps are left."""
        began = time.perf_counter()
        while self.done < self.steps and time.perf_counter() - began < TURN:
            next(self._running)
            self.done += 1
        self.seconds += time.perf_counter() - began
        return self.done < self.steps

    def loss(self) -> float:
        """The current test loss."""
        h, z = embed(self.encoder, self.resident, 2_000, CPU)
        embedding = Embedding(self.measuring.setting, h, z, self.encoder)
        return self.measuring.measure(embedding)["drlim_legacy_caffe"]


def race(root: str, seed: int) -> list[Contender]:
    """All contenders, trained in turns."""
    overrides = [
        "experiment=drlim_mnist_shifts_invariant",
        "loss.form=legacy_caffe",
        f"dataset.root={root}",
        f"seed={seed}",
    ]
    angel2015 = [*overrides, "schedule=angel2015", "pairing.sampling=pairs"]
    contenders = [Contender("pairs", angel2015, ITERATIONS)]
    contenders += [Contender(f"in_batch {steps}", overrides, steps) for steps in LENGTHS]
    left = list(contenders)
    while left:
        left = [contender for contender in left if contender.turn()]
    return contenders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default="data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    for seed in options.seeds:
        try:
            contenders = race(options.root, seed)
        except TrainingDiverged as error:
            print(f"seed {seed}: {error}")
            continue
        whole = contenders[0].seconds
        for one in contenders:
            share = one.seconds / whole
            print(
                f"seed {seed}  {one.name:14s} {one.steps:6d} steps  {one.seconds:6.1f} s  "
                f"{share:6.3f} of the time  test loss {one.loss():.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
