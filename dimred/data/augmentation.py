"""Random augmentation of batches of images, with parameters drawn for each image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from dimred.data.augmentation_options import AugmentationOptions
from dimred.errors import InputError
from dimred.fusing import fusable
from dimred.options.option import violations

_ALL = slice(None)
BLENDS = ("brightness", "contrast", "saturation")
_CROP_TRIES = 10  # torchvision's
_SLICE = 1_000_000  # pixel values processed at a time on a CPU, so that they stay in its cache

_Uniform = Callable[..., Tensor]  # (low, high, *columns) -> float32 (B, *columns)


@dataclass(frozen=True)
class Parameters:
    """Augmentation parameters of B images; None for operations that are switched off.

    crop: float32 (B, 4): top, left, height and width of the box, in whole pixels.
    flip, grayscale: bool (B,), whether the operation is applied.
    affine: float32 (B, 5): angle in degrees, shift in x and y in pixels, shear along x in degrees,
        and zoom, all about the image's center and with the signs of torchvision's `affine`.
    blends: the n of brightness, contrast and saturation that are switched on.
    factors: float32 (B, n), one for each of `blends`; 1 leaves the image unchanged.
    order: int64 (B, n); order[i, k] is the position in `blends` of the k-th blend of image i.
    hue: float32 (B,), shift in turns of the color circle.
    """

    crop: Tensor | None
    flip: Tensor | None
    affine: Tensor | None
    blends: tuple[str, ...]
    factors: Tensor
    order: Tensor
    hue: Tensor | None
    grayscale: Tensor | None

    def of(self, part: slice) -> Parameters:
        """The parameters of a slice of the images."""
        values: dict[str, Any] = {
            name: value[part] if isinstance(value, Tensor) else value
            for name, value in vars(self).items()
        }
        return Parameters(**values)


class BatchAugmentation:
    """SimCLR's augmentations for a batch, with parameters drawn for each image.

    The defaults are those of the t-SimCNE paper (Boehm, Berens, Kobak 2022): random resized crop,
    horizontal flip, color jitter, grayscale. Distributions are those of torchvision's
    RandomResizedCrop, RandomHorizontalFlip, RandomAffine, ColorJitter and RandomGrayscale, except
    that shifts are not rounded to whole pixels. The operations, in order:

    1. One affine map about the image's center, then the crop, then the flip, as one bilinear
       sampling without antialiasing. The crop's box has whole pixels and lies inside the image.
    2. Brightness, contrast and saturation in a random order for each image, then hue (which
       torchvision applies at a random position too).
    3. Grayscale, then Gaussian noise.

    Saturation, hue and grayscale do not change images of one channel.

    Raises InputError (a ValueError) naming an option that is out of its range.
    """

    def __init__(self, options: AugmentationOptions | None = None, is_rgb: bool = True):
        self.options, self.is_rgb = options or AugmentationOptions(), is_rgb
        for line in (*violations(self.options), *self.options.range_problems()):
            raise InputError(line)

    @torch.no_grad()
    def __call__(self, images: Tensor, generator: torch.Generator, part: slice = _ALL) -> Tensor:
        """uint8 (B, C, height, width), C = 1 or 3 -> float32 of the same shape, in [0, 1].

        generator: the only source of randomness, on the images' device, which is not synchronized.
        part: which of the images to return; they look the same as if all were returned.
        Raises ValueError for images of another type or shape.
        """
        shape = tuple(images.shape)
        if images.dtype != torch.uint8 or len(shape) != 4 or shape[1] not in (1, 3):
            raise ValueError(f"images: {images.dtype} {shape}, must be uint8 (B, 1 or 3, H, W)")
        drawn = self.draw(images, generator).of(part)
        noise = None
        if self.options.noise:
            noise = torch.empty(shape, dtype=torch.float32, device=images.device)
            noise = noise.normal_(0, self.options.noise, generator=generator)[part]
        images = images[part]
        if images.device.type != "cpu":
            return _apply(images, drawn, noise, self.options.fill)
        out = torch.empty(images.shape, dtype=torch.float32)
        count = max(1, _SLICE // max(1, images[:1].numel()))
        for start in range(0, len(images), count):
            some = slice(start, start + count)
            some_noise = None if noise is None else noise[some]
            out[some] = _apply(images[some], drawn.of(some), some_noise, self.options.fill)
        return out

    def draw(self, images: Tensor, generator: torch.Generator) -> Parameters:
        """Random parameters for a batch; the noise is drawn elsewhere."""
        size, channels, height, width = images.shape

        def uniform(low: float, high: float, *columns: int) -> Tensor:
            numbers = torch.empty(size, *columns, dtype=torch.float32, device=images.device)
            return numbers.uniform_(low, high, generator=generator)

        crop = self._draw_crop(uniform, height, width)
        flip = uniform(0, 1) < self.options.flip if self.options.flip else None
        affine = self._draw_affine(uniform, height, width)
        jittered = uniform(0, 1) < self.options.jitter
        names = BLENDS if self.options.jitter else ()
        strengths = {name: getattr(self.options, name) for name in names}
        on = {k: s for k, s in strengths.items() if s and (k != "saturation" or channels == 3)}
        factors = uniform(1, 1, len(on))
        for column, s in zip(factors.T, on.values(), strict=True):
            column.copy_(torch.where(jittered, uniform(max(0, 1 - s), 1 + s), 1))
        order = uniform(0, 1, len(on)).argsort(1)
        hue = grayscale = None
        if channels == 3 and self.options.jitter and self.options.hue:
            hue = uniform(-self.options.hue, self.options.hue) * jittered
        if channels == 3 and self.options.grayscale:
            grayscale = uniform(0, 1) < self.options.grayscale
        return Parameters(crop, flip, affine, tuple(on), factors, order, hue, grayscale)

    def _draw_crop(self, uniform: _Uniform, height: int, width: int) -> Tensor | None:
        if list(self.options.crop_scale) == list(self.options.crop_ratio) == [1.0, 1.0]:
            return None
        low, high = self.options.crop_ratio
        area = uniform(*self.options.crop_scale, _CROP_TRIES).mul_(height * width)
        ratio = uniform(math.log(low), math.log(high), _CROP_TRIES).exp_()
        # Column _CROP_TRIES, used where no try fits, holds the largest box of an allowed ratio.
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
            starts.append(torch.where(first == _CROP_TRIES, (free / 2).floor_(), anywhere))
            lengths.append(length)
        return torch.stack(starts + lengths, 1)

    def _draw_affine(self, uniform: _Uniform, height: int, width: int) -> Tensor | None:
        it = self.options
        if it.translate == it.rotate == it.shear == 0 and list(it.zoom) == [1.0, 1.0]:
            return None
        limits = (it.rotate, it.translate * width, it.translate * height, it.shear)
        return torch.stack(
            [*(uniform(-limit, limit) for limit in limits), uniform(*self.options.zoom)], 1
        )


@fusable
def _apply(images: Tensor, drawn: Parameters, noise: Tensor | None, fill: float) -> Tensor:
    """Augmented float32 images from uint8 images and their parameters."""
    x = images.float().div_(255)
    if not (drawn.crop is drawn.flip is drawn.affine is None):
        x = _resample(x, drawn, fill)
    if drawn.blends:
        _blend_(x, drawn)
    if drawn.hue is not None:
        _shift_hue_(x, drawn.hue)
    if drawn.grayscale is not None:
        chosen = drawn.grayscale.float().view(-1, 1, 1, 1)
        gray = _gray(x).mul_(chosen)
        x.mul_(1 - chosen).add_(gray)
    if noise is not None:
        x.add_(noise).clamp_(0, 1)
    return x


def _resample(x: Tensor, drawn: Parameters, fill: float) -> Tensor:
    """`x` after affine map, crop and flip."""
    height, width = x.shape[2:]
    box = list(drawn.crop.T[..., None]) if drawn.crop is not None else []
    columns = _sampling_positions(width, drawn.flip, box[1::2], x.device)
    rows = _sampling_positions(height, None, box[::2], x.device)
    # In grid_sample's units the image is 2 x 2.
    if drawn.affine is None:
        columns, rows = columns * (2 / width), rows * (2 / height)
        grid = _grid(columns, torch.zeros_like(columns), torch.zeros_like(rows), rows)
        return grid_sample(x, grid, padding_mode="border", align_corners=False).clamp_(0, 1)
    angle, shift_x, shift_y, shear, zoom = drawn.affine.T[..., None]
    cos, sin, tan = angle.deg2rad().cos(), angle.deg2rad().sin(), shear.deg2rad().tan()
    unit_x, unit_y = 2 / width / zoom, 2 / height / zoom
    columns, rows = columns - shift_x, rows - shift_y
    grid = _grid(
        columns * ((cos - sin * tan) * unit_x),
        columns * (-sin * unit_y),
        rows * ((cos * tan + sin) * unit_x),
        rows * (cos * unit_y),
    )
    # grid_sample pads with 0, so shift pixel values by `fill` while sampling.
    x = grid_sample(x.sub_(fill), grid, padding_mode="zeros", align_corners=False)
    return x.add_(fill).clamp_(0, 1)


def _grid(column_x: Tensor, column_y: Tensor, row_x: Tensor, row_y: Tensor) -> Tensor:
    """Sampling positions (B, height, width, 2): the x and y of each are the sum of a term for its
    column (B, width) and a term for its row (B, height)."""
    if torch.compiler.is_compiling():  # the compiler does not support complex numbers
        x = column_x[:, None, :] + row_x[:, :, None]
        y = column_y[:, None, :] + row_y[:, :, None]
        return torch.stack((x, y), -1)
    # Complex addition takes one fast kernel.
    columns, rows = torch.complex(column_x, column_y), torch.complex(row_x, row_y)
    return torch.view_as_real(columns[:, None, :] + rows[:, :, None])


def _sampling_positions(
    size: int, flip: Tensor | None, box: list[Tensor], device: torch.device
) -> Tensor:
    """Sampling positions along an axis, in pixels from the image's center: (B, size) or (1, size).

    box: start and length of the crop, (B, 1) each; empty without a crop.
    """
    places = torch.arange(size, dtype=torch.float32, device=device)[None] - (size - 1) / 2
    if flip is not None:
        places = torch.where(flip[:, None], -places, places)
    if box:
        start, length = box
        edge = (length - 1) / 2  # the center of the outermost pixel
        places = (places * (length / size)).clamp(-edge, edge) + (start + (length - size) / 2)
    return places


def _gray(x: Tensor) -> Tensor:
    """Luma (B, 1, height, width), with torchvision's weights (ITU-R BT.601); `x` if it is gray."""
    if x.shape[1] == 1:
        return x
    return (0.2989 * x[:, :1]).add_(x[:, 1:2], alpha=0.587).add_(x[:, 2:], alpha=0.114)


