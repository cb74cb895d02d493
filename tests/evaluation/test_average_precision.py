"""Average precision, against a loop over its definition and scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from dimred.evaluation import average_precision, class_precision


def naive(scores, right, positives):
    """Precision times the growth of recall, one threshold after the other."""
    total, before = 0.0, 0
    for threshold in sorted(set(scores), reverse=True):
        named = [bool(it) for score, it in zip(scores, right, strict=True) if score >= threshold]
        total += (sum(named) - before) / positives * sum(named) / len(named)
        before = sum(named)
    return total


@st.composite
def answers(draw):
    """Scores with ties, and which answers are right."""
    n = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(0, draw(st.integers(1, 60)), n).astype(np.float32) / 7
    return scores, rng.random(n) < draw(st.floats(0, 1))


@settings(max_examples=100, deadline=None)
@given(answers(), st.integers(0, 5), st.randoms())
def test_it_is_the_loop_over_the_definition_in_any_order(drawn, missed, random):
    scores, right = drawn
    positives = max(int(right.sum()) + missed, 1)
    value = average_precision(scores, right, positives)
    assert value == pytest.approx(naive(scores, right, positives), abs=1e-12)
    order = list(range(len(scores)))
    random.shuffle(order)
    assert average_precision(scores[order], right[order], positives) == pytest.approx(value)
    if right.any():
        expected = average_precision_score(right, scores)
        assert average_precision(scores, right) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(answers(), st.data())
def test_an_answer_made_wrong_never_raises_it(drawn, data):
    scores, right = drawn
    if not right.any():
        return
    wrong = right.copy()
    wrong[data.draw(st.sampled_from(np.flatnonzero(right).tolist()))] = False
    positives = int(right.sum())
    assert average_precision(scores, wrong, positives) < average_precision(scores, right)


def test_a_false_positive_and_a_miss_by_hand():
    scores, right = np.array([4.0, 3.0, 2.0, 1.0]), np.array([True, False, True, False])
    assert average_precision(scores, right) == pytest.approx((1 + 2 / 3) / 2)
    # The second of three objects was never named.
    assert average_precision(scores, right, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision(scores, ~right, 2) == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_of_each_class_and_of_one_that_is_nowhere():
    rng = np.random.default_rng(0)
    scores, presence = rng.normal(size=(30, 3)), rng.random((30, 3)) < 0.3
    presence[:, 1] = False
    right = presence & (rng.random((30, 3)) < 0.7)
    values = class_precision(scores, right, presence)
    assert np.isnan(values[1])
    for k in (0, 2):
        expected = naive(scores[:, k], right[:, k], presence[:, k].sum())
        assert values[k] == pytest.approx(expected)


def test_images_that_are_not_judged_are_as_if_they_were_not_there():
    rng = np.random.default_rng(0)
    scores, presence = rng.normal(size=(30, 2)), rng.random((30, 2)) < 0.4
    judged = rng.random((30, 2)) < 0.7
    judged[:, 1] = ~presence[:, 1]
    kept = judged[:, 0]
    values = class_precision(scores, presence, presence, judged)
    assert values[0] == average_precision(scores[kept, 0], presence[kept, 0])
    assert np.isnan(values[1])


@pytest.mark.parametrize(
    ("scores", "right", "positives", "message"),
    [
        ([1.0, 2.0], [True], None, "scores"),
        ([1.0, np.nan], [True, False], None, "finite"),
        ([1.0, 2.0], [True, True], 1, "1 positives, 2 right"),
        ([1.0, 2.0], [False, False], None, "0 positives"),
    ],
)
def test_what_has_no_average_precision(scores, right, positives, message):
    with pytest.raises(ValueError, match=message):
        average_precision(np.array(scores), np.array(right), positives)
