"""What is shown while a stage trains."""

import io
import os

import pytest

from dimred.run.pace import Pace
from dimred.run.progress import RunClock, StageProgress
from dimred.training.schedule import ScheduleOptions, StageOptions, Trainable

KNN = ("knn15_z_official", "knn15")


class Terminal(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def fileno(self):
        return 2

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def clock(monkeypatch):
    """The time, which tests set."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def streams(monkeypatch, out_is_terminal, err_is_terminal):
    out, err = Terminal(out_is_terminal), Terminal(err_is_terminal)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((80, 24)))
    return out, err


def stage_of(name, steps=2, pace=None, batch_size=1024, headline=KNN, done=0):
    """The progress of a stage of a schedule of 100, 5 and 400 epochs, whose second trains the
    readout."""
    stages = {
        "pretrain": StageOptions(100, 128),
        "readout": StageOptions(5, 2, trainable=Trainable.readout),
        "finetune": StageOptions(400, 2),
    }
    schedule = ScheduleOptions(batch_size=batch_size, stages=stages)
    stage = next(stage for stage in schedule.numbered(0) if stage.name == name)
    return StageProgress(stage, RunClock(schedule, steps, pace or Pace()), done, headline)


def shown(monkeypatch, out_is_terminal, err_is_terminal, headline=KNN):
    """Standard output and error of a stage of 400 epochs in its 12th, at 80 columns."""
    for name, size in (("COLUMNS", "80"), ("LINES", "25")):
        monkeypatch.setenv(name, size)
    out, err = streams(monkeypatch, out_is_terminal, err_is_terminal)
    pace = Pace({Trainable.all: (20.0, 10)})
    progress = stage_of("finetune", pace=pace, headline=headline, done=22)
    row = {"epoch": 11, "loss": 3.00581, "images_per_s": 7121.3}
    progress.step()
    progress.epoch({**row, headline[0]: 0.98765})
    progress.step()
    progress.epoch({**row, "epoch": 12})
    progress.close()
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("label", ["knn15", "trustworthiness15"])
def test_a_terminal_of_80_columns_shows_stage_epoch_loss_and_time_left_in_all(monkeypatch, label):
    out, err = shown(monkeypatch, True, True, ("headline", label))
    assert out == ""
    line = err.rstrip("\n").split("\r")[-1]
    assert len(line.rstrip()) <= 80
    assert line.startswith("stage 3/3 finetune 13/400 |")
    assert f"| loss 3.0058, {label.replace('worthiness', '')} 0.988, " in line
    assert len(line.split("|")[1]) >= 5, "a bar that one can see"
    assert line.rstrip().endswith(" left in all")


def test_the_time_left_is_that_of_all_stages_by_what_they_train(monkeypatch, clock):
    out, _ = streams(monkeypatch, False, False)
    pace = Pace({Trainable.all: (1.0, 1), Trainable.readout: (0.5, 1)})
    progress = stage_of("pretrain", pace=pace, done=198)
    for _ in range(2):
        clock[0] += 1.0
        progress.step()
    progress.epoch({"epoch": 100, "loss": 1.0, "images_per_s": 1.0})
    # 10 steps of half a second, and 800 of one.
    assert out.getvalue().endswith("1 images/s, 13:25 left in all\n")


def test_what_is_measured_after_an_epoch_is_no_training(monkeypatch, clock):
    out, _ = streams(monkeypatch, False, False)
    progress = stage_of("pretrain", pace=Pace({Trainable.all: (1.0, 1)}), done=198)
    for _ in range(2):
        clock[0] += 1.0
        progress.step()
        progress.rest()
        clock[0] += 60.0
        progress.epoch({"epoch": 100, "loss": 1.0, "images_per_s": 1.0})
    assert out.getvalue().endswith(" 13:24 left in all\n")  # 10 of 0.4 s, 800 of 1 s


def test_one_slow_step_at_the_start_does_not_make_the_time_left_wild(monkeypatch, clock):
    out, _ = streams(monkeypatch, False, False)
    progress = stage_of("finetune", pace=Pace({Trainable.all: (30.0, 30)}))
    clock[0] += 10.0  # the first step warms up
    progress.step()
    progress.epoch({"epoch": 1, "loss": 1.0, "images_per_s": 1.0})
    minutes = int(out.getvalue().split(", ")[-1].split(":")[0])
    assert 10 < minutes < 20, "800 steps of a second"


def test_without_a_measured_pace_the_first_steps_guess_nothing(monkeypatch, clock):
    _, err = streams(monkeypatch, True, True)
    progress = stage_of("finetune")
    clock[0] += 1.0
    progress.step()
    assert "?" in err.getvalue()
    for _ in range(3):
        clock[0] += 1.0
        progress.step()
    progress.close()
    assert err.getvalue().rstrip().endswith("13:16 left in all")


def test_what_is_not_measured_yet_is_taken_from_what_is():
    pace = Pace()
    assert pace.left({Trainable.all: 1}) is None
    pace.add(Trainable.all, 10.0, 10)
    assert pace.left({Trainable.all: 5, Trainable.readout: 10}) == pytest.approx(9.0)
    assert pace.left({Trainable.head: 10}) == pace.left({Trainable.readout: 10})
    assert pace.left({}) == 0


def test_a_run_that_goes_on_at_the_end_of_a_stage_shows_no_nonsense(monkeypatch):
    for is_terminal in (True, False):
        out, err = streams(monkeypatch, is_terminal, is_terminal)
        progress = stage_of("finetune", pace=Pace({Trainable.all: (1.0, 1)}), done=800)
        progress.epoch({"epoch": 400, "loss": 1.0, "images_per_s": 0.0})
        progress.close()
        text = out.getvalue() + err.getvalue()
        assert "401/400" not in text
        assert "finetune 400/400" in text or "finetune epoch 400/400" in text
        assert text.rstrip().endswith(", 00:00 left in all")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_compiling_is_said_and_no_part_of_the_rate(monkeypatch, clock, is_terminal):
    out, err = streams(monkeypatch, is_terminal, is_terminal)
    progress = stage_of("finetune", steps=1)
    progress.compiling()
    assert "compiling" in out.getvalue() + err.getvalue()
    clock[0] += 41
    progress.compiled(None)
    before = len(out.getvalue() + err.getvalue())
    progress._bar.refresh()
    assert "compiling" not in (out.getvalue() + err.getvalue())[before:]
    clock[0] += 2
    progress.step()
    progress.epoch({"epoch": 1, "loss": 1.0, "images_per_s": 1000.0})
    progress.close()
    assert "compiled in 41 s" in out.getvalue() + err.getvalue()
    if not is_terminal:
        assert out.getvalue().splitlines()[:2] == [
            "finetune: compiling",
            "finetune: compiled in 41 s",
        ]
    assert "13:18 left" in out.getvalue() + err.getvalue()


@pytest.mark.parametrize("err_is_terminal", [True, False])
def test_elsewhere_each_epoch_is_a_plain_line_with_what_was_measured_then(
    monkeypatch, err_is_terminal
):
    out, err = shown(monkeypatch, False, err_is_terminal)
    assert err == ""
    first, second = out.splitlines()
    start = "stage 3/3 finetune epoch"
    assert first.startswith(f"{start} 11/400: loss 3.0058, knn15 0.988, 7,121 images/s, ")
    assert second.startswith(f"{start} 12/400: loss 3.0058, 7,121 images/s, ")
    assert second.endswith(" left in all")
