"""Random parameters of augmentations, drawn for each image of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from dimred.data.augmentation_options import AugmentationOptions

BLENDS = ("brightness", "contrast", "saturation")
# Zhong et al. 2020, section 4: r1 and its inverse.
ERASE_RATIO = (0.3, 1 / 0.3)
_TRIES = 10  # torchvision's, for a box that fits

_Uniform = Callable[..., Tensor]  # (low, high, *columns) -> float32 (B, *columns)


@dataclass(frozen=True)
class Parameters:
    """Augmentation parameters of B images; None for operations that are switched off.

    turns: int64 (B,), quarter turns counter-clockwise, 0 to 3.
    crop: float32 (B, 4): top, left, height and width of the box, in whole pixels.
    flip, vertical_flip, grayscale: bool (B,), whether the operation is applied.
    affine: float32 (B, 5): angle in degrees, shift in x and y in pixels, shear along x in degrees,
        and zoom, all about the image's center and with the signs of torchvision's `affine`.
    blends: the n of brightness, contrast and saturation that are switched on.
    factors: float32 (B, n, c), one for each of `blends`, c = 1 for all channels together or C for
        each of its own; 1 leaves the image unchanged.
    order: int64 (B, n); order[i, k] is the position in `blends` of the k-th blend of image i.
    hue: float32 (B,), shift in turns of the color circle.
    sigma: float32 (B,), deviation of the blur in pixels; 0 leaves the image unchanged.
    erased: float32 (B, 4), a box as of `crop`; empty leaves the image unchanged.
    dropped: bool (B, C), the channels without content.
    """

    turns: Tensor | None
    crop: Tensor | None
    flip: Tensor | None
    vertical_flip: Tensor | None
    affine: Tensor | None
    blends: tuple[str, ...]
    factors: Tensor
    order: Tensor
    hue: Tensor | None
    grayscale: Tensor | None
    sigma: Tensor | None
    erased: Tensor | None
    dropped: Tensor | None

    def of(self, part: slice) -> Parameters:
        """The parameters of a slice of the images."""
        values: dict[str, Any] = {
            name: value[part] if isinstance(value, Tensor) else value
            for name, value in vars(self).items()
        }
        return Parameters(**values)


def drawn_parameters(
    options: AugmentationOptions, images: Tensor, generator: torch.Generator, is_rgb: bool
) -> Parameters:
    """Random parameters for images (B, C, height, width); what is switched off draws nothing.

    is_rgb: whether three channels are red, green and blue. Others than these and gray have
        brightness and contrast of each channel, and no saturation, hue and grayscale.
    """
    size, channels, height, width = images.shape
    is_color = channels == 3 and is_rgb
    own = 1 if is_color else channels

    def uniform(low: float, high: float, *columns: int) -> Tensor:
        numbers = torch.empty(size, *columns, dtype=torch.float32, device=images.device)
        return numbers.uniform_(low, high, generator=generator)

    crop = _crop(options, uniform, height, width)
    flip = uniform(0, 1) < options.flip if options.flip else None
    affine = _affine(options, uniform, height, width)
    jittered = uniform(0, 1) < options.jitter
    names = BLENDS if options.jitter else ()
    strengths = {name: getattr(options, name) for name in names}
    on = {k: s for k, s in strengths.items() if s and (k != "saturation" or is_color)}
    factors = uniform(1, 1, len(on), own)
    for k, s in enumerate(on.values()):
        drawn = uniform(max(0, 1 - s), 1 + s, own)
        factors[:, k] = torch.where(jittered[:, None], drawn, 1)
    order = uniform(0, 1, len(on)).argsort(1)
    hue = grayscale = None
    if is_color and options.jitter and options.hue:
        hue = uniform(-options.hue, options.hue) * jittered
    if is_color and options.grayscale:
        grayscale = uniform(0, 1) < options.grayscale
    # What came later draws last, so that it changes nothing of what is drawn without it.
    return Parameters(
        turns=_turns(options, uniform, height == width),
        crop=crop,
        flip=flip,
        vertical_flip=uniform(0, 1) < options.vertical_flip if options.vertical_flip else None,
        affine=affine,
        blends=tuple(on),
        factors=factors,
        order=order,
        hue=hue,
        grayscale=grayscale,
        sigma=_sigma(options, uniform),
        erased=_erased(options, uniform, height, width),
        dropped=_dropped(options, uniform, channels),
    )


def _crop(
    options: AugmentationOptions, uniform: _Uniform, height: int, width: int
) -> Tensor | None:
    if list(options.crop_scale) == list(options.crop_ratio) == [1.0, 1.0]:
        return None
    box, _ = _box(options.crop_scale, options.crop_ratio, uniform, height, width)
    return box


def _box(
    areas: list[float], ratios: list[float], uniform: _Uniform, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Boxes inside the image, (B, 4): top, left, height and width; and whether such a box was
    found, (B,). Where none was, it is the largest one of an allowed ratio, in the middle.

    areas: range of the area as a share of the image. ratios: range of width over height.
    """
    low, high = ratios
    area = uniform(*areas, _TRIES).mul_(height * width)
    ratio = uniform(math.log(low), math.log(high), _TRIES).exp_()
    # Column _TRIES, used where no try fits, holds the largest box of an allowed ratio.
    allowed = min(max(width / height, low), high)
    tallest = min(height, max(1, round(width / allowed)))
    widest = min(width, max(1, round(height * allowed)))
    heights = pad((area / ratio).sqrt_().round_(), (0, 1), value=tallest)
    widths = pad((area * ratio).sqrt_().round_(), (0, 1), value=widest)
    fits = (heights >= 1) & (heights <= height) & (widths >= 1) & (widths <= width)
    first = fits.byte().argmax(1)
    starts, lengths = [], []
    for side, candidates in ((height, heights), (width, widths)):
        length = candidates.gather(1, first[:, None])[:, 0]
        free = side - length
        # Rounding can lift the product to free + 1.
        anywhere = (uniform(0, 1) * (free + 1)).floor_().minimum(free)
        starts.append(torch.where(first == _TRIES, (free / 2).floor_(), anywhere))
        lengths.append(length)
    return torch.stack(starts + lengths, 1), first != _TRIES


