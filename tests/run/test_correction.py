"""When a planned run is begun anew with other epochs."""

import pytest

from dimred.run.correction import PlannedAnew, Watch
from dimred.run.plan import MAX_SCALE, MIN_SCALE, Choice, Speed, Survey, Trial
from dimred.training.checkpoint import Position
from dimred.training.schedule import ScheduleOptions, StageOptions, Trainable

PHOTOS = Survey(n=200, width=640, height=480, gray=False, n_classes=0, seconds=0.0)
EPOCHS, STEPS = 400, 10
SCHEDULE = ScheduleOptions(stages={"pretrain": StageOptions(EPOCHS, 2)})
PLANNED = 400.0  # seconds for all 4,000 steps
TRIAL = Trial(32, 20, "bf16", None)


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("dimred.run.correction.monotonic", lambda: now[0])
    return now


def watch_of(scale=1.0, speed=None, **values):
    speed = speed or Speed(2.0, 1.0)
    return Watch(PHOTOS, Choice(200, TRIAL, 1.0, scale, PLANNED, speed), 500.0, **values)


def trained(watch, clock, paces):
    """The watch of the new run, or None; and the steps done. paces: seconds a step, for each tenth
    of the steps."""
    for number in range(EPOCHS * STEPS):
        clock[0] += paces[min(number * 10 // (EPOCHS * STEPS), len(paces) - 1)]
        try:
            at = Position(0, *divmod(number + 1, STEPS))
            watch.after_step(SCHEDULE, STEPS, Trainable.all, at)
        except PlannedAnew as other:
            return other.anew, number + 1
    return None, EPOCHS * STEPS


def test_a_run_as_planned_goes_on(clock):
    assert trained(watch_of(), clock, [0.1])[0] is None
    assert trained(watch_of(), [0.0], [0.05])[0] is None


@pytest.mark.parametrize("paces", [[0.3], [0.1, 0.3]])
def test_one_on_a_slower_machine_is_begun_anew_with_the_epochs_that_fit(clock, paces):
    anew, steps = trained(watch_of(), clock, paces)
    assert steps <= 1_000
    assert MIN_SCALE < anew.choice.scale < 0.4
    assert anew.choice.seconds == pytest.approx(anew.choice.scale * 4_000 * 0.3, rel=0.01)
    left = 500 - clock[0]
    assert 0.5 * left < anew.choice.seconds < left
    assert (anew.times, anew.ends) == (1, 500.0)


def test_one_on_a_machine_that_is_much_faster_is_begun_anew_with_more(clock):
    assert trained(watch_of(), clock, [0.06])[0] is None
    clock[0] = 0.0
    anew, steps = trained(watch_of(), clock, [0.03])
    assert steps < 1_500
    assert anew.choice.scale > 2
    assert 0.5 * (500 - clock[0]) < anew.choice.seconds < 500 - clock[0]
    clock[0] = 0.0
    assert trained(watch_of(scale=MAX_SCALE), clock, [0.03])[0] is None


def test_one_is_not_begun_anew_late_nor_often_nor_in_vain(clock):
    assert trained(watch_of(), clock, [0.1] * 4 + [1.0])[0] is None
    clock[0] = 0.0
    assert trained(watch_of(times=0), clock, [1.0])[0] is None
    clock[0] = 0.0
    assert trained(watch_of(scale=MIN_SCALE), clock, [0.3])[0] is None


def test_on_a_busy_machine_what_follows_training_takes_longer_too(clock):
    busy, _ = trained(watch_of(), clock, [0.3])
    clock[0] = 0.0
    # It was as busy while it was measured, and slower by another cause: no more than four times.
    busier, _ = trained(watch_of(speed=Speed(2.0, 1.0, 4.0)), clock, [0.3])
    assert busier.choice.scale < busy.choice.scale
