"""Parts of the comparison with tsimcne 0.3.12: its environment, both trainings, and workers."""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".venv-peer"


def installed() -> Path:
    """The Python of an environment with tsimcne, which is installed if needed."""
    python = PEER / "bin" / "python"
    mark = PEER / ".installed"
    if not mark.exists():
        print(f"installing tsimcne 0.3.12 into {PEER.name}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", PEER], check=True)
        constraints = ["--constraint", str(ROOT / "constraints.txt")]
        packages = [*constraints, "tsimcne==0.3.12"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        mark.touch()
    return python


class Worker:
    """A process that runs one `--worker` of benchmark_peer.py."""

    def __init__(self, python: Path | str, worker: str, options: argparse.Namespace):
        script = Path(__file__).with_name("benchmark_peer.py")
        command = [str(python), str(script), "--worker", worker]
        keys = ("model", "images", "batch", "epochs", "workers", "precision", "compile", "warmup")
        for key in keys:
            command += [f"--{key}", str(getattr(options, key))]
        command += ["--widths", *map(str, options.widths)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, task: str, *arguments: object) -> dict[str, Any]:
        """Call the worker's method named `task`; returns its result."""
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps([task, *arguments]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"benchmark_peer: the process of {self.process.args} ended")
        result: dict[str, Any] = json.loads(line)
        return result

    def end(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def encoder(options: argparse.Namespace, mean: Sequence[float], std: Sequence[float]) -> Any:
    """dimred's network with a Z of 128 dimensions."""
    from dimred.models import ConvNetBackbone, Encoder, ResNet18Backbone

    resnet = options.model == "resnet18"
    backbone = ResNet18Backbone(3, True) if resnet else ConvNetBackbone(3, options.widths)
    return Encoder(backbone, mean, std, 1024, 128)


def training_images(root: Path, count: int) -> Any:
    """`count` color images of 32x32 pixels, the same number from every class; if `root` has a
    split, training images only."""
    import numpy as np

    from dimred.data.image_folder import load_image_folder
    from dimred.data.selection import limit

    def training(images: Any) -> Any:
        return limit(images.take(np.flatnonzero(~images.is_test)), count)

    images = load_image_folder(str(root), 32, True, training)
    if len(images) < count or not images.labels or images.images.shape[1] != 3:
        raise SystemExit(f"--root {root}: must hold {count} color images, in one folder per class")
    return images


def trained(
    network: Any,
    loss: Any,
    augment: Any,
    images: Any,
    compute: Any,
    options: argparse.Namespace,
    seed: int = 0,
    adapt: Callable[[Any], None] = lambda trainer: None,
) -> list[float]:
    """Train dimred's network on resident images; returns the mean loss of every epoch.

    adapt: called with the trainer before training.
    """
    import torch

    from dimred.pairing import TwoViews
    from dimred.training.schedule import ScheduleOptions, Stage, StageOptions
    from dimred.training.stage import StageTrainer

    network.to(compute.device).to(memory_format=compute.memory_format)
    stage = StageOptions(epochs=options.epochs, out_dim=2, warmup_epochs=options.warmup)
    shared = ScheduleOptions(batch_size=options.batch)
    pairing = TwoViews(torch.arange(len(images)), augment)
    trainer = StageTrainer(
        Stage(0, "train", stage, shared, seed), network, loss, pairing, images, compute
    )
    adapt(trainer)
    losses = []
    for epoch in range(options.epochs):
        state = trainer.new_epoch()
        for _ in trainer.train_epoch(epoch, state):
            pass
        trainer.check_finite(epoch, state)
        losses.append(float(state.losses.mean()))
    return losses


def positive_pairs(batch: int, device: Any) -> Any:
    """The positive pairs of a batch with two views of each image, rows i and i + batch."""
    import torch

    from dimred.pairing import PositivePairs

    return PositivePairs(torch.arange(2 * batch, device=device).roll(batch))


def quiet() -> None:
    """Suppress warnings and Lightning's log."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.INFO)


def package(network: Any, options: argparse.Namespace, epochs: int, **more: Any) -> Any:
    """tsimcne's trainer for `network`, which is dimred's, or None for tsimcne's ResNet-18."""
    from torch import nn
    from tsimcne.tsimcne import TSimCNE

    class ZBeforeH(nn.Module):
        """dimred's encoder with the outputs in tsimcne's order."""

        def __init__(self) -> None:
            super().__init__()
            self.encoder = network

        def forward(self, images: Any) -> Any:
            h, z = self.encoder(images)
            return z, h

    return TSimCNE(
        model=ZBeforeH() if network else None,
        total_epochs=[epochs],
        batch_size=options.batch,
        num_workers=options.workers,
        warmup=[options.warmup],
        use_ffcv=False,
        float32_matmul_precision=False,  # PyTorch's default, as in dimred
        **more,
    )


def fit(package: Any, data: Any, callback: Any) -> None:
    """Train tsimcne on pairs of a PIL image and a label."""
    package.trainer_kwargs = {  # tsimcne's defaults, without output
        "gradient_clip_val": 4,
        "gradient_clip_algorithm": "value",
        "callbacks": [callback],
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    package.fit(data)
