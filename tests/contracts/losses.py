"""All losses, each with the equation of its paper as a naive loop over float64 numbers."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch

from dimred.losses import (
    Average,
    CauchyKernel,
    CosineKernel,
    GaussianKernel,
    HingeForm,
    InfoNCE,
    LearnedCosineKernel,
    Mining,
    ProxyNCALoss,
    TripletLoss,
    cross_entropy_loss,
    drlim_loss,
    generalized_contrastive_loss,
    lifted_structure_loss,
    margin_contrastive_loss,
    n_pair_loss,
    simclr_loss,
    squared_error_loss,
    tsimcne_loss,
)
from dimred.pairing import ClassPairs, LabeledPairs, PositivePairs, Targets


@dataclass(frozen=True)
class LossCase:
    """A loss and what it should be.

    loss: of (z, pairs), as `dimred.losses.Loss`.
    pairs: from a number of embeddings and a seed to pairs among them, or targets of them.
    rows: from embeddings (n, d), as lists, and the pairs to the loss of each row.
    least: number of embeddings that it is for.
    """

    loss: Callable[..., Any]
    pairs: Callable[[int, int], Any]
    rows: Callable[[list[list[float]], Any], list[float]]
    least: int = 2

    def mean(self, z, pairs):
        return sum(self.rows(z.tolist(), pairs)) / len(z)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, d, seed=0, scale=1.0, dtype=torch.float64):
    return scale * torch.randn(n, d, generator=seeded(seed), dtype=torch.float64).to(dtype)


def squared_distance(x, y):
    return sum((a - b) ** 2 for a, b in zip(x, y, strict=True))


# Positive pairs


def positive_pairs(n, seed=0):
    """Rows in random pairs."""
    order = torch.randperm(n, generator=seeded(seed))
    partner = torch.empty(n, dtype=torch.int64)
    partner[order[: n // 2]], partner[order[n // 2 :]] = order[n // 2 :], order[: n // 2]
    return PositivePairs(partner)


def log_cauchy(x, y, nu=1.0):
    return -(nu + 1) / 2 * math.log(1 + squared_distance(x, y) / nu)


def log_gaussian(x, y, bandwidth=1.0):
    return -squared_distance(x, y) / (2 * bandwidth**2)


def log_cosine(x, y, tau=0.5):
    dot = sum(a * b for a, b in zip(x, y, strict=True))
    norms = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
    return dot / norms / tau if norms else 0.0


def infonce_rows(z, pairs, log_q, decoupled=False):
    """-log q_ij + log sum_{k != i} q_ik of each i; decoupled, without k = j in the sum."""
    rows = []
    for i, j in enumerate(pairs.partner.tolist()):
        left_out = (i, j) if decoupled else (i,)
        others = [log_q(z[i], z[k]) for k in range(len(z)) if k not in left_out]
        largest = max(others)
        total = math.log(sum(math.exp(value - largest) for value in others))
        rows.append(-log_q(z[i], z[j]) + largest + total)
    return rows


def contrastive(loss, log_q):
    return LossCase(loss, positive_pairs, partial(infonce_rows, log_q=log_q))


def decoupled(kernel, log_q):
    rows = partial(infonce_rows, log_q=log_q, decoupled=True)
    return LossCase(InfoNCE(kernel, decoupled=True), positive_pairs, rows, least=4)


POSITIVE_PAIRS = {
    "tsimcne": contrastive(tsimcne_loss, log_cauchy),
    "simclr": contrastive(simclr_loss, log_cosine),
    "cauchy": contrastive(InfoNCE(CauchyKernel()), log_cauchy),
    "student": contrastive(InfoNCE(CauchyKernel(nu=3.5)), partial(log_cauchy, nu=3.5)),
    "gaussian": contrastive(InfoNCE(GaussianKernel(0.7)), partial(log_gaussian, bandwidth=0.7)),
    "cosine": contrastive(InfoNCE(CosineKernel(0.2)), partial(log_cosine, tau=0.2)),
    "learned_cosine": contrastive(InfoNCE(LearnedCosineKernel(1.0)), partial(log_cosine, tau=1.0)),
    "decoupled_cauchy": decoupled(CauchyKernel(), log_cauchy),
    "decoupled_student": decoupled(CauchyKernel(nu=0.5), partial(log_cauchy, nu=0.5)),
    "decoupled_gaussian": decoupled(GaussianKernel(), log_gaussian),
    "decoupled_cosine": decoupled(CosineKernel(), log_cosine),
}


# Labeled pairs


def labeled_pairs(n, seed=0, p=1):
    """Pairs of different rows, some of them repeated, a third of the labels not compared."""
    generator = seeded(seed + 1000)
    count = 5 * n
    left = torch.randint(n, (count,), generator=generator)
    right = (left + torch.randint(1, n, (count,), generator=generator)) % n
    similar = torch.rand(count, p, generator=generator) < 0.5
    weight = torch.rand(count, p, generator=generator, dtype=torch.float64)
    compared = torch.rand(count, p, generator=generator) > 1 / 3
    return LabeledPairs(left, right, similar, weight * compared)


def hinge_rows(z, pairs, groups, margins, form, weights=None):
    """1/2 sum_i [Y_i d_i^2 + (1 - Y_i) max(0, m_i - d_i)^2] of each pair, half of which each of its
    rows has, times n."""
    rows, start = [0.0] * len(z), 0
    for i, (size, m) in enumerate(zip(groups, margins, strict=True)):
        for pair, (left, right) in enumerate(
            zip(pairs.left.tolist(), pairs.right.tolist(), strict=True)
        ):
            own = slice(start, start + size)
            d = math.sqrt(squared_distance(z[left][own], z[right][own]))
            if pairs.similar[pair, i]:
                cost = d**2
            elif form is HingeForm.squared_hinge:
                cost = max(0.0, m - d) ** 2
            else:
                cost = max(0.0, m - d**2)
            cost *= 0.5 * float(pairs.weight[pair, i]) * (weights[i] if weights else 1)
            for end in (left, right):
                rows[end] += len(z) * cost / 2
        start += size
    return rows


def drlim(margin, form):
    return LossCase(
        partial(drlim_loss, margin=margin, form=form),
        labeled_pairs,
        # One group of as many dimensions as there are.
        lambda z, pairs: hinge_rows(z, pairs, [len(z[0])], [margin], form),
    )


def generalized(form, weights):
    settings = {"groups": [2, 1], "margins": [1.3, 0.8], "weights": weights, "form": form}
    return LossCase(
        partial(generalized_contrastive_loss, **settings),
        partial(labeled_pairs, p=2),
        partial(hinge_rows, **settings),
    )


LABELED_PAIRS = {
    "drlim": drlim(1.5, HingeForm.squared_hinge),
    "drlim_caffe": drlim(1.5, HingeForm.legacy_caffe),
    "generalized": generalized(HingeForm.squared_hinge, [0.3, 1.3]),
    "generalized_caffe": generalized(HingeForm.legacy_caffe, None),
}


# Targets


def squared_error_rows(z, pairs):
    values = pairs.values.tolist()
    return [squared_distance(*pair) / len(pair[0]) for pair in zip(z, values, strict=True)]


def cross_entropy_rows(z, pairs):
    """-log of the softmax at the class."""
    rows = []
    for row, label in zip(z, pairs.values.tolist(), strict=True):
        largest = max(row)
        rows.append(largest + math.log(sum(math.exp(v - largest) for v in row)) - row[label])
    return rows


TARGETS = {
    "squared_error": LossCase(
        squared_error_loss, lambda n, seed: Targets(points(n, 3, seed + 1)), squared_error_rows
    ),
    "cross_entropy": LossCase(
        cross_entropy_loss,
        lambda n, seed: Targets(torch.randint(3, (n,), generator=seeded(seed))),
        cross_entropy_rows,
    ),
}


# Pairs of classes

N_CLASSES = 4


def class_pairs(n, seed=0):
    """Rows in pairs of one class, of two classes at least; of six rows or more, two in no pair."""
    order = torch.randperm(n, generator=seeded(seed))
    values = torch.randint(N_CLASSES, (n,), generator=seeded(seed + 1))
    paired = order[2 if n > 4 else 0 :]
    anchor, positive = paired[::2], paired[1::2]
    values[anchor[0]], values[anchor[-1]] = 0, 1
    values[positive] = values[anchor]
    return ClassPairs(values, anchor, positive)


def at_length(x, length=1.0):
    norm = math.sqrt(sum(a * a for a in x))
    return [length * a / norm if norm else 0.0 for a in x]


def distance(x, y):
    return math.sqrt(squared_distance(x, y))


def positives(values):
    """All ordered pairs of different rows of one class."""
    n = range(len(values))
    return [(a, p) for a in n for p in n if a != p and values[a] == values[p]]


def semi_hard_negative(a, p, z, values):
    """TensorFlow's: the nearest of those that are farther than the positive, else the farthest."""
    others = [n for n in range(len(z)) if values[n] != values[a]]
    beyond = [n for n in others if distance(z[a], z[n]) > distance(z[a], z[p])]
    if beyond:
        return min(beyond, key=lambda n: distance(z[a], z[n]))
    return max(others, key=lambda n: distance(z[a], z[n]))


