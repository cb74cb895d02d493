"""The learning rate over a stage."""

from __future__ import annotations

import math

from dimred.training.schedule import Anneal

_INV_GAMMA = 1e-4
_INV_POWER = 0.75


def learning_rate(
    base: float, done: int, total: int, warmup: int, anneal: Anneal, iteration: int = 0
) -> float:
    """The learning rate of the next epoch (or step) after `done` of `total`.

    Rises linearly to `base` within `warmup`. Then, by `anneal`:
    cosine: falls to 0 along a cosine. This is the t-SimCNE authors' schedule shifted one epoch
        earlier, since theirs has the rate 0 in its first epoch. Without a warm-up theirs does not,
        and its cosine is one epoch longer than the training.
    inv: base * (1 + 0.0001 * iteration)^-0.75, Caffe's policy as in Angel (2015);
        `iteration` counts the steps of the stage.
    none: stays at `base`.
    """
    if done + 1 < warmup:
        return base * (done + 1) / (warmup - 1)
    if anneal is Anneal.inv:
        return float(base * (1 + _INV_GAMMA * iteration) ** -_INV_POWER)
    if anneal is Anneal.none:
        return base
    start = max(warmup - 1, 0)
    return base * 0.5 * (1 + math.cos(math.pi * (done - start) / (total - start)))