def _affine(
    options: AugmentationOptions, uniform: _Uniform, height: int, width: int
) -> Tensor | None:
    it = options
    if it.translate == it.rotate == it.shear == 0 and list(it.zoom) == [1.0, 1.0]:
        return None
    limits = (it.rotate, it.translate * width, it.translate * height, it.shear)
    return torch.stack([*(uniform(-limit, limit) for limit in limits), uniform(*it.zoom)], 1)


def _turns(options: AugmentationOptions, uniform: _Uniform, is_square: bool) -> Tensor | None:
    if not options.quarter_turns:
        return None
    turned = uniform(0, 1) < options.quarter_turns
    # Less than 3 even where rounding lifts a number to the upper end of its range.
    turns = 1 + uniform(0, 3).floor_().clamp_max(2) if is_square else 2
    return (turned * turns).long()


def _sigma(options: AugmentationOptions, uniform: _Uniform) -> Tensor | None:
    if not options.blur:
        return None
    return uniform(*options.blur_sigma) * (uniform(0, 1) < options.blur)


def _erased(
    options: AugmentationOptions, uniform: _Uniform, height: int, width: int
) -> Tensor | None:
    if not options.erase:
        return None
    box, is_found = _box(options.erase_area, list(ERASE_RATIO), uniform, height, width)
    return box * (is_found & (uniform(0, 1) < options.erase))[:, None]


def _dropped(options: AugmentationOptions, uniform: _Uniform, channels: int) -> Tensor | None:
    """Each channel with the same probability; one stays where all would go."""
    if not options.channel_drop or channels == 1:
        return None
    numbers = uniform(0, 1, channels)
    return (numbers < options.channel_drop) & (numbers < numbers.amax(1, keepdim=True))
