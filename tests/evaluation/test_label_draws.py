"""Nested draws of labeled images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimred.evaluation.label_draws import LabelDraws

labelings = st.lists(st.integers(0, 3), min_size=4, max_size=60).map(
    lambda values: np.array([0, 0, 1, 1, *values])
)


@settings(max_examples=50)
@given(labelings, st.integers(0, 9), st.data())
def test_draws_are_nested_and_have_as_many_of_each_class(labels, draw, data):
    draws = LabelDraws(labels)
    count = data.draw(st.integers(1, draws.smallest))
    rows = draws.rows(draw, count)
    classes, sizes = np.unique(labels[rows], return_counts=True)
    assert classes.tolist() == np.unique(labels).tolist()
    assert set(sizes) == {count}
    assert (np.diff(rows) > 0).all()
    assert set(rows) <= set(draws.rows(draw, draws.smallest))
    assert rows.tolist() == LabelDraws(labels).rows(draw, count).tolist()


def test_draws_differ_and_all_labels_are_all():
    draws = LabelDraws(np.repeat([0, 1, 2], 50))
    first, second = draws.rows(0, 5), draws.rows(1, 5)
    assert first.tolist() != second.tolist()
    assert draws.rows(3, None).tolist() == list(range(150))


def test_every_image_is_drawn_as_often_as_others():
    draws = LabelDraws(np.repeat([0, 1], 10))
    drawn = np.bincount(np.concatenate([draws.rows(d, 3) for d in range(1_000)]), minlength=20)
    assert abs(drawn - 300).max() < 75  # five standard deviations


def test_more_labels_than_a_class_has_are_refused():
    with pytest.raises(ValueError, match="from 1 to 2"):
        LabelDraws(np.array([0, 0, 1, 1, 1])).rows(0, 3)
