"""Training from a packed file (dataset.store=disk) beside training from memory, on this machine.

    OMP_NUM_THREADS=2 python scripts/benchmark_store.py --images 20000 --side 64 --folder FOLDER

Makes images of noise, packs them, and trains the small network on them in turns: from memory, from
the file while the system keeps it in memory, and from the file after the system was asked to
forget it. Prints images/s of each, the median of the turns, and shares of the rate from memory;
besides, how fast images are packed and a pack is opened.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from dimred.data.augmentation import BatchAugmentation
from dimred.data.image_set import channel_statistics
from dimred.data.own_options import Store
from dimred.data.pixel_source import Block
from dimred.data.pixels import load_pixels
from dimred.data.resident import ResidentImages
from dimred.losses import simclr_loss
from dimred.models import ConvNetBackbone, Encoder
from dimred.pairing import TwoViews
from dimred.training.compute import Compute, torch_settings
from dimred.training.device import DeviceOptions
from dimred.training.schedule import ScheduleOptions, Stage, StageOptions
from dimred.training.stage import StageTrainer


class Noise:
    """A source of images of random bytes."""

    def __init__(self, count: int, side: int):
        self.count, self.shape = count, (3, side, side)

    def __len__(self) -> int:
        return self.count

    def read(self, first: int, stop: int) -> Block:
        random = np.random.default_rng(first)
        return Block(random.integers(0, 256, (stop - first, *self.shape), dtype=np.uint8))

    def key(self, known: object = None) -> bytes:
        return f"noise {self.count} {self.shape[1]}".encode().ljust(32)

    def state(self, first: int, stop: int) -> str:
        return ""


def forget(folder: Path) -> None:
    """Ask the system to drop its copies of the packed files."""
    for file in folder.glob("packed-*.pixels"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def seconds(work: Callable[[], object]) -> float:
    """The time that a call takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def rate(
    images: torch.Tensor, compute: Compute, widths: list[int], batch: int, steps: int
) -> float:
    """Images/s of some steps of a new network, after one that is not timed."""
    torch.manual_seed(0)
    encoder = Encoder(ConvNetBackbone(3, widths), [0.5] * 3, [0.25] * 3, 1024, 128)
    encoder = encoder.to(compute.device).to(memory_format=compute.memory_format)
    options = StageOptions(epochs=1, out_dim=128, warmup_epochs=0)
    stage = Stage(0, "train", options, ScheduleOptions(batch_size=batch))
    pairing = TwoViews(torch.arange(len(images)), BatchAugmentation())
    resident = ResidentImages(images, compute.device, 0.0)
    trainer = StageTrainer(stage, encoder, simclr_loss, pairing, resident, compute)
    steps_done = trainer.train_epoch(0, trainer.new_epoch())
    next(steps_done)
    taken = seconds(lambda: [next(steps_done) for _ in range(steps)])
    return steps * batch / taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    source = Noise(args.images, args.side)
    packing = seconds(lambda: load_pixels(source, Store.disk, args.folder, "packing"))
    opening = seconds(lambda: load_pixels(source, Store.disk, args.folder, "opening"))
    in_file = load_pixels(source, Store.disk, args.folder, "opening").images
    in_memory = load_pixels(source, Store.memory, None, "reading").images
    assert torch.equal(in_memory, in_file)
    size = in_file.nbytes / 1e9
    counting = seconds(lambda: channel_statistics(in_file, np.zeros(len(in_file), dtype=bool)))
    print(f"{args.images:,} images of {args.side}x{args.side}, {size:.2f} GB: packed (if not yet)")
    print(f"in {packing:.1f} s, opened and checked in {opening:.2f} s, counted in {counting:.2f} s")
    rates: dict[str, list[float]] = {"memory": [], "file": [], "forgotten file": []}
    compute = DeviceOptions().compute()
    with torch_settings(compute.device, None, False):
        for turn in range(args.turns + 1):
            for name, found in rates.items():
                if name == "forgotten file":
                    forget(args.folder)
                images = in_memory if name == "memory" else in_file
                measured = rate(images, compute, args.widths, args.batch, args.steps)
                if turn:
                    found.append(measured)
                    print(f"turn {turn}, {name}: {measured:,.0f} images/s", flush=True)
    from_memory = statistics.median(rates["memory"])
    for name, found in rates.items():
        median = statistics.median(found)
        print(f"{name}: {median:,.0f} images/s, {median / from_memory:.1%} of memory")


if __name__ == "__main__":
    main()
