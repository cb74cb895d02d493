"""The error of a difference between shares of the same images."""

import numpy as np
import pytest
from scipy.stats import binomtest

from dimred.evaluation.paired import difference_error


def test_only_images_on_which_the_two_differ_count():
    one = np.array([True] * 90 + [False] * 10)
    other = np.array([True] * 80 + [False] * 15 + [True] * 5)
    assert difference_error(one, other) == pytest.approx(np.sqrt(10 + 5) / 100)
    assert difference_error(other, one) == difference_error(one, other)
    assert difference_error(one, one) == 0


def test_two_errors_are_about_what_an_exact_test_calls_significant():
    for only_one, only_other in ((40, 20), (33, 27), (12, 2), (5, 1), (100, 78)):
        one = np.repeat([True, False, True], [only_one, only_other, 200])
        other = np.repeat([False, True, True], [only_one, only_other, 200])
        apart = abs(one.mean() - other.mean()) > 2 * difference_error(one, other)
        exact = binomtest(only_one, only_one + only_other).pvalue
        assert apart == (exact < 0.05)


@pytest.mark.parametrize(("n", "m"), [(0, 0), (3, 4)])
def test_shares_of_different_images_are_refused(n, m):
    with pytest.raises(ValueError, match="images in the one"):
        difference_error(np.ones(n, bool), np.ones(m, bool))