def triplet_rows(z, pairs, margin, squared, normalize, mining, average):
    """max(0, margin + D(a, p) - D(a, n)), by the anchor, n times its share of the mean."""
    z, values = [at_length(x) if normalize else x for x in z], pairs.values.tolist()
    metric = squared_distance if squared else distance
    rows, count = [0.0] * len(z), 0
    for a, p in positives(values):
        if mining is Mining.all:
            negatives = [n for n in range(len(z)) if values[n] != values[a]]
        else:
            negatives = [semi_hard_negative(a, p, z, values)]
        for n in negatives:
            hinge = max(0.0, margin + metric(z[a], z[p]) - metric(z[a], z[n]))
            rows[a] += hinge
            count += average is Average.all or hinge > 0
    return [len(z) * row / max(count, 1) for row in rows]


def triplet(mining, squared=True, normalize=True, average=Average.all, margin=0.2):
    options = (margin, squared, normalize, mining, average)
    return LossCase(
        TripletLoss(*options), class_pairs, lambda z, p: triplet_rows(z, p, *options), least=4
    )


def n_pair_rows(z, pairs, l2):
    """log(1 + sum_j exp(a_i p_j - a_i p_i)) of each pair i, where j are pairs of other classes, and
    l2/4 |z|^2 of either row."""

    def dot(x, y):
        return sum(a * b for a, b in zip(x, y, strict=True))

    both = list(zip(pairs.anchor.tolist(), pairs.positive.tolist(), strict=True))
    rows = [0.0] * len(z)
    for a, p in both:
        powers = [0.0]
        for b, q in both:
            if pairs.values[b] != pairs.values[a]:
                powers.append(dot(z[a], z[q]) - dot(z[a], z[p]))
        largest = max(powers)
        loss = largest + math.log(sum(math.exp(x - largest) for x in powers))
        for row in (a, p):
            rows[row] += len(z) / len(both) * (loss / 2 + l2 / 4 * dot(z[row], z[row]))
    return rows


