"""Principal component analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from dimred.evaluation.neighbours import Features, as_float


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
    """The first `dims` principal components of points (N, d), by scikit-learn, which draws random
    numbers by `seed` where both N and d are large. Computed in float32 or wider, as the points are.
    """
    points = as_float(points)
    n, d = points.shape
    found = min(dims, n, d)
    coordinates = np.zeros((n, dims), points.dtype)
    directions, shares = np.zeros((dims, d), points.dtype), np.zeros(dims, points.dtype)
    if (points != points[0]).any():  # else scikit-learn warns of a division by 0
        pca = PCA(found, random_state=seed)
        coordinates[:, :found] = pca.fit_transform(points)
        directions[:found], shares[:found] = pca.components_, pca.explained_variance_ratio_
    return PrincipalComponents(coordinates, directions, shares)
