"""A loss that was still falling when its stage ended is told from one that was not."""

import numpy as np
import pytest

from dimred.run.still_falling import still_falling
from dimred.training.learning_rate import learning_rate
from dimred.training.schedule import Anneal

EPOCHS = 60
CONSTANT = [0.1] * EPOCHS
COSINE = [learning_rate(0.1, done, EPOCHS, 3, Anneal.cosine) for done in range(EPOCHS)]


def curve(time_constant, drop=0.0, noise=0.01, rates=CONSTANT, seed=0):
    """A loss from 6 toward 3 that falls as fast as learning goes, and by `drop` as the rate is
    annealed, whatever is learned."""
    learned = np.cumsum(rates) / max(rates)
    annealed = drop * (1 - np.array(rates) / max(rates))
    loss = 3 + 3 * np.exp(-learned / time_constant) - annealed
    return loss + np.random.default_rng(seed).normal(0, noise, len(rates))


@pytest.mark.parametrize("rates", [CONSTANT, COSINE])
def test_a_slow_loss_is_falling_and_a_quick_one_is_not(rates):
    assert still_falling(curve(40, rates=rates), rates) is True
    assert still_falling(curve(4, rates=rates), rates) is False


def test_what_annealing_gains_and_makes_flat_says_nothing():
    assert still_falling(curve(4, drop=0.3, rates=COSINE), COSINE) is False
    assert still_falling(curve(40, drop=0.3, rates=COSINE), COSINE) is True


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_fall(seed):
    flat = curve(0.01, noise=1.0, seed=seed)
    assert still_falling(flat, CONSTANT) is False


def test_a_stage_that_goes_on_is_held_against_all_that_was_learned():
    """Fine-tuning a good map may lower the loss by a little only."""
    losses = curve(40) / 100 + 3
    assert still_falling(losses, CONSTANT) is True
    assert still_falling(losses, CONSTANT, first=6.0) is False


def test_a_loss_that_rises_is_not_falling():
    assert still_falling(curve(40)[::-1], CONSTANT) is False


def test_a_few_epochs_tell_nothing():
    assert still_falling([6.0, 5.0, 4.0], CONSTANT[:3]) is None
