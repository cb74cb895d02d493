"""Whether the loss of a stage was still falling when the stage ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MIN_EPOCHS = 4  # to judge a slope by
_HIGH = 0.5  # of the highest learning rate
_CLEAR = 3.0  # standard errors
# Of all that was learned. Of 14 stages that were looked at, those of 6 to 24 epochs or of a few
# hundred steps had 18 to 25 %, those of the demo and of 160 epochs on CIFAR-10 up to 11 %.
_MUCH = 0.15


def still_falling(
    losses: Sequence[float], rates: Sequence[float], first: float | None = None
) -> bool | None:
    """Whether the loss of a stage was still falling fast when it ended, so that more epochs would
    have lowered it by much; None where there are too few epochs to tell.

    Annealing the learning rate lowers any loss, and then makes it flat, whatever is still to be
    learned. So the epochs before are looked at: the later half of those with at least half of the
    highest rate, which without annealing are the later half of all. The loss was falling if its
    slope there is negative by three standard errors, and makes 15 % or more of the whole fall. Some
    slope is always there: contrastive losses fall ever more slowly, like a power of the epochs.

    losses: mean loss of each epoch of the stage. rates: the learning rate of each. first: the loss
        before anything was learned; None = that of the first epoch.
    """
    loss, rate = np.asarray(losses, dtype=float), np.asarray(rates, dtype=float)
    high = np.flatnonzero(rate >= _HIGH * rate.max())
    later = high[len(high) // 2 :]
    y = loss[later if len(later) >= _MIN_EPOCHS else high]
    if len(y) < _MIN_EPOCHS:
        return None
    x = np.arange(len(y)) - (len(y) - 1) / 2
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    error = float(np.sqrt(residual @ residual / (len(y) - 2) / (x @ x)))
    end = loss[-max(len(loss) // 10, 1) :].mean()
    learned = (loss[0] if first is None else first) - end
    return bool(-slope * len(y) >= _MUCH * max(learned, 0.0) and -slope > _CLEAR * error)
