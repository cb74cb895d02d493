"""Relations against the sentences of the papers, read in naive loops over all pairs of samples."""

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimred.pairing import (
    Classes,
    Neighbors,
    Relation,
    Viewpoints,
    azimuth_and_elevation,
    merged_viewpoint,
    neighborhood,
    neighborhood_and_transformation,
    same_class,
)
from dimred.pairing import relation as relation_module
from dimred.pairing.relation import DISSIMILAR, NOT_COMPARED, SIMILAR

HUB = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [0, 2], [0, 3], [0, 1]])
"""Image 0 is a neighbor of all others."""


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_graph(n, k, seed=0):
    random = np.random.default_rng(seed)
    rows = [random.permutation([j for j in range(n) if j != i])[:k] for i in range(n)]
    return np.array(rows, dtype=np.int64).reshape(n, k)


def random_classes(n, count, seed=0):
    return np.random.default_rng(seed).integers(count, size=n)


def random_views(n, seed=0):
    """Angles in degrees; not every azimuth of 0, 20, ..., 340 occurs."""
    random = np.random.default_rng(seed)
    azimuth = random.choice([0.0, 20.0, 60.0, 100.0, 200.0, 340.0], n)
    return azimuth, random.choice([30.0, 35.0, 45.0, 70.0], n)


def near_neighbor(graph, i, j):
    return j in graph[i].tolist() or i in graph[j].tolist()


def near_on_circle(angles, i, j):
    """At the same angle or the next one that occurs, all around."""
    occurring = sorted(set(angles.tolist()))
    place = occurring.index(angles[i])
    around = {occurring[place], occurring[place - 1], (occurring + occurring)[place + 1]}
    return angles[j] in around


def near_on_line(angles, i, j):
    """At the same angle or with none that occurs in between."""
    low, high = sorted((angles[i], angles[j]))
    return not any(low < angle < high for angle in angles.tolist())


def all_categories(categories):
    images = torch.arange(categories.n)
    return categories.category(images[:, None], images)


def check_counts(categories, count):
    pairs = torch.triu_indices(categories.n, categories.n, 1)
    found = all_categories(categories)[pairs[0], pairs[1]].bincount(minlength=count)
    assert categories.counts() == [categories.n, *found[1:].tolist()]


# Categories


@given(seed=st.integers(0, 1000), n=st.integers(2, 12), data=st.data())
def test_neighbors_are_neighbors_both_ways(seed, n, data):
    graph = random_graph(n, data.draw(st.integers(1, n - 1)), seed)
    categories = Neighbors(graph)
    found = all_categories(categories)
    for i, j in product(range(n), repeat=2):
        expected = 0 if i == j else 1 if near_neighbor(graph, i, j) else 2
        assert found[i, j] == expected
    check_counts(categories, 3)


def test_images_may_have_different_numbers_of_neighbors():
    categories = Neighbors(np.array([[1, -1], [-1, -1], [3, 1], [2, 2], [4, -1]]))
    assert categories.co_sampled.tolist() == [[1, -1], [-1, -1], [3, 1], [2, -1], [-1, -1]]
    assert categories.edges.tolist() == [[0, 1], [1, 2], [2, 3]]
    near = {(i, j) for i, j in (all_categories(categories) == 1).nonzero().tolist() if i < j}
    assert near == {(0, 1), (1, 2), (2, 3)}
    check_counts(categories, 3)


@pytest.mark.parametrize("wrong", [-2, 3])
def test_neighbors_are_numbers_of_images(wrong):
    with pytest.raises(ValueError, match="from 0 to 2, or -1"):
        Neighbors(np.array([[1], [wrong], [0]]))
    with pytest.raises(ValueError, match="from 0 to 2"):
        Neighbors.from_pairs(np.array([[1, wrong]]), 3)


@given(n=st.integers(1, 8), data=st.data())
def test_neighbors_can_be_given_as_pairs(n, data):
    image = st.integers(0, n - 1)
    pairs = data.draw(st.lists(st.tuples(image, image), max_size=12))
    categories = Neighbors.from_pairs(np.array(pairs, dtype=np.int64).reshape(-1, 2), n)
    found = all_categories(categories)
    for i, j in product(range(n), repeat=2):
        paired = (i, j) in pairs or (j, i) in pairs
        assert found[i, j] == (0 if i == j else 1 if paired else 2)
        assert (j in categories.co_sampled[i].tolist()) == (paired and i != j)
    check_counts(categories, 3)


@given(seed=st.integers(0, 1000), n=st.integers(1, 12), count=st.integers(1, 4))
def test_classes_are_equal_or_not(seed, n, count):
    classes = random_classes(n, count, seed)
    categories = Classes(classes)
    found = all_categories(categories)
    for i, j in product(range(n), repeat=2):
        assert found[i, j] == (0 if i == j else 1 if classes[i] == classes[j] else 2)
    check_counts(categories, 3)


