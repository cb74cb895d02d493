"""Samplings, proven by enumeration: over all batches, the balanced pair distribution.

Half of the weight of a component lies on its similar pairs, each equally, and half on its
dissimilar ones, over all unordered pairs of different samples.
"""

import math
from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dimred.errors import InputError
from dimred.losses import HingeForm, generalized_contrastive_loss
from dimred.pairing import (
    Classes,
    InBatchSampling,
    LabeledPairs,
    Neighbors,
    PairSampling,
    Viewpoints,
    azimuth_and_elevation,
    merged_viewpoint,
    neighborhood,
    neighborhood_and_transformation,
    same_class,
)

CPU = torch.device("cpu")
N = 7


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_graph(n, k, seed=0):
    random = np.random.default_rng(seed)
    rows = [random.permutation([j for j in range(n) if j != i])[:k] for i in range(n)]
    return np.array(rows, dtype=np.int64)


def views():
    azimuth = np.array([0.0, 20, 40, 60, 80, 100, 0])
    return Viewpoints(azimuth, np.array([30.0, 35, 40, 30, 40, 35, 40]))


GRAPH = random_graph(N, 2)
# Anchors bring the same images again and again: 0 and 1 are with nearly all of them.
CROWDED = np.array([[1, 2], [0, 2], [0, 1], [0, 1], [0, 1], [0, 4], [5, 0]])
# Images with two, one and no neighbors.
RAGGED = np.array([[1, 2], [-1, 0], [-1, -1], [1, -1], [5, 0], [-1, -1], [3, -1]])
CLASSES = np.array([0, 0, 1, 1, 1, 2, 0])

RELATIONS = {
    "neighborhood": neighborhood(Neighbors(GRAPH), 3),
    "neighbors_only": neighborhood(Neighbors(GRAPH), 1),
    "crowded": neighborhood(Neighbors(CROWDED), 2),
    "neighborhood_and_transformation": neighborhood_and_transformation(Neighbors(GRAPH), 3),
    "crowded_and_transformation": neighborhood_and_transformation(Neighbors(CROWDED), 2),
    "ragged": neighborhood(Neighbors(RAGGED), 2),
    "ragged_and_transformation": neighborhood_and_transformation(Neighbors(RAGGED), 2),
    "one_viewpoint": merged_viewpoint(views(), both=True),
    "viewpoints": azimuth_and_elevation(views()),
    "classes": same_class(Classes(CLASSES), 3),
    "nothing_alike": same_class(Classes(np.arange(N)), 1),
}
each_relation = pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS.keys())


def elsewhere(relation):
    """Where the samples are among more images, in no order."""
    count = relation.categories.n * relation.n_variants
    return torch.randperm(count + 5, generator=seeded(9))[:count]


def balanced(relation):
    """Weights of the balanced pair distribution (samples, samples, p), from a to b for a < b."""
    samples, p = relation.categories.n * relation.n_variants, len(relation.components)
    pairs = list(combinations(range(samples), 2))
    weight = torch.zeros(samples, samples, p, dtype=torch.float64)
    found = relation.labels(torch.arange(samples)[:, None], torch.arange(samples))
    for component in range(p):
        of_label = {
            label: [(a, b) for a, b in pairs if found[a, b, component] == label] for label in (0, 1)
        }
        present = [pairs for pairs in of_label.values() if pairs]
        for pairs_of in present:
            for a, b in pairs_of:
                weight[a, b, component] = 1 / len(present) / len(pairs_of)
    return weight


def samples_of(selection, positions):
    """Which sample of the relation is in each row."""
    place = {position: sample for sample, position in enumerate(positions.tolist())}
    return torch.tensor([place[position] for position in selection.samples.tolist()])


def all_batches(relation, batch_size):
    """Each selection that can come up, with the sample in each of its rows."""
    positions = elsewhere(relation)
    sampling = InBatchSampling(relation, positions, CPU, batch_size)
    for anchors in combinations(range(relation.categories.n), batch_size):
        selection = sampling.select(torch.tensor(anchors), seeded())
        yield selection, samples_of(selection, positions), anchors


