"""Classical embeddings: LLE unrolls a curve, t-SNE keeps clusters apart, both repeatably."""

import numpy as np
import pytest

from dimred.evaluation import knn_accuracy
from dimred.evaluation.classical import lle, opentsne_map, tsne_map, umap_map
from dimred.evaluation.predictability import rank_correlation


def arc(n=150, seed=0):
    """A parameter and points of a smooth spiral of one and a half turns in 10-D."""
    random = np.random.default_rng(seed)
    t = random.uniform(0, 1, n)
    angle = 3 * np.pi * t
    curve = np.stack([(1 + 2 * t) * np.cos(angle), (1 + 2 * t) * np.sin(angle), 2 * t], axis=1)
    return t, curve @ np.linalg.qr(random.normal(size=(10, 3)))[0].T


def blobs(n=40, d=60, apart=30.0, seed=0):
    random = np.random.default_rng(seed)
    points = random.normal(size=(2 * n, d))
    points[n:, 0] += apart
    return points.astype(np.float32)


def test_lle_unrolls_a_curve_that_no_coordinate_follows():
    t, points = arc()
    z = lle(points, 1)
    assert z.shape == (150, 1)
    assert rank_correlation(z[:, 0], t) > 0.98
    # What LLE adds: of the two coordinates that wind, none has that order.
    plane = points - points.mean(axis=0)
    plane = plane @ np.linalg.svd(plane, full_matrices=False)[2].T
    assert max(rank_correlation(plane[:, i], t) for i in range(2)) < 0.9


def test_lle_of_an_image_family_orders_it():
    """A bright bar that moves across images: one-dimensional, and smooth."""
    place = np.random.default_rng(0).uniform(4, 12, 120)
    images = np.exp(-(((np.arange(16) - place[:, None]) / 2) ** 2))
    images = np.repeat(images, 4, axis=1)
    assert rank_correlation(lle(images, 1)[:, 0], place) > 0.98


def test_lle_is_deterministic_and_takes_any_numbers():
    points = np.random.default_rng(0).integers(0, 256, (60, 6)).astype(np.uint8)
    first = lle(points, 2)
    np.random.seed(5)  # noqa: NPY002
    assert np.array_equal(lle(points, 2), first)
    assert np.array_equal(lle(points.astype(np.float64), 2), first)
    assert first.shape == (60, 2)
    assert np.isfinite(first).all()


def test_lle_of_more_points_than_are_solved_densely_orders_too(monkeypatch):
    monkeypatch.setattr("dimred.evaluation.classical._DENSE_UP_TO", 100)
    t, points = arc()
    first = lle(points, 1)
    assert rank_correlation(first[:, 0], t) > 0.98
    assert np.array_equal(lle(points, 1), first)


def test_tsne_keeps_far_blobs_apart():
    z = tsne_map(blobs(), seed=0)
    assert z.shape == (80, 2)
    assert np.isfinite(z).all()
    # Every point is nearer to all of its blob's than to the other's mean.
    means = z[:40].mean(axis=0), z[40:].mean(axis=0)
    for mine, (own, other) in ((z[:40], means), (z[40:], means[::-1])):
        nearer = np.linalg.norm(mine - own, axis=1) < np.linalg.norm(mine - other, axis=1)
        assert nearer.all()


def test_tsne_is_repeatable_by_its_seed():
    points = np.random.default_rng(0).normal(size=(40, 5))
    first = tsne_map(points, seed=3)
    np.random.seed(5)  # noqa: NPY002
    assert np.array_equal(tsne_map(points, seed=3), first)


@pytest.mark.parametrize(("n", "d"), [(2, 5), (5, 5), (8, 2), (20, 100)])
def test_tsne_of_few_points_or_dimensions(n, d):
    z = tsne_map(np.random.default_rng(0).normal(size=(n, d)), seed=0)
    assert z.shape == (n, 2)
    assert np.isfinite(z).all()


def test_tsne_of_pixels_computes_in_floating_point():
    points = np.random.default_rng(0).integers(0, 256, (30, 60)).astype(np.uint8)
    assert np.array_equal(tsne_map(points, 0), tsne_map(points.astype(np.float32), 0))


@pytest.mark.parametrize(("method", "module"), [(opentsne_map, "openTSNE"), (umap_map, "umap")])
def test_fast_methods_keep_clusters_apart_repeatably(method, module):
    pytest.importorskip(module)
    points = blobs()
    z = method(points, 0)
    assert z.shape == (80, 2)
    label = np.arange(80) // 40
    even, odd = slice(0, None, 2), slice(1, None, 2)
    assert knn_accuracy(z[even], label[even], z[odd], label[odd], [5]) == {5: 1.0}
    assert np.array_equal(method(points, 0), z)


def test_fast_methods_take_as_few_points_as_there_may_be():
    pytest.importorskip("openTSNE")
    pytest.importorskip("umap")
    points = np.random.default_rng(0).normal(size=(17, 6))
    assert np.isfinite(opentsne_map(points, 0)).all()
    assert np.isfinite(umap_map(points, 0)).all()
