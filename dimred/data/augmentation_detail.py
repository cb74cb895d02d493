"""Operations that take detail away: blur, erasing, channels without content."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

_SIGMAS = 3  # half the width of the kernel, which leaves out 0.3 % of a Gaussian
_TINY = 1e-3  # pixels: the kernel of such a deviation is 1 in the middle, 0 elsewhere


def blurred(x: Tensor, sigma: Tensor, largest: float) -> Tensor:
    """Images (B, C, height, width) after a Gaussian blur of each, with edge pixels repeated.

    sigma: (B,), deviations in pixels, at most `largest`; 0 leaves an image as it is. On a CPU such
    images take no time; elsewhere the host would have to wait to know which they are, and compiled
    code cannot depend on it.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return _convolved(x, sigma, largest)
    chosen = sigma > 0
    if chosen.any():
        x[chosen] = _convolved(x[chosen], sigma[chosen], largest)
    return x


def _convolved(x: Tensor, sigma: Tensor, largest: float) -> Tensor:
    size, channels, height, width = x.shape
    reach = math.ceil(_SIGMAS * largest)
    places = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    kernels = torch.exp(-0.5 * (places / sigma.clamp_min(_TINY)[:, None]).square())
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(channels, 0)
    count = size * channels  # each channel is convolved by itself
    x = pad(x, (reach,) * 4, mode="replicate")
    x = x.reshape(1, count, height + 2 * reach, width + 2 * reach)
    x = conv2d(x, kernels[:, None, None, :], groups=count)
    x = conv2d(x, kernels[:, None, :, None], groups=count)
    return x.view(size, channels, height, width).clamp_(0, 1)


def erased(x: Tensor, box: Tensor, fill: float | Tensor) -> Tensor:
    """Images (B, C, height, width) with the box of each, (B, 4), filled.

    box: top, left, height and width in whole pixels. fill: a value, or (B, C, 1, 1).
    """
    inside = []
    for start, length, size in zip(box.T[:2], box.T[2:], x.shape[2:], strict=True):
        places = torch.arange(size, device=x.device)
        inside.append((places >= start[:, None]) & (places < (start + length)[:, None]))
    rows, columns = inside
    return torch.where(rows[:, None, :, None] & columns[:, None, None, :], fill, x)


def without_channels(x: Tensor, dropped: Tensor, fill: float | Tensor) -> Tensor:
    """Images (B, C, height, width) with the dropped channels of each, bool (B, C), filled."""
    return torch.where(dropped[..., None, None], fill, x)
