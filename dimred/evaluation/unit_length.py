"""Points scaled to unit length, as metric learning compares them, and which ones are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.evaluation.neighbors import Features, as_float

MAP_DIMS = 3
"""Dimensions up to which Z is a map to look at, whose distances are meant as they are."""
DISTANCES = ("cosine", "euclidean")


def usual_distance(space: str, dims: int) -> str:
    """The distance, one of DISTANCES, by which points are compared where nobody says otherwise:
    Euclidean for maps, Z of up to MAP_DIMS dimensions, else cosine: that of points at unit length.

    space: where the points are: z, h or pixels, also with untrained_ before it.
    """
    return "euclidean" if space.endswith("z") and dims <= MAP_DIMS else "cosine"


def as_compared(
    space: str, distance: str | None, *points: NDArray[np.floating]
) -> tuple[str, list[NDArray[np.floating]]]:
    """The distance, `usual_distance` for None, and sets of points (n, d) of equal d whose Euclidean
    neighbors are the nearest by it: at unit length, float64, for "cosine"."""
    chosen = distance or usual_distance(space, points[0].shape[1])
    if chosen == "euclidean":
        return chosen, list(points)
    return chosen, [unit_vectors(each.astype(np.float64)) for each in points]


def distance_moved(z: NDArray[np.floating], to: NDArray[np.floating]) -> NDArray[np.floating]:
    """How far points in Z move, by `usual_distance`, for "cosine" at unit length: from z (n, d) to
    each of `to` (n, ..., d), (n, ...)."""
    _, (before, after) = as_compared("z", None, z, to.reshape(-1, z.shape[1]))
    start = before.reshape(len(z), *[1] * (to.ndim - 2), -1)
    apart: NDArray[np.floating] = np.linalg.norm(after.reshape(to.shape) - start, axis=-1)
    return apart


def unit_vectors(points: Features) -> NDArray[np.floating]:
    """Each point (n, d) divided by its Euclidean length, float32 or wider; zero stays zero.

    Lengths are summed in float64 of coordinates that were divided by the largest of their point, so
    that neither very long nor very short points overflow or vanish. Takes one copy of the points.
    """
    points = as_float(points)
    largest = np.maximum(points.max(axis=1), -points.min(axis=1))
    largest[largest == 0] = 1
    scaled: NDArray[np.floating] = points / largest[:, None]
    lengths = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))
    lengths[lengths == 0] = 1
    scaled /= lengths[:, None].astype(scaled.dtype)
    return scaled
