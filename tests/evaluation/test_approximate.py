"""Neighbors of very many points: which are found, and what is said of it."""

import re
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.evaluation import approximate, near_duplicates
from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.neighborhood import neighbor_overlap
from dimred.evaluation.neighbors import MANY, nearest, nearest_others
from dimred.evaluation.outliers import class_kth_distances

SAID = r"approximate \(pynndescent\): ([\d.]+)% of the (\d+) of each of ([\d,]+) points are as near"


def points(n, dims=32):
    """Points near a surface of 6 dimensions, with some that are equal."""
    rng = np.random.default_rng(0)
    made = np.maximum(rng.normal(size=(n, 6)) @ rng.normal(size=(6, dims)), 0)
    made[100:140] = made[7]
    return made.astype(np.float32)


def share(said):
    return float(re.match(SAID, said)[1])


@pytest.fixture
def many(monkeypatch):
    """From which number on neighbors are approximate."""

    def of(count):
        assert MANY == 100_000
        monkeypatch.setattr(approximate, "MANY", count)

    return of


@pytest.fixture
def descent(monkeypatch):
    """A stand-in for pynndescent, which takes a minute to compile: `descent(graph)` makes its
    graph (n, k) the function's of the points and k. Returns what it was made with."""

    def of(graph):
        made = []

        def index(x, n_neighbors, **options):
            made.append({"n": len(x), "n_neighbors": n_neighbors, **options})
            torch.set_num_threads(2)  # as numba does
            assert x.dtype == np.float32
            return SimpleNamespace(neighbor_graph=(graph(x, n_neighbors).astype(np.int32), None))

        module = ModuleType("pynndescent")
        module.NNDescent = index
        numba = ModuleType("numba")
        numba.get_num_threads = lambda: 3
        monkeypatch.setitem(sys.modules, "pynndescent", module)
        monkeypatch.setitem(sys.modules, "numba", numba)
        monkeypatch.setattr(approximate, "find_spec", lambda name: name)
        return made

    return of


def with_own(x, k):
    """The true neighbors of each point, as pynndescent has them: itself first."""
    return np.concatenate([np.arange(len(x))[:, None], nearest(x, None, k - 1)], axis=1)


def test_the_point_itself_is_no_neighbor_and_what_is_lost_is_searched(many, descent):
    x, k = points(600), 15

    def graph(x, count):
        found = with_own(x, count)
        found[3, 10:] = -1  # too few were found
        found[5, :-1] = found[5, 1:].copy()  # is not among its own, as with many equal points
        return found

    many(500)
    made = descent(graph)
    found = neighbors_of_all(x, k)
    assert (found.rows == nearest(x, None, k)).all()
    assert share(found.said) == 100
    assert made == [
        {"n": 600, "n_neighbors": 30, "metric": "euclidean", "random_state": 0, "n_jobs": 1}
    ]
    assert torch.get_num_threads() == 1  # else a second search would find others


def test_the_share_counts_neighbors_that_are_as_near(many, descent):
    x, k = points(600), 10

    def graph(x, count):
        found = with_own(x, count)
        found[::2, k] = (found[::2, 0] + 300) % 600  # of every second point, the last is far
        return found

    many(500)
    descent(graph)
    found = neighbors_of_all(x, k)
    near = np.linalg.norm(x[found.rows] - x[:, None], axis=2)
    true = np.linalg.norm(x[nearest(x, None, k)[:, -1]] - x, axis=1)
    expected = (near <= true[:, None] * (1 + 1e-6)).mean()
    assert 0.94 < expected < 0.96
    assert share(found.said) == pytest.approx(expected * 100, abs=0.06)


@pytest.mark.parametrize("copies", [1, 30, 600])
def test_of_equally_far_points_any_will_do(many, descent, copies):
    x = np.repeat(np.random.default_rng(0).normal(size=(600 // copies, 16)), copies, axis=0)
    rng = np.random.default_rng(1)

    def graph(x, count):
        far = ((x[:, None] - x) ** 2).sum(axis=2)
        return np.lexsort((rng.random(far.shape), far))[:, :count]

    many(500)
    descent(graph)
    found = neighbors_of_all(x, 10)
    assert share(found.said) == 100
    assert not (found.rows == np.arange(600)[:, None]).any()


def test_what_float32_does_not_hold_is_searched_exactly(many, descent):
    many(500)
    descent(lambda x, count: 1 / 0)
    x = points(600).astype(np.float64) * 1e30
    found = neighbors_of_all(x, 5)
    assert found.said == ""
    assert (found.rows == nearest(x, None, 5)).all()


def test_distances_in_classes_and_near_duplicates_say_how_they_were_found(many, descent):
    many(50)
    descent(with_own)
    x, labels = points(180)[:120], np.repeat([0, 1], [80, 40])
    far, said = class_kth_distances(x, labels, 5)
    assert re.match(SAID, said).groups() == ("100.0", "5", "80")
    many(200)
    exactly, said = class_kth_distances(x, labels, 5)
    assert said == ""
    assert np.array_equal(far, exactly)
    many(110)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), np.uint8))
    said = near_duplicates.near_duplicates(images, x).said
    assert said.startswith("in the features approximate (pynndescent): ")
    assert "; in spectra of the pixels approximate (pynndescent): " in said


@pytest.mark.slow
def test_pynndescent_finds_nearly_all_and_the_same_again(many):
    pytest.importorskip("pynndescent")
    many(400)
    k = 15
    for n, dims in [(2_500, 16), (3_000, 32), (500, 9)]:  # the first of a process differed
        x = np.random.default_rng(0).normal(size=(n, dims)) if dims == 16 else points(n, dims)
        found = neighbors_of_all(x, k)
        assert share(found.said) > 98
        assert found.rows.shape == (n, k)
        assert not (found.rows == np.arange(n)[:, None]).any()
        assert all(len(set(row)) == k for row in found.rows.tolist())
        assert (neighbors_of_all(x, k).rows == found.rows).all()
    assert share(neighbors_of_all(np.repeat(points(90), 30, axis=0), k).said) > 98


def test_without_the_package_all_are_found_and_the_extra_is_named(many, monkeypatch):
    many(500)
    monkeypatch.setattr(approximate, "find_spec", lambda name: None)
    steps = []
    monkeypatch.setattr(approximate, "step", lambda text: steps.append(text) or torch.no_grad())
    x = points(600)
    found = neighbors_of_all(x, 5)
    assert (found.rows == nearest(x, None, 5)).all()
    assert found.said == ""
    assert re.fullmatch(
        r"neighbors of 600 points exactly, which takes .+ or more; "
        r"pip install -e '\.\[neighbors\]' in dimred's clone finds nearly all sooner",
        steps[0],
    )


@pytest.mark.parametrize(("n", "dims", "k"), [(500, 32, 5), (600, 3, 5), (4, 32, 9), (1, 32, 5)])
def test_few_points_and_few_dimensions_are_searched_exactly(many, n, dims, k):
    many(500)
    x = np.random.default_rng(0).normal(size=(n, dims))
    found = neighbors_of_all(x, k)
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
    monkeypatch.setattr("dimred.evaluation.neighborhood.MANY", 2_000)
    monkeypatch.setattr("dimred.evaluation.neighborhood.SAMPLED", 1_000)
    assert neighbor_overlap(high, low, 10) == pytest.approx(whole, abs=0.01)
    assert neighbor_overlap(high, low, 10) != whole
    assert neighbor_overlap(high, high, 10) == 1
