from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_mutual_info_score,
    normalized_mutual_info_score,
)
from sklearn.metrics.cluster import pair_confusion_matrix

from dimred.evaluation import clusters as module
from dimred.evaluation.clusters import agreement, kmeans_clusters, pair_f1

labelings = st.integers(2, 25).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(-2, 4), min_size=n, max_size=n)] * 2)
)


def naive_f1(classes, clusters):
    """By a loop over all pairs."""
    both = one_class = one_cluster = 0
    for i in range(len(classes)):
        for j in range(i):
            one_class += classes[i] == classes[j]
            one_cluster += clusters[i] == clusters[j]
            both += classes[i] == classes[j] and clusters[i] == clusters[j]
    if not both:
        return 0.0
    precision, recall = both / one_cluster, both / one_class
    return 2 * precision * recall / (precision + recall)


def naive_nmi(classes, clusters):
    """2 I / (H + H) by a loop over the table of both."""
    n = len(classes)

    def entropy(labels):
        shares = [list(labels).count(one) / n for one in set(labels)]
        return -sum(share * log(share) for share in shares)

    pairs = list(zip(classes, clusters, strict=True))
    total = entropy(classes) + entropy(clusters)
    return 2 * (total - entropy(pairs)) / total if total else 1.0


def test_f1_as_counted_by_hand():
    # Pairs of one class: 3 + 1. Of one cluster: 1 + 3. In both: {0, 1} alone.
    classes, clusters = np.array([0, 0, 0, 1, 1]), np.array([7, 7, 2, 2, 2])
    # {0, 1} and {3, 4} are in both; precision and recall are 2/4.
    assert pair_f1(classes, clusters) == 0.5
    assert pair_f1(classes, np.zeros(5, dtype=int)) == pytest.approx(2 * 0.4 * 1 / 1.4)
    assert pair_f1(np.arange(5), np.arange(5)) == 0.0
    assert pair_f1(classes, np.arange(5)) == 0.0


@given(labelings)
def test_f1_is_the_loop_over_pairs_and_scikit_learns_table(both):
    classes, clusters = map(np.array, both)
    found = pair_f1(classes, clusters)
    assert found == pytest.approx(naive_f1(*both), abs=1e-12)
    table = pair_confusion_matrix(classes, clusters)
    right, wrong = table[1, 1], table[0, 1] + table[1, 0]
    assert found == pytest.approx(2 * right / (2 * right + wrong) if right else 0.0, abs=1e-12)


def test_f1_of_many_points_is_exact():
    n = 300_000
    classes = np.arange(n) % 2
    pairs = 2 * comb(n // 2, 2)
    assert pair_f1(classes, np.zeros(n, dtype=np.int32)) == 2 * pairs / (comb(n, 2) + pairs)


@given(labelings)
def test_nmi_is_the_loop_over_the_equation_and_both_are_scikit_learns(both):
    classes, clusters = map(np.array, both)
    found = agreement(classes, clusters)
    assert found.nmi == pytest.approx(naive_nmi(*both), abs=1e-9)
    assert found.nmi == pytest.approx(normalized_mutual_info_score(classes, clusters), abs=1e-12)
    assert found.ami == pytest.approx(adjusted_mutual_info_score(classes, clusters), abs=1e-12)
    assert found.f1 == pair_f1(classes, clusters)
    assert all(type(value) is float for value in vars(found).values())


def test_random_clusters_have_an_ami_of_zero_and_an_nmi_that_grows_with_their_number():
    rng = np.random.default_rng(0)
    few, many = (agreement(rng.integers(0, c, 600), rng.integers(0, c, 600)) for c in (3, 150))
    assert few.nmi < 0.02
    assert many.nmi > 0.6
    assert [few.ami, many.ami] == pytest.approx([0, 0], abs=0.05)


def blobs(n_classes=6, dims=5):
    rng = np.random.default_rng(1)
    classes = rng.permutation(np.repeat(np.arange(n_classes), 30))
    centers = rng.normal(size=(n_classes, dims))
    return (centers[classes] + 0.4 * rng.normal(size=(len(classes), dims))).astype(
        np.float32
    ), classes


def test_small_sets_are_clustered_by_the_best_of_ten_starts():
    points, classes = blobs()
    clusters, text = kmeans_clusters(points, 6)
    expected = KMeans(6, n_init=10, random_state=1).fit(points)
    assert clusters.dtype == np.int64
    assert pair_f1(expected.labels_, clusters) == 1.0
    assert "10 starts" in text
    assert agreement(classes, clusters).nmi > 0.7


def test_above_the_bound_one_start_of_few_iterations_is_said(monkeypatch):
    points, _ = blobs()
    monkeypatch.setattr(module, "TEN_STARTS_UP_TO", points.size * 6 - 1)
    clusters, text = kmeans_clusters(points, 6)
    expected = KMeans(6, init="random", n_init=1, max_iter=20, random_state=1).fit(points)
    assert pair_f1(expected.labels_, clusters) == 1.0
    assert "one start" in text
    assert "20 iterations" in text
    monkeypatch.setattr(module, "TEN_STARTS_UP_TO", points.size * 6)
    assert "10 starts" in kmeans_clusters(points, 6)[1]


@pytest.mark.filterwarnings("error")
def test_points_that_coincide_are_one_cluster_and_agree_with_nothing():
    clusters, _ = kmeans_clusters(np.ones((40, 3), dtype=np.float32), 4)
    classes = np.arange(40) % 4
    found = agreement(classes, clusters)
    assert (found.nmi, found.ami) == (0, 0)
    assert found.f1 == pytest.approx(naive_f1(classes, np.zeros(40)))


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="3 classes and 2 clusters"):
        pair_f1(np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match="n_clusters=5"):
        kmeans_clusters(np.eye(4), 5)
