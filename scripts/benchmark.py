"""Benchmarks of dimred on this machine: training steps, loss, kNN, epochs, start.

    python scripts/benchmark.py --out benchmark.json --figure scaling.png

Prints tables and writes JSON. Sections:

- `steps`: training steps of each model in each precision on noise images of three channels and each
  of --sides (32 pixels), out_dim 128, all of these --rounds times in turns. Images/s; the
  arithmetic rate (floating-point operations of convolutions and matrix products, forward and
  backward, as counted by PyTorch) and its share of the rate of the fastest matrix product in the
  same precision and process; the bytes moved by the network (with --compile, assuming that all
  elementwise work is fused) and their share of the bytes that a copy moves in the same time; the
  share of each part of a step; seconds of compiling; peak memory.
- `loss`: the t-SimCNE loss, forward and backward, against the number of points.
- `knn`: kNN accuracy against the number of points; above 8 dimensions also the time of
  scikit-learn's neighbor search on the CPU, as a multiple.
- `epochs`: an epoch of the small network against the number of images.
- `start`: time of `dimred --help`, and of a smoke run minus its training.
- `demo`: operators by their share of the demo's training steps.

On a CPU every measurement runs in its own process, so that peak memory is its own; on a GPU the
peak is reset before each. Steps are medians of several turns, loss and epochs minima. Parts of a
step are timed with a synchronization after each, without the time between them. On a GPU,
convolutions of float32 run in TF32, matrix products do not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from traffic import bandwidth, bytes_of_a_step

from dimred.data.augmentation import BatchAugmentation
from dimred.data.augmentation_options import AugmentationOptions
from dimred.data.resident import ResidentImages
from dimred.evaluation import knn_accuracy
from dimred.losses import simclr_loss, tsimcne_loss
from dimred.models import ConvNetBackbone, Encoder, ResNet18Backbone
from dimred.pairing import PositivePairs, TwoViews
from dimred.run_folder.environment import environment
from dimred.training.compute import Compute, torch_settings
from dimred.training.device import DeviceName, DeviceOptions, Precision
from dimred.training.schedule import ScheduleOptions, Stage, StageOptions
from dimred.training.stage import StageTrainer


def one_epoch(batch: int, lr_scale: float = 1.0) -> Stage:
    """A stage of one epoch at a constant learning rate."""
    options = StageOptions(epochs=1, out_dim=2, lr_scale=lr_scale, warmup_epochs=0)
    return Stage(0, "train", options, ScheduleOptions(batch_size=batch))


# From the side of the images. resnet18 takes another stem from 64 pixels on, as a run does.
MODELS: dict[str, Callable[[int], Any]] = {
    "resnet18": lambda side: ResNet18Backbone(3, cifar_stem=side < 64),
    "resnet18_cifar": lambda side: ResNet18Backbone(3, cifar_stem=True),
    "convnet": lambda side: ConvNetBackbone(3, [32, 64, 128]),
}


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(device: torch.device, work: Callable[[], object], turns: int) -> list[float]:
    """Seconds of each turn of the same work."""
    seconds = []
    for _ in range(turns):
        wait(device)
        began = time.perf_counter()
        work()
        wait(device)
        seconds.append(time.perf_counter() - began)
    return seconds


def peak_memory(device: torch.device) -> float:
    """Peak memory in GiB: of the GPU since the last reset, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def products(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """The best rate of matrix products, FLOP/s: by torch.mm, and as an equivalent 1x1 convolution
    (which another library computes on a CPU)."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    images = a.reshape(1, size, size, 1).to(memory_format=torch.channels_last)
    weight = b.reshape(size, size, 1, 1).to(memory_format=torch.channels_last)
    forms = {"mm": lambda: a @ b, "conv1x1": lambda: torch.conv2d(images, weight)}
    for form in forms.values():
        timed(device, form, 2)
    return {name: 2 * size**3 / min(timed(device, form, 8)) for name, form in forms.items()}


def steps(
    model: str, side: int, precision: str, batch: int, compute: Compute, turns: int
) -> dict[str, Any]:
    """Measure training steps of a model on images of side x side pixels."""
    device = compute.device
    torch.manual_seed(0)
    encoder = Encoder(MODELS[model](side), [0.5] * 3, [0.25] * 3, 1024, 128).to(device)
    encoder = encoder.to(memory_format=compute.memory_format)
    pixels = torch.randint(0, 256, (batch * turns, 3, side, side), dtype=torch.uint8)
    images = ResidentImages(pixels, device, 0.5)
    pairing = TwoViews(torch.arange(len(images)), BatchAugmentation())
    trainer = StageTrainer(one_epoch(batch), encoder, tsimcne_loss, pairing, images, compute)

    def epoch() -> None:
        state = trainer.new_epoch()
        for _ in trainer.train_epoch(0, state):
            pass

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    before = products(device, dtype)
    compiling = timed(device, trainer.compile, 1)[0] if trainer.mode else 0.0
    epoch()
    wait(device)
    seconds = statistics.median(timed(device, epoch, 3)) / turns
    memory = peak_memory(device)
    copied = bandwidth(device, timed)
    after = products(device, dtype)
    ceilings = {form: max(rate, after[form]) for form, rate in before.items()}
    with FlopCounterMode(display=False) as counter:
        sample = torch.rand(8, 3, side, side, device=device)
        encoder(sample)[1].sum().backward()
    flops = counter.get_total_flops() / 8 * 2 * batch / seconds

    def network(views: int) -> None:
        with compute.autocast():
            _, z = encoder(torch.rand(views, 3, side, side, device=device))
        z.sum().backward()

    moved = bytes_of_a_step(network, 2 * batch)["fused" if trainer.mode else "each"]
    return {
        "model": model,
        "side": side,
        "precision": precision,
        "batch": batch,
        "images_per_s": batch / seconds,
        "views_per_s": 2 * batch / seconds,
        "tflops": flops / 1e12,
        "ceiling_tflops": {form: rate / 1e12 for form, rate in ceilings.items()},
        "share_of_mm": flops / ceilings["mm"],
        "share_of_ceiling": flops / max(ceilings.values()),
        "gb_moved": moved / 1e9,
        "copy_gb_per_s": copied / 1e9,
        "share_of_memory": moved / seconds / copied,
        "compile_s": compiling,
        "peak_gib": memory,
        "parts": parts(trainer, images, pairing, batch, turns),
    }


def parts(
    trainer: StageTrainer, images: ResidentImages, pairing: TwoViews, batch: int, turns: int
) -> dict[str, float]:
    """The share of each part of a step, synchronized before the next begins."""
    compute = trainer.compute
    device = compute.device
    generator = torch.Generator(device).manual_seed(0)
    spent = dict.fromkeys(["augmentation", "forward", "loss", "backward", "optimizer"], 0.0)

    def clocked(part: str, work: Callable[[], Any]) -> Any:
        wait(device)
        began = time.perf_counter()
        result = work()
        wait(device)
        spent[part] += time.perf_counter() - began
        return result

    def forward(views: Tensor) -> Tensor:
        with compute.autocast():
            features = trainer.features(views)[1]
        return trainer.encoder.read_out(features)

    def loss_and_gradient(z: Tensor, pairs: PositivePairs) -> Tensor:
        points = z.detach().requires_grad_()
        tsimcne_loss(points, pairs).backward()  # type: ignore[no-untyped-call]
        assert points.grad is not None
        return points.grad

    for turn in range(turns):
        anchors = torch.arange(turn * batch, (turn + 1) * batch, device=device)
        selection = pairing.select(anchors, generator)
        (pixels,) = images.batches([selection.samples])
        trainer.optimizer.zero_grad(set_to_none=True)
        with trainer.computing():
            views = clocked(
                "augmentation",
                lambda pixels=pixels: pairing.views(pixels, generator).contiguous(
                    memory_format=compute.memory_format
                ),
            )
            z = clocked("forward", lambda views=views: forward(views))
            gradient = clocked(
                "loss", lambda z=z, pairs=selection.pairs: loss_and_gradient(z, pairs)
            )
        clocked("backward", lambda z=z, gradient=gradient: z.backward(gradient))
        clocked("optimizer", trainer.optimizer.step)
    whole = sum(spent.values())
    return {part: seconds / whole for part, seconds in spent.items()}


def loss(points: int, dim: int, kind: str, device: torch.device) -> dict[str, Any]:
    """Measure a loss, forward and backward."""
    generator = torch.Generator().manual_seed(0)
    z = (20 * torch.randn(points, dim, generator=generator)).to(device).requires_grad_()
    pairs = PositivePairs(torch.arange(points, device=device).roll(points // 2))
    function = {"tsimcne": tsimcne_loss, "simclr": simclr_loss}[kind]

    def once() -> None:
        z.grad = None
        function(z, pairs).backward()  # type: ignore[no-untyped-call]

    base = peak_memory(device)
    first = timed(device, once, 1)[0]
    seconds = min(timed(device, once, max(2, min(20, int(2 / first)))))
    return {
        "loss": kind,
        "points": points,
        "dim": dim,
        "ms": 1000 * seconds,
        "peak_gib": peak_memory(device),
        "more_gib": peak_memory(device) - base,
    }


def knn(points: int, dim: int, device: torch.device) -> dict[str, Any]:
    """Measure the kNN accuracy, k = 15, of a sixth of the points from the others."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, points)
    x = (rng.normal(size=(points, dim)) + 0.5 * labels[:, None]).astype(np.float32)
    cut = points - points // 6
    base = peak_memory(device)
    began = time.perf_counter()
    accuracy = knn_accuracy(x[:cut], labels[:cut], x[cut:], labels[cut:], [15], device)
    seconds = time.perf_counter() - began
    peak = peak_memory(device)
    began = time.perf_counter()
    if dim > 8:
        NearestNeighbors(n_neighbors=15).fit(x[:cut]).kneighbors(x[cut:])
    peers = time.perf_counter() - began
    return {
        "points": points,
        "dim": dim,
        "seconds": seconds,
        "sklearn_ratio": peers / seconds if dim > 8 else None,
        "peak_gib": peak,
        "more_gib": peak - base,
        "accuracy": accuracy[15],
    }


def epochs(sizes: list[int], batch: int, compute: Compute) -> list[dict[str, Any]]:
    """Measure an epoch of the small network for each number of images; the sizes take turns."""
    device = compute.device
    encoder = Encoder(MODELS["convnet"](32), [0.5] * 3, [0.25] * 3, 1024, 2).to(device)
    encoder = encoder.to(memory_format=compute.memory_format)
    pixels = torch.randint(0, 256, (max(sizes), 3, 32, 32), dtype=torch.uint8)
    resident = ResidentImages(pixels, device, 0.5)
    stage = one_epoch(batch, lr_scale=1e-3)

    def epoch(images: int) -> None:
        pairing = TwoViews(torch.arange(images), BatchAugmentation())
        trainer = StageTrainer(stage, encoder, tsimcne_loss, pairing, resident, compute)
        for _ in trainer.train_epoch(0, trainer.new_epoch()):
            pass

    epoch(min(sizes))
    turns = [{size: timed(device, partial(epoch, size), 1)[0] for size in sizes} for _ in range(3)]
    return [
        {"images": size, "batch": batch, "seconds": min(turn[size] for turn in turns)}
        for size in sizes
    ]


def start() -> dict[str, Any]:
    """Seconds of `dimred --help`, and of a smoke run minus its training."""
    command = [sys.executable, "-m", "dimred"]
    here = Path(__file__).resolve().parents[1]
    helps, overheads = [], []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([*command, "--help"], check=True, capture_output=True, cwd=here)
        helps.append(time.perf_counter() - began)
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["train", "experiment=smoke", f"run_dir={folder}/run"]
            began = time.perf_counter()
            subprocess.run([*command, *arguments], check=True, capture_output=True, cwd=here)
            whole = time.perf_counter() - began
            summary = json.loads(Path(folder, "run", "summary.json").read_text())
            overheads.append(whole - summary["training_seconds"])
    return {
        "help_s": statistics.median(helps),
        "smoke_besides_training_s": statistics.median(overheads),
    }


def demo(compute: Compute) -> list[dict[str, Any]]:
    """Operators of the demo's steps (8x8 images, one channel, batches of 256) and their shares."""
    device = compute.device
    encoder = Encoder(ConvNetBackbone(1, [32, 64, 128]), [0.5], [0.25], 256, 128).to(device)
    encoder = encoder.to(memory_format=compute.memory_format)
    pixels = torch.randint(0, 256, (1797, 1, 8, 8), dtype=torch.uint8)
    pairing = TwoViews(
        torch.arange(1797), BatchAugmentation(AugmentationOptions(flip=0, hue=0, grayscale=0))
    )
    images = ResidentImages(pixels, device, 0.5)
    trainer = StageTrainer(one_epoch(256), encoder, tsimcne_loss, pairing, images, compute)

    def epoch() -> None:
        for _ in trainer.train_epoch(0, trainer.new_epoch()):
            pass

    epoch()
    with torch.profiler.profile() as profile:
        epoch()
    kinds = {event.key: event.self_cpu_time_total for event in profile.key_averages()}
    whole = sum(kinds.values())
    longest = sorted(kinds, key=lambda key: -kinds[key])[:8]
    return [{"operator": key, "share": kinds[key] / whole} for key in longest]


def alone(device: torch.device, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function with a fresh count of peak memory: on a CPU, in its own process."""
    if device.type == "cuda":
        torch.compiler.reset()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        return function(*arguments)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_called, (function, arguments))


def _called(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with torch_settings(DeviceOptions().device()):
        return function(*arguments)


def show(row: dict[str, Any], headed: bool) -> None:
    """Print a row as aligned text, below a line of its keys if `headed`."""
    cells = flat(row)
    widths = [max(len(key), 8) for key in cells]
    values = [f"{v:,.4g}" if isinstance(v, float) else str(v) for v in cells.values()]
    for line in ([list(cells)] if headed else []) + [values]:
        padded = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded), flush=True)


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the entries of inner dictionaries as its own."""
    cells: dict[str, Any] = {}
    for key, value in row.items():
        cells |= value if isinstance(value, dict) else {key: value}
    return cells


def draw(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw cost against size: the loss by points, an epoch by images."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    seconds, memory, images = figure.subplots(1, 3)
    markers = iter("osv^")
    for kind, dim in sorted({(row["loss"], row["dim"]) for row in results["loss"]}):
        rows = [row for row in results["loss"] if (row["loss"], row["dim"]) == (kind, dim)]
        points = [row["points"] for row in rows]
        marker, label = next(markers), f"{kind}, {dim}-D"
        seconds.loglog(points, [row["ms"] / 1000 for row in rows], marker=marker, label=label)
        memory.loglog(points, [row["peak_gib"] for row in rows], marker=marker, label=label)
    square = np.array([4096, 65536])
    seconds.loglog(square, 0.02 * (square / 4096.0) ** 2, "k:", label="quadratic")
    full = np.array([r["points"] for r in results["loss"]]).max() ** 2 * 4 / 2**30
    memory.axhline(full, color="k", linestyle=":", label="one full matrix of the largest")
    sizes = [row["images"] for row in results["epochs"]]
    took = [row["seconds"] for row in results["epochs"]]
    images.plot(sizes, took, marker="o", label="convnet, an epoch")
    rate = sum(sizes) / sum(took)
    images.plot([0, sizes[-1]], [0, sizes[-1] / rate], "k:", label="linear")
    for axes, x, y in (
        (seconds, "points in the loss (2b)", "seconds, forward and backward"),
        (memory, "points in the loss (2b)", "peak memory of the process, GiB"),
        (images, "images", "seconds"),
    ):
        axes.set(xlabel=x, ylabel=y)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sections = ["steps", "loss", "knn", "epochs", "start", "demo"]
    parser.add_argument("--only", nargs="+", choices=sections, default=sections)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--batch", type=int, help="images; 1,024 on a GPU, 128 on a CPU")
    parser.add_argument("--turns", type=int, help="steps in a turn; 20 on a GPU, 2 on a CPU")
    parser.add_argument(
        "--models", nargs="+", choices=list(MODELS), default=["resnet18", "convnet"]
    )
    parser.add_argument("--precisions", nargs="+", default=["float32", "bf16"])
    parser.add_argument("--sides", type=int, nargs="+", default=[32], help="of images of `steps`")
    parser.add_argument("--rounds", type=int, default=1, help="of `steps`")
    for switch in ("compile", "no-channels-last", "no-fused-optimizer"):
        parser.add_argument(f"--{switch}", action="store_true")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--figure", type=Path, help="PNG file of cost against size")
    options = parser.parse_args()
    if options.figure and not {"loss", "epochs"} <= set(options.only):
        parser.error("--figure: draws the sections loss and epochs")
    compute = DeviceOptions(
        name=DeviceName[options.device],
        precision=Precision.float32,
        channels_last=not options.no_channels_last,
        compile=options.compile,
        fused_optimizer=not options.no_fused_optimizer,
    ).compute()
    with torch_settings(compute.device):
        run(options, compute)


def run(options: argparse.Namespace, compute: Compute) -> None:
    """Measure the chosen sections."""
    device = compute.device
    gpu = device.type == "cuda"
    batch = options.batch or (1024 if gpu else 128)
    turns = options.turns or (20 if gpu else 2)
    results: dict[str, list[dict[str, Any]]] = {section: [] for section in options.only}

    record = environment(device, ["python", "scripts/benchmark.py", *sys.argv[1:]], 1)
    head = {"date": datetime.now(UTC).date().isoformat(), "environment": record}

    def keep(section: str, row: dict[str, Any]) -> None:
        results[section].append(row)
        show(row, headed=len(results[section]) == 1)
        if options.out:  # after each row, since a limit may end this
            options.out.write_text(json.dumps({**head, **results}, indent=1))

    def measure(section: str, function: Callable[..., dict[str, Any]], *arguments: Any) -> None:
        keep(section, alone(device, function, *arguments))

    for section in options.only:
        print(f"\n{section}", flush=True)
        if section == "steps":
            kinds = product(options.models, options.sides, options.precisions)
            for model, side, precision in list(kinds) * options.rounds:
                chosen = replace(compute, bf16=precision == "bf16")
                measure(section, steps, model, side, precision, batch, chosen, turns)
        elif section == "loss":
            for kind, dim in (("tsimcne", 2), ("tsimcne", 128), ("simclr", 128)):
                for points in (512, 2048, 8192, 32768, 65536):
                    measure(section, loss, points, dim, kind, device)
        elif section == "knn":
            problems = ((10_000, 2), (100_000, 2), (1_000_000, 2), (10_000, 512), (60_000, 128))
            for points, dim in problems:
                measure(section, knn, points, dim, device)
        elif section == "epochs":
            sizes = [count * (16_384 if gpu else 512) for count in (1, 2, 4, 8)]
            for row in alone(device, epochs, sizes, batch, compute):
                keep(section, row)
        elif section == "start":
            keep(section, start())
        else:
            for row in alone(torch.device("cpu"), demo, Compute(torch.device("cpu"))):
                keep(section, row)
    if options.figure:
        draw(results, options.figure)


if __name__ == "__main__":
    main()
