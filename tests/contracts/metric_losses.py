"""The losses of deep metric learning, each with its equation as a naive loop."""

import math
from functools import partial

import torch
from contracts.loss_cases import DIMS, LossCase, seeded, squared_distance

from dimred.losses import (
    Average,
    Mining,
    ProxyNCALoss,
    TripletLoss,
    lifted_structure_loss,
    margin_contrastive_loss,
    n_pair_loss,
)
from dimred.pairing import ClassPairs

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
