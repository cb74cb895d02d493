"""The search of nearest neighbors; the search in blocks, as on GPUs, runs here on the CPU."""

from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from dimred.evaluation import knn_accuracy, neighbor_overlap, neighbors
from dimred.evaluation.neighbors import nearest, nearest_in_blocks

CPU = torch.device("cpu")


@pytest.fixture
def on_a_gpu(monkeypatch):
    """A device that is not the CPU, whose work the CPU does; and the devices that were asked."""
    asked = []

    def instead(train, query, k, device):
        asked.append(device)
        return nearest_in_blocks(train, query, k, CPU)

    monkeypatch.setattr(neighbors, "nearest_in_blocks", instead)
    return torch.device("cuda"), asked


ALWAYS_FLOAT32 = {"_MAX_CANDIDATES": 1}  # where there are more points than candidates


def naive(train, query, k):
    """All distances as exact integers; among equals the lowest position."""
    points = train.astype(np.int64)
    asked = points if query is None else query.astype(np.int64)
    distances = ((asked[:, None] - points) ** 2).sum(axis=2)
    if query is None:
        np.fill_diagonal(distances, np.iinfo(np.int64).max)
    return distances.argsort(axis=1, kind="stable")[:, :k]


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


@st.composite
def integer_problem(draw):
    """Points that float64 measures exactly, some of them equal, of other scales or far out."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, dims = draw(st.integers(2, 60)), draw(st.integers(4, 40))
    x = rng.integers(0, draw(st.sampled_from([1, 2, 5, 1000])), (n + 5, dims))
    x *= rng.choice(
        draw(st.sampled_from([[1], [1, 1000]])), draw(st.sampled_from([(n + 5, 1), dims]))
    )
    x = x[rng.integers(0, len(x), len(x))] if draw(st.booleans()) else x
    offset, dtype = draw(
        st.sampled_from([(0, np.float32), (10**4, np.float32), (10**4, np.float64), (10**8, float)])
    )
    x = (x + offset).astype(dtype)
    query = draw(st.sampled_from([None, x[n:], x[-1:].astype(np.float64)]))
    return x[:n], query, draw(st.integers(1, n - (query is None)))


@settings(max_examples=40)
@given(
    pixel_problem() | integer_problem(), st.integers(1, 8), st.integers(1, 70), st.integers(1, 20)
)
def test_in_blocks_of_any_size_the_lowest_positions_win_among_equals(
    problem, queries, points, spare
):
    train, query, k = problem
    sizes = {
        "_QUERIES_IN_BLOCK": queries,
        "_POINTS_IN_BLOCK": points,
        "_QUERIES_AT_ONCE": 2 * queries,
    }
    expected = naive(train, query, k)
    with patch.multiple(neighbors, _SPARE=spare, **sizes):
        in_float64 = nearest_in_blocks(train, query, k, CPU)
        with patch.multiple(neighbors, **ALWAYS_FLOAT32):
            found = nearest_in_blocks(train, query, k, CPU)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(in_float64, expected)
    np.testing.assert_array_equal(found, expected)


@pytest.fixture
def left_over(monkeypatch):
    """The queries that float32 left to float64, in lists."""
    asked, search = [], neighbors._Search.in_float64

    def watched(self, rows):
        asked.append(rows.tolist())
        return search(self, rows)

    monkeypatch.setattr(neighbors._Search, "in_float64", watched)
    return asked


def close_far_out(n):
    """Points (3 n, 20) of which the first n differ by less than float32 measures, and the others,
    which they are far from, by more."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3 * n, 20)) * np.repeat([1e-2, 1, 1], n)[:, None]
    x[:n, 0] += 1e3
    return x


def test_what_float32_leaves_open_is_searched_in_float64(left_over, monkeypatch):
    x = close_far_out(500)
    exact = NearestNeighbors(n_neighbors=5, algorithm="kd_tree").fit(x)
    expected = exact.kneighbors(return_distance=False)
    np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), expected)
    assert left_over == [list(range(500))]
    left_over.clear()
    search = neighbors._Search.by_candidates
    monkeypatch.setattr(
        neighbors._Search, "by_candidates", lambda self, rows: (search(self, rows)[0], True)
    )
    found = nearest_in_blocks(x, None, 5, CPU)
    assert left_over == []
    assert (found[:500] != expected[:500]).any(axis=1).mean() > 0.5
    np.testing.assert_array_equal(found[500:], expected[500:])


def test_float32_is_given_up_where_it_settles_little(left_over, monkeypatch):
    """All points are equal; it is given up after the first part of the queries."""
    tried, search = [], neighbors._Search.by_candidates

    def watched(self, rows):
        tried.append(rows.tolist())
        return search(self, rows)

    monkeypatch.setattr(neighbors._Search, "by_candidates", watched)
    with patch.multiple(neighbors, _QUERIES_AT_ONCE=50, **ALWAYS_FLOAT32):
        found = nearest_in_blocks(np.ones((120, 16)), None, 2, CPU)
    assert tried == [list(range(50))]
    assert sum(left_over, []) == list(range(120))  # noqa: RUF017
    np.testing.assert_array_equal(found[2:], [[0, 1]] * 118)


