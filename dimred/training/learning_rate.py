"""The learning rate over a stage."""

from __future__ import annotations

import math


def learning_rate(base: float, done: int, total: int, warmup: int, anneal: bool) -> float:
    """The learning rate for what follows after `done` of `total` epochs (or steps).

    Rises linearly to `base` within `warmup`, then falls to 0 on a cosine, or stays if not `anneal`.
    This is the authors' schedule one epoch early: theirs spends its first epoch at the rate 0.
    """
    if done + 1 < warmup:
        return base * (done + 1) / (warmup - 1)
    if not anneal:
        return base
    start = max(warmup - 1, 0)
    return base * 0.5 * (1 + math.cos(math.pi * (done - start) / (total - start)))
