"""Run folders: one writer, one run, equal arrays equal bytes."""

import json

import numpy as np
import pytest

from dimred.errors import InputError
from dimred.reporting.run_folder import RunFolder

IDENTITY = {"config": {"seed": 0, "schedule.stages.a.epochs": 3}, "data": "abc"}


def begun(path, identity=IDENTITY):
    with RunFolder(path) as folder:
        folder.admit(identity, restart=False)
        folder.write_json("environment.json", {"identity": identity})
    return path


def test_a_second_writer_is_refused_while_the_first_writes(tmp_path):
    with (
        RunFolder(tmp_path / "run"),
        pytest.raises(InputError, match=r"run: another run \(process \d+\)"),
        RunFolder(tmp_path / "run"),
    ):
        pass
    with RunFolder(tmp_path / "run"):
        pass


def test_the_same_run_is_admitted_again(tmp_path):
    with RunFolder(begun(tmp_path / "run")) as folder:
        folder.admit(json.loads(json.dumps(IDENTITY)), restart=False)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**IDENTITY, "config": {**IDENTITY["config"], "seed": 1}}, "seed is 0 there, 1 here"),
        ({**IDENTITY, "data": "xyz"}, "the images have changed"),
    ],
)
def test_another_run_is_refused_saying_what_differs(tmp_path, other, words):
    path = begun(tmp_path / "run")
    with RunFolder(path) as folder, pytest.raises(InputError, match=words):
        folder.admit(other, restart=False)


def test_restart_removes_the_run_but_no_file_of_the_user(tmp_path):
    path = begun(tmp_path / "run")
    (path / "summary.json").write_text("{}")
    (path / "notes.txt").write_text("mine")
    with RunFolder(path) as folder:
        folder.admit({**IDENTITY, "data": "xyz"}, restart=True)
    assert sorted(p.name for p in path.iterdir()) == [".lock", "notes.txt"]


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with RunFolder(tmp_path) as folder, pytest.raises(InputError, match=r"thesis\.tex"):
        folder.admit(IDENTITY, restart=False)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="is a file"):
        RunFolder(tmp_path / "run").__enter__()


def test_damaged_json_is_refused_by_name(tmp_path):
    path = begun(tmp_path / "run")
    (path / "environment.json").write_text('{"identity": ')
    with RunFolder(path) as folder, pytest.raises(InputError, match=r"environment\.json"):
        folder.admit(IDENTITY, restart=False)


def test_equal_arrays_give_equal_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        RunFolder(tmp_path).write_arrays(name, {"z": np.arange(6.0).reshape(3, 2)})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_metrics_are_rows_that_can_be_reset(tmp_path):
    folder = RunFolder(tmp_path)
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch})
    folder.reset_metrics([{"epoch": 1}])
    folder.append_metrics({"epoch": 2})
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"epoch": 1}, {"epoch": 2}]
