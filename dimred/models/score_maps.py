"""Score maps of a network that scores every position of an image, and where they are highest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dimred.models.encoder import Encoder, mean_over_scales
from dimred.models.positions import Grid, Size, grid_of
from dimred.scaling import resized


class ScoreMaps:
    """The score maps of images of one size, at each of the encoder's scales.

    encoder: with a `pool`. size: height and width of the images.
    grids: where their positions are in the image, for each scale.
    stride: pixels of the image between two positions at scale 1, the larger of both directions.
    """

    def __init__(self, encoder: Encoder, size: Size):
        self.encoder = encoder
        self.scales = encoder.scales
        self.grids = [self._grid(size, scale) for scale in self.scales]
        self.stride = max(self._grid(size, 1.0).stride)

    def _grid(self, size: Size, scale: float) -> Grid:
        height, width = resized(torch.empty(1, 1, *size), scale).shape[-2:]
        grid = grid_of(self.encoder.backbone, len(self.encoder.mean), (height, width))
        return grid.scaled(size[0] / height, size[1] / width)

    def of(self, images: Tensor) -> list[Tensor]:
        """Images (b, C, height, width) with values in [0, 1] -> their maps at each scale,
        (b, K, rows, columns)."""
        return [self.encoder.score_maps(resized(images, scale)) for scale in self.scales]

    def pooled(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps as of `of` -> Z of the encoder in evaluation mode, (b, K)."""
        assert self.encoder.pool is not None
        return mean_over_scales([self.encoder.pool(scores) for scores in maps])

    def peaks(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Maps as of `of` -> the place of the highest score of each class over all positions and
        scales (Oquab et al. 2015, section 5): x and y in pixels of the image, float64 (b, K, 2),
        and the number of its scale, int64 (b, K)."""
        highest, places = [], []
        for scores, grid in zip(maps, self.grids, strict=True):
            best, position = scores.flatten(2).max(dim=2)
            row, column = position // scores.shape[3], position % scores.shape[3]
            y, x = (torch.tensor(of, dtype=torch.float64) for of in (grid.y, grid.x))
            highest.append(best)
            places.append(torch.stack([x[column.cpu()], y[row.cpu()]], dim=2))
        scale = torch.stack(highest).argmax(dim=0).cpu()
        points = torch.stack(places)  # (scales, b, K, 2)
        chosen = scale[None, ..., None].expand(1, *points.shape[1:])
        return points.gather(0, chosen)[0], scale
