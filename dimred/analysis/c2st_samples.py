"""Pairs of sets of points that differ in a known way, or do not, as the experiments with
classifier two-sample tests have them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate

from dimred.data.image_set import ImageSet
from dimred.tables.c2st import Experiment

Points = NDArray[np.floating]
Pixels = NDArray[np.uint8]


class Digits:
    """The training images of MNIST, uint8 (n, 28, 28), and which are nines (n,)."""

    def __init__(self, images: ImageSet):
        assert images.labels is not None
        train = np.flatnonzero(~images.is_test)
        self.pixels: Pixels = images.images[train, 0].numpy()
        self.is_nine = images.labels.values[train] == 9


def synthetic(row: Experiment, n: int, rng: np.random.Generator) -> Points:
    """n points of A, then n of B, (2n, d), as in figure 1 of Lopez-Paz and Oquab (2017).

    level: both Gaussian. student: a Gaussian and Student's t, each scaled to mean 0 and deviation
    1. sinusoid: (x, y) with y = cos(frequency x) + noise, both scaled so, and the same with y
    permuted.
    """
    if row.sets == "level":
        return rng.normal(size=(2 * n, 1))
    if row.sets == "student":
        samples = (rng.normal(size=(n, 1)), rng.standard_t(row.degrees, (n, 1)))
        return np.concatenate([_scaled(sample) for sample in samples])
    x = _scaled(rng.normal(size=(n, 1)))
    y = _scaled(np.cos(row.frequency * x) + row.noise * rng.normal(size=(n, 1)))
    return np.concatenate([np.hstack([x, y]), np.hstack([x, rng.permutation(y)])])


def _scaled(values: Points) -> Points:
    scaled: Points = (values - values.mean()) / values.std()
    return scaled


def images(row: Experiment, n: int, rng: np.random.Generator, digits: Digits) -> Pixels:
    """n images of A, then n others, changed, of B: (2n, 28, 28)."""
    order = rng.permutation(len(digits.pixels))
    of_a, left = order[:n], order[n:]
    if row.change in _DROPPED:
        dropped = digits.is_nine[left] & (rng.random(len(left)) < _DROPPED[row.change])
        left = left[~dropped]
    of_b = digits.pixels[left[:n]]
    if row.change in _CHANGES:
        of_b = _CHANGES[row.change](of_b, rng)
    return np.concatenate([digits.pixels[of_a], of_b])


def _moved(pixels: Pixels, by: int) -> Pixels:
    """To the right, black coming in."""
    moved = np.zeros_like(pixels)
    moved[:, :, by:] = pixels[:, :, :-by]
    return moved


def _fifth_moved(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    count = len(pixels) // 5
    return np.concatenate([_moved(pixels[:count], 2), pixels[count:]])


def _noisy(pixels: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    noise = rng.normal(0, deviation, pixels.shape)
    return (pixels + noise).round().clip(0, 255).astype(np.uint8)


_CHANGES: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "shift1": lambda pixels, _: _moved(pixels, 1),
    "shift2_fifth": _fifth_moved,
    "rotate5": lambda pixels, _: rotate(pixels, 5, axes=(1, 2), reshape=False, order=1),
    "contrast": lambda pixels, _: (0.9 * pixels).round().astype(np.uint8),
    "noise20": lambda pixels, rng: _noisy(pixels, 20, rng),
    "noise5": lambda pixels, rng: _noisy(pixels, 5, rng),
}
_DROPPED = {"no9": 1.0, "half9": 0.5}
"""The share of the nines that B lacks."""
