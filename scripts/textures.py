"""Many gray images of textures, to try large sets with: made, not real.

    python scripts/textures.py OUT --count 200000 --side 224 [--kind npy|jpeg|png]

Writes OUT.npy, uint8 (count, side, side), and OUT.labels.npy, int64 (count,), or a folder OUT with
a folder of files for each class. 200,000 images of 224 pixels take 10 GB as .npy. An image is the
weighted sum of two crops of its class's field, which is band-passed noise of an orientation and a
scale; no two of the same class are alike. The same seed makes the same images, whatever the number
of processes.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

CLASSES = 20
_FIELD = 1024  # side in pixels
_BLOCK = 1_000  # images made at a time, from a seed of their own


@cache
def field(kind: int, seed: int) -> NDArray[np.int16]:
    """Band-passed noise of mean 0 and standard deviation 128, (1024, 1024), of a class."""
    noise = np.random.default_rng([seed, kind]).normal(size=(_FIELD, _FIELD))
    y, x = np.meshgrid(np.fft.fftfreq(_FIELD), np.fft.rfftfreq(_FIELD), indexing="ij")
    angle, scale = np.pi * (kind % 5) / 5, 0.02 * 2 ** (kind // 5)  # cycles a pixel
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    band = np.exp(-((np.abs(along) - scale) ** 2 + across**2) / (0.4 * scale) ** 2)
    made = np.fft.irfft2(np.fft.rfft2(noise) * band, s=noise.shape)
    return np.rint(made / made.std() * 128).clip(-(2**15), 2**15 - 1).astype(np.int16)


def block(
    number: int, count: int, side: int, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The images of a block, uint8 (count, side, side), and their classes (count,)."""
    random = np.random.default_rng([seed, CLASSES, number])
    kinds = random.integers(CLASSES, size=count)
    corners = random.integers(_FIELD - side, size=(count, 4))
    shares, light = random.uniform(0, np.pi, count), random.integers(100, 156, count)
    images = np.empty((count, side, side), np.uint8)
    for i, (kind, (a, b, c, d)) in enumerate(zip(kinds, corners, strict=True)):
        of = field(int(kind), seed)
        weights = (np.array([np.cos(shares[i]), np.sin(shares[i])]) * 64).astype(np.int16)
        made = of[a : a + side, b : b + side] // 4 * weights[0] // 32
        made += of[c : c + side, d : d + side] // 4 * weights[1] // 32
        images[i] = (made + light[i]).clip(0, 255)
    return images, kinds


def into_array(number: int, out: Path, count: int, side: int, seed: int) -> NDArray[np.int64]:
    """Write a block into OUT.npy, which is there; returns its classes."""
    first, stop = number * _BLOCK, min((number + 1) * _BLOCK, count)
    whole = np.lib.format.open_memmap(out.with_suffix(".npy"), "r+")
    whole[first:stop], kinds = block(number, stop - first, side, seed)
    return kinds


def into_files(number: int, out: Path, count: int, side: int, seed: int, kind: str) -> None:
    """Write a block as files."""
    first, stop = number * _BLOCK, min((number + 1) * _BLOCK, count)
    images, kinds = block(number, stop - first, side, seed)
    for i, (image, of) in enumerate(zip(images, kinds, strict=True), start=first):
        Image.fromarray(image).save(out / f"class{of:02d}" / f"{i:07d}.{kind}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=("npy", "jpeg", "png"), default="npy")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    args = parser.parse_args()
    out, count, side = args.out, args.count, args.side
    given = {"out": out, "count": count, "side": side, "seed": args.seed}
    if args.kind == "npy":
        shape = (count, side, side)
        np.lib.format.open_memmap(out.with_suffix(".npy"), "w+", np.uint8, shape)
        work = partial(into_array, **given)
    else:
        for kind in range(CLASSES):
            (out / f"class{kind:02d}").mkdir(parents=True, exist_ok=True)
        work = partial(into_files, **given, kind=args.kind)
    with ProcessPoolExecutor(args.processes) as pool:
        kinds = list(pool.map(work, range(-(-count // _BLOCK))))
    if args.kind == "npy":
        np.save(out.with_suffix(".labels.npy"), np.concatenate(kinds))


if __name__ == "__main__":
    main()
