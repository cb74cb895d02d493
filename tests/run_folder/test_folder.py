"""Run folders: one writer, one run, equal arrays equal bytes."""

import contextlib
import errno
import fcntl
import json
import os
import shutil
from threading import Timer

import numpy as np
import pytest

from dimred.errors import InputError
from dimred.run_folder.folder import RunFolder

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


def test_a_look_at_the_lock_keeps_no_writer_out(tmp_path):
    path = begun(tmp_path / "run")
    with (path / ".lock").open() as looked:
        fcntl.flock(looked, fcntl.LOCK_SH)  # as `is_locked` does for a moment
        Timer(0.03, lambda: fcntl.flock(looked, fcntl.LOCK_UN)).start()
        with RunFolder(path):
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


def test_restart_removes_the_run_but_no_file_of_the_user(tmp_path, capsys):
    path = begun(tmp_path / "run")
    (path / "summary.json").write_text("{}")
    (path / "notes.txt").write_text("mine")
    with RunFolder(path) as folder:
        folder.admit({**IDENTITY, "data": "xyz"}, restart=True)
        replaced = "another run is replaced (the images have changed since)"
        assert capsys.readouterr().out == f"{folder.path}: {replaced}\n"
    assert sorted(p.name for p in path.iterdir()) == [".lock", "notes.txt"]


@pytest.mark.parametrize("content", ['{"a": 1}', "[1]", '{"identity": 3}'])
@pytest.mark.parametrize("restart", [False, True])
def test_files_that_look_like_ours_are_left_alone(tmp_path, content, restart):
    (tmp_path / "environment.json").write_text(content)
    (tmp_path / "config.yaml").write_text("mine")
    with RunFolder(tmp_path) as folder, pytest.raises(InputError, match="no run of dimred"):
        folder.admit(IDENTITY, restart)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.yaml", "environment.json"]


def test_a_restart_that_is_killed_at_any_file_can_be_typed_again(tmp_path, monkeypatch):
    def whole(path):
        begun(path)
        for name in ("summary.json", "config.yaml", "checkpoint.pt", "stages/a.npz", "plots/a.png"):
            (path / name).parent.mkdir(exist_ok=True)
            (path / name).write_text("{}")
        return path

    real_unlink, real_rmtree = type(tmp_path).unlink, shutil.rmtree
    for allowed in range(12):
        path = whole(tmp_path / str(allowed))
        left = iter(range(allowed))

        def killed(act, left=left):
            def call(*arguments, **options):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return act(*arguments, **options)

            return call

        with monkeypatch.context() as patch, RunFolder(path) as folder:
            patch.setattr(type(path), "unlink", killed(real_unlink))
            patch.setattr(shutil, "rmtree", killed(real_rmtree))
            with contextlib.suppress(KeyboardInterrupt):
                folder.admit(IDENTITY, restart=True)
        with RunFolder(path) as folder:
            folder.admit(IDENTITY, restart=True)
        assert [p.name for p in path.iterdir()] == [".lock"]


def test_a_disk_too_full_for_the_lock_is_named_and_leaves_no_lock(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="No space left") as error, RunFolder(tmp_path / "run"):
            pass
    assert error.value.filename == str(tmp_path / "run/.lock")
    with RunFolder(tmp_path / "run"):
        pass


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with RunFolder(tmp_path) as folder, pytest.raises(InputError, match=r"thesis\.tex"):
        folder.admit(IDENTITY, restart=False)


def test_a_home_folder_of_hidden_files_only_is_refused(tmp_path):
    (tmp_path / ".bashrc").touch()
    with RunFolder(tmp_path) as folder, pytest.raises(InputError, match="holds files but no run"):
        folder.admit(IDENTITY, restart=False)
    assert [path.name for path in tmp_path.iterdir()] == [".bashrc"]


def test_what_a_killed_run_left_of_its_first_file_is_its_own(tmp_path):
    (tmp_path / ".environment.json.tmp").touch()
    with RunFolder(tmp_path) as folder:
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
