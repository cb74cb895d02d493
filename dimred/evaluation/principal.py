"""Principal component analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dimred.evaluation.neighbors import Features, as_float


@dataclass(frozen=True)
class PrincipalComponents:
    """The first principal components of points (N, d), by decreasing variance.

    coordinates: (N, dims), of the centered points. directions: (dims, d), unit vectors.
    shares: (dims,), of the variance. All are 0 past min(N, d), and where all points are equal.
    """

    coordinates: NDArray[np.floating[Any]]
    directions: NDArray[np.floating[Any]]
    shares: NDArray[np.floating[Any]]


def principal_components(points: Features, dims: int, seed: int = 0) -> PrincipalComponents:
    """The first `dims` principal components of points (N, d), by scikit-learn, which uses
    random numbers from `seed` where both N and d are large. Computed in the precision of the
    points, at least float32.
    """
    points = as_float(points)
    n, d = points.shape
    if not (points != points[0]).any():  # scikit-learn would warn of a division by 0
        zeros = [np.zeros(shape, points.dtype) for shape in ((n, dims), (dims, d), (dims,))]
        return PrincipalComponents(*zeros)
    pca = PCA(min(dims, n, d), random_state=seed)
    coordinates = pca.fit_transform(points)
    missing = dims - pca.n_components
    if not missing:
        return PrincipalComponents(coordinates, pca.components_, pca.explained_variance_ratio_)
    return PrincipalComponents(
        np.pad(coordinates, [(0, 0), (0, missing)]),
        np.pad(pca.components_, [(0, missing), (0, 0)]),
        np.pad(pca.explained_variance_ratio_, [(0, missing)]),
    )
