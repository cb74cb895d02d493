"""Compares the speed of dimred and the authors' package, tsimcne 0.3.12, on the same machine.

    python scripts/benchmark_peer.py --pairs 7 --out peer.json

Installs tsimcne, constrained by constraints.txt to the same PyTorch, into a separate environment
(.venv-peer). Two processes, one with dimred and one with tsimcne, take turns at the same task on
the same images with the same network and batch size; one is idle while the other works. Prints, for
each task, the medians of both, and the median, lowest and highest ratio of adjacent turns.

Tasks: `train`, epochs of training, images/s by the clock and by CPU time, worker processes
included; `batches`, making both views, images/s; `loss_D`, the Euclidean loss forward and backward,
ms. Each turn of `train` is a new training, whose first epoch is not timed; neither are Lightning's
set-up, checkpoints, logs and progress bar in tsimcne. tsimcne has float32 only; on a GPU both run
convolutions in TF32, PyTorch's default.

    python scripts/benchmark_peer.py --tasks fidelity --root FOLDER --model convnet \
        --images 3840 --batch 256 --epochs 15 --seeds 0 1 2 --out fidelity.json

instead compares what both learn from real images (class folders, possibly below train/), as
described in `peer_fidelity.py`. --peer-python names a Python that has tsimcne, if it cannot be
installed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peer import ROOT, Worker, encoder, fit, installed, package, quiet
from peer_fidelity import SWAPS, Trainings, fidelity

LOSS_POINTS = 2048
LOSS_REPEATS = 10
BATCH_ROUNDS = 8  # passes over the images, so that starting worker processes matters little


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measured(work: Callable[[], object]) -> dict[str, float]:
    """Wall-clock and CPU seconds of some work."""
    clock, cpu = time.perf_counter(), cpu_seconds()
    work()
    return {"seconds": time.perf_counter() - clock, "cpu": cpu_seconds() - cpu}


def pixels(count: int) -> Any:
    """Noise images, uint8 (count, 3, 32, 32); their content does not affect the time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)


def embedding(dim: int, device: Any) -> Any:
    """Points (LOSS_POINTS, dim) at the scale of a trained map."""
    import torch

    return torch.randn(LOSS_POINTS, dim, generator=torch.Generator().manual_seed(0)).to(device) * 20


def timed_loss(loss: Callable[[Any], Any], dim: int, device: Any) -> dict[str, float]:
    import torch

    points = embedding(dim, device)

    def once() -> None:
        z = points.clone().requires_grad_()
        loss(z).backward()

    def repeated() -> None:
        for _ in range(LOSS_REPEATS):
            once()
        if device.type == "cuda":
            torch.cuda.synchronize()

    once()
    return measured(repeated)


