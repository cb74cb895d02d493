"""The task `fidelity` of benchmark_peer.py: whole trainings of dimred and tsimcne on real images.

All trainings of a seed start from the same weights of the same network. The loss of the last epoch
is measured on each training's own views and while the weights change. So dimred's loss of every
trained network is also measured in evaluation mode on the same batches of dimred's and of tsimcne's
views. kNN accuracy is the leave-one-out accuracy of all images.

A training is named by its package and changes, such as `dimred+clip+views`. The changes replace a
part of dimred by tsimcne's:

    schedule  the learning rate of its CosineAnnealingSchedule
    clip      gradients clipped to [-4, 4]
    views     its transforms of PIL images
    loss      its InfoNCECauchy
    raw       pixels in [0, 1] without normalization, as in tsimcne's own networks (also allowed for
              tsimcne)
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from peer import Worker, encoder, fit, package, positive_pairs, quiet, trained, training_images

SWAPS = ("schedule", "clip", "views", "loss", "raw")
COLUMNS = {
    "last_epoch": "last epoch",
    "our_views": "our views",
    "their_views": "their views",
    "knn_z": "kNN in Z",
    "knn_h": "kNN in H",
}
ROUNDS = 4  # passes over all images in the common views
K = 15


def transformed(job: tuple[Any, int]) -> Any:
    """tsimcne's random transforms of images (n, 32, 32, 3): uint8 (n, 3, 32, 32)."""
    import torch
    from PIL import Image
    from tsimcne.imagedistortions import get_transforms_unnormalized

    arrays, seed = job
    torch.manual_seed(seed)
    transform = get_transforms_unnormalized(size=arrays.shape[1:3])
    views = [transform(Image.fromarray(array)) for array in arrays]
    return torch.stack(views).mul_(255).round_().byte().numpy()


class TheirAugmentation:
    """tsimcne's transforms with the interface of dimred's augmentation."""

    def __init__(self, workers: int):
        import multiprocessing

        self.pool = multiprocessing.Pool(workers) if workers else None
        self.pieces = 4 * max(workers, 1)

    def __call__(self, images: Any, generator: Any, part: slice = slice(None)) -> Any:
        import numpy as np
        import torch

        arrays = images.permute(0, 2, 3, 1).cpu().numpy()
        pieces = np.array_split(arrays, self.pieces)
        seeds = torch.randint(2**31, (len(pieces),), generator=generator, device=images.device)
        jobs = zip(pieces, seeds.tolist(), strict=True)
        views = np.concatenate(list((self.pool.map if self.pool else map)(transformed, jobs)))
        return torch.from_numpy(views).to(images.device).float().div_(255)[part]


