"""All losses, each with the equation of its paper as a naive loop over float64 numbers."""

import math
from functools import partial

import pytest
import torch
from contracts.loss_cases import LossCase, points, seeded, squared_distance
from contracts.metric_losses import CLASS_PAIRS

from dimred.losses import (
    CauchyKernel,
    CosineKernel,
    GaussianKernel,
    HingeForm,
    InfoNCE,
    LearnedCosineKernel,
    binary_logistic_loss,
    cross_entropy_loss,
    drlim_loss,
    generalized_contrastive_loss,
    simclr_loss,
    squared_error_loss,
    tsimcne_loss,
)
from dimred.pairing import LabeledPairs, PositivePairs, Targets

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


def binary_logistic_rows(z, pairs):
    """sum_k log(1 + exp(-y_k z_k)) with y_k = +-1, by the larger exponent first."""
    rows = []
    for row, present in zip(z, pairs.values.tolist(), strict=True):
        terms = [-v if shown else v for v, shown in zip(row, present, strict=True)]
        rows.append(sum(max(t, 0.0) + math.log1p(math.exp(-abs(t))) for t in terms))
    return rows


TARGETS = {
    "binary_logistic": LossCase(
        binary_logistic_loss,
        lambda n, seed: Targets(
            torch.randint(2, (n, 3), generator=seeded(seed), dtype=torch.float64)
        ),
        binary_logistic_rows,
    ),
    "squared_error": LossCase(
        squared_error_loss, lambda n, seed: Targets(points(n, 3, seed + 1)), squared_error_rows
    ),
    "cross_entropy": LossCase(
        cross_entropy_loss,
        lambda n, seed: Targets(torch.randint(3, (n,), generator=seeded(seed))),
        cross_entropy_rows,
    ),
}


# The case that each registered loss is, with these options.
REGISTERED = {
    "binary_logistic": ("binary_logistic", {}),
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
