"""Islands of a map that two sets share unequally, against naive loops, and their level."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from dimred.analysis.comparison_islands import NONE, islands, share_tests
from dimred.evaluation.outliers import clusters
from dimred.evaluation.two_samples import Labelings
from dimred.run_folder.findings import Findings, RowGroup

CENTERS = np.array([[0, 0], [20, 0], [0, 20]])


@dataclass
class Side:
    rows: np.ndarray
    z: np.ndarray


@dataclass
class Run:
    """What of a run is looked at: three islands of 40 images and one image far from all."""

    z: np.ndarray
    found: dict = field(default_factory=dict)
    n_variants: int = 1
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()

    @property
    def map(self):
        of_map = SimpleNamespace(z=self.z, labels=self.labels, class_names=self.class_names)
        of_map.images = np.arange(0, len(self.z), self.n_variants)
        return type("Map", (SimpleNamespace,), {"__len__": lambda it: len(it.z)})(**vars(of_map))

    def findings(self):
        return self.found

    def compute(self):
        return SimpleNamespace(device=torch.device("cpu"))


def three_islands(dims=2, seed=0):
    rng = np.random.default_rng(seed)
    z = np.concatenate([rng.normal(size=(40, 2)) + center for center in CENTERS])
    z = np.concatenate([z, [[300.0, 300.0]]])
    return np.pad(z, [(0, 0), (0, dims - 2)]).astype(np.float32)


def sides(run, a, b):
    return Side(a, run.z[a]), Side(b, run.z[b])


def labelings(n_a, n_b, permutations=199, **options):
    return Labelings(np.arange(n_a + n_b) >= n_a, permutations=permutations, **options)


@given(
    of=st.lists(st.integers(0, 3), min_size=4, max_size=12),
    n_b=st.integers(1, 3),
    copies=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_counts_and_p_are_those_of_naive_loops(of, n_b, copies, seed):
    n = len(of)
    groups = np.arange(n) // 2 if copies and n_b % 2 == n % 2 == 0 else None
    of_labels = labelings(n - n_b, n_b, 30, groups=groups, seed=seed).labels
    counts, by_chance, p = share_tests(np.array(of), 5, of_labels)
    for island in range(5):
        differences = []
        for labels in of_labels.T:
            b = sum(bool(labels[i]) for i in range(n) if of[i] == island)
            a = sum(not labels[i] for i in range(n) if of[i] == island)
            differences.append(b / sum(labels) - a / sum(~labels))
            if len(differences) == 1:
                assert counts[island].tolist() == [a, b]
        mean = sum(differences) / len(differences)
        away = [round(abs(difference - mean), 9) for difference in differences]
        assert by_chance[island] == pytest.approx(mean)
        assert p[island] == sum(x >= away[0] for x in away) / len(away)


def test_p_is_uniform_where_nothing_differs_and_small_where_it_does():
    rng, of = np.random.default_rng(0), np.repeat(np.arange(10), 40)
    p = []
    for seed in range(150):
        of_labels = labelings(200, 200, 99, seed=seed).labels
        p.append(share_tests(rng.permutation(of), 10, of_labels)[2][0])
    ties = rng.uniform(-0.06, 0, len(p))  # counts are whole numbers
    assert kstest(np.clip(p + ties, 0, 1), "uniform").pvalue > 0.001
    assert np.mean(np.array(p) <= 0.1) < 0.2
    of_labels = labelings(200, 200, 999).labels
    assert share_tests(np.roll(of, 20), 10, of_labels)[2][0] < 0.01  # half of it B's
    assert share_tests(of, 10, of_labels)[2].max() <= 0.002  # each of one set


def test_shares_that_strata_make_unequal_are_not_held_against_an_island():
    """A has 3 in 4 of its images in stratum 0, B 1 in 4, and each stratum is an island."""
    of = np.array([0] * 30 + [1] * 10 + [0] * 10 + [1] * 30)
    counts, by_chance, p = share_tests(of, 2, labelings(40, 40, strata=of).labels)
    assert counts.tolist() == [[30, 10], [10, 30]]
    np.testing.assert_allclose(by_chance, [-0.5, 0.5])
    assert p.tolist() == [1, 1]
    # Within stratum 0, all of B is in a third island.
    of[40:50] = 2
    assert share_tests(of, 3, labelings(40, 40, strata=(of == 1).astype(int)).labels)[2][2] < 0.01


@pytest.mark.parametrize("dims", [2, 5])
def test_islands_are_those_of_inspect_or_found_now(dims):
    run = Run(three_islands(dims), labels=np.repeat([1, 0, 2, 0], [40, 40, 40, 1]))
    run.class_names = ("zero", "one", "two")
    # A has all of the first and half of the second, B the rest.
    a, b = sides(run, np.arange(60), np.arange(60, 121))
    of_labels = labelings(60, 61).labels
    now = islands(run, a, b, of_labels)
    assert sorted(now.main_classes) == ["", "one", "two", "zero"]
    # Numbered as `dimred inspect` does, the densest first.
    of_map = clusters(run.z[:, :2])
    assert [now.main_classes[i] for i in range(3)] == [
        run.class_names[run.labels[cluster.rows[0]]] for cluster in of_map
    ]
    groups = [RowGroup("", tuple(np.flatnonzero(now.of == i))) for i in range(3)]
    run.found = {"clusters": Findings(tuple(groups[::-1]))}
    inspected = islands(run, a, b, of_labels)
    assert inspected.names == ("1", "2", "3", NONE)
    assert inspected.main_classes == (*now.main_classes[2::-1], "")
    assert (inspected.counts == now.counts[[2, 1, 0, 3]]).all()
    assert (inspected.p == now.p[[2, 1, 0, 3]]).all()
    assert inspected.counts.sum(axis=0).tolist() == [60, 61]
    np.testing.assert_allclose(inspected.shares.sum(axis=0), 1)
    rows = list(inspected.rows())
    assert {row["main_class"] for row in rows[:2]} == {"one", "two"}  # the most unequal first
    assert [row["p"] for row in rows] == sorted(row["p"] for row in rows)
    for row in rows:
        difference = row["share_b"] - row["share_a"]
        assert row["difference"] == pytest.approx(difference, abs=1e-5)


def test_q_is_that_of_benjamini_and_hochberg_over_islands_with_images():
    run = Run(three_islands())
    groups = [RowGroup("", tuple(range(first, first + 20))) for first in range(0, 120, 20)]
    run.found = {"clusters": Findings(tuple(groups))}
    rng = np.random.default_rng(0)
    a, b = sides(run, rng.integers(0, 60, 50), rng.integers(20, 80, 50))  # none on two islands
    result = islands(run, a, b, labelings(50, 50).labels)
    has_images = result.counts.any(axis=1)
    assert has_images.tolist() == [True] * 4 + [False] * 3
    p = result.p[has_images]
    order, q = np.argsort(p), np.ones(len(p))
    for rank in range(len(p), 0, -1):
        i = order[rank - 1]
        q[i] = min(p[i] * len(p) / rank, 1, *(q[j] for j in order[rank:]))
    np.testing.assert_allclose(result.q[has_images], q)
    assert (result.q[~has_images] == 1).all()
    assert (result.q >= result.p).all()
    assert "main_class" not in next(result.rows())


def test_images_from_elsewhere_and_transformations_are_where_the_nearest_image_is():
    z = np.repeat(three_islands(), 2, axis=0)
    z[1::2] += 20  # transformations lie on other islands, or on none
    run = Run(z, n_variants=2)
    run.found = {"clusters": Findings((RowGroup("", tuple(range(0, 80, 2))),))}
    own = Side(np.array([0, 2, 4, 81]), z[[0, 2, 4, 81]])
    near = np.array([[0.5, 0.5], [-3, -2], [21, 0], [299, 299]], np.float32)
    elsewhere = Side(np.full(4, -1), near)
    result = islands(run, own, elsewhere, labelings(4, 4, 19).labels)
    assert result.of.tolist() == [0, 0, 0, 1, 0, 0, 1, 1]


def test_a_map_without_islands_has_one_part():
    run = Run(three_islands()[:12])
    a, b = sides(run, np.arange(6), np.arange(6, 12))
    result = islands(run, a, b, labelings(6, 6, 19).labels)
    assert result.names == (NONE,)
    assert next(result.rows()) | {"p": 1, "q": 1, "share_a": 1, "share_b": 1} == next(result.rows())


def test_unequal_islands_are_said_the_surest_first():
    run = Run(three_islands(), labels=np.repeat([0, 1, 0], [40, 40, 41]), class_names=("x", "y"))
    groups = [RowGroup("", tuple(range(first, first + 40))) for first in range(0, 120, 40)]
    run.found = {"clusters": Findings(tuple(groups))}
    a, b = sides(run, np.arange(60), np.r_[np.arange(20), np.arange(40, 80)])
    result = islands(run, a, b, labelings(60, 60).labels)
    assert result.unequal(0.05) == [0, 1]
    first = "island 1 (most often x) has 67% of A and 33% of B"
    second = "island 2 (most often y) has 33% of A and 67% of B"
    assert result.line(0.05) == f"on the map (q up to 0.05): {first}; {second}"
    assert result.line(0.001) == ""
