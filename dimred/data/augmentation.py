"""Random augmentation of batches of images, with parameters drawn for each image."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.data.augmentation_color import blend_, gray_of, shift_hue_
from dimred.data.augmentation_detail import blurred, erased, without_channels
from dimred.data.augmentation_geometry import border_color, resampled, turned
from dimred.data.augmentation_options import AugmentationOptions, Outside
from dimred.data.augmentation_parameters import Parameters, drawn_parameters
from dimred.data.window import MAX_CHANNELS
from dimred.errors import InputError
from dimred.fusing import fusable
from dimred.options.option import violations

_ALL = slice(None)
_SLICE = 1_000_000  # pixel values processed at a time on a CPU, so that they stay in its cache


class BatchAugmentation:
    """SimCLR's augmentations for a batch, with parameters drawn for each image.

    The defaults are those of the t-SimCNE paper (Boehm, Berens, Kobak 2022): random resized crop,
    horizontal flip, color jitter, grayscale. Distributions are those of torchvision's
    RandomResizedCrop, RandomHorizontalFlip, RandomAffine, ColorJitter and RandomGrayscale, except
    that shifts are not rounded to whole pixels. The operations, in order:

    1. Quarter turns, exact; of images that are not square only half turns.
    2. One affine map about the image's center, then the crop, then the flips, as one bilinear
       sampling without antialiasing. The crop's box has whole pixels and lies inside the image.
    3. Brightness, contrast and saturation in a random order for each image, then hue (which
       torchvision applies at a random position too).
    4. Grayscale, Gaussian blur, Gaussian noise.
    5. Erasing of a box (Zhong et al. 2020, https://arxiv.org/abs/1708.04896, width over height
       from 0.3 to 1/0.3), then of whole channels, never of all of an image.

    Pixels outside the image, erased ones and those of erased channels have the value `fill`, or
    with `outside=border` the mean of the image's outermost pixels in the same channel: of the image
    where it is outside of it, of the view where it is erased.

    Images whose channels are neither gray nor RGB have brightness and contrast of each channel by
    itself, contrast about the channel's own mean; whether there is a jitter is drawn for the
    image. Saturation, hue and grayscale change RGB images only.

    is_rgb: whether three channels are red, green and blue.

    Raises InputError (a ValueError) naming an option that is out of its range.
    """

    def __init__(self, options: AugmentationOptions | None = None, is_rgb: bool = True):
        self.options, self.is_rgb = options or AugmentationOptions(), is_rgb
        for line in (*violations(self.options), *self.options.range_problems()):
            raise InputError(line)

    @torch.no_grad()
    def __call__(self, images: Tensor, generator: torch.Generator, part: slice = _ALL) -> Tensor:
        """uint8 (B, C, height, width), C from 1 to 16 -> float32 of the same shape, in [0, 1].

        generator: the only source of randomness, on the images' device, which is not synchronized.
        part: which of the images to return; they look the same as if all were returned.
        Raises ValueError for images of another type or shape.
        """
        shape = tuple(images.shape)
        if images.dtype != torch.uint8 or len(shape) != 4 or not 1 <= shape[1] <= MAX_CHANNELS:
            must = f"uint8 (B, C, H, W), C from 1 to {MAX_CHANNELS}"
            raise ValueError(f"images: {images.dtype} {shape}, must be {must}")
        drawn = self.draw(images, generator).of(part)
        noise = None
        if self.options.noise:
            noise = torch.empty(shape, dtype=torch.float32, device=images.device)
            noise = noise.normal_(0, self.options.noise, generator=generator)[part]
        images = images[part]
        fill = None if self.options.outside is Outside.border else self.options.fill
        largest = self.options.blur_sigma[1]
        if images.device.type != "cpu":
            return _apply(images, drawn, noise, fill, largest)
        out = torch.empty(images.shape, dtype=torch.float32)
        count = max(1, _SLICE // max(1, images[:1].numel()))
        for start in range(0, len(images), count):
            some = slice(start, start + count)
            some_noise = None if noise is None else noise[some]
            out[some] = _apply(images[some], drawn.of(some), some_noise, fill, largest)
        return out

    def draw(self, images: Tensor, generator: torch.Generator) -> Parameters:
        """Random parameters for a batch; the noise is drawn elsewhere."""
        return drawn_parameters(self.options, images, generator, self.is_rgb)


@fusable
def _apply(
    images: Tensor,
    drawn: Parameters,
    noise: Tensor | None,
    fill: float | None,
    largest_sigma: float,
) -> Tensor:
    """Augmented float32 images from uint8 images and their parameters.

    fill: value of what is not there; None for the color of the border. largest_sigma: of the blur.
    """
    if drawn.turns is not None:
        images = turned(images, drawn.turns)
    x = images.float().div_(255)
    if not (drawn.crop is drawn.flip is drawn.vertical_flip is drawn.affine is None):
        is_seen = fill is None and drawn.affine is not None  # nothing else shows what is outside
        x = resampled(x, drawn, border_color(x) if is_seen else (fill or 0.0))
    if drawn.blends:
        blend_(x, drawn)
    if drawn.hue is not None:
        shift_hue_(x, drawn.hue)
    if drawn.grayscale is not None:
        chosen = drawn.grayscale.float().view(-1, 1, 1, 1)
        gray = gray_of(x).mul_(chosen)
        x.mul_(1 - chosen).add_(gray)
    if drawn.sigma is not None:
        x = blurred(x, drawn.sigma, largest_sigma)
    if noise is not None:
        x.add_(noise).clamp_(0, 1)
    if drawn.erased is not None:
        x = erased(x, drawn.erased, border_color(x) if fill is None else fill)
    if drawn.dropped is not None:
        x = without_channels(x, drawn.dropped, border_color(x) if fill is None else fill)
    return x
