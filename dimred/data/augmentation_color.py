"""Random changes of color and contrast."""

from __future__ import annotations

import torch
from torch import Tensor

from dimred.data.augmentation_parameters import Parameters


def gray_of(x: Tensor) -> Tensor:
    """Luma (B, 1, height, width), with torchvision's weights (ITU-R BT.601); `x` if it is gray."""
    if x.shape[1] == 1:
        return x
    return (0.2989 * x[:, :1]).add_(x[:, 1:2], alpha=0.587).add_(x[:, 2:], alpha=0.114)


def blend_(x: Tensor, drawn: Parameters) -> None:
    """Blend `x`, in place, with black, its mean gray and its gray, each image in its own order;
    with factors for each channel, a channel with its own mean."""
    own = drawn.factors.shape[2]
    order = drawn.order[..., None]
    factors = drawn.factors.gather(1, order.expand(-1, -1, own)).transpose(0, 1)[..., None, None]
    order = order.transpose(0, 1)[..., None, None]
    share = {name: (1 - factors) * (order == i) for i, name in enumerate(drawn.blends)}
    for k, factor in enumerate(factors):
        other: Tensor | float = 0.0
        gray = gray_of(x) if own == 1 and share.keys() - {"brightness"} else x
        if "contrast" in share:
            other = gray.mean((2, 3), keepdim=True) * share["contrast"][k]
        if "saturation" in share:
            other = gray.mul_(share["saturation"][k]).add_(other)
        x.mul_(factor).add_(other).clamp_(0, 1)


def shift_hue_(x: Tensor, shift: Tensor) -> None:
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
