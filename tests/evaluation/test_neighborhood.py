import numpy as np
import pytest
from sklearn import manifold

from dimred.evaluation import neighbor_overlap, partners_found, trustworthiness


def naive_overlap(high, low, k):
    def nearest(points, i):
        distances = [float(np.sum((points[i] - other) ** 2)) for other in points]
        return set(
            sorted((j for j in range(len(points)) if j != i), key=lambda j: distances[j])[:k]
        )

    shares = [len(nearest(high, i) & nearest(low, i)) / k for i in range(len(high))]
    return sum(shares) / len(shares)


@pytest.mark.parametrize("k", [1, 3, 10, 29])
def test_the_overlap_is_the_naive_loops(k):
    rng = np.random.default_rng(k)
    high = rng.normal(size=(30, 20))
    low = high[:, :2] + 0.3 * rng.normal(size=(30, 2))
    assert neighbor_overlap(high, low, k) == pytest.approx(naive_overlap(high, low, k), abs=1e-12)


def test_the_overlap_of_a_map_with_itself_is_one_and_of_noise_is_at_chance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 5)).astype(np.float32)
    assert neighbor_overlap(x, 3 * x + 1, 15) == 1.0
    noise = rng.normal(size=(500, 2))
    assert neighbor_overlap(x, noise, 15) == pytest.approx(15 / 499, abs=0.015)


def test_points_that_are_equal_are_each_others_neighbors():
    x = np.repeat(np.arange(5.0), 2)[:, None]
    assert neighbor_overlap(x, 2 * x, 1) == 1.0


def test_trustworthiness_is_scikit_learns_or_that_of_a_subset():
    rng = np.random.default_rng(0)
    high = rng.normal(size=(120, 6)).astype(np.float32)
    low = high[:, :2]
    whole = manifold.trustworthiness(high, low, n_neighbors=5)
    assert trustworthiness(high, low, 5, max_points=120, seed=0) == whole
    part = trustworthiness(high, low, 5, max_points=60, seed=0)
    assert part == trustworthiness(high, low, 5, max_points=60, seed=0)
    assert part != trustworthiness(high, low, 5, max_points=60, seed=1)
    assert part == pytest.approx(whole, abs=0.1)
    assert trustworthiness(high, high, 5, max_points=60, seed=0) == 1.0


@pytest.mark.parametrize(("n", "k", "max_points"), [(10, 0, 10), (10, 5, 10), (40, 5, 10)])
def test_a_k_too_large_for_the_points_is_refused(n, k, max_points):
    x = np.random.default_rng(0).normal(size=(n, 3))
    with pytest.raises(ValueError, match=f"k = {k}"):
        trustworthiness(x, x, k, max_points, seed=0)


def test_bad_arguments_of_the_overlap_are_refused():
    x = np.zeros((4, 2))
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k = {k}"):
            neighbor_overlap(x, x, k)
    with pytest.raises(ValueError, match="3 in the other"):
        neighbor_overlap(x, x[:3], 1)
    with pytest.raises(ValueError, match="3 in the other"):
        trustworthiness(x, x[:3], 1, 10, 0)


def test_partners_are_found_where_they_are_near_and_by_chance_where_all_are_equal():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 10)).astype(np.float32)
    near = points + 0.01 * rng.normal(size=points.shape).astype(np.float32)
    assert partners_found(points, near, [1, 5])[1].all()
    moved = np.roll(near, 1, axis=0)  # each partner is another image's
    assert not partners_found(points, moved, [1])[1].any()
    nothing = partners_found(np.zeros((200, 2)), np.zeros((200, 2)), [5, 20])
    assert {k: found.mean() for k, found in nothing.items()} == {5: 5 / 200, 20: 20 / 200}
    apart = partners_found(points, rng.normal(size=points.shape), [50])[50]
    assert 0.1 < apart.mean() < 0.4