@given(seed=st.integers(0, 1000), n=st.integers(1, 25))
def test_viewpoints_are_near_in_azimuth_all_around_and_in_elevation(seed, n):
    azimuth, elevation = random_views(n, seed)
    categories = Viewpoints(azimuth, elevation)
    found = all_categories(categories)
    for i, j in product(range(n), repeat=2):
        turned = not near_on_circle(azimuth, i, j)
        raised = not near_on_line(elevation, i, j)
        expected = {(False, False): 1, (False, True): 2, (True, False): 3, (True, True): 4}
        assert found[i, j] == (0 if i == j else expected[turned, raised])
    check_counts(categories, 5)


def test_azimuths_close_up_and_elevations_do_not():
    azimuth = np.arange(0.0, 360, 20)
    categories = Viewpoints(np.concatenate((azimuth, azimuth[:9])), np.r_[[30.0] * 18, 30:75:5])
    assert categories.category(torch.tensor(0), torch.tensor(17)) == 1
    assert categories.category(torch.tensor(0), torch.tensor(16)) == 3
    # 18 + i is at azimuth 20 i and elevation 30 + 5 i.
    assert categories.category(torch.tensor(0), torch.tensor(26)) == 4
    assert categories.category(torch.tensor(8), torch.tensor(26)) == 2
    assert categories.category(torch.tensor(0), torch.tensor(19)) == 1


def test_an_angle_that_does_not_occur_is_stepped_over():
    categories = Viewpoints(np.array([0.0, 60, 200, 220, 300]), np.array([30.0, 30, 30, 50, 70]))
    assert categories.category(torch.tensor([0, 1, 0, 0]), torch.tensor([1, 2, 4, 2])).tolist() == [
        1,
        1,
        2,
        3,
    ]
    assert categories.category(torch.tensor([3, 0, 2]), torch.tensor([4, 3, 4])).tolist() == [
        1,
        3,
        4,
    ]


@pytest.mark.parametrize(
    "categories",
    [
        pytest.param(Neighbors(random_graph(9, 3)), id="neighbors"),
        pytest.param(Classes(random_classes(9, 3)), id="classes"),
        pytest.param(Viewpoints(*random_views(12)), id="viewpoints"),
    ],
)
def test_each_pair_of_a_kind_is_drawn_as_often(categories):
    found = all_categories(categories)
    for category, total in enumerate(categories.counts()):
        if category == 0 or total == 0:
            continue
        drawn = categories.draw(category, 200 * total, seeded(category))
        assert drawn.shape == (200 * total, 2)
        assert (found[drawn[:, 0], drawn[:, 1]] == category).all()
        counts = Counter((min(pair), max(pair)) for pair in drawn.tolist())
        assert len(counts) == total
        surprise = sum((count - 200) ** 2 / 200 for count in counts.values())
        assert surprise < total + 5 * (2 * total) ** 0.5


# Labels


def label(of):
    return {True: SIMILAR, False: DISSIMILAR, None: NOT_COMPARED}[of]


def drlim_sentence(graph):
    def says(i, s, j, t):
        return [i == j or near_neighbor(graph, i, j)]

    return says


def thesis_sentences(graph):
    def says(i, s, j, t):
        if i == j:
            near = True
        elif near_neighbor(graph, i, j):
            near = True if s == t else None
        else:
            near = False
        return [near, s == t]

    return says


def class_sentence(classes):
    return lambda i, s, j, t: [bool(classes[i] == classes[j])]


def view_sentence(azimuth, elevation, combined):
    def says(i, s, j, t):
        return combined(near_on_circle(azimuth, i, j), near_on_line(elevation, i, j))

    return says


