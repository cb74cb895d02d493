"""Comparison of two shares that are counted on the same images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def difference_error(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """The standard error of the difference between two shares of the same n images, such as the
    accuracies of two classifiers on the same test images.

    sqrt(b + c) / n, where b images are right only in the one and c only in the other: the error
    under the hypothesis that both are equally good, of McNemar's test (1947,
    https://doi.org/10.1007/BF02295996). It is smaller than that of two independent samples, since
    what is hard for both does not count. It is the error of sampling the images alone: another
    training seed moves a map too.

    one, other: (n,), which images are right. Raises ValueError for no images or different lengths.
    """
    if len(one) != len(other) or not len(one):
        raise ValueError(f"{len(one)} images in the one, {len(other)} in the other")
    return math.sqrt(int(np.sum(one != other))) / len(one)
