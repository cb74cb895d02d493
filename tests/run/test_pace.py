"""How fast a machine trains, by the times at which steps ended."""

import pytest

from dimred.run.pace import Mark, steady


def marks(seconds, own=1.0):
    """Marks of steps that took these seconds, of which the thread computed a share."""
    clock, marks = 0.0, [Mark(0.0, 0.0, 0.0)]
    for step in seconds:
        clock += step
        marks.append(Mark(clock, 2 * clock * own, clock * own))
    return marks


def test_a_spike_of_load_does_not_decide():
    quiet = steady(marks([0.1] * 80))
    assert quiet.seconds == pytest.approx(0.1)
    assert (quiet.work, quiet.contention) == (pytest.approx(0.2), pytest.approx(1.0))
    assert steady(marks([0.1] * 60 + [1.0] + [0.1] * 19)).seconds == pytest.approx(0.1)


def test_lasting_load_counts():
    # Half of the time at a third of the pace.
    assert steady(marks([0.1] * 60 + [0.3] * 20)).seconds == pytest.approx(0.15)
    assert steady(marks([0.1] * 80, own=0.25)).contention == pytest.approx(4.0)


def test_a_single_step_is_enough():
    assert steady(marks([3.0], own=0.5)) == (
        pytest.approx(3.0),
        pytest.approx(3.0),
        pytest.approx(2.0),
    )
