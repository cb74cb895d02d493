"""Two-sample tests, against naive loops, and their level where nothing differs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn import linear_model
from sklearn.metrics import roc_auc_score

from dimred.evaluation import two_samples
from dimred.evaluation.two_samples import (
    Labelings,
    Ridge,
    aucs,
    detectable,
    holm,
    mean_of_sets,
    near_graph,
    space_test,
)


def sets(n_a, n_b, d=5, shift=0.0, seed=0):
    """Points of two sets, and which are of the second, in a random order."""
    rng = np.random.default_rng(seed)
    is_b = rng.permutation(n_a + n_b) < n_b
    return rng.normal(size=(n_a + n_b, d)) + shift * is_b[:, None], is_b


@given(
    sizes=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 2)), min_size=4),
    seed=st.integers(0, 99),
)
def test_groups_keep_together_and_strata_keep_their_labels(sizes, seed):
    if len({is_b for _, is_b, _ in sizes}) < 2:
        sizes = [*sizes, (1, False, 0), (1, True, 0)]
    counts, of_group, strata = (np.array(column) for column in zip(*sizes, strict=True))
    groups = np.repeat(np.arange(len(sizes)), counts) * 7  # any numbers
    labelings = Labelings(of_group[groups // 7], groups, strata[groups // 7], 20, seed)
    assert np.array_equal(labelings.is_b, of_group[groups // 7])
    first = np.unique(groups, return_index=True)[1]
    labels = labelings.labels
    assert np.array_equal(labels[first][labelings.groups], labels)
    for stratum in range(3):
        within = labels[first][strata == stratum].sum(axis=0)
        assert (within == within[0]).all()


def test_labels_are_permuted_evenly():
    labelings = Labelings(np.array([True, False, False, False]), permutations=4_000)
    shares = labelings.labels[:, 1:].mean(axis=1)
    np.testing.assert_allclose(shares, 0.25, atol=0.03)


@pytest.mark.parametrize(
    ("is_b", "groups", "message"),
    [([True, True], None, "of one set"), ([True, False], [3, 3], "points of both sets")],
)
def test_labels_that_cannot_be_permuted_are_refused(is_b, groups, message):
    with pytest.raises(ValueError, match=message):
        Labelings(np.array(is_b), None if groups is None else np.array(groups))


@pytest.mark.parametrize("d", [2, 40])  # fewer dimensions than points, and more
def test_scores_are_those_of_ridge_regressions_without_each_group(d):
    points, is_b = sets(12, 18, d)
    groups = np.arange(30)
    groups[np.flatnonzero(is_b)[:4]] = 100
    groups[np.flatnonzero(~is_b)[2:4]] = 200
    labelings = Labelings(is_b, groups, permutations=2)
    scores = Ridge(points, labelings.groups).scores(labelings.labels)
    ridge = two_samples._RIDGE * ((points - points.mean(axis=0)) ** 2).sum() / min(30, d)
    for column, labels in enumerate(labelings.labels.T):
        y = np.where(labels, 30 / (2 * labels.sum()), -30 / (2 * (~labels).sum()))
        for i in range(30):
            others = groups != groups[i]
            fitted = linear_model.Ridge(ridge).fit(points[others], y[others])
            assert scores[i, column] == pytest.approx(fitted.predict(points[[i]])[0], abs=1e-9)


@pytest.mark.parametrize("d", [39, 512])
def test_no_point_is_told_from_the_mean_of_the_others(d):
    points, is_b = sets(20, 20, d)
    test = space_test(points, Labelings(is_b, permutations=99))
    assert test.auc.by_chance < 0.52
    assert test.accuracy.by_chance < 0.52


def test_the_ways_to_label_groups_are_counted_within_strata():
    is_b = np.array([True, True, False, False, False, True, False, False])
    groups, strata = np.array([0, 0, 1, 2, 3, 4, 5, 6]), np.array([5, 5, 5, 5, 5, 9, 9, 9])
    ways = np.exp(Labelings(is_b, groups, strata, permutations=1).ways)
    assert ways == pytest.approx(4 * 3)
    assert np.exp(Labelings(is_b, groups, permutations=1).ways) == pytest.approx(21)


def test_shares_of_the_own_set_are_counted_among_the_nearest_of_other_groups():
    points, is_b = sets(9, 14, 3)
    groups = np.arange(23)
    groups[np.flatnonzero(is_b)[:5]] = 50
    labelings = Labelings(is_b, groups, permutations=3)
    k = 4
    near = two_samples._nearest_of_others(points, labelings, k, None)
    of_b = near_graph(near) @ labelings.labels.astype(float)
    own = mean_of_sets(np.where(labelings.labels, of_b, 1 - of_b), labelings.labels)
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    for column, labels in enumerate(labelings.labels.T):
        shares = {True: [], False: []}
        for i in range(23):
            others = [j for j in np.argsort(distances[i]) if groups[j] != groups[i]][:k]
            shares[bool(labels[i])].append(np.mean(labels[others] == labels[i]))
            if column == 0:
                assert of_b[i, 0] == pytest.approx(labels[others].mean())
        assert own[column] == pytest.approx(np.mean([np.mean(part) for part in shares.values()]))


def test_the_auc_is_that_of_scikit_learn_with_ties():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 6, (40, 3)).astype(float), rng.random((40, 3)) < 0.3
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(3)]
    np.testing.assert_allclose(aucs(scores, labels), expected)


def test_a_difference_is_found_and_said_in_numbers():
    points, is_b = sets(100, 60, shift=0.7)
    test = space_test(points, Labelings(is_b))
    assert test.p <= 0.003
    assert test.own.p == test.auc.p == 0.001
    low, high = test.auc_interval
    assert 0.6 < low < test.auc.value < high < 1
    assert test.auc.value == pytest.approx(roc_auc_score(is_b, test.scores))
    assert test.own.excess > 0.1
    assert abs(test.own.by_chance - 0.5) < 0.02
    right = [np.mean((test.scores > 0)[is_b]), np.mean((test.scores < 0)[~is_b])]
    assert test.accuracy.value == pytest.approx(np.mean(right))
    assert test.nearest_b[is_b].mean() > test.nearest_b[~is_b].mean() + 0.2


def test_labelings_are_judged_in_parts_where_they_are_many(monkeypatch):
    points, is_b = sets(30, 30, shift=0.4)
    whole = space_test(points, Labelings(is_b, permutations=99))
    monkeypatch.setattr(two_samples, "_VALUES_AT_A_TIME", 60 * 7)
    parts = space_test(points, Labelings(is_b, permutations=99))
    assert (parts.p, parts.own, parts.accuracy) == (whole.p, whole.own, whole.accuracy)
    np.testing.assert_allclose(parts.scores, whole.scores)
    np.testing.assert_allclose(parts.nearest_b, whole.nearest_b)


def test_the_order_of_points_and_which_set_is_the_second_change_little():
    points, is_b = sets(60, 60, shift=0.2)
    test = space_test(points, Labelings(is_b))
    order = np.random.default_rng(1).permutation(120)
    other = space_test(points[order], Labelings(~is_b[order]))
    assert other.auc.value == pytest.approx(test.auc.value)
    assert other.own.value == pytest.approx(test.own.value)
    assert abs(other.p - test.p) < 0.05


def rejected(level, repeats, make, permutations=39):
    """How often two sets of one distribution are said to differ."""
    return sum(
        space_test(points, Labelings(is_b, groups, None, permutations, seed)).p <= level
        for seed, (points, is_b, groups) in ((seed, make(seed)) for seed in range(repeats))
    )


def alone(seed):
    return *sets(15, 25, 3, seed=seed), None


def copied(seed):
    """Each point twice in its set."""
    points, is_b = sets(12, 12, 3, seed=seed)
    return np.repeat(points, 2, axis=0), np.repeat(is_b, 2), np.repeat(np.arange(24), 2)


def equal(seed):
    """All points the same, those of the second set last."""
    return np.ones((40, 2)), np.arange(40) >= 20, None


def gridded(seed):
    """Many equal points, those of the second set last."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2, (40, 2)).astype(float), np.arange(40) >= 20, None


