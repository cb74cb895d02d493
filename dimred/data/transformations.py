"""Known transformations of images: what a map can be asked to show, or to ignore."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dimred.data.image_set import Factor, ImageSet, LabelSet

_BLOCK = 4096


class TransformationKind(Enum):
    """What is done to an image; the strength's unit is the second of the values."""

    shift = ("shift", "pixels")
    """To the right by whole pixels."""
    rotation = ("rotation", "degrees")
    """Clockwise about the center."""
    shear = ("shear", "degrees")
    """Along the horizontal axis."""
    blur = ("blur", "pixels")
    """The mean of the square of this radius."""


@dataclass(frozen=True)
class Transformation:
    """A transformation of a strength; 0 leaves an image as it is."""

    kind: TransformationKind
    strength: float

    def __str__(self) -> str:
        return f"{self.kind.value[0]} {self.strength:+g}"

    def __call__(self, images: Tensor) -> Tensor:
        """Images (n, C, height, width), uint8 -> the same; what comes in from outside is black."""
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
    """Moved to the right; black comes in."""
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
    """Every image, itself and in each transformation: image i in transformation t at i * T + t.

    T counts the untransformed image, which comes first. Each kind becomes a factor (0 for images
    that are not of it), and the transformation becomes the extra labels "transformation".
    """
    if not transformations:
        return images
    count = len(transformations) + 1
    pixels = torch.empty((len(images), count, *images.images.shape[1:]), dtype=torch.uint8)
    pixels[:, 0] = images.images
    for number, change in enumerate(transformations, 1):
        for start in range(0, len(images), _BLOCK):
            block = slice(start, start + _BLOCK)
            pixels[block, number] = change(images.images[block])
    # Everything but the pixels, which are there already.
    bare = replace(images, images=images.images[:, :0])
    items = bare.take(np.arange(len(images)).repeat(count))
    factors = dict(items.factors)
    for kind in {change.kind: None for change in transformations}:
        strengths = [0.0, *(c.strength if c.kind is kind else 0.0 for c in transformations)]
        name, unit = kind.value
        factors[name] = Factor(np.tile(np.array(strengths), len(images)), unit)
    which = np.tile(np.arange(count, dtype=np.int64), len(images))
    names = ("none", *map(str, transformations))
    return replace(
        items,
        images=pixels.flatten(0, 1),
        factors=factors,
        extra_labels={**items.extra_labels, "transformation": LabelSet(which, names)},
    )
