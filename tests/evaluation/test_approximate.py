"""Neighbors of very many points: which are found, and what is said of it."""

import re

import numpy as np
import pytest
import torch

from dimred.evaluation import approximate
from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.neighborhood import MANY, neighbor_overlap
from dimred.evaluation.neighbors import nearest, nearest_others


def points(n, dims=32):
    """Points near a surface of 6 dimensions, with some that are equal."""
    rng = np.random.default_rng(0)
    made = np.maximum(rng.normal(size=(n, 6)) @ rng.normal(size=(6, dims)), 0)
    made[100:140] = made[7]
    return made.astype(np.float32)


def test_nearly_all_are_found_and_the_share_is_said():
    pytest.importorskip("pynndescent")
    x, k = points(3_000), 15
    found = neighbors_of_all(x, k, many=1_000)
    share = re.fullmatch(
        r"approximate \(pynndescent\): ([\d.]+)% of the 15 true ones of 1,000 points", found.said
    )
    assert float(share[1]) > 98
    assert found.rows.shape == (3_000, k)
    assert not (found.rows == np.arange(3_000)[:, None]).any()
    assert all(len(set(row)) == k for row in found.rows.tolist())
    # As near as the true ones: of equal points, any will do.
    distances = [
        np.linalg.norm(x[:, None] - x[rows], axis=2) for rows in (found.rows, nearest(x, None, k))
    ]
    assert np.isclose(*distances, atol=1e-5).mean() > 0.98
    assert (neighbors_of_all(x, k, many=1_000).rows == found.rows).all()


def test_without_the_package_all_are_found_and_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(approximate, "find_spec", lambda name: None)
    steps = []
    monkeypatch.setattr(approximate, "step", lambda text: steps.append(text) or torch.no_grad())
    x = points(600)
    found = neighbors_of_all(x, 5, many=500)
    assert (found.rows == nearest(x, None, 5)).all()
    assert found.said == ""
    assert re.fullmatch(
        r"neighbors of 600 points exactly, which takes .+ or more; "
        r"pip install 'dimred-maps\[neighbors\]' finds nearly all sooner",
        steps[0],
    )


@pytest.mark.parametrize(("n", "dims", "k"), [(500, 32, 5), (600, 3, 5), (4, 32, 9), (1, 32, 5)])
def test_few_points_and_few_dimensions_are_searched_exactly(n, dims, k):
    x = np.random.default_rng(0).normal(size=(n, dims))
    found = neighbors_of_all(x, k, many=500)
    assert found.said == ""
    assert found.rows.shape == (n, min(k, n - 1))
    if n > 1:
        assert (found.rows == nearest(x, None, min(k, n - 1))).all()


def test_other_points_are_never_the_point_itself():
    x = points(200)
    rows = np.array([3, 7, 120, 199])
    near = nearest_others(x, rows, 10)
    assert (near != rows[:, None]).all()
    alone = [3, 199]  # of no equal points
    assert (near[[0, 3]] == nearest(x, None, 10)[alone]).all()


def test_the_overlap_of_many_points_is_that_of_a_sample(monkeypatch):
    rng = np.random.default_rng(0)
    high = rng.normal(size=(3_000, 12)).astype(np.float32)
    low = high[:, :3] + 0.1
    whole = neighbor_overlap(high, low, 10)
    assert MANY == 100_000
    monkeypatch.setattr("dimred.evaluation.neighborhood.MANY", 2_000)
    monkeypatch.setattr("dimred.evaluation.neighborhood._SAMPLED", 1_000)
    assert neighbor_overlap(high, low, 10) == pytest.approx(whole, abs=0.01)
    assert neighbor_overlap(high, low, 10) != whole
    assert neighbor_overlap(high, high, 10) == 1