def _blend_(x: Tensor, drawn: Parameters) -> None:
    """Blend `x`, in place, with black, its mean gray and its gray, each image in its own order."""
    factors = drawn.factors.gather(1, drawn.order).T[..., None, None, None]
    order = drawn.order.T[..., None, None, None]
    share = {name: (1 - factors) * (order == i) for i, name in enumerate(drawn.blends)}
    for k, factor in enumerate(factors):
        other: Tensor | float = 0.0
        gray = _gray(x) if share.keys() - {"brightness"} else x
        if "contrast" in share:
            other = gray.mean((1, 2, 3), keepdim=True) * share["contrast"][k]
        if "saturation" in share:
            other = gray.mul_(share["saturation"][k]).add_(other)
        x.mul_(factor).add_(other).clamp_(0, 1)


def _shift_hue_(x: Tensor, shift: Tensor) -> None:
    """Shift, in place, the hue of RGB images by `shift` (B,) turns, keeping S and V of HSV.

    Unlike the usual conversion to HSV, it distinguishes no cases: a pixel lies
    (1 + (green + blue - red - low) / chroma) / 6 turns from red, towards green where green >= blue.
    A channel is `high` where the hue is within 1/6 turn of its own and falls to `low` at 2/6.
    """
    red, green, blue = x.unbind(1)
    high = torch.maximum(red, green)
    torch.maximum(high, blue, out=high)
    low = torch.minimum(red, green)
    torch.minimum(low, blue, out=low)
    hue = (green + blue).sub_(red).sub_(low)
    chroma = torch.sub(high, low, out=low)
    # Gray pixels have no chroma, hence any hue.
    hue.add_(chroma).div_(chroma.clamp_min(1e-8)).copysign_(green - blue)
    # Red, green and blue lie at 0, 1/3 and 2/3. Two turns make all positive for frac, and half a
    # turn makes it wrap opposite to the channel's own hue.
    offset = shift[:, None] - torch.arange(3, dtype=x.dtype, device=x.device) / 3 + 2.5
    torch.add(offset[..., None, None], hue[:, None], alpha=1 / 6, out=x)
    x.frac_().sub_(0.5).abs_().mul_(6).sub_(1).clamp_(0, 1).mul_(chroma[:, None])
    torch.sub(high[:, None], x, out=x)
