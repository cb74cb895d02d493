"""Images a second of reading a folder: dimred beside torchvision's ImageFolder.

    python scripts/photographs.py PHOTOS --count 4000 --size 256 256
    python scripts/compare_decoding.py PHOTOS/classes --image-size 224 --pairs 5

Both read all images below the folder of class folders (or, where it has train/ and test/, those of
train/), make the shorter side --image-size pixels, cut the central square, and keep bytes. dimred:
`dataset=image_folder` as a run loads it, with its checks, into one array, by as many threads as
there are cores. torchvision: ImageFolder with Resize, CenterCrop and PILToTensor in a DataLoader
with as many worker processes; its batches of 256 are not kept. Each pair reads with one and then
with the other, in turns which comes first, after one reading that is not counted. Of that of
dimred, the first, the peak of memory above what the program had before is printed, too.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from dimred.config.compose import composed
from dimred.data import image_folder  # noqa: F401  (what it imports is no part of the peak)
from dimred.data.image_set import ImageSet


def main() -> None:
    """Print the rates of each pair and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    args = parser.parse_args()
    train = args.folder / "train"
    folder = train if train.is_dir() else args.folder
    readers: dict[str, Callable[[], int]] = {
        "dimred": lambda: by_dimred(folder, args.image_size),
        "torchvision": lambda: by_torchvision(folder, args.image_size, args.workers),
    }
    print(f"memory to load: {peak_of_loading(folder, args.image_size):.2f} times what is kept")
    counts = {name: read() for name, read in readers.items()}
    assert len(set(counts.values())) == 1, counts
    (count,) = set(counts.values())
    print(f"{count:,} images, {os.cpu_count()} cores, {args.workers} workers", flush=True)
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for pair in range(args.pairs):
        for name in sorted(readers, reverse=pair % 2 == 1):
            began = time.perf_counter()
            readers[name]()
            rates[name].append(count / (time.perf_counter() - began))
        print(*(f"{name} {of[-1]:,.0f} images/s" for name, of in rates.items()), flush=True)
    ratios = [ours / theirs for ours, theirs in zip(*rates.values(), strict=True)]
    print(
        *(f"{name} {statistics.median(of):,.0f} images/s" for name, of in rates.items()),
        f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})",
    )


def loaded(folder: Path, size: int) -> ImageSet:
    """A folder as a run reads it into memory."""
    words = ["dataset=image_folder", "dataset.store=memory", f"dataset.image_size={size}"]
    return composed([*words, f"dataset.root={folder}"]).dataset.load(0)


def by_dimred(folder: Path, size: int) -> int:
    """Read a folder as a run does; returns the number of images."""
    return len(loaded(folder, size))


def peak_of_loading(folder: Path, size: int) -> float:
    """The growth of the peak of memory by the first reading, in sizes of the pixels kept."""
    before = peak_bytes()
    images = loaded(folder, size).images
    return (peak_bytes() - before) / (images.numel() * images.element_size())


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # KiB on Linux


def by_torchvision(folder: Path, size: int, workers: int) -> int:
    """Read a folder by torchvision; returns the number of images."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    prepare = Compose([Resize(size), CenterCrop(size), PILToTensor()])
    loader = DataLoader(ImageFolder(str(folder), prepare), batch_size=256, num_workers=workers)
    return sum(len(images) for images, _ in loader)


if __name__ == "__main__":
    main()
