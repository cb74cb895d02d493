from itertools import combinations, combinations_with_replacement
from math import atan2, cos, pi, prod, sin, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LinearRegression

from dimred.evaluation.predictability import (
    circular_correlation,
    factor_r2,
    invariance_ratio,
    one_hot,
    rank_correlation,
    rank_correlation_ceiling,
    targets_of,
    transformed_embedding_r2,
)

SEEDS = st.integers(0, 2**32 - 1)
EVEN = np.arange(36) * 2 * np.pi / 36


def circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def rotation(angle):
    return np.array([[cos(angle), -sin(angle)], [sin(angle), cos(angle)]])


def naive_rank_correlation(values, factor):
    def ranks(x):
        return [sum(b < a for b in x) + (sum(b == a for b in x) - 1) / 2 for a in x]

    a, b = ranks(values), ranks(factor)
    mean = (len(a) - 1) / 2
    product = sum((p - mean) * (q - mean) for p, q in zip(a, b, strict=True))
    return abs(product) / sqrt(sum((p - mean) ** 2 for p in a) * sum((q - mean) ** 2 for q in b))


def naive_circular_correlation(points, angles):
    n = len(points)
    x0, y0 = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    a, b = [atan2(y - y0, x - x0) for x, y in points], list(angles)
    ab = aa = bb = 0.0
    for i, j in combinations(range(n), 2):
        ab += sin(a[i] - a[j]) * sin(b[i] - b[j])
        aa += sin(a[i] - a[j]) ** 2
        bb += sin(b[i] - b[j]) ** 2
    return abs(ab) / sqrt(aa * bb)


def naive_r2(predicted, truth):
    error = total = 0.0
    for column in range(truth.shape[1]):
        mean = sum(truth[:, column]) / len(truth)
        for row in range(len(truth)):
            error += (truth[row, column] - predicted[row][column]) ** 2
            total += (truth[row, column] - mean) ** 2
    return 1 - error / total


# rank_correlation


def test_the_rank_correlation_of_three_values_by_hand():
    # Ranks 1, 2, 3 and 1, 3, 2: 1 - 6 * 2 / (3 * 8).
    assert rank_correlation(np.array([0.1, 5, 6]), np.array([-3, 9, 8])) == pytest.approx(0.5)


@given(arrays(np.int64, (7, 2), elements=st.integers(-3, 3)))
def test_the_rank_correlation_is_the_naive_loops_with_ties(x):
    values, factor = x.T
    if np.ptp(values) == 0 or np.ptp(factor) == 0:
        assert rank_correlation(values, factor) == 0.0
    else:
        naive = naive_rank_correlation(values, factor)
        assert rank_correlation(values, factor) == pytest.approx(naive, abs=1e-12)


@given(arrays(np.int64, (8, 2), elements=st.integers(-50, 50)))
def test_any_monotone_change_leaves_the_rank_correlation(x):
    values, factor = x.T
    before = rank_correlation(values, factor)
    assert 0 <= before <= 1
    assert rank_correlation(-(values**3), factor) == pytest.approx(before, abs=1e-12)
    assert rank_correlation(values, 7 + factor**5) == pytest.approx(before, abs=1e-12)


def test_the_rank_correlation_of_a_bent_but_monotone_dimension_is_one_and_of_noise_near_none():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=2000)
    assert rank_correlation(-np.exp(4 * factor), factor) == pytest.approx(1.0, abs=1e-12)
    assert rank_correlation(rng.normal(size=2000), factor) < 0.08


# circular_correlation


@given(SEEDS, st.integers(3, 25), st.floats(0, 2))
def test_the_circular_correlation_is_the_naive_sum_over_pairs(seed, n, noise):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(-10, 10, n)
    points = circle(angles) + noise * rng.normal(size=(n, 2))
    naive = naive_circular_correlation(points, angles)
    assert circular_correlation(points, angles) == pytest.approx(naive, abs=1e-7)


