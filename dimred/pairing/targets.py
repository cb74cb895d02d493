"""Targets of images instead of pairs, for classifiers and regressions to compare maps with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dimred.pairing.protocol import ALL, StepBatch
from dimred.scaling import resized


@dataclass(frozen=True)
class Targets:
    """Targets of rows: float (n, d) for a regression, classes int64 (n,) for a classifier, or
    whether each of K classes is present, float (n, K), 0 or 1."""

    values: Tensor


class FixedTargets:
    """Each sample has a fixed target.

    samples: int64 (n,), positions of the samples to learn from.
    targets: of each sample, float (n, d), or classes, int64 (n,).
    n_classes: number of classes; None for other targets.
    shift: largest random shift of each image, as in `randomly_shifted`.
    scales: smallest and largest factor on the size of the images; each batch has one, drawn
        uniformly.
    """

    def __init__(
        self,
        samples: Tensor,
        targets: Tensor,
        device: torch.device,
        n_classes: int | None = None,
        shift: tuple[int, int] = (0, 0),
        scales: tuple[float, float] = (1.0, 1.0),
    ):
        self.samples = samples.to(device)
        self.targets = targets.to(device)
        self.anchors = torch.arange(len(samples))
        self.same_size = scales == (1.0, 1.0)
        self.n_classes = n_classes
        self.shift = shift
        self.scales = scales

    @property
    def n_values(self) -> int:
        """Dimensions that an embedding needs: those of the targets, or the number of classes."""
        return self.n_classes or self.targets.shape[1]

    @property
    def fixed_views(self) -> bool:
        """Whether every step shows the images as they are; not known of a subclass with views of
        its own, which says so itself."""
        own = type(self).views is not FixedTargets.views
        return self.same_size and not any(self.shift) and not own

    def select(self, anchors: Tensor, generator: torch.Generator) -> StepBatch:
        """The samples of the anchors, with their targets."""
        return StepBatch(self.samples[anchors], len(anchors), Targets(self.targets[anchors]))

    def views(self, images: Tensor, generator: torch.Generator, part: slice = ALL) -> Tensor:
        """The images, randomly shifted and resized, with values scaled to [0, 1]."""
        if any(self.shift):
            images = randomly_shifted(images, self.shift, generator)
        pixels = images[part].float().div_(255)
        if self.same_size:
            return pixels
        low, high = self.scales
        drawn = torch.rand((), generator=generator, device=generator.device)
        return resized(pixels, low + (high - low) * float(drawn))


def randomly_shifted(
    images: Tensor, max_shift: tuple[int, int], generator: torch.Generator
) -> Tensor:
    """Each image (n, C, height, width) moved by random whole numbers of pixels.

    max_shift: largest shift (horizontal, vertical), in either direction; uncovered pixels are
        black.
    """
    n, _, height, width = images.shape
    device = images.device
    across, down = (
        torch.randint(-pixels, pixels + 1, (n, 1), generator=generator, device=device)
        for pixels in max_shift
    )
    rows = torch.arange(height, device=device) - down
    columns = torch.arange(width, device=device) - across
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None
    ]
    batch = torch.arange(n, device=device)[:, None, None]
    moved = images.movedim(1, -1)[
        batch, rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None]
    ]
    return (moved * inside[..., None]).movedim(-1, 1)
