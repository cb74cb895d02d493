"""Pairs of sets that differ in a known way."""

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass
from scipy.stats import kurtosis

from dimred.analysis.c2st_experiments import p_values
from dimred.analysis.c2st_samples import Digits, images, synthetic
from dimred.data import ImageSet, LabelSet
from dimred.tables.c2st import METHODS, ROWS, Recipe

N = 2_000


def sets(key, n=N, seed=0):
    points = synthetic(ROWS[key], n, np.random.default_rng(seed))
    assert len(points) == 2 * n
    return points[:n], points[n:]


def test_gaussian_and_students_t_differ_in_tails_alone():
    a, b = sets("student_df5")
    for sample in (a, b):
        assert sample.shape == (N, 1)
        assert sample.mean() == pytest.approx(0, abs=1e-9)
        assert sample.std() == pytest.approx(1)
    assert abs(kurtosis(a)[0]) < 0.5 < 1 < kurtosis(b)[0]
    a, b = sets("level_n2000")
    assert abs(kurtosis(b)[0]) < 0.5


@pytest.mark.parametrize(
    ("key", "curve"), [("sinusoid_n2000", 1), ("sinusoid_f4", 4), ("sinusoid_v0.1", 1)]
)
def test_a_sinusoid_is_permuted_in_y_alone(key, curve):
    a, b = sets(key)
    assert np.array_equal(a[:, 0], b[:, 0])
    assert not np.array_equal(a[:, 1], b[:, 1])
    assert np.array_equal(np.sort(a[:, 1]), np.sort(b[:, 1]))
    # x is scaled before, y after the curve.
    expected = np.cos(curve * a[:, 0])
    noise = ROWS[key].noise
    correlation = expected.std() / np.hypot(expected.std(), noise)
    assert np.corrcoef(expected, a[:, 1])[0, 1] == pytest.approx(correlation, abs=0.03)
    assert np.corrcoef(expected, b[:, 1])[0, 1] == pytest.approx(0, abs=0.08)


@pytest.fixture(scope="module")
def digits():
    """300 training images, each with its number in the corners, and a test image of 255."""
    pixels = torch.zeros(301, 1, 28, 28, dtype=torch.uint8)
    pixels[:300, 0, 10, 10] = torch.arange(300) % 150
    pixels[:300, 0, 12, 10] = torch.arange(300) // 150
    pixels[300] = 255
    labels = LabelSet(np.arange(301) % 10, tuple("0123456789"))
    is_test = np.arange(301) == 300
    return Digits(ImageSet(pixels, (0.1,), (0.3,), is_test, "", labels, np.arange(301)))


def drawn(digits, change, n=100, seed=0):
    row = ROWS[f"mnist_{change}_n100"]
    both = images(row, n, np.random.default_rng(seed), digits)
    assert both.dtype == np.uint8
    assert both.shape == (2 * n, 28, 28)
    return both[:n], both[n:]


def numbers(pixels, column=10):
    return pixels[:, 10, column].astype(int) + 150 * pixels[:, 12, column]


def test_only_training_images_are_drawn_and_each_once(digits):
    a, b = drawn(digits, "half9", 140)
    both = [*numbers(a), *numbers(b)]
    assert len(set(both)) == 280
    assert max(both) < 300


def test_digits_are_moved_turned_and_paled(digits):
    _, b = drawn(digits, "shift1")
    assert len(set(numbers(b, 11))) == 100
    assert not b[:, :, 0].any()
    _, b = drawn(digits, "shift2_fifth")
    assert len(set(numbers(b[:20], 12))) == 20
    assert len(set(numbers(b[20:]))) == 80
    _, b = drawn(digits, "contrast")
    assert b.max() == 134  # of 149
    angles = []
    for pixels in drawn(digits, "rotate5"):
        down, right = center_of_mass(pixels.astype(float).sum(axis=0))
        angles.append(np.degrees(np.arctan2(down - 13.5, right - 13.5)))
    assert abs(angles[1] - angles[0]) == pytest.approx(5, abs=1)
    a, b = drawn(digits, "noise20")
    assert np.median(b) == 0  # half of the noise is cut off
    assert b[:, 20:].astype(float).std() == pytest.approx(11.7, abs=0.5)
    assert not a[:, 20:].any()


def test_nines_are_left_out_of_b_alone(digits):
    shares = {}
    for change in ("no9", "half9"):
        of_sets = [drawn(digits, change, 100, seed) for seed in range(20)]
        shares[change] = [
            np.mean([(numbers(pixels) % 10 == 9).mean() for pixels in one])
            for one in zip(*of_sets, strict=True)
        ]
    assert shares["no9"][0] == pytest.approx(0.1, abs=0.02)
    assert shares["no9"][1] == 0
    assert shares["half9"] == pytest.approx([0.1, 0.053], abs=0.015)


def test_a_trial_has_a_p_value_of_every_test_and_is_the_same_again(digits):
    made = Recipe("mnist_shift1_n100", "smoke", 60, 2, 19)
    found = p_values(made, 1, digits)
    assert found.keys() == METHODS.keys()
    assert all(0 < p <= 1 for p in found.values())
    assert found == p_values(made, 1, digits)
    assert found != p_values(made, 2, digits)
    synthetic_row = p_values(Recipe("student_n50", "smoke", 50, 2, 19), 0)
    assert synthetic_row.keys() == METHODS.keys() - {"plane"}