@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("angles", [EVEN, np.repeat(EVEN, 5), EVEN[::9]])
def test_a_circle_turned_shifted_and_run_in_either_sense_gives_one(angles, sense):
    points = 3 * circle(sense * angles + 0.7) + [100, -20]
    value = circular_correlation(points, angles)
    assert value == pytest.approx(1.0, abs=1e-12)
    assert value <= 1


@pytest.mark.parametrize("turns", [0, 2, 3])
def test_a_curve_that_does_not_go_round_once_gives_none(turns):
    assert circular_correlation(circle(turns * EVEN), EVEN) == pytest.approx(0.0, abs=1e-12)


def test_random_points_give_about_no_circular_correlation():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, 2000)
    assert circular_correlation(rng.normal(size=(2000, 2)), angles) < 0.01
    assert circular_correlation(rng.normal(size=(2000, 2)), 0.3 * angles) < 0.08


def test_angles_around_one_direction_correlate_as_on_the_whole_circle():
    # Pairs of opposite points keep the mean at the center, whatever the angles.
    angles = np.random.default_rng(0).normal(0, 1e-4, 200)
    angles = np.concatenate([angles, angles + np.pi])
    assert circular_correlation(circle(angles), angles) == pytest.approx(1.0, abs=1e-6)


@given(
    SEEDS,
    st.floats(-pi, pi),
    st.floats(0.01, 100),
    st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    st.sampled_from([-1, 1]),
)
def test_place_size_turn_and_sense_leave_the_circular_correlation(seed, turn, size, shift, flip):
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 2 * np.pi, 20)
    points = circle(angles) + rng.normal(size=(20, 2))
    before = circular_correlation(points, angles)
    assert 0 <= before <= 1
    moved = size * (points * [flip, 1]) @ rotation(turn).T + shift
    assert circular_correlation(moved, angles) == pytest.approx(before, abs=1e-7)
    assert circular_correlation(points, flip * angles + turn) == pytest.approx(before, abs=1e-7)


@pytest.mark.parametrize(
    "points",
    [
        np.full((36, 2), 0.1),
        np.linspace([0.1, 0.2], [0.7, 1.3], 36),
        np.linspace([0.1, 0.2], [0.7, 1.3], 36).astype(np.float32),
    ],
)
def test_a_group_collapsed_to_a_point_or_a_line_has_no_circular_correlation(points):
    assert circular_correlation(points, EVEN) == 0.0


def test_angles_on_one_line_have_no_circular_correlation():
    assert circular_correlation(circle(EVEN), np.pi * (np.arange(36) % 2)) == 0.0


def test_points_that_are_not_two_dimensional_are_refused():
    with pytest.raises(ValueError, match="3 dimensions"):
        circular_correlation(np.ones((36, 3)), EVEN)


# factor_r2 and its targets


@pytest.mark.parametrize("k", [1, 4, 20])
def test_the_r2_of_a_factor_is_the_naive_loops(k):
    rng = np.random.default_rng(k)
    points, targets = rng.normal(size=(32, 2)), rng.normal(size=(32, 3)) * [1, 10, 0.1]
    targets[:, 1] += 10 * points[:, 0]
    train, test = slice(0, 20), slice(20, 32)
    predicted = []
    for query in points[test]:
        order = sorted(range(20), key=lambda i: sum((points[i] - query) ** 2))
        predicted.append([sum(targets[i, c] for i in order[:k]) / k for c in range(3)])
    value = factor_r2(points[train], targets[train], points[test], targets[test], k)
    assert value == pytest.approx(naive_r2(predicted, targets[test]), abs=1e-12)


def test_the_r2_of_a_factor_that_is_in_the_points_or_predicted_by_its_mean():
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    targets = np.arange(40.0)[:, None]
    assert factor_r2(x, targets, x, targets, k=1) == 1.0
    assert factor_r2(x, targets, x, targets, k=40) == pytest.approx(0.0, abs=1e-12)
    # The variance of 0..39 is (40^2 - 1) / 12; the mean is wrong by 10.
    below = -100 / (1599 / 12)
    assert factor_r2(x, targets, x, targets + 10, k=40) == pytest.approx(below)


