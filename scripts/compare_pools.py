"""Images that `compare_campaign.py` draws from: as they are and altered, in pixels, H and Z.

A pool is a folder of .npz files with `images`, uint8 (N, C, H, W), and `h` and `z` by the encoder
of a run: clean.npz, which has `labels` (N,) as well, and for each alteration a file of its name,
of the first images of clean.npz. Where the set has enough of them, the run did not learn from
these images.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from dimred.run_folder.finished import FinishedRun

Pixels = NDArray[np.uint8]
Alteration = Callable[[Pixels, np.random.Generator], Pixels]
SPACES = ("pixels", "h", "z")
CLEAN, COPY = "clean", "noise 10"


def as_pixels(values: NDArray[np.floating[Any]]) -> Pixels:
    """Values rounded to pixels."""
    pixels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return pixels


def shifted(by: int) -> Alteration:
    """Moved to the right, the left edge repeated."""

    def altered(images: Pixels, random: np.random.Generator) -> Pixels:
        padded = np.pad(images, ((0, 0), (0, 0), (0, 0), (by, 0)), mode="edge")
        return padded[..., : images.shape[-1]]

    return altered


def noisy(levels: float) -> Alteration:
    """With normal noise of this deviation."""
    return lambda images, random: as_pixels(images + random.normal(0, levels, images.shape))


def times(factor: float, around: float = 0) -> Alteration:
    """With the difference from a gray level multiplied."""
    return lambda images, random: as_pixels(around + factor * (images.astype(float) - around))


def blurred(sigma: float) -> Alteration:
    """With a Gaussian blur of this deviation in pixels."""
    return lambda images, random: as_pixels(
        ndimage.gaussian_filter(images.astype(np.float32), (0, 0, sigma, sigma), mode="nearest")
    )


def rotated(degrees: float) -> Alteration:
    """Rotated about the center, edges repeated."""
    return lambda images, random: as_pixels(
        ndimage.rotate(
            images.astype(np.float32), degrees, (2, 3), reshape=False, order=1, mode="nearest"
        )
    )


def by_pillow(change: Callable[[Image.Image], Image.Image]) -> Alteration:
    """Each image changed as a picture of Pillow."""

    def altered(images: Pixels, random: np.random.Generator) -> Pixels:
        pictures = (Image.fromarray(i[0] if len(i) == 1 else np.moveaxis(i, 0, 2)) for i in images)
        values = np.stack([np.asarray(change(picture)) for picture in pictures])
        return values[:, None] if values.ndim == 3 else np.moveaxis(values, 3, 1)

    return altered


def jpeg(quality: int) -> Alteration:
    """After JPEG compression."""

    def change(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return by_pillow(change)


def zoomed(factor: float) -> Alteration:
    """Magnified about the center."""

    def change(picture: Image.Image) -> Image.Image:
        side = picture.width / factor
        at = (picture.width - side) / 2
        box = (at, at, at + side, at + side)
        return picture.resize(picture.size, Image.Resampling.BILINEAR, box=box)

    return by_pillow(change)


def less_colored(share: float) -> Alteration:
    """With this share of the difference from gray."""

    def altered(images: Pixels, random: np.random.Generator) -> Pixels:
        gray = images.mean(axis=1, keepdims=True)
        return as_pixels(gray + share * (images - gray))

    return altered


def flipped(images: Pixels, random: np.random.Generator) -> Pixels:
    """Left and right swapped."""
    return images[..., ::-1].copy()


ALTERATIONS: dict[str, Alteration] = {
    "shift 1": shifted(1),
    "shift 2": shifted(2),
    "rotation 5": rotated(5),
    "values x 0.9": times(0.9),
    "noise 5": noisy(5),
    COPY: noisy(10),
    "noise 20": noisy(20),
    "contrast x 0.9": times(0.9, around=128),
    "blur 0.5": blurred(0.5),
    "JPEG 50": jpeg(50),
    "zoom 1.1": zoomed(1.1),
    "zoom 1.3": zoomed(1.3),
    "flip": flipped,
    "color x 0.7": less_colored(0.7),
}
GRAY: tuple[str, ...] = (
    "shift 1",
    "shift 2",
    "rotation 5",
    "values x 0.9",
    "noise 5",
    COPY,
    "noise 20",
)
COLOR: tuple[str, ...] = (
    *GRAY[:-1],
    "contrast x 0.9",
    "blur 0.5",
    "JPEG 50",
    "zoom 1.1",
    "zoom 1.3",
    "flip",
)
COLOR += ("color x 0.7",)


def make_pool(folder: Path, run: str, root: str | None, size: int, altered: int) -> None:
    """Write the files of a pool that are missing. size: images. altered: those altered."""
    folder.mkdir(parents=True, exist_ok=True)
    finished = FinishedRun(Path(run), root)
    compute = finished.compute()
    encoder = finished.encoder().eval().to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def write(name: str, images: Pixels, **more: Any) -> None:
        parts = []
        for part in torch.split(torch.from_numpy(images), 256):
            # bf16 is thrice as fast on CPUs that have it; it rounds all images alike.
            with torch.autocast(compute.device.type, torch.bfloat16):
                batch = part.to(compute.device).float().div(255)
                parts.append(encoder(batch.contiguous(memory_format=torch.channels_last)))
        h, z = (torch.cat(part).float().cpu().numpy() for part in zip(*parts, strict=True))
        np.savez(folder / f"{name}.npz", images=images, h=h, z=z, **more)
        print(f"{folder.name}: {name}, {len(images)} images", flush=True)

    if not (folder / f"{CLEAN}.npz").exists():
        options: dict[str, Any] = {"limit": None}
        found = replace(finished.config.dataset, **options).load(finished.config.seed)
        assert found.labels is not None
        unseen = np.setdiff1d(np.arange(len(found)), finished.map.index)
        rows = unseen if len(unseen) >= size else np.arange(len(found))
        print(f"{folder.name}: {len(unseen)} images not learned from", flush=True)
        rows = np.random.default_rng(0).permutation(rows)[:size]
        write(CLEAN, found.images.numpy()[rows], labels=found.labels.values[rows])
    clean = loaded(folder, CLEAN)["images"]
    for name in GRAY if clean.shape[1] == 1 else COLOR:
        if not (folder / f"{name}.npz").exists():
            random = np.random.default_rng(list(name.encode()))
            write(name, ALTERATIONS[name](clean[:altered], random))


@cache
def loaded(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of one file of a pool."""
    with np.load(folder / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}