def relations(seed, n=7, k=2, t=3):
    """Each relation with what the papers say of sample i, s and sample j, t."""
    graph, classes = random_graph(n, k, seed), random_classes(n, 3, seed)
    views = random_views(n, seed)
    near, seen = Neighbors(graph), Viewpoints(*views)
    return [
        (neighborhood(near, t), drlim_sentence(graph)),
        (neighborhood(near, 1), drlim_sentence(graph)),
        (neighborhood_and_transformation(near, t), thesis_sentences(graph)),
        (same_class(Classes(classes), t), class_sentence(classes)),
        (merged_viewpoint(seen, both=True), view_sentence(*views, lambda a, e: [a and e])),
        (merged_viewpoint(seen, both=False), view_sentence(*views, lambda a, e: [a or e])),
        (azimuth_and_elevation(seen), view_sentence(*views, lambda a, e: [a, e])),
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("which", range(7))
def test_labels_are_what_the_papers_say(seed, which):
    relation, says = relations(seed)[which]
    t = relation.n_variants
    samples = torch.arange(relation.categories.n * t)
    found = relation.labels(samples[:, None], samples)
    assert found.shape == (len(samples), len(samples), len(relation.components))
    for a, b in product(samples.tolist(), repeat=2):
        if a != b:
            expected = [label(of) for of in says(a // t, a % t, b // t, b % t)]
            assert found[a, b].tolist() == expected


@pytest.mark.parametrize("which", range(7))
def test_totals_are_those_of_all_pairs(which):
    relation, says = relations(5)[which]
    t = relation.n_variants
    counts = torch.zeros(len(relation.components), 2, dtype=torch.float64)
    for a, b in combinations(range(relation.categories.n * t), 2):
        for component, of in enumerate(says(a // t, a % t, b // t, b % t)):
            if of is not None:
                counts[component, int(of)] += 1
    assert torch.equal(relation.totals(), counts)


def test_components_are_named():
    assert [relation.components for relation, _ in relations(0)] == [
        ("similarity",),
        ("similarity",),
        ("neighborhood", "transformation"),
        ("class",),
        ("viewpoint",),
        ("viewpoint",),
        ("azimuth", "elevation"),
    ]


@given(seed=st.integers(0, 1000), n=st.integers(3, 8), t=st.integers(1, 4))
def test_labels_have_no_order(seed, n, t):
    for relation, _ in relations(seed, n=n, t=t):
        samples = torch.arange(n * relation.n_variants)
        found = relation.labels(samples[:, None], samples)
        assert torch.equal(found, found.transpose(0, 1))


@pytest.mark.parametrize("which", range(7))
def test_each_pair_of_a_label_is_drawn_as_often(which):
    relation, _ = relations(1, n=6)[which]
    for component, totals in enumerate(relation.totals().tolist()):
        for wanted, total in zip((DISSIMILAR, SIMILAR), map(int, totals), strict=True):
            if not total:
                continue
            left, right = relation.draw(component, wanted, 100 * total, seeded(which))
            assert (relation.labels(left, right)[:, component] == wanted).all()
            low, high = torch.minimum(left, right), torch.maximum(left, right)
            counts = Counter(zip(low.tolist(), high.tolist(), strict=True))
            assert all(a != b for a, b in counts)
            assert len(counts) == total
            surprise = sum((count - 100) ** 2 / 100 for count in counts.values())
            assert surprise < total + 5 * (2 * total) ** 0.5


def test_device_moves_keep_everything():
    for relation, _ in relations(2):
        moved = relation.to(torch.device("cpu"))
        samples = torch.arange(relation.categories.n * relation.n_variants)
        assert torch.equal(
            moved.labels(samples[:, None], samples), relation.labels(samples[:, None], samples)
        )
        assert moved.categories is not relation.categories


# Test pairs


def listed(pairs, t):
    """(left image, left transformation, right image, right transformation) of each pair."""
    return [
        (a // t, a % t, b // t, b % t)
        for a, b in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
    ]


def protocol(graph, t, same_transformation):
    """The similar pairs of Angel's (2015) test list."""
    pairs = Counter()
    for i, near in enumerate(graph.tolist()):
        pairs.update((i, 0, i, other) for other in range(1, t))
        pairs.update(
            (i, s, j, other)
            for j in near
            for s, other in product(range(t), repeat=2)
            if s == other or not same_transformation
        )
    return pairs


@pytest.mark.parametrize("separate", [False, True])
def test_test_pairs_are_those_of_the_thesis(separate):
    """4 + 125 + 100 an image with invariance to four shifts, 4 + 25 + 100 without."""
    n, k, t = 40, 5, 5
    graph = random_graph(n, k)
    make = neighborhood_and_transformation if separate else neighborhood
    pairs = make(Neighbors(graph), t).test_pairs(seeded())
    each = 129 if separate else 229
    assert len(pairs.left) == n * each
    rows = listed(pairs, t)
    assert Counter(i for i, *_ in rows) == dict.fromkeys(range(n), each)

    n_similar = n * (each - 100)
    assert Counter(rows[:n_similar]) == protocol(graph, t, separate)
    assert rows[: 4 * n] == [(i, 0, i, other) for i in range(n) for other in range(1, t)]
    far = rows[n_similar:]
    assert all(i != j and not near_neighbor(graph, i, j) for i, _, j, _ in far)
    assert {s for _, s, _, _ in far} == {other for *_, other in far} == set(range(t))

    says = (thesis_sentences if separate else drlim_sentence)(graph)
    expected = [[label(of) for of in says(*row)] for row in rows]
    assert torch.equal(pairs.similar, torch.tensor(expected) == SIMILAR)
    assert torch.equal(pairs.weight, torch.full(pairs.similar.shape, 1 / len(rows)))


def test_mutual_neighbors_are_listed_twice():
    graph = np.array([[1], [0], [0], [0], [0]])
    pairs = neighborhood(Neighbors(graph), 1).test_pairs(seeded())
    rows = [(a, b) for a, b in zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)]
    assert rows[:5] == [(0, 1), (1, 0), (2, 0), (3, 0), (4, 0)]


def test_test_pairs_hold_the_neighbors_that_there_are():
    graph = np.array([[1, 2], [-1, -1], [0, -1], [4, -1], [-1, 3]])
    pairs = neighborhood(Neighbors(graph), 2).test_pairs(seeded())
    n_similar = 5 + 5 * 2 * 2
    assert int(pairs.similar.sum()) == n_similar
    images = Counter((i, j) for i, _, j, _ in listed(pairs, 2)[5:n_similar])
    assert images == dict.fromkeys([(0, 1), (0, 2), (2, 0), (3, 4), (4, 3)], 4)


@pytest.mark.parametrize("k", [1, 4])
def test_without_transformations_there_are_no_own_pairs(k):
    pairs = neighborhood(Neighbors(random_graph(30, k)), 1).test_pairs(seeded())
    assert len(pairs.left) == 30 * (k + 100)
    assert int(pairs.similar.sum()) == 30 * k


def test_dissimilar_test_pairs_are_random_and_repeatable():
    relation = neighborhood(Neighbors(random_graph(40, 5)), 5)
    first, again, other = (relation.test_pairs(seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.right, again.right)
    assert torch.equal(first.left, again.left)
    assert not torch.equal(first.right, other.right)
    dissimilar = first.right[-4000:] // 5
    assert dissimilar.unique().tolist() == list(range(40))


def test_an_image_that_is_near_all_others_has_no_dissimilar_test_pairs():
    """In a small set they would be looked for without end."""
    pairs = neighborhood(Neighbors(HUB), 3).test_pairs(seeded())
    dissimilar = ~pairs.similar[:, 0]
    counts = (pairs.left[dissimilar] // 3).bincount(minlength=7)
    assert counts.tolist() == [0, *[100] * 6]
    assert (pairs.right[dissimilar] // 3 != 0).all()

    everyone = neighborhood(Neighbors(random_graph(4, 3)), 2).test_pairs(seeded())
    assert everyone.similar.all()
    assert len(everyone.left) == 4 * (1 + 3 * 4)


@pytest.mark.parametrize("which", range(3, 7))
def test_without_a_graph_all_pairs_are_test_pairs(which):
    relation, says = relations(3)[which]
    t = relation.n_variants
    pairs = relation.test_pairs(seeded())
    rows = listed(pairs, t)
    samples = relation.categories.n * t
    assert rows == [(a // t, a % t, b // t, b % t) for a, b in combinations(range(samples), 2)]
    assert pairs.similar.tolist() == [[of is True for of in says(*row)] for row in rows]
    assert torch.equal(pairs.weight, torch.full(pairs.similar.shape, 1 / len(rows)))


def test_test_pairs_that_are_not_compared_have_no_weight():
    table = torch.tensor(
        [[[1, 1], [1, -1]], [[-1, 0], [1, 0]], [[0, -1], [-1, 1]]], dtype=torch.int8
    )
    relation = Relation(Classes(random_classes(6, 2)), 2, ("a", "b"), table)
    pairs = relation.test_pairs(seeded())
    labels = relation.labels(pairs.left, pairs.right)
    assert set(labels.unique().tolist()) == {-1, 0, 1}
    assert torch.equal(pairs.weight, torch.where(labels == -1, 0.0, 1 / len(labels)))
    assert torch.equal(pairs.similar, labels == 1)


def test_where_all_pairs_are_too_many_each_sample_has_a_hundred_random_ones(monkeypatch):
    relation = same_class(Classes(random_classes(12, 3)), 2)
    n_pairs = 24 * 23 // 2
    monkeypatch.setattr(relation_module, "_MAX_ALL_PAIRS", n_pairs)
    assert len(relation.test_pairs(seeded()).left) == n_pairs

    monkeypatch.setattr(relation_module, "_MAX_ALL_PAIRS", n_pairs - 1)
    pairs = relation.test_pairs(seeded())
    assert pairs.left.bincount().tolist() == [100] * 24
    assert (pairs.left != pairs.right).all()
    assert len({*zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)}) > 0.9 * 24 * 23
    assert torch.equal(pairs.similar, relation.labels(pairs.left, pairs.right) == SIMILAR)
    assert torch.equal(pairs.weight, torch.full((2400, 1), 1 / 2400))
    assert torch.equal(relation.test_pairs(seeded()).right, pairs.right)
    assert not torch.equal(relation.test_pairs(seeded(1)).right, pairs.right)