def margin_contrastive_rows(z, pairs, positive_margin, negative_margin, normalize, average):
    """Mean hinge of the pairs of one class, and of those of two; half of each pair for a row."""
    z, values = [at_length(x) if normalize else x for x in z], pairs.values.tolist()
    rows = [0.0] * len(z)
    for same in (True, False):
        costs = {}
        for i in range(len(z)):
            for j in range(i):
                d = distance(z[i], z[j])
                if (values[i] == values[j]) is same:
                    costs[i, j] = max(0.0, d - positive_margin if same else negative_margin - d)
        count = sum(average is Average.all or cost > 0 for cost in costs.values())
        for pair, cost in costs.items():
            for row in pair:
                rows[row] += len(z) * cost / max(count, 1) / 2
    return rows


def margin_contrastive(**options):
    return LossCase(
        partial(margin_contrastive_loss, **options),
        class_pairs,
        partial(margin_contrastive_rows, **options),
        least=4,
    )


def lifted_structure_rows(z, pairs, margin, normalize):
    """max(0, J)^2 / 2, averaged over the pairs of one class; half of each pair for a row."""
    z, values = [at_length(x) if normalize else x for x in z], pairs.values.tolist()
    rows, both = [0.0] * len(z), [(i, j) for i, j in positives(values) if i < j]
    for i, j in both:
        powers = [
            margin - distance(z[end], z[k])
            for end in (i, j)
            for k in range(len(z))
            if values[k] != values[end]
        ]
        largest = max(powers)
        total = largest + math.log(sum(math.exp(x - largest) for x in powers))
        for row in (i, j):
            cost = max(0.0, total + distance(z[i], z[j])) ** 2 / 2
            rows[row] += len(z) / len(both) * cost / 2
    return rows