class Trainings:
    """The trainings of both packages, in a process that has tsimcne."""

    def __init__(self, options: argparse.Namespace):
        from dimred.training.compute import torch_settings
        from dimred.training.device import DeviceOptions, Precision

        quiet()
        self.options = options
        self.augment = TheirAugmentation(options.workers)  # before a GPU is used
        self.compute = DeviceOptions(
            precision=Precision[options.precision], compile=False
        ).compute()
        self.settings = torch_settings(self.compute.device)
        self.settings.__enter__()  # for as long as the process lasts

    def read(self, folder: str) -> dict[str, Any]:
        """Read the images and their statistics, and make the common views."""
        import numpy as np
        import torch
        from PIL import Image

        from dimred.data.augmentation import BatchAugmentation
        from dimred.data.resident import ResidentImages

        self.folder = Path(folder)
        with np.load(self.folder / "images.npz") as content:
            data = content["images"]
            self.mean, self.std = content["mean"].tolist(), content["std"].tolist()
        self.pil = [(Image.fromarray(image), 0) for image in data.transpose(0, 2, 3, 1)]
        self.images = ResidentImages(torch.from_numpy(data), self.compute.device, 0.5)
        self.common = {
            "our_views": list(self.views(BatchAugmentation())),
            "their_views": list(self.views(self.augment)),
        }
        return {"device": str(self.compute.device), "torch": torch.__version__}

    def views(self, augment: Any) -> Iterator[Any]:
        """Batches of two views of every image, of the same images for every augmentation."""
        import torch

        generator = torch.Generator(self.compute.device).manual_seed(0)
        size, batch = self.options.images, self.options.batch
        for number in range(ROUNDS):
            order = torch.randperm(size, generator=torch.Generator().manual_seed(number))
            for images in self.images.batches(order.to(self.compute.device).split(batch)):
                # float16: half the memory, and still finer than 8 bits.
                yield augment(torch.cat((images, images)), generator).half()

    def train(self, name: str, seed: int) -> dict[str, Any]:
        """Train once; writes Z and H. Returns the losses by epoch and on the common views."""
        import numpy as np
        import torch

        from dimred.training.embed import embed

        side, *swaps = name.split("+")
        torch.manual_seed(seed)
        raw = "raw" in swaps
        network = encoder(
            self.options, [0.0] * 3 if raw else self.mean, [1.0] * 3 if raw else self.std
        )
        losses = (self.ours if side == "dimred" else self.theirs)(network, swaps, seed)
        compute = self.compute
        network = network.to(compute.device).to(memory_format=compute.memory_format)
        h, z = embed(network, self.images, self.options.batch, compute)
        np.savez(self.folder / "embedding.npz", h=h, z=z)
        common = {views: self.common_loss(network, views) for views in self.common}
        return {"losses": losses, "last_epoch": losses[-1], **common}

    def ours(self, network: Any, swaps: Sequence[str], seed: int) -> list[float]:
        import torch
        from tsimcne.losses.infonce import InfoNCECauchy
        from tsimcne.lrschedule import CosineAnnealingSchedule

        from dimred.data.augmentation import BatchAugmentation
        from dimred.losses import tsimcne_loss

        cauchy = InfoNCECauchy()

        def adapt(trainer: Any) -> None:
            stage, optimizer = trainer.stage, trainer.optimizer
            if "schedule" in swaps:
                rates = CosineAnnealingSchedule(
                    torch.optim.SGD(network.parameters(), stage.base_lr),
                    n_epochs=stage.options.epochs,
                    warmup_epochs=stage.options.warmup_epochs,
                ).lr_schedule.tolist()
                trainer.lr = lambda epoch, step: rates[epoch]
            if "clip" in swaps:
                optimizer.register_step_pre_hook(
                    lambda *_: torch.nn.utils.clip_grad_value_(network.parameters(), 4)
                )

        return trained(
            network,
            (lambda z, _: cauchy(z)) if "loss" in swaps else tsimcne_loss,
            self.augment if "views" in swaps else BatchAugmentation(),
            self.images,
            self.compute,
            self.options,
            seed,
            adapt,
        )

    def theirs(self, network: Any, swaps: Sequence[str], seed: int) -> list[float]:
        import torch
        from lightning.pytorch.callbacks import Callback

        steps: list[Any] = []

        class Losses(Callback):  # type: ignore[misc]
            def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *_: Any) -> None:
                steps.append(outputs["loss"].detach())

        workers = {"persistent_workers": self.options.workers > 0}  # not restarted every epoch
        peer = package(network, self.options, self.options.epochs, dl_kwargs=workers)
        fit(peer, self.pil, Losses())
        return torch.stack(steps).view(self.options.epochs, -1).mean(1).tolist()

    def common_loss(self, network: Any, views: str) -> float:
        """dimred's loss of the network on the common views."""
        import torch

        from dimred.losses import tsimcne_loss

        network.eval()
        losses = []
        with torch.no_grad():
            for inputs in self.common[views]:
                pairs = positive_pairs(len(inputs) // 2, inputs.device)
                inputs = inputs.float().contiguous(memory_format=self.compute.memory_format)
                losses.append(float(tsimcne_loss(network(inputs)[1], pairs)))
        return statistics.mean(losses)


def stored(options: argparse.Namespace, folder: Path) -> Any:
    """Write the training images to `folder`; returns their labels."""
    import numpy as np

    images = training_images(options.root, options.images)
    np.savez(folder / "images.npz", images=images.images.numpy(), mean=images.mean, std=images.std)
    return images.labels.values


def accuracies(folder: Path, labels: Any) -> dict[str, float]:
    """Leave-one-out kNN accuracy in Z and H."""
    import numpy as np

    from dimred.evaluation.knn import majority
    from dimred.evaluation.neighbors import nearest

    values = {}
    with np.load(folder / "embedding.npz") as embedding:
        for space in ("z", "h"):
            winners, _ = majority(labels, nearest(embedding[space], None, K))
            values[f"knn_{space}"] = float(np.mean(winners == labels))
    return values


def fidelity(worker: Worker, options: argparse.Namespace) -> dict[str, Any]:
    """Run all trainings, and print means and standard deviations over the seeds; returns all
    results."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in options.trainings}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = stored(options, folder)
        machine = worker("read", str(folder))
        print(
            f"{options.epochs} epochs, warm-up {options.warmup}, seeds "
            f"{' '.join(map(str, options.seeds))}; on {machine['device']}"
        )
        for seed in options.seeds:
            for training in options.trainings:
                one = worker("train", training, seed)
                one |= {"seed": seed, **accuracies(folder, labels)}
                results[training].append(one)
                numbers = " ".join(f"{key} {one[key]:.4f}" for key in COLUMNS)
                print(f"  seed {seed} {training}: {numbers}", flush=True)
    print_table(results)
    return {"task": "fidelity", "machine": machine, "trainings": results}


def print_table(results: dict[str, list[dict[str, Any]]]) -> None:
    width = max(map(len, results))
    print(f"{'':{width}s} " + " ".join(f"{title:>17s}" for title in COLUMNS.values()))
    for training, seeds in results.items():
        cells = (mean_and_deviation([one[key] for one in seeds]) for key in COLUMNS)
        print(f"{training:{width}s} " + " ".join(f"{cell:>17s}" for cell in cells))
    first, *others = results
    for training in others:
        cells = (
            mean_and_deviation(
                [b[key] - a[key] for a, b in zip(results[first], results[training], strict=True)],
                "+",
            )
            for key in COLUMNS
        )
        print(f"{training} less {first}, seed by seed")
        print(" " * (width + 1) + " ".join(f"{cell:>17s}" for cell in cells))


def mean_and_deviation(values: Sequence[float], sign: str = "") -> str:
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.4f}{deviation}"
