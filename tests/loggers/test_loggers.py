"""Loggers write every epoch once, whatever happens to the run, and never stop it."""

import csv
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import pytest

from dimred.errors import InputError
from dimred.loggers.options import CsvLog, LoggedRun, LogOptions, NoLog, TensorboardLog
from dimred.options.registry import registered
from dimred.run import run_log
from dimred.run.run_log import RunLog
from dimred.run_folder.folder import RunFolder

ROWS = [
    {"stage": stage, "epoch": epoch, "loss": loss}
    for stage, epoch, loss in [("pretrain", 1, 3.0), ("pretrain", 2, 2.5), ("finetune", 1, 2.0)]
]
ROWS[1]["knn15_z"] = 0.75


def run_of(folder, rows=()):
    config = {"loss.name": "tsimcne", "seed": 3, "model.widths": [32, 64], "name": None}
    return LoggedRun(folder, "demo", config, list(rows))


def logged(options, folder):
    """Log two rows, stop, go on after the first, and finish."""
    first = options.open(run_of(folder))
    first.row(1, ROWS[0])
    first.row(2, ROWS[1])
    first.close()
    second = options.open(run_of(folder, ROWS[:1]))
    second.row(2, ROWS[1])
    second.row(3, ROWS[2])
    second.finish({"knn15_z": 0.8})
    second.close()


def scalars(folder):
    """{tag: [(step, value)]} of the event files, and their tags of texts and hyperparameters."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    tags = events.Tags()
    found = {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in tags["scalars"]
    }
    return found, events


def test_event_files_of_tensorboard_have_every_epoch_once_and_the_hyperparameters(tmp_path):
    logged(TensorboardLog(), tmp_path)
    found, events = scalars(tmp_path)
    assert found["loss"] == [(1, 3.0), (2, 2.5), (3, 2.0)]
    assert found["knn15_z"] == [(2, 0.75)]
    assert found["final/knn15_z"] == [(0, pytest.approx(0.8))]
    texts = [
        (event.step, event.tensor_proto.string_val[0])
        for event in events.Tensors("stage/text_summary")
    ]
    assert texts == [(1, b"pretrain"), (3, b"finetune")]
    content = events.summary_metadata["_hparams_/session_start_info"]
    assert b"loss.name" in content.plugin_data.content
    assert b"tsimcne" in content.plugin_data.content


def test_a_log_that_is_begun_in_the_middle_has_the_rows_before(tmp_path):
    logger = TensorboardLog().open(run_of(tmp_path, ROWS[:2]))
    logger.row(3, ROWS[2])
    logger.close()
    assert scalars(tmp_path)[0]["loss"] == [(1, 3.0), (2, 2.5), (3, 2.0)]


def test_the_table_has_every_epoch_once(tmp_path):
    logged(CsvLog(), tmp_path)
    with (tmp_path / "metrics.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [row["stage"] for row in rows] == ["pretrain", "pretrain", "finetune"]
    assert [row["knn15_z"] for row in rows] == ["", "0.75", ""]


def test_all_choices_are_loggers_and_none_logs_nothing(tmp_path):
    assert list(registered("log")) == ["csv", "mlflow", "none", "tensorboard", "wandb"]
    assert NoLog().open(run_of(tmp_path)) is None
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setattr(TensorboardLog, "library", "no_such_module")
    with pytest.raises(InputError, match=r"^log=tensorboard: needs .*; pip install tensorboard$"):
        TensorboardLog().require()
    CsvLog().require()


@dataclass
class Failing(LogOptions):
    """Fails at its second row."""

    name: str = "failing"
    calls: ClassVar[list[int]] = []

    def open(self, run):
        return self

    def row(self, step, row):
        self.calls.append(step)
        if step == 2:
            raise OSError("no space\nleft")


def test_a_logger_that_fails_is_said_once_and_not_called_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run_log, "walk", lambda config: [])
    log = RunLog(SimpleNamespace(log=Failing()), RunFolder(tmp_path))
    log.open([])
    for row in ROWS:
        log.row(row)
    log.finish({"training_seconds": 1.0})
    assert Failing.calls == [1, 2]
    said = capsys.readouterr().out
    assert said == "log=failing: stopped (OSError: no space left); the run goes on without it\n"


def test_a_folder_of_logs_that_is_a_link_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(run_log, "walk", lambda config: [])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run/logs").symlink_to(tmp_path / "elsewhere")
    log = RunLog(SimpleNamespace(log=CsvLog()), RunFolder(tmp_path / "run"))
    with pytest.raises(InputError, match="is a link"):
        log.open([])


class StandIn:
    """What dimred uses of Weights & Biases."""

    def __init__(self):
        self.rows, self.summary, self.step, self.finished = [], {}, 0, 0

    def init(self, **settings):
        self.settings = settings
        return self

    def Settings(self, **_):
        return None

    def log(self, values, step):
        self.rows.append((step, values["loss"], values["stage"]))
        self.step = step + 1

    def finish(self):
        self.finished += 1


def test_weights_and_biases_gets_rows_by_step_offline(tmp_path, monkeypatch):
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    monkeypatch.delitem(sys.modules, "dimred.loggers.wandb", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    logger = registered("log")["wandb"]().open(run_of(tmp_path, ROWS[:2]))
    logger.row(3, ROWS[2])
    logger.finish({"knn15_z": 0.8})
    logger.close()
    assert stand_in.settings["mode"] == "offline"
    assert stand_in.settings["config"]["seed"] == 3
    assert stand_in.rows == [(1, 3.0, "pretrain"), (2, 2.5, "pretrain"), (3, 2.0, "finetune")]
    assert (stand_in.summary, stand_in.finished) == ({"final/knn15_z": 0.8}, 1)