@pytest.mark.parametrize("make", [alone, copied, equal, gridded])
def test_sets_of_one_distribution_are_said_to_differ_as_often_as_the_level_says(make):
    repeats, level = 200, 0.1
    most = binom.ppf(0.999, repeats, level)
    least = binom.ppf(0.001, repeats, level) if make in (alone, copied) else 0  # ties only lessen
    assert least <= rejected(level, repeats, make) <= most


def test_copies_taken_for_independent_points_would_mislead():
    def taken_for_independent(seed):
        points, is_b, _ = copied(seed)
        return points, is_b, None

    assert rejected(0.1, 60, taken_for_independent) > 20


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [(3, [0, 1, 1, 0], "3 points with 4 labels"), (4, [0, 1, 1, 0], "not finite|NaN|infinity")],
)
def test_points_that_cannot_be_compared_are_refused(points, labels, message):
    with pytest.raises(ValueError, match=message):
        space_test(np.full((points, 2), np.nan), Labelings(np.array(labels, bool), permutations=9))


@pytest.mark.parametrize(
    ("e", "n", "alpha"),
    [(0.2, 37, 0.05), (0.2, 60, 0.01), (0.1, 153, 0.05), (0.03, 1_716, 0.05), (0.01, 25_088, 0.01)],
)
def test_the_least_accuracy_that_is_found_is_that_of_the_theorem(e, n, alpha):
    """By theorem 1 of the paper, solved for n."""
    assert detectable(n / 2, n / 2, alpha) == pytest.approx(0.5 + e, abs=0.01 * e)
    assert detectable(n, n, alpha) < detectable(n / 2, n / 2, alpha) < detectable(n / 2, 9, alpha)


def test_with_too_few_points_nothing_is_found_and_at_a_high_level_anything():
    assert detectable(1, 1, 0.05) == 1
    assert detectable(100, 100, 0.9) == 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_holm_corrects_from_the_smallest_on(values):
    p = {str(i): value for i, value in enumerate(values)}
    corrected = holm(p)
    assert corrected.keys() == p.keys()
    ranked = sorted(values)
    for name, value in p.items():
        upto = [min((len(values) - i) * v, 1) for i, v in enumerate(ranked) if v <= value]
        assert corrected[name] == pytest.approx(max(upto))
