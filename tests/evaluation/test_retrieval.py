from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from sklearn.neighbors import NearestNeighbors

from dimred.evaluation import retrieval as module
from dimred.evaluation import unit_vectors
from dimred.evaluation.retrieval import class_retrieval, nearest_others


def naive(points, classes, ks):
    """Recall@K and MAP@R by loops over the definitions, in float64."""
    recall, precisions = dict.fromkeys(ks, 0), []
    for i, point in enumerate(points.astype(float)):
        others = [j for j in range(len(points)) if j != i]
        others.sort(key=lambda j: float(((points[j].astype(float) - point) ** 2).sum()))
        right = [classes[j] == classes[i] for j in others]
        if not any(right):
            continue
        for k in ks:
            recall[k] += any(right[:k])
        r = sum(right)
        terms = [sum(right[: rank + 1]) / (rank + 1) for rank in range(r) if right[rank]]
        precisions.append(sum(terms) / r)
    n = len(precisions)
    return {k: count / n for k, count in recall.items()}, sum(precisions) / n, n


@st.composite
def clouds(draw):
    """Points without ties and their classes, of very different sizes, in a random order."""
    n, dims = draw(st.integers(4, 60)), draw(st.sampled_from([1, 2, 5, 9, 20]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    classes = (rng.random(n) ** 3 * draw(st.integers(1, 8))).astype(np.int64) * 7 - 3
    classes[:2] = classes[0]
    points = rng.normal(size=(n, dims)) + rng.normal(size=(30, dims))[classes % 30]
    return points.astype(draw(st.sampled_from([np.float32, np.float64]))), classes


@settings(max_examples=60, deadline=None)
@given(clouds(), st.integers(1, 300), st.data())
def test_it_is_the_loops_over_the_definitions_in_blocks_of_any_size(cloud, found, data):
    points, classes = cloud
    ks = data.draw(st.lists(st.integers(1, len(points) - 1), min_size=1, max_size=4))
    with patch.object(module, "_FOUND_IN_BLOCK", found):
        result = class_retrieval(points, classes, ks)
    recall, map_at_r, queries = naive(points, classes, ks)
    assert result.recall == pytest.approx(recall, abs=1e-12)
    assert result.map_at_r == pytest.approx(map_at_r, abs=1e-12)
    assert (result.queries, result.alone) == (queries, len(points) - queries)
    # Of each query, and by chance: the share of the others that are of its class.
    others = np.array([int((classes == own).sum()) - 1 for own in classes])
    first = [naive_first(points, classes, i) for i in np.flatnonzero(others)]
    assert result.first_right.tolist() == first
    chance = (others[others > 0] / (len(points) - 1)).mean()
    assert result.chance == pytest.approx(chance, abs=1e-12)


def naive_first(points, classes, i):
    """Whether the nearest other point is of the same class."""
    squares = ((points.astype(float) - points[i].astype(float)) ** 2).sum(1)
    squares[i] = np.inf
    return bool(classes[squares.argmin()] == classes[i])


def test_points_on_a_line_as_counted_by_hand():
    points, classes = np.array([[0.0], [1], [3], [7], [12]]), np.array([0, 1, 0, 0, 1])
    # 0 finds 1, 0, 0, 1; 1 finds 0, 0, 0, 1; 3 finds 1, 0, 0, 1; 7 finds 0, 1, 1, 0; 12 finds
    # 0, 0, 1, 0. R is 2 for the three of class 0: (0 + 1/2)/2 twice, and (1 + 0)/2.
    result = class_retrieval(points, classes, [1, 2, 3, 4])
    assert result.recall == {1: 0.2, 2: 0.6, 3: 0.8, 4: 1.0}
    assert result.map_at_r == pytest.approx((0.25 + 0.25 + 0.5) / 5, abs=1e-15)


def knn_of(query, k, reference, ref_includes_query):
    assert ref_includes_query
    points = reference.numpy()
    distances, found = NearestNeighbors(n_neighbors=k).fit(points).kneighbors()
    return torch.from_numpy(distances), torch.from_numpy(found)


@pytest.mark.parametrize("sizes", [[40, 40, 40], [70, 20, 5, 2, 1, 1]])
def test_it_is_pytorch_metric_learnings(sizes):
    rng = np.random.default_rng(0)
    classes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = rng.normal(size=(len(classes), 12)) + rng.normal(size=(len(sizes), 12))[classes]
    points = unit_vectors(points.astype(np.float32))
    include = ("precision_at_1", "mean_average_precision_at_r")
    calculator = AccuracyCalculator(
        include=include,
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=knn_of,
        kmeans_func=lambda points, n: None,
    )
    theirs = calculator.get_accuracy(points, classes)
    ours = class_retrieval(points, classes, [1])
    assert ours.recall[1] == pytest.approx(theirs["precision_at_1"], abs=1e-6)
    assert ours.map_at_r == pytest.approx(theirs["mean_average_precision_at_r"], abs=1e-6)
    assert ours.alone == sizes.count(1)


@pytest.mark.parametrize("dims", [2, 40])
def test_recall_is_that_of_scikit_learns_neighbors(dims):
    rng = np.random.default_rng(dims)
    points, classes = rng.normal(size=(700, dims)).astype(np.float32), rng.integers(0, 30, 700)
    found = NearestNeighbors(n_neighbors=8).fit(points).kneighbors(return_distance=False)
    right = classes[found] == classes[:, None]
    expected = {k: right[:, :k].any(axis=1).mean() for k in (1, 2, 4, 8)}
    assert class_retrieval(points, classes, [1, 2, 4, 8]).recall == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize("dims", [2, 20])
def test_a_copy_of_a_point_is_its_neighbor_and_the_point_itself_is_not(dims):
    points = np.random.default_rng(0).normal(size=(30, dims))
    twice = np.concatenate([points, points])
    of_copies = np.tile(np.arange(30), 2)
    assert class_retrieval(twice, of_copies, [1]).recall[1] == 1.0
    # The nearest is the copy, of the other class; only the second may be right.
    of_halves = np.repeat([0, 1], 30)
    assert class_retrieval(twice, of_halves, [1]).recall[1] == 0.0


@pytest.mark.parametrize("dims", [2, 20])
def test_of_more_copies_than_neighbors_none_is_the_point_itself(dims):
    points = np.ones((12, dims))
    points[10:] = 5
    rows = np.arange(12)
    near = nearest_others(points, rows, 3)
    assert near.shape == (12, 3)
    assert not (near == rows[:, None]).any()
    assert all(len(set(row)) == 3 for row in near.tolist())
    assert (near[:10] < 10).all()
    assert near[10, 0] == 11


@pytest.mark.parametrize("dims", [2, 20])
def test_a_map_in_one_point_is_at_chance_where_images_are_sorted_by_class(dims):
    classes = np.repeat(np.arange(5), 80)
    result = class_retrieval(np.ones((400, dims), dtype=np.float32), classes, [1, 8])
    assert result.recall[1] == pytest.approx(0.2, abs=0.06)
    assert result.map_at_r < 0.1


def test_points_alone_in_their_class_ask_for_nothing_and_stand_in_the_way():
    points, classes = np.array([[0.0], [1], [3], [50]]), np.array([0, 1, 0, 2])
    result = class_retrieval(points, classes, [1, 2])
    assert (result.queries, result.alone) == (2, 2)
    assert result.recall == {1: 0.0, 2: 1.0}


@pytest.mark.parametrize("ks", [[], [0], [1, 4], [-1]])
def test_a_bad_k_is_refused(ks):
    with pytest.raises(ValueError, match="must be from 1 to 3 with 4 points"):
        class_retrieval(np.eye(4), np.array([0, 0, 1, 1]), ks)


def test_what_has_no_answer_is_refused():
    with pytest.raises(ValueError, match="no class has two points"):
        class_retrieval(np.eye(4), np.arange(4), [1])
    with pytest.raises(ValueError, match="4 points with 3 classes"):
        class_retrieval(np.eye(4), np.arange(3), [1])
    with pytest.raises(ValueError, match="NaN"):
        class_retrieval(np.array([[np.nan, 1], [0, 1], [2, 1]]), np.zeros(3, dtype=int), [1])


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [(1e-37, "f4"), (1.0, "f4"), (1e37, "f4"), (1e-200, "f8"), (1.0, "f8"), (1e200, "f8")],
)
def test_unit_vectors_keep_the_direction_of_short_and_long_points(scale, dtype):
    directions = np.random.default_rng(0).normal(size=(20, 30))
    directions[3] = 0
    unit = unit_vectors((directions * scale).astype(dtype))
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    lengths[3] = 1
    assert unit.dtype == dtype
    assert unit == pytest.approx(directions / lengths, abs=1e-6 if dtype == "f4" else 1e-14)
    assert not unit[3].any()


def test_unit_vectors_leave_their_points_as_they_are():
    points = np.array([[3, 4], [0, 0], [6, 8]], dtype=np.uint8)
    before = points.copy()
    assert unit_vectors(points) == pytest.approx(np.array([[0.6, 0.8], [0, 0], [0.6, 0.8]]))
    assert (points == before).all()
