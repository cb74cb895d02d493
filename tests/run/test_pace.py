"""How fast a machine trains, by the times at which steps ended."""

from types import SimpleNamespace

import pytest

from dimred.config.compose import composed
from dimred.run.inputs import Inputs
from dimred.run.pace import Mark, Pace, described, measured_pace, steady
from dimred.training import kept_h
from dimred.training.checkpoint import Position
from dimred.training.schedule import Trainable


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


def test_successive_stages_share_h_of_a_frozen_backbone():
    pace = Pace(h=10.0, keeping=(1, 2, 4))
    assert [pace.before_steps(first) for first in range(6)] == [20, 20, 20, 10, 10, 0]


HEAD = [
    *["experiment=transfer_digits", "model.widths=[4]", "dataset.limit=300"],
    *["schedule.stages.train.trainable=head", "schedule.stages.train.frozen_batchnorm=freeze"],
]


def test_h_of_a_frozen_backbone_is_timed_by_a_few_images(monkeypatch):
    monkeypatch.setattr(kept_h, "_SECONDS", 0.0)
    config = composed([*HEAD, "device=cpu"])
    inputs = Inputs(config, config.device.compute(), cached=False)
    calls = []
    monkeypatch.setattr(kept_h, "bar", lambda *_: calls.append(1))
    pace = measured_pace(inputs, 0.01)
    assert not calls  # as where H of all is computed
    assert (pace.h > 0, pace.keeping) == (True, (0,))


def test_h_of_a_frozen_backbone_is_part_of_the_time():
    config = composed(HEAD)
    pace = Pace({Trainable.head: (1e-3, 1)}, h=7_200.0, keeping=(0,))
    inputs = SimpleNamespace(config=config, steps=2)
    assert "about 2 h" in described(pace, inputs, Position(0, 0, 0))
    assert "at 64,000 images/s" in described(pace, inputs, Position(0, 0, 0))
