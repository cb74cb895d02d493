"""Outliers, label issues and clusters of points where the answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from dimred.evaluation import outliers
from dimred.evaluation.neighbors import neighbors_up_to
from dimred.evaluation.outliers import (
    beyond_threshold,
    class_kth_distances,
    clusters,
    disagreement,
    distances,
    kth_distances,
    ratio_to_median,
)


def cloud(n, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def kth(points, k):
    return kth_distances(points, neighbors_up_to(k, points))


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 99))
def test_kth_distances_are_those_of_scikit_learn(n, k, seed):
    points = cloud(n, seed=seed)
    k_there = min(k, n - 1)
    expected = NearestNeighbors(n_neighbors=k_there).fit(points).kneighbors()[0][:, -1]
    np.testing.assert_allclose(kth(points, k), expected, rtol=1e-5)


def test_a_lone_point_has_no_distance():
    assert np.isnan(kth(cloud(1), 5)).all()
    points, labels = cloud(5), np.array([0, 0, 2, 0, 0])
    assert (
        np.isnan(class_kth_distances(points, labels, 3)[0]).tolist()
        == [False] * 2 + [True] + [False] * 2
    )


def test_distances_in_blocks(monkeypatch):
    points = cloud(20)
    pairs = np.random.default_rng(1).integers(0, 20, (33, 2))
    monkeypatch.setattr(outliers, "_DISTANCES_IN_BLOCK", 12)
    expected = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    np.testing.assert_allclose(distances(points, pairs), expected, rtol=1e-6)


def test_a_point_among_another_class_is_far_from_its_own_alone():
    points = np.concatenate([cloud(60), cloud(60, seed=1) + 20, cloud(1, seed=2) + 20])
    labels = np.repeat([0, 1, 0], [60, 60, 1])
    points[7] += 100  # and one is far from everything
    k = 5
    ratios, thresholds = ratio_to_median(kth(points, k))
    assert np.argmax(ratios / thresholds) == 7
    assert ratios[120] < thresholds[120]
    ratios, thresholds = ratio_to_median(class_kth_distances(points, labels, k)[0], labels)
    listed = beyond_threshold(ratios, thresholds)
    assert set(listed[:2]) == {7, 120}
    assert set(listed) == set(np.flatnonzero(ratios > thresholds))
    assert len(listed) < 8


def test_the_threshold_is_tukeys_of_logarithms_in_each_class():
    scores = np.exp(np.array([0.0, 1, 2, 3, 4, 10, 11, 12, 13, 14]))
    labels = np.repeat([0, 1], 5)
    ratios, thresholds = ratio_to_median(scores, labels)
    np.testing.assert_allclose(ratios[:5], np.exp([-2.0, -1, 0, 1, 2]))
    np.testing.assert_allclose(ratios[:5], ratios[5:])
    np.testing.assert_allclose(thresholds, np.exp(1 + 1.5 * 2))


def test_scores_of_equal_points():
    ratios, thresholds = ratio_to_median(np.array([0.0, 0, 0, 5]))
    assert ratios.tolist() == [1, 1, 1, np.inf]
    assert (ratios > thresholds).tolist() == [False] * 3 + [True]
    ratios, _ = ratio_to_median(np.array([np.nan, 2, 2]))
    assert np.isnan(ratios[0])
    assert len(beyond_threshold(ratios, np.full(3, np.inf))) == 0
    assert ratios[1:].tolist() == [1, 1]


def test_neighbors_vote():
    neighbors = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])
    labels = np.array([0, 1, 1, 2])
    found = disagreement(neighbors, labels)
    np.testing.assert_allclose(found.kdn, [1, 2 / 3, 2 / 3, 1])
    np.testing.assert_allclose(found.share, [2 / 3, 1 / 3, 1 / 3, 2 / 3])
    assert found.other.tolist() == [1, 0, 0, 1]


def test_votes_are_counted_in_blocks(monkeypatch):
    random = np.random.default_rng(3)
    neighbors, labels = random.integers(0, 50, (50, 6)), random.integers(0, 4, 50)
    monkeypatch.setattr("dimred.evaluation.knn._VOTES_IN_BLOCK", 4 * 7)  # of 50 points 7 at once
    found = disagreement(neighbors, labels)
    for i, label in enumerate(labels):
        counts = np.bincount(labels[neighbors[i]], minlength=4)
        assert found.kdn[i] == pytest.approx(1 - counts[label] / 6)
        counts[label] = 0
        assert found.share[i] == pytest.approx(counts.max() / 6)
        assert found.other[i] == (counts.argmax() if counts.any() else label)


def test_flipped_labels_are_those_in_conflict():
    points = np.concatenate([cloud(80), cloud(80, seed=1) + 30])
    labels = np.repeat([0, 1], 80)
    labels[[3, 100]] = 1 - labels[[3, 100]]
    found = disagreement(neighbors_up_to(15, points), labels)
    assert np.flatnonzero(found.share >= 0.8).tolist() == [3, 100]
    assert found.other[[3, 100]].tolist() == [0, 1]


def test_clusters_are_listed_densest_first():
    middles = np.array([[0, 0], [50, 0], [0, 50]])
    spreads = np.array([2.0, 0.5, 1.0])
    points = np.concatenate(
        [m + s * cloud(100, 2, i) for i, (m, s) in enumerate(zip(middles, spreads, strict=True))]
    )
    found = clusters(points)
    assert [cluster.rows.min() // 100 for cluster in found] == [1, 2, 0]
    assert all(cluster.rows.min() // 100 == cluster.rows.max() // 100 for cluster in found)
    assert found[0].density / found[2].density == pytest.approx(4, rel=0.2)
    for cluster in found:
        own = points[cluster.rows]
        sums = np.linalg.norm(own[:, None] - own[None], axis=2).sum(axis=1)
        assert np.argmin(sums) == 0
        assert (np.diff(np.linalg.norm(own - own[0], axis=1)) >= 0).all()


def test_clusters_of_more_points_than_are_clustered(monkeypatch):
    points = np.concatenate([cloud(300, 2), cloud(300, 2, 1) + 40])
    monkeypatch.setattr(outliers, "MAX_CLUSTERED", 200)
    found = clusters(points)
    assert len(found) == 2
    assert sum(len(cluster.rows) for cluster in found) > 500
    assert all(len(set(cluster.rows // 300)) == 1 for cluster in found)


@pytest.mark.parametrize(
    "points", [np.zeros((50, 2)), cloud(1, 2), cloud(15, 2), cloud(40, 1), cloud(40, 3)]
)
def test_clusters_of_few_or_equal_points_or_other_dimensions(points):
    for cluster in clusters(points):
        assert len(np.unique(cluster.rows)) == len(cluster.rows) >= 10


def test_a_cluster_of_equal_points_is_infinitely_dense():
    points = np.concatenate([np.zeros((40, 2)), cloud(40, 2) + 50])
    assert clusters(points)[0].density == np.inf