def mean_weight(relation, batch_size):
    """Expected weight of each pair (samples, samples, p), from a to b for a < b."""
    samples = relation.categories.n * relation.n_variants
    total = torch.zeros(samples, samples, len(relation.components), dtype=torch.float64)
    batches = 0
    for selection, rows, _ in all_batches(relation, batch_size):
        a, b = rows[selection.pairs.left], rows[selection.pairs.right]
        where = (torch.minimum(a, b), torch.maximum(a, b))
        total.index_put_(where, selection.pairs.weight.double(), accumulate=True)
        batches += 1
    return total / batches


@each_relation
@pytest.mark.parametrize("batch_size", [2, 3, 5, N])
def test_expected_weights_in_batches_are_the_balanced_pair_distribution(relation, batch_size):
    found = mean_weight(relation, batch_size)
    torch.testing.assert_close(found, balanced(relation), rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(found.sum((0, 1)), torch.ones(found.shape[2]).double())


@settings(max_examples=25)
@given(n=st.integers(3, 6), t=st.integers(1, 2), data=st.data())
def test_expected_weights_are_balanced_for_any_graph(n, t, data):
    """Also where images have different numbers of neighbors, name some again or themselves."""
    row = st.lists(st.integers(-1, n - 1), min_size=3, max_size=3)
    graph = np.array(data.draw(st.lists(row, min_size=n, max_size=n)))
    batch_size = data.draw(st.integers(2, n))
    for make in (neighborhood, neighborhood_and_transformation):
        relation = make(Neighbors(graph), t)
        if (relation.totals()[:, 0] == 0).any():  # refused, as another test shows
            continue
        torch.testing.assert_close(
            mean_weight(relation, batch_size), balanced(relation), rtol=1e-6, atol=1e-12
        )


@pytest.mark.parametrize("form", list(HingeForm))
@pytest.mark.parametrize("batch_size", [2, 4, N])
@pytest.mark.parametrize(
    "name", ["neighborhood", "neighborhood_and_transformation", "viewpoints", "classes"]
)
def test_expected_gradient_in_batches_is_that_of_the_balanced_loss(name, batch_size, form):
    relation = RELATIONS[name]
    samples = relation.categories.n * relation.n_variants
    groups = [2, 1] if len(relation.components) == 2 else [3]
    options = (groups, [1.5, 1.0][: len(groups)], None, form)
    z = 0.7 * torch.randn(samples, 3, generator=seeded(4), dtype=torch.float64)
    z.requires_grad_()

    left, right = torch.triu_indices(samples, samples, 1)
    labels = relation.labels(left, right)
    pairs = LabeledPairs(left, right, labels == 1, balanced(relation)[left, right])
    whole = generalized_contrastive_loss(z, pairs, *options)
    (expected,) = torch.autograd.grad(whole, z)
    assert (expected != 0).any(0).all()

    losses = [
        generalized_contrastive_loss(z[rows], selection.pairs, *options)
        for selection, rows, _ in all_batches(relation, batch_size)
    ]
    mean = torch.stack(losses).mean()
    (found,) = torch.autograd.grad(mean, z)
    torch.testing.assert_close(mean, whole, rtol=1e-6, atol=0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


@each_relation
@pytest.mark.parametrize("batch_size", [2, 4])
def test_a_batch_has_each_sample_and_each_pair_once(relation, batch_size):
    t = relation.n_variants
    for selection, rows, anchors in all_batches(relation, batch_size):
        co_sampled = relation.categories.co_sampled[list(anchors)].flatten().tolist()
        images = {*anchors, *co_sampled} - {-1}
        expected = {i * t + s for i in images for s in range(t)}
        assert len(rows) == len(expected)
        assert set(rows.tolist()) == expected

        pairs = selection.pairs
        a, b = rows[pairs.left], rows[pairs.right]
        seen = Counter(frozenset(pair) for pair in zip(a.tolist(), b.tolist(), strict=True))
        assert seen == Counter(frozenset(pair) for pair in combinations(expected, 2))
        labels = relation.labels(a, b)
        assert torch.equal(pairs.similar, labels == 1)
        assert torch.equal(pairs.weight > 0, labels != -1)


def test_a_batch_of_all_images_counts_each_pair_as_it_should():
    relation = RELATIONS["neighborhood_and_transformation"]
    selection = InBatchSampling(relation, torch.arange(21), CPU, N).select(
        torch.randperm(N, generator=seeded()), seeded()
    )
    assert selection.samples.sort().values.tolist() == list(range(21))
    torch.testing.assert_close(selection.pairs.weight.sum(0), torch.ones(2))


# Pairs


def drawn(relation, count, seed=0):
    """Selection of `count` pairs, and the left and right samples of each."""
    positions = elsewhere(relation)
    sampling = PairSampling(relation, positions, CPU)
    selection = sampling.select(torch.zeros(count, dtype=torch.int64), seeded(seed))
    rows = samples_of(selection, positions)
    return selection, rows[selection.pairs.left], rows[selection.pairs.right]


@each_relation
@pytest.mark.parametrize("count", [64, 65, 66, 67, 4])
def test_drawn_pairs_are_shared_out_and_labeled(relation, count):
    selection, left, right = drawn(relation, count)
    pairs, p = selection.pairs, len(relation.components)
    assert len(left) == count
    assert (left != right).all()
    assert selection.samples.unique().numel() == len(selection.samples)

    own = pairs.weight > 0
    assert (own.sum(1) == 1).all(), "a pair counts in one component"
    labels = relation.labels(left, right)
    assert torch.equal(labels[own] == 1, pairs.similar[own])
    assert (labels[own] != -1).all()
    torch.testing.assert_close(pairs.weight.sum(0), torch.ones(p))

    for component in range(p):
        totals = relation.totals()[component]
        of_label = [int((own & (pairs.similar == of))[:, component].sum()) for of in (False, True)]
        categories = int((totals > 0).sum())
        for label in (0, 1):
            share = count / p / categories if totals[label] else 0
            assert abs(of_label[label] - share) < 1
            weight = pairs.weight[own[:, component] & (pairs.similar[:, component] == label)]
            if totals[label]:
                assert float(weight[:, component].sum()) == pytest.approx(1 / categories)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_of_few_pairs_has_one_of_each_sort(count):
    selection, left, right = drawn(RELATIONS["neighborhood_and_transformation"], count)
    own = selection.pairs.weight > 0
    assert len(left) == len(right) == 4
    assert selection.pairs.similar[own].tolist() == [True, False, True, False]
    assert own.sum(0).tolist() == [2, 2]
    assert torch.equal(selection.pairs.weight.sum(0), torch.ones(2))


@each_relation
def test_each_pair_of_a_label_is_drawn_as_often(relation):
    """The sum of (count - mean)^2 / mean is near the number of pairs less one."""
    selection, left, right = drawn(relation, 100_000)
    pairs = selection.pairs
    low, high = torch.minimum(left, right), torch.maximum(left, right)
    for component, totals in enumerate(relation.totals().tolist()):
        for label, total in enumerate(totals):
            if not total:
                continue
            here = (pairs.weight[:, component] > 0) & (pairs.similar[:, component] == label)
            counts = Counter(zip(low[here].tolist(), high[here].tolist(), strict=True))
            mean = int(here.sum()) / total
            surprise = sum((count - mean) ** 2 / mean for count in counts.values())
            assert len(counts) == total
            assert abs(surprise - (total - 1)) <= 5 * (2 * total) ** 0.5


@pytest.mark.parametrize("sampling", ["in_batch", "pairs"])
def test_all_weight_is_on_dissimilar_pairs_where_none_are_similar(sampling):
    relation = RELATIONS["nothing_alike"]
    if sampling == "pairs":
        pairs = drawn(relation, 10)[0].pairs
    else:
        pairs = next(all_batches(relation, N))[0].pairs
    assert not pairs.similar.any()
    torch.testing.assert_close(pairs.weight.sum(0), torch.ones(1))


def test_the_generator_decides_which_pairs_are_drawn():
    relation = RELATIONS["neighborhood_and_transformation"]
    first, again, other = (drawn(relation, 64, seed) for seed in (0, 0, 1))
    assert torch.equal(first[0].samples, again[0].samples)
    assert torch.equal(first[1], again[1])
    assert torch.equal(first[2], again[2])
    assert not torch.equal(first[1], other[1])


def test_only_the_number_of_anchors_counts_for_drawn_pairs():
    sampling = PairSampling(RELATIONS["classes"], torch.arange(21), CPU)
    first, other = (
        sampling.select(anchors, seeded()) for anchors in (torch.arange(6), torch.full((6,), 3))
    )
    assert torch.equal(first.samples, other.samples)
    assert torch.equal(first.pairs.left, other.pairs.left)


@pytest.mark.parametrize("make", [PairSampling, lambda *args: InBatchSampling(*args, 4)])
def test_anchors_are_the_images_and_views_their_pixels(make):
    sampling = make(RELATIONS["neighborhood"], torch.arange(21), CPU)
    assert sampling.anchors.tolist() == list(range(N))
    images = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)
    made = sampling.views(images, seeded())
    assert made.dtype == torch.float32
    assert torch.equal(made, torch.arange(256.0).view(4, 1, 8, 8) / 255)
    assert images.dtype == torch.uint8


@pytest.mark.parametrize("sampling", [PairSampling, partial(InBatchSampling, batch_size=3)])
def test_a_relation_without_dissimilar_pairs_is_refused(sampling):
    relation = same_class(Classes(np.zeros(N, dtype=np.int64)), 2)
    with pytest.raises(InputError, match="no two of the training images are dissimilar by class"):
        sampling(relation, torch.arange(2 * N), torch.device("cpu"))


@pytest.mark.parametrize(("n", "batch_size"), [(1_000, 16), (100_000, 8)])
def test_inclusion_probabilities_are_exact_for_large_sets(n, batch_size):
    """Against exact fractions: differences of probabilities near 1 must not cancel out."""
    graph = (np.arange(n)[:, None] + np.arange(1, 6)) % n
    sampling = InBatchSampling(
        neighborhood(Neighbors(graph), 1), torch.arange(n), CPU, batch_size, max_samples=64
    )
    images = torch.tensor([0, 1, 3, n // 2])
    found = sampling.inclusion_probabilities(images)

    def none_of(anchors):
        return Fraction(math.comb(n - len(anchors), batch_size), math.comb(n, batch_size))

    anchors_of = [{(int(i) - step) % n for step in range(6)} for i in images]
    for a in range(4):
        for b in range(4):
            one, other = anchors_of[a], anchors_of[b]
            exact = 1 - none_of(one) - none_of(other) + none_of(one | other)
            assert float(found[a, b]) == pytest.approx(float(exact), rel=1e-4)


class Repeating(Classes):
    """Categories of a user's own, whose neighbors repeat."""

    def __init__(self):
        super().__init__(CLASSES)
        self.co_sampled = torch.tensor([[1, 1, 0], [2, -1, 2], *[[-1, 3, 3]] * 5])


def test_a_neighbor_that_is_named_twice_counts_once():
    """Inclusion probabilities against the share of all batches."""
    relation = same_class(Repeating(), 1)
    sampling = InBatchSampling(relation, torch.arange(N), CPU, 3)
    together = torch.zeros(N, N, dtype=torch.float64)
    batches = list(combinations(range(N), 3))
    for anchors in batches:
        images = sampling.select(torch.tensor(anchors), seeded()).samples
        together[images[:, None], images] += 1 / len(batches)
    torch.testing.assert_close(sampling.inclusion_probabilities(torch.arange(N)), together)


def test_more_pairs_than_memory_holds_are_refused_with_a_way_out():
    relation = neighborhood(Neighbors((np.arange(6_000)[:, None] + np.arange(1, 6)) % 6_000), 5)
    with pytest.raises(
        InputError, match=r"schedule\.batch_size=1024: .* pairing\.samples_per_step"
    ):
        InBatchSampling(relation, torch.arange(30_000), CPU, 1024)
    InBatchSampling(relation, torch.arange(30_000), CPU, 1024, max_samples=4_096)
