import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.neighbors import KNeighborsClassifier

from dimred.evaluation import knn_accuracy, random_split
from dimred.evaluation.knn import majority
from dimred.evaluation.neighbors import nearest


@st.composite
def grid_problem(draw):
    """Points on an integer line or grid, each once, so that votes tie often but distances never."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)
    train = np.array(draw(st.permutations(grid.tolist())))[: draw(st.integers(2, 25))]
    labels = draw(arrays(np.int64, len(train), elements=st.sampled_from([-3, 0, 4, 7])))
    n_test = draw(st.integers(1, 8))
    cells = draw(arrays(np.int64, (n_test, 2), elements=st.integers(-1, 5)))
    test = cells + np.array(
        [2**0.5 / 5, 3**0.5 / 7]
    )  # irrational: no two grid points are equally far
    test_labels = draw(arrays(np.int64, n_test, elements=st.sampled_from([-3, 0, 4, 7, 8])))
    ks = sorted({1, draw(st.integers(1, len(train))), len(train)})
    return train.astype(float), labels, test, test_labels, ks


@given(problem=grid_problem())
@settings(max_examples=20)
def test_knn_accuracy_equals_scikit_learns_for_any_k(problem):
    train, labels, test, test_labels, ks = problem
    expected = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metrics, for classes that are only in the test part
        for k in ks:
            expected[k] = KNeighborsClassifier(k).fit(train, labels).score(test, test_labels)
    assert knn_accuracy(train, labels, test, test_labels, ks) == expected


@given(problem=grid_problem())
@settings(max_examples=20)
def test_the_majority_is_scikit_learns_for_any_k(problem):
    train, labels, test, _, ks = problem
    for k in ks:
        model = KNeighborsClassifier(k).fit(train, labels)
        winners, shares = majority(labels, nearest(train, test, k))
        assert winners.tolist() == model.predict(test).tolist()
        assert shares == pytest.approx(model.predict_proba(test).max(1))


def test_nobody_has_no_majority():
    with pytest.raises(ValueError, match="no neighbors"):
        majority(np.array([1, 2]), np.zeros((3, 0), dtype=np.int64))


@pytest.mark.parametrize("dims", [2, 40])
def test_knn_accuracy_equals_scikit_learns_in_float32_and_in_high_dimension(dims):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, dims)).astype(np.float32)
    y = rng.integers(0, 3, 400)
    found = knn_accuracy(x[:300], y[:300], x[300:], y[300:], [15, 1, 4])
    assert list(found) == [15, 1, 4]
    for k, accuracy in found.items():
        assert accuracy == KNeighborsClassifier(k).fit(x[:300], y[:300]).score(x[300:], y[300:])


@pytest.mark.parametrize("votes", [1, 30, 1_000])
def test_votes_are_counted_in_blocks(votes, monkeypatch):
    monkeypatch.setattr("dimred.evaluation.knn._VOTES_IN_BLOCK", votes)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 2)), rng.integers(0, 7, 200)
    found = knn_accuracy(x[:100], y[:100], x[100:], y[100:], [3, 8])
    for k, accuracy in found.items():
        assert accuracy == KNeighborsClassifier(k).fit(x[:100], y[:100]).score(x[100:], y[100:])


def test_a_tied_vote_goes_to_the_smallest_label():
    train, labels = np.array([[0.0], [1.0]]), np.array([9, 2])
    assert knn_accuracy(train, labels, np.array([[0.1]]), np.array([2]), [1, 2]) == {1: 0, 2: 1}


def test_pixels_are_not_computed_in_uint8():
    train, labels = np.array([[0], [200]], dtype=np.uint8), np.array([0, 1])
    test = np.array([[250]], dtype=np.uint8)  # 250 - 0 and 250 - 200 wrap when squared in uint8
    assert knn_accuracy(train, labels, test, np.array([1]), [1]) == {1: 1.0}


@pytest.mark.parametrize("ks", [[], [0], [3], [1, 4], [-1]])
def test_a_bad_k_is_refused(ks):
    with pytest.raises(ValueError, match="k"):
        knn_accuracy(np.zeros((2, 2)), np.zeros(2, int), np.zeros((1, 2)), np.zeros(1, int), ks)


def test_points_and_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 training points with 2 labels"):
        knn_accuracy(np.zeros((3, 2)), np.zeros(2, int), np.zeros((1, 2)), np.zeros(1, int), [1])
    with pytest.raises(ValueError, match="NaN"):
        knn_accuracy(
            np.full((3, 2), np.nan), np.zeros(3, int), np.zeros((1, 2)), np.zeros(1, int), [1]
        )


@given(
    labels=arrays(np.int64, st.integers(2, 40), elements=st.integers(0, 5)),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40)
def test_a_random_split_has_every_point_once_and_the_asked_sizes(labels, share, seed):
    n_test = min(max(round(share * len(labels)), 1), len(labels) - 1)
    train, test = random_split(labels, n_test, seed)
    assert len(test) == n_test
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    again = random_split(labels, n_test, seed)
    np.testing.assert_array_equal(test, again[1])


def test_a_random_split_is_stratified_and_differs_by_seed():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    train, test = random_split(labels, 20, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[test]), [12, 6, 2])
    np.testing.assert_array_equal(np.bincount(labels[train]), [48, 24, 8])
    assert set(test) != set(random_split(labels, 20, seed=1)[1])


def test_the_only_member_of_a_class_is_for_training():
    labels = np.array([5, *[0] * 10, 7, *[1] * 10])
    for seed in range(10):
        train, test = random_split(labels, 4, seed)
        assert {0, 11} <= set(train)
        np.testing.assert_array_equal(np.bincount(labels[test]), [2, 2])


def test_a_split_too_small_to_stratify_is_plainly_random():
    labels = np.arange(20) // 2
    tests = {int(random_split(labels, 1, seed)[1][0]) for seed in range(60)}
    assert len(tests) > 10
    assert len(random_split(np.arange(6), 5, seed=0)[1]) == 5


@pytest.mark.parametrize("n_test", [-1, 0, 4, 9])
def test_a_bad_test_size_is_refused(n_test):
    with pytest.raises(ValueError, match="n_test"):
        random_split(np.zeros(4, int), n_test, seed=0)


def test_the_global_random_state_is_untouched():
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    random_split(np.zeros(10, int), 3, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