def test_a_factor_that_no_linear_map_finds_is_found_and_one_that_is_absent_is_not():
    rng = np.random.default_rng(0)
    points = rng.uniform(-1, 1, size=(3000, 1))
    targets = points**2
    linear = LinearRegression().fit(points[:2000], targets[:2000])
    assert linear.score(points[2000:], targets[2000:]) < 0.05
    assert factor_r2(points[:2000], targets[:2000], points[2000:], targets[2000:]) > 0.98
    noise = rng.normal(size=(3000, 2))
    value = factor_r2(noise[:2000], targets[:2000], noise[2000:], targets[2000:])
    assert value == pytest.approx(-1 / 15, abs=0.05)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_the_r2_of_a_constant_factor_is_none(constant):
    x = np.random.default_rng(0).normal(size=(30, 2))
    targets = np.full((30, 1), constant)
    assert factor_r2(x, targets, x, targets) == 0.0
    assert factor_r2(x, targets + x[:, :1], x, targets) == 0.0


@given(SEEDS, st.floats(-pi, pi), st.floats(0.01, 100), st.floats(-50, 50))
def test_turning_the_map_or_rescaling_the_targets_leaves_the_r2(seed, turn, size, shift):
    rng = np.random.default_rng(seed)
    x, targets = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    moved, scaled = size * x @ rotation(turn).T + shift, size * targets @ rotation(turn).T + shift
    before = factor_r2(x[:30], targets[:30], x[30:], targets[30:], k=3)
    after = factor_r2(moved[:30], scaled[:30], moved[30:], scaled[30:], k=3)
    assert after == pytest.approx(before, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("k", [0, 11])
def test_a_k_out_of_range_is_refused(k):
    x = np.random.default_rng(0).normal(size=(10, 1))
    with pytest.raises(ValueError, match=f"k = {k}"):
        factor_r2(x, x, x, x, k)


def test_targets_of_ordered_cyclic_and_nominal_factors():
    ordered = targets_of(np.array([3, 1, 2], dtype=np.uint8), None)
    assert ordered.dtype == np.float64
    np.testing.assert_array_equal(ordered, [[3], [1], [2]])
    cyclic = targets_of(np.array([0, 90, 180, 450]), 360)
    np.testing.assert_allclose(cyclic, [[1, 0], [0, 1], [-1, 0], [0, 1]], atol=1e-12)
    nominal = one_hot(np.array([7, -1, 7, 3]))
    assert nominal.dtype == np.float64
    np.testing.assert_array_equal(nominal, [[0, 0, 1], [1, 0, 0], [0, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("period", [0, -1.0, np.inf, np.nan])
def test_a_bad_period_is_refused(period):
    with pytest.raises(ValueError, match=r"period = "):
        targets_of(np.arange(3), period)


# invariance_ratio


def test_the_invariance_ratio_by_hand():
    # Within (1 + 1 + 1 + 1 + 0) / 5; the mean of all is 5, squared deviations 25, 9, 25, 49, 16.
    points = np.array([0, 2, 10, 12, 1], dtype=np.uint8)[:, None]
    groups = np.array([4, 4, 1, 1, 9])
    assert invariance_ratio(points, groups) == pytest.approx(4 / 124)


@given(arrays(np.float32, (9, 2), elements=st.floats(-9, 9, width=16)), st.data())
def test_the_invariance_ratio_is_the_naive_loops(points, data):
    groups = data.draw(arrays(np.int64, 9, elements=st.integers(0, 4)))

    def squared_deviations(members):
        total = 0.0
        for column in range(2):
            values = [float(points[i, column]) for i in members]
            total += sum((v - sum(values) / len(values)) ** 2 for v in values)
        return total

    whole = squared_deviations(range(9))
    if whole < 1e-9:
        return
    within = sum(squared_deviations([i for i in range(9) if groups[i] == g]) for g in set(groups))
    value = invariance_ratio(points, groups)
    assert 0 <= value <= 1
    assert value == pytest.approx(within / whole, abs=1e-9)


def test_a_map_that_the_factor_does_not_move_has_ratio_zero_and_one_that_is_all_factor_one():
    images = np.random.default_rng(0).normal(size=(10, 3))
    groups = np.repeat(np.arange(10), 7)
    assert invariance_ratio(np.repeat(images, 7, axis=0), groups) == 0.0
    only_factor = invariance_ratio(np.tile(images[:7], (10, 1)), groups)
    assert only_factor == pytest.approx(1.0, abs=1e-12)


def test_points_placed_without_regard_to_the_groups_have_the_documented_ratio():
    rng = np.random.default_rng(0)
    value = invariance_ratio(rng.normal(size=(4000, 2)), np.arange(4000) % 1000)
    assert value == pytest.approx(3000 / 3999, abs=0.02)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_collapsed_map_is_not_called_invariant(value):
    assert invariance_ratio(np.full((7, 2), value), np.array([0, 0, 0, 1, 1, 1, 2])) == 1.0


@given(SEEDS, st.floats(-pi, pi), st.floats(0.01, 100), st.floats(-50, 50))
def test_moving_the_map_or_renaming_the_groups_leaves_the_invariance_ratio(seed, turn, size, shift):
    rng = np.random.default_rng(seed)
    points, groups = rng.normal(size=(20, 2)), np.arange(20) // 3
    before = invariance_ratio(points, groups)
    moved = size * points @ rotation(turn).T + shift
    names = rng.permutation(20) + 2**60  # float64 does not tell these apart
    assert invariance_ratio(moved, names[groups]) == pytest.approx(before, abs=1e-9)


def test_groups_of_one_point_each_are_refused():
    with pytest.raises(ValueError, match="no group"):
        invariance_ratio(np.arange(4.0)[:, None], np.arange(4))


# transformed_embedding_r2


def turned(n, seed):
    """Points, the cosine and sine of a turn, and the turned points."""
    rng = np.random.default_rng(seed)
    points, angles = rng.normal(size=(n, 2)), rng.uniform(0, 2 * np.pi, n)
    to = np.stack([rotation(a) @ p for a, p in zip(angles, points, strict=True)])
    return points, targets_of(angles, 2 * np.pi), to


def test_rotations_are_predicted_which_a_linear_regression_does_not():
    train, test = turned(600, 0), turned(300, 1)
    linear = LinearRegression().fit(np.hstack(train[:2]), train[2])
    assert linear.score(np.hstack(test[:2]), test[2]) < 0.05
    assert transformed_embedding_r2(*train, *test) == pytest.approx(1.0, abs=1e-6)


def test_a_cubic_movement_is_predicted_and_one_of_degree_six_or_of_chance_is_not():
    rng = np.random.default_rng(0)
    points, strength = rng.normal(size=(800, 2)), rng.normal(size=(800, 1))

    def r2(to):
        parts = points, strength, to
        return transformed_embedding_r2(*(p[:600] for p in parts), *(p[600:] for p in parts))

    assert r2(points * strength**2) == pytest.approx(1.0, abs=1e-6)
    assert r2(1e3 + points + 5 * strength) == pytest.approx(1.0, abs=1e-6)
    assert r2((points * strength) ** 3) < 0.95
    assert r2(rng.normal(size=(800, 2))) < 0.05


def test_the_r2_of_the_transformed_embedding_is_that_of_normal_equations_on_the_monomials():
    rng = np.random.default_rng(0)
    x, to = rng.normal(size=(90, 3)), rng.normal(size=(90, 2)) * [1, 3]
    to += x[:, :1] * x[:, 1:2]
    train, test = slice(0, 60), slice(60, 90)

    def standardized(columns):
        return (columns - columns[train].mean(axis=0)) / columns[train].std(axis=0)

    z = standardized(x)
    monomials = standardized(
        np.array(
            [
                [
                    prod(row[i] for i in chosen)
                    for degree in (1, 2, 3)
                    for chosen in combinations_with_replacement(range(3), degree)
                ]
                for row in z
            ]
        )
    )
    assert monomials.shape == (90, 19)
    mean = to[train].mean(axis=0)
    gram = monomials[train].T @ monomials[train] + 1e-3 * np.eye(19)
    weights = np.linalg.solve(gram, monomials[train].T @ (to[train] - mean))
    expected = naive_r2(monomials[test] @ weights + mean, to[test])
    value = transformed_embedding_r2(
        x[train, :2], x[train, 2:], to[train], x[test, :2], x[test, 2:], to[test]
    )
    assert value == pytest.approx(expected, abs=1e-9)


def test_one_dimensional_maps_and_constant_strengths_are_predicted():
    x = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    strength = np.full((60, 1), 0.1)
    value = transformed_embedding_r2(x, strength, 2 * x + 1, x, strength, 2 * x + 1)
    assert value == pytest.approx(1.0, abs=1e-6)


def test_an_outlier_raises_no_warning_of_a_badly_conditioned_system():
    points, strength, to = turned(30_000, 0)
    points[0] = 1e3
    value = transformed_embedding_r2(points, strength, to, points, strength, to)
    assert value == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_collapsed_map_is_not_called_predictable(value):
    points, strength, _ = turned(40, 0)
    to = np.full((40, 2), value)
    assert transformed_embedding_r2(points, strength, to, points, strength, to) == 0.0


# What all of them refuse

ONE, TWO, GROUPS = np.arange(20.0), np.arange(40.0).reshape(20, 2), np.arange(20) // 2
CALLS = {
    rank_correlation: (ONE, ONE),
    circular_correlation: (TWO, ONE),
    factor_r2: (TWO, TWO, TWO, TWO),
    invariance_ratio: (TWO, GROUPS),
    transformed_embedding_r2: (TWO,) * 6,
    lambda values: targets_of(values, 1.0): (ONE,),
    lambda values: targets_of(values, None): (ONE,),
    one_hot: (ONE,),
}
EACH_ARGUMENT = [(f, place) for f, arguments in CALLS.items() for place in range(len(arguments))]


def with_one_changed(function, place, change):
    arguments = list(CALLS[function])
    arguments[place] = change(arguments[place])
    return function(*arguments)


@pytest.mark.parametrize(("function", "place"), EACH_ARGUMENT)
def test_each_array_must_be_finite_not_empty_and_have_its_axes(function, place):
    function(*CALLS[function])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not all finite"):
            with_one_changed(
                function, place, lambda x, bad=bad: np.where(x == x.flat[3], bad, x * 1.0)
            )
    with pytest.raises(ValueError, match="empty"):
        with_one_changed(function, place, lambda x: x[:0])
    with pytest.raises(ValueError, match="axes"):
        with_one_changed(function, place, lambda x: x[:, None])


@pytest.mark.parametrize(
    ("function", "place"), [(f, place) for f, place in EACH_ARGUMENT if len(CALLS[f]) > 1]
)
def test_arrays_of_different_length_are_refused(function, place):
    with pytest.raises(ValueError, match="not of one length"):
        with_one_changed(function, place, lambda x: x[:-1])


@pytest.mark.parametrize(
    ("function", "place"),
    [(f, place) for f in (factor_r2, transformed_embedding_r2) for place in range(len(CALLS[f]))],
)
def test_train_and_test_of_different_width_are_refused(function, place):
    with pytest.raises(ValueError, match="columns in train"):
        with_one_changed(function, place, lambda x: x[:, :1])


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_no_order_of_distinct_values_exceeds_the_ceiling(factor):
    factor = np.array(factor, dtype=float)
    ceiling = rank_correlation_ceiling(factor)
    shuffled = np.random.default_rng(0).permutation(len(factor)).astype(float)
    assert rank_correlation(shuffled, factor) <= ceiling + 1e-12
    assert rank_correlation(factor + 1e-3 * shuffled, factor) == pytest.approx(ceiling)


def test_the_ceiling_of_equally_frequent_strengths():
    assert rank_correlation_ceiling(np.repeat(np.arange(5.0), 400)) == pytest.approx(
        (1 - 1 / 25) ** 0.5, abs=1e-5
    )
    assert rank_correlation_ceiling(np.ones(7)) == 0.0
    assert rank_correlation_ceiling(np.arange(7.0)) == pytest.approx(1.0)