def lifted_structure(margin, normalize):
    return LossCase(
        partial(lifted_structure_loss, margin=margin, normalize=normalize),
        class_pairs,
        partial(lifted_structure_rows, margin=margin, normalize=normalize),
        least=4,
    )


def proxy_nca_rows(z, pairs, proxies, scale, own_in_sum):
    """-log(exp(-d(x, p_y)) / sum over q of exp(-d(x, p_q)))."""
    rows = []
    for x, y in zip(z, pairs.values.tolist(), strict=True):
        powers = [
            -squared_distance(at_length(x, scale), at_length(proxy, scale)) for proxy in proxies
        ]
        summed = [power for q, power in enumerate(powers) if own_in_sum or q != y]
        largest = max(summed)
        rows.append(largest + math.log(sum(math.exp(v - largest) for v in summed)) - powers[y])
    return rows


def proxy_nca(scale=3.0, own_in_sum=False):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        loss = ProxyNCALoss(N_CLASSES, DIMS, scale, own_in_sum)
    rows = partial(
        proxy_nca_rows, proxies=loss.proxies.tolist(), scale=scale, own_in_sum=own_in_sum
    )
    return LossCase(loss, class_pairs, rows)


DIMS = 3  # of the embeddings that all losses can be given
CLASS_PAIRS = {
    "triplet": triplet(Mining.semi_hard),
    "triplet_all": triplet(Mining.all),
    "triplet_raw": triplet(Mining.semi_hard, normalize=False, margin=1.0),
    "triplet_plain": triplet(Mining.semi_hard, squared=False),
    "triplet_above_zero": triplet(Mining.all, squared=False, average=Average.above_zero),
    "n_pair": LossCase(
        partial(n_pair_loss, l2=0.02), class_pairs, partial(n_pair_rows, l2=0.02), least=4
    ),
    "margin_contrastive": margin_contrastive(
        positive_margin=0.1, negative_margin=1.2, normalize=True, average=Average.all
    ),
    "margin_contrastive_raw": margin_contrastive(
        positive_margin=0.0, negative_margin=1.0, normalize=False, average=Average.above_zero
    ),
    "lifted_structure": lifted_structure(1.0, False),
    "lifted_structure_unit": lifted_structure(0.5, True),
    "proxy_nca": proxy_nca(),
    "proxy_nca_softmax": proxy_nca(1.0, own_in_sum=True),
}

# The case that each registered loss is, with these options.
REGISTERED = {
    "contrastive": ("margin_contrastive", {"positive_margin": 0.1, "negative_margin": 1.2}),
    "cross_entropy": ("cross_entropy", {}),
    "drlim": ("drlim", {"margin": 1.5}),
    "generalized_contrastive": (
        "generalized",
        {"groups": [2, 1], "margins": [1.3, 0.8], "weights": [0.3, 1.3]},
    ),
    "infonce": ("student", {"degrees_of_freedom": 3.5}),
    "lifted_structure": ("lifted_structure", {}),
    "n_pair": ("n_pair", {"l2": 0.02}),
    "proxy_nca": ("proxy_nca", {}),
    "simclr": ("simclr", {"temperature": 0.5}),
    "squared_error": ("squared_error", {}),
    "triplet": ("triplet", {}),
    "tsimcne": ("tsimcne", {}),
}

LOSSES = POSITIVE_PAIRS | LABELED_PAIRS | TARGETS | CLASS_PAIRS


def each(cases):
    """Parametrizes a test by `case`."""
    return pytest.mark.parametrize("case", cases.values(), ids=cases.keys())
