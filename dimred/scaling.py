"""Images of another size, in training and in evaluation alike."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def resized(images: Tensor, scale: float) -> Tensor:
    """Float images (n, C, height, width) enlarged by a factor, bilinearly and with antialiasing, to
    whole pixels and at least one."""
    if scale == 1:
        return images
    size = [max(round(side * scale), 1) for side in images.shape[-2:]]
    return functional.interpolate(
        images, size=size, mode="bilinear", align_corners=False, antialias=scale < 1
    )
