"""The search of nearest neighbours; the search in blocks, which GPUs do, runs here on the CPU."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from dimred.evaluation import knn_accuracy, neighbour_overlap, neighbours
from dimred.evaluation.neighbours import nearest, nearest_in_blocks

CPU = torch.device("cpu")


@pytest.fixture
def on_a_gpu(monkeypatch):
    """A device that is not the CPU, whose work the CPU does; and the devices that were asked."""
    asked = []

    def instead(train, query, k, device):
        asked.append(device)
        return nearest_in_blocks(train, query, k, CPU)

    monkeypatch.setattr(neighbours, "nearest_in_blocks", instead)
    return torch.device("cuda"), asked


def naive(train, query, k):
    """All distances as exact integers; among equals the lowest position."""
    found = []
    for i, point in enumerate((train if query is None else query).tolist()):
        ranked = sorted(
            (sum((int(a) - int(b)) ** 2 for a, b in zip(point, other, strict=True)), j)
            for j, other in enumerate(train.tolist())
            if query is not None or j != i
        )
        found.append([j for _, j in ranked[:k]])
    return np.array(found)


@st.composite
def pixel_problem(draw):
    """Few different values, so that points repeat and distances tie often."""
    dims = draw(st.sampled_from([1, 2, 15, 16, 20]))
    values = st.sampled_from([0, 1, 200, 255])
    dtype = draw(st.sampled_from([np.uint8, np.int64, np.float32, np.float64]))
    train = draw(arrays(np.int64, (draw(st.integers(2, 20)), dims), elements=values))
    query = draw(
        st.none() | arrays(np.int64, st.tuples(st.integers(1, 9), st.just(dims)), elements=values)
    )
    k = draw(st.integers(1, len(train) - (query is None)))
    return train.astype(dtype), query if query is None else query.astype(dtype), k


@given(pixel_problem(), st.integers(1, 8), st.integers(1, 8))
def test_in_blocks_the_lowest_positions_win_among_equals(problem, queries, points):
    train, query, k = problem
    sizes = {"_QUERIES_IN_BLOCK": queries, "_POINTS_IN_BLOCK": points}
    with patch.multiple(neighbours, **sizes):
        found = nearest_in_blocks(train, query, k, CPU)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, naive(train, query, k))


@pytest.mark.parametrize("offset", [0.0, 500.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dims", [2, 15, 16, 512])
def test_in_blocks_and_scikit_learn_find_the_same_where_distances_differ(dims, dtype, offset):
    rng = np.random.default_rng(0)
    x = (offset + rng.normal(size=(700, dims))).astype(dtype)
    x.flags.writeable = False
    train, query = x[:500], x[500:]
    with patch.multiple(neighbours, _QUERIES_IN_BLOCK=64, _POINTS_IN_BLOCK=150):
        among, others = (nearest_in_blocks(train, q, 10, CPU) for q in (query, None))
    exact = NearestNeighbors(n_neighbors=10, algorithm="kd_tree").fit(train.astype(np.float64))
    expected = exact.kneighbors(query.astype(np.float64), return_distance=False)
    np.testing.assert_array_equal(among, expected)
    np.testing.assert_array_equal(others, exact.kneighbors(return_distance=False))
    np.testing.assert_array_equal(nearest(train, query, 10), among)
    np.testing.assert_array_equal(nearest(train, None, 10), others)


def test_in_blocks_small_groups_far_apart_keep_their_neighbours():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=(90, 2)), 1e4 + 1e-3 * rng.normal(size=(60, 2))])
    np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), nearest(x, None, 5))


def test_in_blocks_many_dimensions_far_from_the_origin_keep_their_digits():
    x = 1e5 + 1e-2 * np.random.default_rng(1).normal(size=(150, 40))
    exact = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(x)
    expected = exact.kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), expected)


@pytest.mark.parametrize("dims", [4, 40])
def test_accuracy_in_blocks_is_scikit_learns_also_where_points_with_their_labels_repeat(
    dims, on_a_gpu
):
    device, asked = on_a_gpu
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, dims)).astype(np.float32), rng.integers(0, 4, 200)
    train = rng.permutation(np.repeat(np.arange(100), 5))
    found = knn_accuracy(x[train], y[train], x[100:], y[100:], [1, 7, 15], device)
    for k, accuracy in found.items():
        classifier = KNeighborsClassifier(k).fit(x[train], y[train])
        assert accuracy == classifier.score(x[100:], y[100:])
    assert asked == [device]


def test_the_overlap_is_the_same_in_blocks(on_a_gpu):
    device, asked = on_a_gpu
    rng = np.random.default_rng(0)
    high, low = rng.normal(size=(90, 20)), rng.normal(size=(90, 2))
    assert neighbour_overlap(high, low, 7, device) == neighbour_overlap(high, low, 7)
    assert asked == [device]  # in few dimensions a KD-tree is quick on any machine


@pytest.mark.parametrize("search", [nearest, nearest_in_blocks])
def test_bad_arguments_are_refused(search):
    x = np.random.default_rng(0).normal(size=(4, 2))
    for query, k in ((x, 0), (x, 5), (None, 4)):
        with pytest.raises(ValueError, match=f"k = {k}: must be from 1 to"):
            search(x, query, k, CPU)
    with pytest.raises(ValueError, match="NaN"):
        search(x, x * np.nan, 1, CPU)
    with pytest.raises(ValueError, match="infinity"):
        search(np.where(x == x[0, 0], np.inf, x), x, 1, CPU)
    with pytest.raises(ValueError, match="3"):
        search(x, np.zeros((2, 3)), 1, CPU)
    with pytest.raises(ValueError, match="0 sample"):
        search(x, x[:0], 1, CPU)


@pytest.mark.gpu
@pytest.mark.parametrize("dims", [2, 40])
def test_a_gpu_finds_what_the_cpu_finds(dims):
    x = np.random.default_rng(0).normal(size=(6_000, dims)).astype(np.float32)
    found = nearest(x, None, 15, torch.device("cuda"))
    np.testing.assert_array_equal(found, nearest(x, None, 15))
