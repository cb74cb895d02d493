"""Small image sets of the kinds that microscopes and other instruments write: made, not real.

    python scripts/odd_images.py OUT [--count 300]

Writes with a fixed seed, where OUT does not exist:

- OUT/ramp12/: ramps of a 12-bit camera, 0 to 4095 in TIFF of 16 bits, across or down
- OUT/five/: spots in five channels, OME-TIFF of 16 bits; the first two channels show the
  same spots (together/) or others (apart/)
- OUT/five.npy: the same spots as an array, uint16 (count, 5, 32, 32)
- OUT/heights/: rough or smooth surfaces, TIFF of float32, about half of it below zero
- OUT/mixed/: 40 OME-TIFFs as in five/, and what else lies in folders: gray, RGB, of 20 channels,
  of several pages, broken, and no image at all
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

SIDE = 32  # pixels; ramps have 64, so that each of the 4,096 values is there
_RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def main() -> None:
    """Write all sets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=300, help="images of each set")
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    random = np.random.default_rng(0)
    write_ramps(args.out / "ramp12", args.count)
    write_five(args.out, args.count, random)
    write_heights(args.out / "heights", args.count, random)
    write_mixed(args.out / "mixed", random)
    print(f"{args.out}: ramp12, five, five.npy, heights of {args.count} images each; mixed")


def write_ramps(out: Path, count: int) -> None:
    """Ramps of all 4,096 values, each of which begins elsewhere: across, or down."""
    for i in range(count):
        ramp = np.roll(_RAMP, i * _RAMP.size // count)
        write(out / ("across", "down")[i % 2] / f"{i:03}.tif", ramp if i % 2 else ramp.T)


def spots(random: np.random.Generator, count: int = 4) -> NDArray[np.float64]:
    """A channel of bright spots on a dim ground, of values from about 100 to 500 or more."""
    low, high = np.array([(4, 28), (4, 28), (1.5, 3), (150, 400)]).T[..., None]
    y, x, radius, light = random.uniform(low, high, (4, count))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distances = (rows[..., None] - y) ** 2 + (columns[..., None] - x) ** 2
    return 100 + (light * np.exp(-distances / 2 / radius**2)).sum(-1)


def cell(is_together: bool, random: np.random.Generator) -> NDArray[np.uint16]:
    """Five channels of spots and noise, (5, 32, 32); the first two alike or not."""
    channels = np.stack([spots(random) for _ in range(5)])
    if is_together:
        channels[1] = channels[0]
    return random.poisson(channels).astype(np.uint16)


def write_five(out: Path, count: int, random: np.random.Generator) -> None:
    """The folder of OME-TIFFs, and the array of the same images."""
    cells = [cell(i % 2 == 0, random) for i in range(count)]
    for i, image in enumerate(cells):
        write(out / "five" / ("together", "apart")[i % 2] / f"{i:03}.ome.tif", image, "CYX")
    np.save(out / "five.npy", np.stack(cells))


def write_heights(out: Path, count: int, random: np.random.Generator) -> None:
    """Noise below a cutoff in frequency, of mean 0 and standard deviation 1."""
    frequencies = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    for i in range(count):
        spectrum = np.fft.rfft2(random.normal(size=(SIDE, SIDE)))
        cutoff = (0.1, 0.3)[i % 2]  # cycles a pixel
        surface = np.fft.irfft2(spectrum * np.exp(-((frequencies / cutoff) ** 2)))
        surface = (surface - surface.mean()) / surface.std()
        write(out / ("smooth", "rough")[i % 2] / f"{i:03}.tif", surface.astype(np.float32))


def write_mixed(out: Path, random: np.random.Generator) -> None:
    """Five channels mostly, and one file of each of several other kinds."""
    for i in range(40):
        write(out / f"{i:03}.ome.tif", cell(i % 2 == 0, random), "CYX")
    write(out / "gray.tif", random.integers(0, 256, (SIDE, SIDE), np.uint8))
    color = random.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    tifffile.imwrite(out / "rgb.tif", color, photometric="rgb")
    write(out / "many.tif", random.integers(0, 256, (20, SIDE, SIDE), np.uint8), "CYX")
    write(out / "stack.tif", random.integers(0, 4096, (4, SIDE, SIDE), np.uint16), "ZYX")
    (out / "broken.tif").write_bytes(b"II*\0nothing")
    (out / "notes.txt").write_text("No image.\n")


def write(file: Path, image: NDArray[np.generic], axes: str = "YX") -> None:
    """A TIFF whose axes have these names; OME-TIFF by its file name."""
    file.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(file, image, photometric="minisblack", metadata={"axes": axes})


if __name__ == "__main__":
    main()
