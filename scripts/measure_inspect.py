"""Recall and precision of near-duplicates in `dimred inspect`, for copies planted in a run.

    python scripts/measure_inspect.py RUN --images 10000 --planted 200 --natural natural.png

Draws --images of the run's images, adds copies of some, embeds all by the run's encoder and
searches near-duplicates as the command does. Recall is the share of copies that are found in a
group with their source. There are also groups of a source and 12 copies, each altered in one of the
ways below; their recall is the share of pairs that are found in one group.

Pairs that are not copies of each other are either duplicates in the data or errors. The sheet shows
them, the most certain first. Precision is the share of correct pairs, in two versions: strict,
where duplicates in the data count as errors; and among pairs with a copy, where a pair of a copy
with another image is correct if that image and the copy's source are also a pair.

Copies: exact; moved by 1 to 3 pixels, edges repeated; JPEG of quality 75; moved, then JPEG;
brightness (gain 0.7 to 1.3, offset of at most 20 gray levels); noise of 5 gray levels.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dimred.data.image_set import ImageSet
from dimred.evaluation.near_duplicates import NearDuplicates, near_duplicates
from dimred.plots.sheets import Picture, Tile, sheet
from dimred.plots.style import to_png
from dimred.run_folder.finished import FinishedRun

Pixels = NDArray[np.uint8]
Rows = NDArray[np.int64]

MAX_SHOWN = 60
COPIES_IN_GROUP = 12


def moved(image: Pixels, random: np.random.Generator) -> Pixels:
    """The image moved by 1 to 3 pixels along one axis and at most as many along the other."""
    far = int(random.integers(1, 4))
    down, right = random.permutation([far * random.choice([-1, 1]), random.integers(-far, far + 1)])
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (3, 3), (3, 3)), mode="edge")
    return padded[:, 3 - down : 3 - down + height, 3 - right : 3 - right + width]


def compressed(image: Pixels, random: np.random.Generator) -> Pixels:
    """The image after JPEG compression of quality 75."""
    file = io.BytesIO()
    pixels = image[0] if len(image) == 1 else np.ascontiguousarray(np.moveaxis(image, 0, 2))
    Image.fromarray(pixels).save(file, "JPEG", quality=75)
    read = np.asarray(Image.open(file))
    return read[None] if read.ndim == 2 else np.moveaxis(read, 2, 0)


def brightened(image: Pixels, random: np.random.Generator) -> Pixels:
    """The image with a gain of 0.7 to 1.3 and an offset of -20 to 20 gray levels."""
    return as_pixels(image * random.uniform(0.7, 1.3) + random.uniform(-20, 20))


def noisy(image: Pixels, random: np.random.Generator) -> Pixels:
    """The image with normal noise of 5 gray levels."""
    return as_pixels(image + random.normal(0, 5, image.shape))


def as_pixels(values: NDArray[np.float64]) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


KINDS: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "exact": lambda image, random: image,
    "moved": moved,
    "jpeg": compressed,
    "moved+jpeg": lambda image, random: compressed(moved(image, random), random),
    "brightness": brightened,
    "noise": noisy,
}


@dataclass(frozen=True)
class Planted:
    """n images followed by copies.

    source: position of each image's source; its own for images that are no copies.
    copies: positions of the copies, by kind.
    groups: positions of each group, the source first.
    """

    images: ImageSet
    n: int
    source: Rows
    copies: dict[str, Rows]
    groups: list[Rows]


def planted(images: ImageSet, count: int, groups: int, random: np.random.Generator) -> Planted:
    """The images with `count` copies of each kind, and this many groups."""
    pixels, n = images.images.numpy(), len(images)
    sources = [random.choice(n, count, replace=False) for _ in KINDS]
    copies = [
        make(pixels[i], random)
        for make, of_kind in zip(KINDS.values(), sources, strict=True)
        for i in of_kind
    ]
    positions = np.split(np.arange(n, n + len(copies)), len(KINDS))
    altered = [make for kind, make in KINDS.items() if kind != "exact"]
    members = []
    for i in random.choice(n, groups, replace=False):
        start = n + len(copies)
        ways = random.integers(len(altered), size=COPIES_IN_GROUP)
        copies += [altered[way](pixels[i], random) for way in ways]
        sources.append(np.full(len(ways), i))
        members.append(np.concatenate([[i], np.arange(start, start + len(ways))]))
    source = np.concatenate([np.arange(n), *sources])
    all_pixels = torch.from_numpy(np.concatenate([pixels, np.stack(copies)]))
    extended = replace(images.take(source), images=all_pixels)
    return Planted(extended, n, source, dict(zip(KINDS, positions, strict=True)), members)


def report(duplicates: NearDuplicates, truth: Planted) -> NDArray[np.bool_]:
    """Print recall and precision; returns, for each pair found, whether it was not planted."""
    n, source = truth.n, truth.source
    group = -np.arange(1, len(source) + 1)  # images in no group get distinct numbers
    for number, members in enumerate(duplicates.members):
        group[members] = number
    for kind, copies in truth.copies.items():
        hits = int((group[copies] == group[source[copies]]).sum())
        print(f"recall {kind:<12} {hits / len(copies):.3f}  ({hits} of {len(copies)})")
    together = [np.triu(group[g][:, None] == group[g], k=1).sum() for g in truth.groups]
    of_groups = len(truth.groups) * (COPIES_IN_GROUP + 1) * COPIES_IN_GROUP // 2
    if of_groups:
        hits = int(sum(together))
        print(f"recall {'in groups':<12} {hits / of_groups:.3f}  ({hits} of {of_groups} pairs)")
    of = np.sort(source[duplicates.pairs], axis=1)
    right = of[:, 0] == of[:, 1]
    before = {tuple(pair) for pair in of[~right & (duplicates.pairs < n).all(axis=1)].tolist()}
    has_copy = (duplicates.pairs >= n).any(axis=1)
    known = np.array([tuple(pair) in before for pair in of.tolist()], dtype=bool)
    good = has_copy & (right | known)
    print(f"pairs  {len(duplicates)}, {has_copy.sum()} with a copy; {len(before)} of originals")
    print(f"precision strict            {right.mean():.4f}  ({right.sum()} of {len(duplicates)})")
    print(f"precision of those of copies {good.sum() / has_copy.sum():.4f}", end="")
    print(f"  ({good.sum()} of {has_copy.sum()}; {(has_copy & ~right & ~known).sum()} wrong)")
    return ~right


def draw(
    duplicates: NearDuplicates, chosen: Rows, images: ImageSet, title: str, path: Path
) -> None:
    """Write the sheet of these pairs."""
    labels = images.labels

    def picture(i: int) -> Picture:
        named = (labels.names[labels.values[i]],) if labels else ()
        return Picture(images.images[i].numpy(), (str(images.index[i]), *named))

    tiles = [
        Tile(
            tuple(picture(int(i)) for i in duplicates.pairs[p]), f"ratio {duplicates.ratio[p]:.2f}"
        )
        for p in chosen
    ]
    path.write_bytes(to_png(sheet(tiles, 6, title, "pairs that were not planted")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--root", help="the data, where they have moved")
    parser.add_argument("--images", type=int, default=10_000, help="images to draw from the run")
    parser.add_argument("--planted", type=int, default=200, help="copies of each kind")
    parser.add_argument("--groups", type=int, default=10, help="groups of a source and 12 copies")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--natural", type=Path, help="PNG file of the pairs that were not planted")
    options = parser.parse_args()
    run = FinishedRun(options.run, options.root)
    random = np.random.default_rng(options.seed)
    images = run.images()
    n = min(options.images, len(images))
    drawn = images.take(np.sort(random.choice(len(images), n, replace=False)))
    count = min(options.planted, n)
    truth = planted(drawn, count, min(options.groups, n), random)
    compute = run.compute()
    h, _ = run.embed(truth.images, compute)
    began = time.monotonic()
    duplicates = near_duplicates(truth.images.images, h, compute.device)
    seconds = time.monotonic() - began
    threads = torch.get_num_threads()
    print(f"{run.record.data}: {n:,} images, {count} copies of each kind", end="")
    print(f", {len(truth.groups)} groups, seed {options.seed}")
    print(f"searched in {seconds:.0f} s ({compute.device}, {threads} threads)")
    others = np.flatnonzero(report(duplicates, truth))
    shown = others[np.linspace(0, len(others) - 1, min(len(others), MAX_SHOWN)).astype(np.int64)]
    if options.natural and len(shown):
        draw(duplicates, shown, truth.images, run.record.data, options.natural)


if __name__ == "__main__":
    main()
