"""Principal components, against the eigenvectors of the covariance."""

import numpy as np
import pytest

from dimred.evaluation.principal import principal_components


def test_they_are_the_eigenvectors_of_the_covariance():
    points = np.random.default_rng(0).normal(size=(200, 4)) * [1, 3, 2, 0.5] + 7
    variances, vectors = np.linalg.eigh(np.cov(points.T))
    found = principal_components(points, 3)
    np.testing.assert_allclose(found.shares, variances[::-1][:3] / variances.sum())
    np.testing.assert_allclose(
        abs(found.directions @ vectors[:, ::-1][:, :3]), np.eye(3), atol=1e-9
    )
    centered = points - points.mean(axis=0)
    np.testing.assert_allclose(found.coordinates, centered @ found.directions.T, atol=1e-9)


@pytest.mark.parametrize("points", [np.ones((5, 3)), np.ones((1, 3)), np.array([[1, 2], [3, 4]])])
def test_what_is_not_there_is_zero(points):
    found = principal_components(points, 3)
    rank = np.linalg.matrix_rank(points - points.mean(axis=0))
    assert found.coordinates.shape == (len(points), 3)
    assert found.shares.sum() == pytest.approx(min(rank, 1))
    np.testing.assert_allclose(found.coordinates[:, rank:], 0, atol=1e-9)
