"""How far new points are from all reference points, and from where on they are far."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.evaluation.neighbors import nearest, neighbors_up_to
from dimred.evaluation.outliers import TUKEY_FACTOR, kth_distances

Points = NDArray[np.floating]
Scores = NDArray[np.float64]

_LEAST_SCALE = 1e-3  # of the first: directions of less spread are rounding
_VALUES_IN_BLOCK = 2**22  # pixels at a time, 16 MiB in float32
_K = 5  # of bursts of nearly equal photographs, the next is not enough


class Novelty:
    """Distances of points to reference points, relative to those among the reference points.

    The distance is that to the 5th nearest reference point, after principal components were divided
    by the square root of their spread: images of another kind differ in directions in which the
    reference points do not, but those of much noise should not count most (docs:
    Page and inspection).

    fence: the ratio above which a point is far: Q3 + 1.5 IQR of the logarithms of the reference
        points' own distances to each other (Tukey 1977), as of outliers.

    reference: (m, d). device: where to search; None for the CPU.
    """

    def __init__(self, reference: Points, device: torch.device | None = None):
        points = reference.astype(np.float64)
        self.device = device
        self.mean = points.mean(axis=0)
        _, scales, directions = np.linalg.svd(points - self.mean, full_matrices=False)
        scales /= np.sqrt(len(points))
        kept = scales > _LEAST_SCALE * scales[0]
        self.scaling = directions[kept].T / np.sqrt(scales[kept])
        if not kept.any():  # all points are one
            self.scaling = np.eye(points.shape[1])
        self.reference = self._scaled(points)
        near = neighbors_up_to(_K, self.reference, device)
        own = kth_distances(self.reference, near)
        own = own[own > 0]  # copies say nothing of how far images of a kind are apart
        self.median = float(np.median(own)) if len(own) else 1.0
        low, high = np.quantile(np.log(own / self.median), [0.25, 0.75]) if len(own) else (0.0, 0.0)
        self.fence = float(np.exp(high + TUKEY_FACTOR * (high - low)))

    def _scaled(self, points: Points) -> NDArray[np.float32]:
        scaled: NDArray[np.float32] = ((points - self.mean) @ self.scaling).astype(np.float32)
        return scaled

    def distances(self, points: Points) -> Scores:
        """The distance of each point (n, d) to the reference points, over the median of that among
        the reference points (n,)."""
        scaled = self._scaled(points.astype(np.float64))
        k = min(_K, max(len(self.reference) - 1, 1))
        near = nearest(self.reference, scaled, k, self.device)[:, -1]
        return _distances(scaled, self.reference[near]) / self.median


def roughness(images: NDArray[np.uint8]) -> Scores:
    """The logarithm of the mean difference between neighboring pixels of images (n, C, H, W), plus
    1 (n,). Noise is far rougher than pictures, which networks of little training do not tell."""
    size = max(_VALUES_IN_BLOCK // max(images[0].size, 1), 1) if len(images) else 1
    parts = [_rough(images[first : first + size]) for first in range(0, len(images), size)]
    return np.concatenate([np.empty(0), *parts])


def _rough(images: NDArray[np.uint8]) -> Scores:
    pixels = images.astype(np.float32)
    down = np.abs(np.diff(pixels, axis=2)).mean(axis=(2, 3)) if pixels.shape[2] > 1 else 0.0
    across = np.abs(np.diff(pixels, axis=3)).mean(axis=(2, 3)) if pixels.shape[3] > 1 else 0.0
    rough = np.broadcast_to(down + across, pixels.shape[:2]).mean(axis=1)
    logarithm: Scores = np.log1p(rough.astype(np.float64))
    return logarithm


def rough_fence(values: Points) -> float:
    """The roughness above which an image is like none of these (m,): Q3 + 3 IQR ("far out" in
    Tukey's words)."""
    low, high = np.quantile(values.astype(np.float64), [0.25, 0.75])
    return float(high + 2 * TUKEY_FACTOR * (high - low))


def _distances(a: NDArray[np.float32], b: NDArray[np.float32]) -> Scores:
    distances: Scores = np.linalg.norm(a.astype(np.float64) - b, axis=1)
    return distances
