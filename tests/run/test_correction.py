"""When a planned run is begun anew with other epochs."""

from dataclasses import replace

import pytest

from dimred.run.correction import PlannedAnew, Watch
from dimred.run.plan import MIN_SCALE, Choice, Speed, Survey, Trial
from dimred.training.checkpoint import Position
from dimred.training.schedule import ScheduleOptions, StageOptions, Trainable

PHOTOS = Survey(n=200, width=640, height=480, channels=3, n_classes=0, seconds=0.0)
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
    for pace in (0.01, 0.1):
        clock[0] = 0.0
        assert trained(watch_of(), clock, [pace])[0] is None


@pytest.mark.parametrize("paces", [[0.3], [0.1, 0.3]])
def test_one_on_a_slower_machine_is_begun_anew_with_the_epochs_that_fit(clock, paces):
    anew, steps = trained(watch_of(), clock, paces)
    assert steps <= 1_000
    assert MIN_SCALE < anew.choice.scale < 0.4
    assert anew.choice.seconds == pytest.approx(anew.choice.scale * 4_000 * 0.3, rel=0.01)
    left = 500 - clock[0]
    assert 0.5 * left < anew.choice.seconds < left
    assert (anew.times, anew.ends) == (1, 500.0)


def test_one_is_not_begun_anew_late_nor_often_nor_in_vain(clock):
    assert trained(watch_of(), clock, [0.1] * 4 + [1.0])[0] is None
    clock[0] = 0.0
    assert trained(watch_of(times=2), clock, [1.0])[0] is None
    clock[0] = 0.0
    assert trained(watch_of(scale=MIN_SCALE), clock, [0.3])[0] is None


def test_neither_the_end_of_a_stage_nor_the_next_is_taken_for_its_pace(clock):
    """A readout takes less time a step; and measuring at the end of a stage takes long."""
    kinds = {"pretrain": Trainable.all, "readout": Trainable.readout, "finetune": Trainable.all}
    stages = {name: StageOptions(10, 2, trainable=kind) for name, kind in kinds.items()}
    schedule, watch = ScheduleOptions(stages=stages), watch_of()
    for stage, kind in enumerate(kinds.values()):
        for number in range(10 * STEPS):
            clock[0] += PLANNED / 250
            at = Position(stage, *divmod(number + 1, STEPS))
            watch.after_step(schedule, STEPS, kind, at)
        clock[0] += 100.0


def test_what_would_take_as_long_anew_goes_on(clock):
    """Since all images would be read again."""
    slow = replace(PHOTOS, seconds=1.0)
    watch = Watch(slow, Choice(200, TRIAL, 1.0, 0.05, 20.0, Speed(2.0, 1.0)), 60.0)
    assert trained(watch, clock, [0.03])[0] is None
    quick = Watch(PHOTOS, watch.choice, 60.0)
    clock[0] = 0.0
    assert trained(quick, clock, [0.03])[0] is not None


def test_on_a_busy_machine_what_follows_training_takes_longer_too(clock):
    busy, _ = trained(watch_of(), clock, [0.3])
    clock[0] = 0.0
    # It was as busy while it was measured, and slower by another cause: no more than four times.
    busier, _ = trained(watch_of(speed=Speed(2.0, 1.0, 4.0)), clock, [0.3])
    assert busier.choice.scale < busy.choice.scale
