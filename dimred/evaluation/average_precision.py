"""Average precision: how well scores put what is right before what is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def average_precision(
    scores: NDArray[np.floating], right: NDArray[np.bool_], positives: int | None = None
) -> float:
    """The area under the curve of precision against recall, in [0, 1]: the sum over thresholds of
    precision times the growth of recall, without interpolation.

    That is scikit-learn's `average_precision_score`. The development kit of the PASCAL VOC (from
    2010 on) replaces each precision by the largest one at a recall at least as large, which gives
    as much or slightly more. Equal scores are one threshold, so that their order is of no account.

    scores: (n,). right: (n,), which answers are right.
    positives: how many right answers there should be, at least those that there are; None for those
        that there are. Others count as never found.
    Raises ValueError for scores that are not finite or not as many as answers, and without
    positives.
    """
    if scores.shape != right.shape or scores.ndim != 1:
        raise ValueError(f"scores {scores.shape}, answers {right.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores are not finite")
    found = int(right.sum())
    positives = found if positives is None else positives
    if positives < max(found, 1):
        raise ValueError(f"{positives} positives, {found} right answers")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # of each threshold
    hits = np.cumsum(right[order])[last]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / positives)


def class_precision(
    scores: NDArray[np.floating],
    right: NDArray[np.bool_],
    presence: NDArray[np.bool_],
    judged: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """The average precision of each class (K,), one answer an image; NaN for a class that no image
    that is judged shows.

    scores: (n, K). right: (n, K), whether the answer is right; `presence` itself for
        classification. presence: (n, K), which classes each image shows, all of which are to be
        found. judged: (n, K), which images count for each class; None for all.
    """
    precisions = np.full(presence.shape[1], np.nan)
    for k, shown in enumerate(presence.T):
        rows = slice(None) if judged is None else judged[:, k]
        if shown[rows].any():
            positives = int(shown[rows].sum())
            precisions[k] = average_precision(scores[rows, k], right[rows, k], positives)
    return precisions