@pytest.mark.parametrize("dims", [4, 40, 700])
def test_float32_bounds_lie_below_the_distances_and_close_to_them(dims):
    rng = np.random.default_rng(0)
    x = 3.7 + rng.normal(size=(100, dims)) * rng.choice([1e-3, 1, 30], (100, 1))
    with patch.multiple(neighbors, **ALWAYS_FLOAT32):
        search = neighbors._Search(x, x, 1, CPU, among=False)
    rows = np.arange(100)
    queries = search._queries(rows)
    bounds, places = search._ranked(queries, rows, 100, torch.float32)
    lengths = neighbors._squares(search._moved(queries, torch.float32))
    below = search._distances(queries, places) - bounds - (1 - search.slack) * lengths[:, None]
    assert (below >= 0).all()
    assert (below <= 2 * search.slack * (lengths[:, None] + lengths[places])).all()


@pytest.mark.parametrize("power", [-149, -70, -35, 30, 59, 120])
@pytest.mark.parametrize("dims", [9, 20])
def test_coordinates_beyond_what_float32_can_square_keep_their_neighbors(dims, power):
    x = np.random.default_rng(0).integers(0, 16, (150, dims))
    scaled = x.astype(np.float32) * np.float32(2.0**power)
    far = np.append(scaled[:-1], np.full((1, dims), np.float32(1e38)), axis=0)
    with patch.multiple(neighbors, **ALWAYS_FLOAT32):
        found = nearest(scaled, None, 3), nearest(far, scaled[:9], 3)
    np.testing.assert_array_equal(found[0], naive(x, None, 3))
    np.testing.assert_array_equal(found[1], naive(x[:-1], x[:9], 3))


@pytest.mark.parametrize("dims", [2, 20])
def test_coordinates_whose_sum_float32_does_not_hold_are_searched(dims):
    x = np.random.default_rng(0).integers(-16, 17, (150, dims))
    scaled = x.astype(np.float32) * np.float32(2.0**123)  # up to 1.7e38
    near = np.linalg.norm(x[:, None] - x[nearest(scaled, None, 3)], axis=2)
    expected = np.linalg.norm(x[:, None] - x[naive(x, None, 3)], axis=2)
    np.testing.assert_array_equal(near, expected)


def test_products_that_are_not_of_whole_float32_are_not_used(left_over):
    x = np.random.default_rng(0).normal(size=(1500, 20)).astype(np.float32)
    expected = nearest_in_blocks(x, None, 5, CPU)
    assert left_over == []
    with torch.autocast("cpu", torch.bfloat16):
        np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), expected)
    assert len(left_over) == 1
    for matmul in (torch.backends.mkldnn.matmul, torch.backends.cuda.matmul):
        before = matmul.fp32_precision
        matmul.fp32_precision = "tf32"
        try:
            np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), expected)
        finally:
            matmul.fp32_precision = before
    assert len(left_over) == 3


@pytest.mark.parametrize("offset", [0.0, 500.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dims", [2, 15, 16, 512])
@pytest.mark.parametrize("float32", [ALWAYS_FLOAT32, {}])
def test_in_blocks_and_scikit_learn_find_the_same_where_distances_differ(
    dims, dtype, offset, float32
):
    rng = np.random.default_rng(0)
    x = (offset + rng.normal(size=(700, dims))).astype(dtype)
    x.flags.writeable = False
    train, query = x[:500], x[500:]
    with patch.multiple(neighbors, _QUERIES_IN_BLOCK=64, _POINTS_IN_BLOCK=150, **float32):
        among, others = (nearest_in_blocks(train, q, 10, CPU) for q in (query, None))
    exact = NearestNeighbors(n_neighbors=10, algorithm="kd_tree").fit(train.astype(np.float64))
    expected = exact.kneighbors(query.astype(np.float64), return_distance=False)
    np.testing.assert_array_equal(among, expected)
    np.testing.assert_array_equal(others, exact.kneighbors(return_distance=False))
    np.testing.assert_array_equal(nearest(train, query, 10), among)
    np.testing.assert_array_equal(nearest(train, None, 10), others)


def test_in_blocks_small_groups_far_apart_keep_their_neighbors():
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
    high, low = rng.normal(size=(90, 8)), rng.normal(size=(90, 2))
    assert neighbor_overlap(high, low, 7, device) == neighbor_overlap(high, low, 7)
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


def test_several_threads_find_the_same_and_pytorch_keeps_its_number(monkeypatch):
    x = np.random.default_rng(0).normal(size=(300, 20))
    monkeypatch.setattr(neighbors, "_QUERIES_IN_BLOCK", 64)
    expected = nearest_in_blocks(x, None, 5, CPU)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for most in (0, 1):
            monkeypatch.setattr(neighbors, "_MAX_CANDIDATES", most)
            np.testing.assert_array_equal(nearest_in_blocks(x, None, 5, CPU), expected)
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.gpu
@pytest.mark.parametrize("dims", [2, 40])
def test_a_gpu_finds_what_the_cpu_finds(dims):
    x = np.random.default_rng(0).normal(size=(6_000, dims)).astype(np.float32)
    found = nearest(x, None, 15, torch.device("cuda"))
    np.testing.assert_array_equal(found, nearest(x, None, 15))


def test_it_may_be_called_in_inference_mode():
    x = np.random.default_rng(0).normal(size=(2_000, 20)).astype(np.float32)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        expected = nearest(x, None, 3)
        with torch.inference_mode():
            np.testing.assert_array_equal(nearest(x, None, 3), expected)
    finally:
        torch.set_num_threads(before)
