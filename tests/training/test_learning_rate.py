"""The learning rate against the schedule of the authors' code, written out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.training.learning_rate import learning_rate
from dimred.training.schedule import Anneal


def authors_schedule(base, epochs, warmup):
    """linspace(0, base, warmup), then a cosine over 1 + epochs - warmup."""
    rise = [base * i / (warmup - 1) for i in range(warmup)] if warmup > 1 else [0.0] * warmup
    fall = 1 + epochs - warmup
    decay = [base * 0.5 * (1 + math.cos(math.pi * i / fall)) for i in range(fall)]
    return rise + decay


@pytest.mark.parametrize(("epochs", "warmup"), [(1000, 10), (450, 10), (25, 2), (3, 3), (5, 1)])
def test_is_the_authors_schedule_one_epoch_early(epochs, warmup):
    ours = [
        learning_rate(0.12, epoch, epochs, warmup, anneal=Anneal.cosine) for epoch in range(epochs)
    ]
    assert ours == pytest.approx(authors_schedule(0.12, epochs, warmup)[1:])


def test_without_a_warmup_the_authors_cosine_is_an_epoch_longer():
    ours = [learning_rate(0.12, epoch, 15, 0, anneal=Anneal.cosine) for epoch in range(15)]
    assert ours == pytest.approx(authors_schedule(0.12, 14, 0))
    assert sum(authors_schedule(0.12, 15, 0)[:15]) == pytest.approx(1.06 * sum(ours), rel=0.01)


@given(epochs=st.integers(1, 300), warmup=st.integers(0, 300))
def test_rises_then_falls_and_every_epoch_learns(epochs, warmup):
    warmup = min(warmup, epochs)
    rates = [
        learning_rate(1.0, epoch, epochs, warmup, anneal=Anneal.cosine) for epoch in range(epochs)
    ]
    peak = rates.index(max(rates))
    assert all(0 < rate <= 1 for rate in rates)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_is_constant_without_annealing():
    assert [learning_rate(0.12, e, 50, 0, anneal=Anneal.none) for e in range(50)] == [0.12] * 50


def test_inv_is_caffes_policy():
    """lr * (1 + gamma * iter)^-power of Caffe's solver, gamma 1e-4 and power 0.75."""
    assert learning_rate(0.01, 0, 10, 0, Anneal.inv, 0) == 0.01
    assert learning_rate(0.01, 5, 10, 0, Anneal.inv, 10_000) == pytest.approx(0.01 * 2**-0.75)
    # The warm-up comes first.
    assert learning_rate(0.01, 0, 10, 5, Anneal.inv, 0) == pytest.approx(0.0025)
