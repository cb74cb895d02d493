"""Points of another kind are far; points of the same kind mostly are not."""

import numpy as np
import pytest

from dimred.evaluation.novelty import Novelty, rough_fence, roughness

RANDOM = np.random.default_rng(0)


def test_points_of_the_same_kind_are_near_and_others_far():
    centers = 20 * np.eye(8)[:5]
    points = np.repeat(centers, 60, axis=0) + RANDOM.normal(size=(300, 8))
    novelty = Novelty(points[::2])
    assert np.mean(novelty.distances(points[1::2]) > novelty.fence) < 0.05
    between = centers.mean(axis=0) + RANDOM.normal(size=(20, 8))
    assert (novelty.distances(between) > novelty.fence).all()
    elsewhere = 20 * np.eye(8)[7] + RANDOM.normal(size=(20, 8))
    assert (novelty.distances(elsewhere) > novelty.fence).all()


def test_a_distance_is_to_the_5th_nearest_over_the_median_among_the_reference():
    novelty = Novelty(np.arange(100.0)[:, None])
    # Among themselves the 5th nearest is 3 away, but for those at the ends.
    assert novelty.distances(np.array([[50.0], [109.0]])) == pytest.approx(
        [2 / 3, 14 / 3], rel=1e-5
    )
    assert novelty.fence == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 9])
def test_equal_points_are_near_themselves_and_all_else_is_far(n):
    novelty = Novelty(np.ones((n, 3), np.float16))
    distances = novelty.distances(np.array([[1.0, 1, 1], [1, 1, 9]]))
    assert (distances > novelty.fence).tolist() == [False, True]


def test_roughness_is_the_mean_difference_of_neighboring_pixels():
    stripes = np.zeros((1, 1, 2, 4), np.uint8)
    stripes[..., ::2] = 100
    assert roughness(stripes) == pytest.approx(np.log1p(100))
    smooth = RANDOM.normal(np.linspace(0, 255, 16), 9, (50, 3, 16, 16)).clip(0, 255)
    fence = rough_fence(roughness(smooth.astype(np.uint8)))
    noise = RANDOM.integers(0, 256, (20, 3, 16, 16), dtype=np.uint8)
    assert (roughness(noise) > fence).all()
    assert (roughness(smooth.astype(np.uint8)) <= fence).all()
    assert roughness(np.ones((2, 1, 1, 1), np.uint8)).tolist() == [0, 0]


def test_roughness_in_blocks_is_that_of_the_whole(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 9, 7), dtype=np.uint8)
    whole = roughness(images)
    monkeypatch.setattr("dimred.evaluation.novelty._VALUES_IN_BLOCK", 600)
    assert (roughness(images) == whole).all()
    assert roughness(images[:0]).shape == (0,)
