"""Transformations of images that a map can be trained to show or to ignore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dimred.data.free_memory import require_memory
from dimred.data.image_set import Factor, ImageSet, LabelSet

_BLOCK = 4096


class TransformationKind(Enum):
    """A kind of transformation. Values: its name, and the unit of its strength."""

    shift = ("shift", "pixels")
    """To the right by whole pixels."""
    rotation = ("rotation", "degrees")
    """Clockwise about the center."""
    shear = ("shear", "degrees")
    """Along the horizontal axis."""
    blur = ("blur", "pixels")
    """Mean over a square window of this radius."""


@dataclass(frozen=True)
class Transformation:
    """A transformation with its strength; 0 leaves an image unchanged."""

    kind: TransformationKind
    strength: float

    def __str__(self) -> str:
        return f"{self.kind.value[0]} {self.strength:+g}"

    def __call__(self, images: Tensor) -> Tensor:
        """uint8 (n, C, height, width) -> the same shape; areas from outside the image are black."""
        if self.kind is TransformationKind.shift:
            return _shifted(images, int(self.strength))
        if self.kind is TransformationKind.blur:
            return _blurred(images, int(self.strength))
        from torchvision.transforms.v2 import InterpolationMode, functional

        rotation = self.kind is TransformationKind.rotation
        turned: Tensor = functional.affine(
            images,
            angle=self.strength if rotation else 0.0,
            translate=[0, 0],
            scale=1.0,
            shear=[0.0 if rotation else self.strength, 0.0],
            interpolation=InterpolationMode.BILINEAR,
        )
        return turned


def _shifted(images: Tensor, pixels: int) -> Tensor:
    """Images moved to the right; uncovered pixels are black."""
    width = images.shape[-1]
    moved = torch.zeros_like(images)
    if abs(pixels) < width:
        source = images[..., max(-pixels, 0) : width - max(pixels, 0)]
        moved[..., max(pixels, 0) : width - max(-pixels, 0)] = source
    return moved


def _blurred(images: Tensor, radius: int) -> Tensor:
    size = 2 * radius + 1
    mean = F.avg_pool2d(images.float(), size, stride=1, padding=radius)
    return mean.round().to(torch.uint8)


def transformed(images: ImageSet, transformations: Sequence[Transformation]) -> ImageSet:
    """The variants of every image: the image itself and each transformation of it. Variant t of
    image i is sample i * n_variants + t, and variant 0 is the image itself.

    Each kind of transformation becomes a factor (0 for other variants), and the variant becomes the
    extra labels "transformation".
    """
    if not transformations:
        return images
    n_variants = len(transformations) + 1
    what = f"pairing.transformations: {len(images):,} images in {n_variants} variants"
    require_memory(images.images.nbytes * n_variants, what, "set fewer, or dataset.limit")
    pixels = torch.empty((len(images), n_variants, *images.images.shape[1:]), dtype=torch.uint8)
    pixels[:, 0] = images.images
    for number, change in enumerate(transformations, 1):
        for start in range(0, len(images), _BLOCK):
            block = slice(start, start + _BLOCK)
            pixels[block, number] = change(images.images[block])
    # Everything but the pixels, which have been made above.
    bare = replace(images, images=images.images[:, :0])
    samples = bare.take(np.arange(len(images)).repeat(n_variants))
    factors = dict(samples.factors)
    for kind in {change.kind: None for change in transformations}:
        strengths = [0.0, *(c.strength if c.kind is kind else 0.0 for c in transformations)]
        name, unit = kind.value
        factors[name] = Factor(np.tile(np.array(strengths), len(images)), unit)
    which = np.tile(np.arange(n_variants, dtype=np.int64), len(images))
    names = ("none", *map(str, transformations))
    return replace(
        samples,
        images=pixels.flatten(0, 1),
        factors=factors,
        extra_labels={**samples.extra_labels, "transformation": LabelSet(which, names)},
    )
