"""The papers' two-sample tests: level, power, halves, and kNN against a naive loop."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from dimred.evaluation import half_split
from dimred.evaluation.half_split import CLASSIFIERS, half_split_test


def sets(n_a, n_b, d=2, shift=0.0, seed=0):
    """Points of two sets, and which are of the second, in a random order."""
    rng = np.random.default_rng(seed)
    is_b = rng.permutation(n_a + n_b) < n_b
    return rng.normal(size=(n_a + n_b, d)) + shift * is_b[:, None], is_b


@pytest.mark.parametrize(("classifier", "n", "repeats"), [("knn", 60, 300), ("nn", 50, 60)])
def test_what_does_not_differ_is_seldom_found(classifier, n, repeats):
    found = [half_split_test(*sets(n, n, seed=seed), classifier, seed) for seed in range(repeats)]
    rejected = sum(test.p <= 0.05 for test in found)
    # Exact, so at most 5 %; and not a test that never rejects.
    assert 0 < rejected <= binom.ppf(0.999, repeats, 0.05)
    assert np.mean([test.accuracy for test in found]) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_what_differs_is_found(classifier):
    found = half_split_test(*sets(150, 150, shift=1.5), classifier, 0)
    # Of two Gaussians 1.5 apart in each of two dimensions, the best classifier tells 86 %.
    assert 0.78 < found.accuracy < 0.93
    assert found.p < 1e-6


def test_the_network_finds_what_is_no_shift():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=400), 3 * rng.normal(size=400)])[:, None]
    assert half_split_test(points, np.arange(800) >= 400, "nn", 0).accuracy > 0.65


def test_p_and_interval_are_those_of_the_binomial_distribution():
    found = half_split_test(*sets(40, 40, shift=0.5), "knn", 1)
    hits = round(found.accuracy * found.n_test)
    assert found.n_test == 40
    assert 0 < hits < 40
    assert found.p == pytest.approx(sum(binom.pmf(h, 40, 0.5) for h in range(hits, 41)))
    low, high = beta.ppf(0.025, hits, 41 - hits), beta.ppf(0.975, hits + 1, 40 - hits)
    assert found.interval == pytest.approx((low, high))


def told_by_a_loop(train, train_is_b, test):
    """The majority of the floor(sqrt(n)) nearest training points, A in a tie."""
    train, test = (x.astype(np.float64) for x in (train, test))
    center, spread = train.mean(axis=0), train.std(axis=0)
    train, test = (train - center) / spread, (test - center) / spread
    k, told = int(math.sqrt(len(train))), []
    for point in test:
        nearest = sorted(range(len(train)), key=lambda i: ((train[i] - point) ** 2).sum())[:k]
        told.append(sum(bool(train_is_b[i]) for i in nearest) > k / 2)
    return np.array(told)


@given(n_a=st.integers(4, 30), n_b=st.integers(4, 30), seed=st.integers(0, 999))
def test_knn_is_as_a_loop_has_it(n_a, n_b, seed):
    points, is_b = sets(n_a, n_b, d=3, shift=0.7, seed=seed)
    points *= [1, 100, 0.01]
    train, test = half_split._halves(is_b, None, np.random.default_rng(seed))
    found = half_split_test(points, is_b, "knn", seed)
    if len(set(is_b[train])) == 2:
        told = told_by_a_loop(points[train], is_b[train], points[test])
        assert found.accuracy == pytest.approx((told == is_b[test]).mean())
    assert found.n_test == min(n_a, n_b)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=2, max_size=30),
    seed=st.integers(0, 99),
)
def test_halves_hold_as_many_of_both_sets_and_no_group_twice(sizes, seed):
    sizes = [*sizes, (2, False), (1, True)]
    counts, of_group = (np.array(column) for column in zip(*sizes, strict=True))
    groups = np.repeat(np.arange(len(sizes)) * 3, counts)
    is_b = of_group[groups // 3]
    train, test = half_split._halves(is_b, groups, np.random.default_rng(seed))
    kept = np.concatenate([train, test])
    each = min(of_group.sum(), (~of_group).sum())
    assert len(train) == len(test) == each
    assert len(set(groups[kept])) == len(kept)
    assert is_b[kept].sum() == each
    assert half_split_test(np.arange(len(is_b))[:, None], is_b, "knn", seed, groups).n_test == each


def test_every_point_of_the_larger_set_and_of_a_group_may_be_used():
    is_b = np.array([False] * 6 + [True] * 2)
    groups = np.array([0, 0, 0, 1, 2, 3, 4, 5])
    rngs = [np.random.default_rng(seed) for seed in range(60)]
    kept = [np.concatenate(half_split._halves(is_b, groups, rng)) for rng in rngs]
    assert set(np.concatenate(kept)) == set(range(8))


def test_copies_are_no_evidence():
    """Without groups, kNN finds the copy of a point on the other side of the split."""
    points, is_b = sets(60, 60, seed=3)
    twice, both = np.repeat(points, 4, axis=0), np.repeat(is_b, 4)
    groups = np.repeat(np.arange(120), 4)
    alone = [half_split_test(twice, both, "knn", seed).p <= 0.05 for seed in range(40)]
    grouped = [half_split_test(twice, both, "knn", seed, groups).p <= 0.05 for seed in range(40)]
    assert sum(alone) > 20
    assert sum(grouped) < 10


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_a_seed_gives_one_result_and_a_handful_of_points_is_enough(classifier):
    points, is_b = sets(30, 30, shift=0.4)
    first, again, other = (half_split_test(points, is_b, classifier, s) for s in (0, 0, 1))
    assert first == again
    assert first != other
    few = [half_split_test(*sets(2, 1, seed=seed), classifier, seed) for seed in range(8)]
    assert {test.n_test for test in few} == {1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classifier": "svm"}, "'svm': must be one of nn, knn"),
        ({"is_b": np.zeros(4, bool)}, "4 points of one set"),
        ({"is_b": np.array([True, False])}, "4 points with 2 labels"),
        ({"groups": np.zeros(3, np.int64)}, "4 points with 3 groups"),
        ({"points": np.array([[0.0], [1], [2], [np.nan]])}, "not finite"),
    ],
)
def test_what_cannot_be_tested_is_refused(change, message):
    arguments = {
        "points": np.arange(4.0)[:, None],
        "is_b": np.arange(4) > 1,
        "classifier": "knn",
        "seed": 0,
    }
    with pytest.raises(ValueError, match=message):
        half_split_test(**(arguments | change))
