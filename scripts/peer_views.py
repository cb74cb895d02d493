"""Compares dimred's augmentation with torchvision's on PIL images (tsimcne's), step by step.

    python scripts/peer_views.py --root FOLDER

Random parameters are drawn once per image and applied by both. Prints, for each way of making
views: the mean absolute difference from dimred's; mean, contrast and sharpness; the distance
between two views of an image, divided by that between images; and the loss of a small network,
trained with dimred's views, minus its loss on dimred's views (mean and standard error over the
batches). The last line is the standard deviation of the loss between passes over the images.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from peer import ROOT, encoder, positive_pairs, trained, training_images


def pil_crops(images: Any, drawn: Any) -> Any:
    """Crops and flips of uint8 images (n, 3, height, width), uint8."""
    import torch
    from PIL import Image
    from torchvision.transforms import functional

    views = []
    for number, pixels in enumerate(images.permute(0, 2, 3, 1).numpy()):
        top, left, height, width = map(int, drawn.crop[number].tolist())
        size = list(images.shape[2:])
        view = functional.resized_crop(Image.fromarray(pixels), top, left, height, width, size)
        if drawn.flip[number]:
            view = functional.hflip(view)
        views.append(functional.pil_to_tensor(view))
    return torch.stack(views)


def pil_colors(images: Any, drawn: Any, places: list[int]) -> Any:
    """Color jitter and grayscale of uint8 images, float32 in [0, 1].

    places: number of the steps brightness, contrast and saturation before hue, for each image.
    """
    import torch
    from PIL import Image
    from torchvision.transforms import functional

    views = []
    for number, pixels in enumerate(images.permute(0, 2, 3, 1).numpy()):
        view = Image.fromarray(pixels)
        steps = drawn.order[number].tolist()
        steps.insert(places[number], None)
        for step in steps if (drawn.factors[number] != 1).any() else []:
            if step is None:
                view = functional.adjust_hue(view, drawn.hue[number].item())
            else:
                adjust = getattr(functional, f"adjust_{drawn.blends[step]}")
                view = adjust(view, drawn.factors[number, step].item())
        if drawn.grayscale[number]:
            view = functional.rgb_to_grayscale(view, 3)
        views.append(functional.to_tensor(view))
    return torch.stack(views)


def ways(augment: Any, places: list[int]) -> dict[str, Callable[[Any, Any], Any]]:
    """Ways of making views from uint8 images and drawn parameters, by name."""
    last = [3] * len(places)

    def ours(images: Any, drawn: Any) -> Any:
        return augment._apply(images, drawn, None)

    def our_crops(images: Any, drawn: Any) -> Any:
        crops = ours(images, replace(drawn, blends=(), hue=None, grayscale=None))
        return crops.mul_(255).round_().byte()

    return {
        "dimred": ours,
        "crop by PIL": lambda images, drawn: ours(
            pil_crops(images, drawn), replace(drawn, crop=None, flip=None)
        ),
        "hue in PIL's steps": lambda images, drawn: ours(
            images, replace(drawn, hue=(drawn.hue * 255).trunc() / 256)
        ),
        "color by PIL, hue last": lambda images, drawn: pil_colors(
            our_crops(images, drawn), drawn, last
        ),
        "color by PIL, hue anywhere": lambda images, drawn: pil_colors(
            our_crops(images, drawn), drawn, places
        ),
        "all by PIL, as torchvision": lambda images, drawn: pil_colors(
            pil_crops(images, drawn), drawn, places
        ),
    }


def described(views: Any, reference: Any) -> dict[str, float]:
    """Statistics of a batch of views, in which rows i and i + b are of the same image."""
    import torch

    luma = (views * torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1)
    inside = luma[:, 1:-1, 1:-1]
    around = luma[:, :-2, 1:-1] + luma[:, 2:, 1:-1] + luma[:, 1:-1, :-2] + luma[:, 1:-1, 2:]
    first, second = views.chunk(2)

    def distance(a: Any, b: Any) -> float:
        return float((a - b).square().mean((1, 2, 3)).sqrt().mean())

    return {
        "apart": 255 * float((views - reference).abs().mean()),
        "mean": float(views.mean()),
        "contrast": float(luma.std((1, 2)).mean()),
        "sharpness": float((4 * inside - around).square().mean((1, 2)).sqrt().mean()),
        "distance": distance(first, second) / distance(first, second.roll(1, 0)),
    }


def main() -> None:
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, required=True, help="class folders")
    parser.add_argument("--images", type=int, default=3840)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=10, help="training epochs of the network")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--rounds", type=int, default=4, help="passes over the images")
    options = parser.parse_args()
    options.model, options.warmup = "convnet", 0

    import torch

    from dimred.data.augmentation import BatchAugmentation
    from dimred.data.resident import ResidentImages
    from dimred.losses import tsimcne_loss
    from dimred.training.compute import Compute

    compute = Compute(torch.device("cpu"))
    data = training_images(options.root, options.images)
    augment = BatchAugmentation()
    torch.manual_seed(0)
    network = encoder(options, data.mean, data.std)
    resident = ResidentImages(data.images, compute.device, 0.5)
    epochs = trained(network, tsimcne_loss, augment, resident, compute, options)
    network.eval()
    print(f"convnet {options.widths}, {options.epochs} epochs of {options.images} images")
    print(f"loss of the last epoch {epochs[-1]:.4f}", flush=True)

    generator = torch.Generator().manual_seed(1)
    places = torch.randint(4, (2 * options.batch,), generator=generator).tolist()
    numbers: dict[str, list[dict[str, float]]] = {}
    for _ in range(options.rounds):
        order = torch.randperm(options.images, generator=generator)
        for part in order.split(options.batch):
            images = torch.cat((data.images[part],) * 2)
            drawn = augment.draw(images, generator)
            pairs = positive_pairs(len(part), compute.device)
            reference = None
            for name, make in ways(augment, places).items():
                views = make(images, drawn)
                reference = views if reference is None else reference
                with torch.no_grad():
                    loss = float(tsimcne_loss(network(views)[1], pairs))
                one = {"loss": loss, **described(views, reference)}
                numbers.setdefault(name, []).append(one)
    report(numbers, options.rounds)


def report(numbers: dict[str, list[dict[str, float]]], rounds: int) -> None:
    ours = numbers["dimred"]
    print(
        f"{'':28s} {'loss':>7s} {'difference':>18s} {'apart, /255':>12s} {'mean':>8s} "
        f"{'contrast':>9s} {'sharpness':>9s} {'distance':>9s}"
    )
    for name, batches in numbers.items():
        differences = [b["loss"] - a["loss"] for a, b in zip(ours, batches, strict=True)]
        error = statistics.stdev(differences) / len(differences) ** 0.5
        means = {key: statistics.mean(one[key] for one in batches) for key in batches[0]}
        print(
            f"{name:28s} {means['loss']:7.4f} {statistics.mean(differences):+9.5f} ± {error:.5f} "
            f"{means['apart']:12.3f} {means['mean']:8.4f} {means['contrast']:9.4f} "
            f"{means['sharpness']:9.4f} {means['distance']:9.4f}"
        )
    steps = len(ours) // rounds
    passes = [
        statistics.mean(one["loss"] for one in ours[start : start + steps])
        for start in range(0, len(ours), steps)
    ]
    print(
        f"loss of a pass over the images, dimred: {statistics.mean(passes):.4f} ± "
        f"{statistics.stdev(passes):.4f} over {rounds} passes"
    )


if __name__ == "__main__":
    main()
