"""What is shown while a stage trains."""

import io

import pytest

from dimred.run.progress import StageProgress


class Terminal(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


def shown(monkeypatch, out_is_terminal, err_is_terminal):
    """Standard output and error of a stage of 400 epochs in its 12th, at 80 columns."""
    out, err = Terminal(out_is_terminal), Terminal(err_is_terminal)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("COLUMNS", "80")
    progress = StageProgress("finetune", 400, 22, 2, 1024, ("knn15_z_official", "knn15"))
    row = {"epoch": 11, "loss": 3.00581, "images_per_s": 7121.3}
    progress.step()
    progress.epoch({**row, "knn15_z_official": 0.98765})
    progress.step()
    progress.epoch({**row, "epoch": 12})
    progress.close()
    return out.getvalue(), err.getvalue()


def test_a_terminal_of_80_columns_shows_epoch_loss_knn_rate_and_time_left(monkeypatch):
    out, err = shown(monkeypatch, True, True)
    assert out == ""
    line = err.rstrip("\n").split("\r")[-1]
    assert len(line.rstrip()) <= 80
    for part in ("finetune 13/400", "loss 3.0058", "knn15 0.988", "images/s", "left"):
        assert part in line


def test_a_rate_that_is_rounded_to_nothing_stops_no_run(monkeypatch):
    out = Terminal(False)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", Terminal(False))
    progress = StageProgress("finetune", 3, 6, 2, 1024, ("knn15_z_official", "knn15"))
    progress.epoch({"epoch": 3, "loss": 1.0, "images_per_s": 0.0})  # after a pause of hours
    assert "unknown time left" in out.getvalue()


def test_a_run_that_goes_on_at_the_end_of_a_stage_shows_no_nonsense(monkeypatch):
    for is_terminal in (True, False):
        out, err = Terminal(is_terminal), Terminal(is_terminal)
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setattr("sys.stderr", err)
        progress = StageProgress("finetune", 3, 6, 2, 1024, ("knn15_z_official", "knn15"))
        progress.epoch({"epoch": 3, "loss": 1.0, "images_per_s": 1000.0})
        progress.close()
        shown = out.getvalue() + err.getvalue()
        assert "4/3" not in shown
        assert "finetune 3/3" in shown or "finetune epoch 3/3" in shown
        if not is_terminal:
            assert shown.endswith(", 00:00 left in the stage\n")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_compiling_is_said_and_no_part_of_the_rate(monkeypatch, is_terminal):
    out, err = Terminal(is_terminal), Terminal(is_terminal)
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    progress = StageProgress("pretrain", 2, 0, 1, 1000, ("knn15_z_official", "knn15"))
    progress.compiling()
    assert "compiling" in out.getvalue() + err.getvalue()
    now[0] += 41
    progress.compiled(None)
    before = len(out.getvalue() + err.getvalue())
    progress._bar.refresh()
    assert "compiling" not in (out.getvalue() + err.getvalue())[before:]
    now[0] += 1
    progress.step()
    progress.epoch({"epoch": 1, "loss": 1.0, "images_per_s": 1000.0})
    progress.close()
    assert "compiled in 41 s" in out.getvalue() + err.getvalue()
    if not is_terminal:
        assert out.getvalue().splitlines()[:2] == [
            "pretrain: compiling",
            "pretrain: compiled in 41 s",
        ]
        assert "00:01 left" in out.getvalue()


@pytest.mark.parametrize("err_is_terminal", [True, False])
def test_elsewhere_each_epoch_is_a_plain_line_with_what_was_measured_then(
    monkeypatch, err_is_terminal
):
    out, err = shown(monkeypatch, False, err_is_terminal)
    assert err == ""
    first, second = out.splitlines()
    assert first.startswith("finetune epoch 11/400: loss 3.0058, knn15 0.988, 7,121 images/s, ")
    assert second.startswith("finetune epoch 12/400: loss 3.0058, 7,121 images/s, ")
    assert second.endswith(" left in the stage")
