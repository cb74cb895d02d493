"""Photographs to try `dimred map` on: crops of 18 pictures that scikit-image, scikit-learn and
Matplotlib bring along.

    pip install scikit-image
    python scripts/photographs.py OUT --count 2000

Writes OUT/flat/ (all files in one folder) and OUT/classes/ (the same, a folder for each picture):
JPEG files of --size (640x480), each a random crop with other brightness, contrast and color, some
mirrored, some classes up to four times as large as others. An equal count gives equal files.
"""

from __future__ import annotations

import argparse
import random
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

_PICTURES = {
    "skimage.data": {
        "astronaut": "astronaut.png",
        "brick": "brick.png",
        "camera": "camera.png",
        "cat": "chelsea.png",
        "coffee": "coffee.png",
        "coins": "coins.png",
        "grass": "grass.png",
        "gravel": "gravel.png",
        "galaxies": "hubble_deep_field.jpg",
        "tissue": "ihc.png",
        "moon": "moon.png",
        "motorcycle": "motorcycle_left.png",
        "retina": "retina.jpg",
        "rocket": "rocket.jpg",
        "page": "page.png",
    },
    "sklearn.datasets": {"china": "images/china.jpg", "flower": "images/flower.jpg"},
    "matplotlib": {"hopper": "mpl-data/sample_data/grace_hopper.jpg"},
}
_CHANGES = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def main() -> None:
    """Write the photographs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480))
    args = parser.parse_args()
    pictures = {
        name: Image.open(str(files(package) / file)).convert("RGB")
        for package, names in _PICTURES.items()
        for name, file in names.items()
    }
    rng = random.Random(args.count)
    weights = [rng.uniform(0.5, 2) for _ in pictures]
    (args.out / "flat").mkdir(parents=True)
    for number, name in enumerate(rng.choices(list(pictures), weights, k=args.count)):
        file = f"{name}_{number:04d}.jpg"
        photograph(pictures[name], rng, args.size).save(args.out / "flat" / file, quality=85)
        (args.out / "classes" / name).mkdir(parents=True, exist_ok=True)
        (args.out / "classes" / name / file).hardlink_to(args.out / "flat" / file)


def photograph(
    picture: Image.Image, rng: random.Random, size: tuple[int, int] = (640, 480)
) -> Image.Image:
    """A random crop of a picture, 40 to 90 % of its height, otherwise lit. size: width, height."""
    width, height = picture.size
    crop_height = rng.uniform(0.4, 0.9) * min(height, width * size[1] / size[0])
    crop_width = crop_height * size[0] / size[1]
    x, y = rng.uniform(0, width - crop_width), rng.uniform(0, height - crop_height)
    box = (x, y, x + crop_width, y + crop_height)
    crop = picture.resize(size, Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        crop = ImageOps.mirror(crop)
    for change in _CHANGES:
        crop = change(crop).enhance(rng.uniform(0.6, 1.4))
    return crop


if __name__ == "__main__":
    main()