class Ours:
    """The tasks with dimred."""

    def __init__(self, options: argparse.Namespace):
        import torch

        from dimred.data.augmentation import BatchAugmentation
        from dimred.data.resident import ResidentImages
        from dimred.losses import tsimcne_loss
        from dimred.pairing import PositivePairs, TwoViews
        from dimred.training.compute import torch_settings
        from dimred.training.device import DeviceOptions, Precision

        self.options = options
        self.compute = DeviceOptions(
            precision=Precision[options.precision], compile=options.compile == "true"
        ).compute()
        self.settings = torch_settings(self.compute.device)
        self.settings.__enter__()  # for as long as the process lasts
        data = pixels(options.images)
        self.images = ResidentImages(data, self.compute.device, 0.5)
        self.pairing = TwoViews(torch.arange(options.images), BatchAugmentation())
        self.loss = tsimcne_loss
        partner = torch.arange(LOSS_POINTS, device=self.compute.device).roll(LOSS_POINTS // 2)
        self.positive_pairs = PositivePairs(partner)

    def train(self) -> dict[str, float]:
        from dimred.training.schedule import ScheduleOptions, Stage, StageOptions
        from dimred.training.stage import StageTrainer

        options, compute = self.options, self.compute
        network = encoder(options, [0.5] * 3, [0.25] * 3)
        network = network.to(compute.device).to(memory_format=compute.memory_format)
        stage = StageOptions(epochs=options.epochs + 1, out_dim=2, warmup_epochs=0)
        shared = ScheduleOptions(batch_size=options.batch)
        trainer = StageTrainer(
            Stage(0, "train", stage, shared),
            network,
            self.loss,
            self.pairing,
            self.images,
            compute,
        )

        def epoch(number: int) -> None:
            state = trainer.new_epoch()
            for _ in trainer.train_epoch(number, state):
                pass
            trainer.check_finite(number, state)

        epoch(0)
        return measured(lambda: [epoch(number) for number in range(1, options.epochs + 1)])

    def batches(self) -> dict[str, float]:
        import torch

        device = self.compute.device
        generator = torch.Generator(device).manual_seed(0)

        def epoch() -> None:
            order = torch.randperm(self.options.images, device=device)
            for _ in range(BATCH_ROUNDS):
                for images in self.images.batches(order.split(self.options.batch)):
                    self.pairing.views(images, generator)
            if device.type == "cuda":
                torch.cuda.synchronize()

        return measured(epoch)

    def loss_of(self, dim: int) -> dict[str, float]:
        from dimred.fusing import fusing

        def loss(z: Any) -> Any:
            gpu = self.compute.device.type == "cuda"
            with fusing("default" if gpu and self.compute.compile else None):
                return self.loss(z, self.positive_pairs)

        return timed_loss(loss, dim, self.compute.device)


class Theirs:
    """The tasks with tsimcne."""

    def __init__(self, options: argparse.Namespace):
        import torch
        from PIL import Image

        quiet()
        self.options = options
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        arrays = pixels(options.images).permute(0, 2, 3, 1).numpy()
        self.data = [(Image.fromarray(array), 0) for array in arrays]

    def package(self, epochs: int) -> Any:
        own = self.options.model == "resnet18"  # their own ResNet-18
        network = None if own else encoder(self.options, [0.0] * 3, [1.0] * 3)
        return package(network, self.options, epochs)

    def train(self) -> dict[str, float]:
        from lightning.pytorch.callbacks import Callback

        marks = []

        class Clock(Callback):  # type: ignore[misc]
            def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
                import torch

                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                marks.append((time.perf_counter(), cpu_seconds()))

        fit(self.package(self.options.epochs + 1), self.data, Clock())
        (clock, cpu), (end_clock, end_cpu) = marks[0], marks[-1]
        return {"seconds": end_clock - clock, "cpu": end_cpu - cpu}

    def batches(self) -> dict[str, float]:
        loader = self.package(1).make_dataloader(self.data * BATCH_ROUNDS, True, None)
        return measured(lambda: [None for _ in loader])

    def loss_of(self, dim: int) -> dict[str, float]:
        from tsimcne.losses.infonce import InfoNCECauchy

        return timed_loss(InfoNCECauchy(), dim, self.device)


def work(options: argparse.Namespace) -> None:
    """Do the tasks in the lines of standard input, one at a time."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # anything else that is printed goes to standard error
    worker = {"ours": Ours, "theirs": Theirs, "fidelity": Trainings}[options.worker](options)
    for line in sys.stdin:
        task, *arguments = json.loads(line)
        result = getattr(worker, task)(*arguments)
        print(json.dumps(result), file=answers, flush=True)


def compared(
    task: str, turns: list[tuple[dict[str, float], dict[str, float]]], images: int
) -> dict[str, Any]:
    """The medians of both sides, and how many times faster ours is, turn by turn."""
    unit = 1000 / LOSS_REPEATS if task.startswith("loss") else images
    result: dict[str, Any] = {"task": task, "turns": turns}
    for kind in ("seconds", "cpu"):
        sides = [[turn[side][kind] for turn in turns] for side in (0, 1)]
        ratios = sorted(theirs / ours for ours, theirs in zip(*sides, strict=True))
        medians = [statistics.median(side) for side in sides]
        if not task.startswith("loss"):
            medians = [unit / median for median in medians]
        else:
            medians = [unit * median for median in medians]
        result[kind] = {
            "ours": medians[0],
            "theirs": medians[1],
            "ratio": statistics.median(ratios),
            "lowest": ratios[0],
            "highest": ratios[-1],
        }
    return result


def timed(options: argparse.Namespace, python: Path | str) -> list[dict[str, Any]]:
    """Time the tasks in turns; prints and returns the results."""
    theirs = Worker(python, "theirs", options)
    ours = Worker(sys.executable, "ours", options)
    print(f"{'':10s} {'':6s} {'dimred':>10s} {'tsimcne':>10s}   times faster (lowest, highest)")
    results = []
    for task in options.tasks:
        name, _, dim = task.partition("_")
        call = ["loss_of", int(dim)] if dim else [name]
        turns = []
        for number in range(options.pairs):
            if number % 2:
                second, first = theirs(*call), ours(*call)
            else:
                first, second = ours(*call), theirs(*call)
            turns.append((first, second))
        rounds = options.epochs if task == "train" else BATCH_ROUNDS
        result = compared(task, turns, options.images * rounds)
        results.append(result)
        unit = "ms" if task.startswith("loss") else "img/s"
        for kind, label in (("seconds", unit), ("cpu", f"{unit} CPU")):
            one = result[kind]
            print(
                f"{task if kind == 'seconds' else '':10s} {label:9s} {one['ours']:8.1f} "
                f"{one['theirs']:9.1f}    {one['ratio']:6.2f} ({one['lowest']:.2f}, "
                f"{one['highest']:.2f})",
                flush=True,
            )
    for worker in (ours, theirs):
        worker.end()
    return results


def main() -> None:
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", choices=["resnet18", "convnet"], default="resnet18")
    parser.add_argument(
        "--widths", type=int, nargs="+", default=[32, 64, 128], help="channels of the convnet"
    )
    parser.add_argument("--images", type=int, default=512, help="images in an epoch")
    parser.add_argument("--batch", type=int, default=128, help="images in a batch")
    parser.add_argument(
        "--epochs", type=int, default=1, help="epochs of fidelity, or timed in each turn of train"
    )
    parser.add_argument("--pairs", type=int, default=5, help="turns of each side")
    parser.add_argument("--precision", choices=["auto", "float32", "bf16"], default="float32")
    parser.add_argument(
        "--compile",
        choices=["true", "false"],
        default="false",
        help="of dimred; not timed",
    )
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="worker processes of tsimcne's loader"
    )
    parser.add_argument(
        "--tasks",
        nargs="+",
        default=["train", "batches", "loss_2", "loss_128"],
        help="some of the default ones, or fidelity",
    )
    parser.add_argument("--warmup", type=int, default=0, help="warm-up epochs of fidelity")
    parser.add_argument("--root", type=Path, help="folder of the images of fidelity")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of fidelity")
    parser.add_argument(
        "--trainings",
        nargs="+",
        default=["dimred", "tsimcne"],
        help=f"for fidelity: tsimcne, tsimcne+raw, dimred with any of +{' +'.join(SWAPS)}",
    )
    parser.add_argument(
        "--peer-python", type=Path, help="Python that has tsimcne; default: in .venv-peer"
    )
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--worker", choices=["ours", "theirs", "fidelity"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options)
        return
    if options.images % options.batch:
        parser.error("--images: must be a multiple of --batch, since one side drops what is left")
    if "fidelity" in options.tasks and (len(options.tasks) > 1 or not options.root):
        parser.error("--tasks fidelity: stands alone and needs --root")
    for training in options.trainings:
        side, *swaps = training.split("+")
        known = {"dimred": SWAPS, "tsimcne": ("raw",)}.get(side, ())
        if not known or set(swaps) - set(known):
            parser.error(
                f"--trainings {training}: must be tsimcne, tsimcne+raw, or dimred with any of "
                f"+{' +'.join(SWAPS)}"
            )
    python = options.peer_python or installed()
    print(
        f"{options.model}, {options.images} images of 32x32, batches of {options.batch}, "
        f"ours in {options.precision}{', compiled' if options.compile == 'true' else ''}, "
        f"theirs in float32 with {options.workers} loader processes; "
        + ("fidelity" if options.root else f"{options.pairs} pairs"),
        flush=True,
    )
    if "fidelity" in options.tasks:
        worker = Worker(python, "fidelity", options)
        results = [fidelity(worker, options)]
        worker.end()
    else:
        results = timed(options, python)
    if options.out:
        settings = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(options).items()
            if key != "out"
        }
        from dimred.run_folder.environment import environment
        from dimred.training.device import DeviceOptions

        device = DeviceOptions().device()
        record = environment(device, ["python", "scripts/benchmark_peer.py", *sys.argv[1:]], 1)
        content = {
            "date": datetime.now(UTC).date().isoformat(),
            "environment": record,
            "options": settings,
        }
        options.out.write_text(json.dumps({**content, "results": results}, indent=1))


if __name__ == "__main__":
    main()
