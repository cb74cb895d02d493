"""How far runs have come, told from their folders."""

import json
import os

import pytest
from made_runs import made

from dimred.run_folder.folder import RunFolder
from dimred.run_folder.state import runs_below, state_of


def test_each_state_is_told(tmp_path):
    diverged = {"state": "diverged", "reason": "the loss became nan"}
    assert state_of(made(tmp_path / "a", knn=0.5)).progress == "finished"
    run = state_of(made(tmp_path / "b", rows=2))
    assert run.progress == "unfinished, epoch 2 of 5, in stage pretrain"
    assert run.command == "dimred train experiment=made"
    run = state_of(made(tmp_path / "c", rows=1, ended=diverged))
    assert (run.state, run.reason) == ("diverged", "the loss became nan")
    assert state_of(made(tmp_path / "d", ended={"state": "failed"})).state == "failed"
    (tmp_path / "empty").mkdir()
    assert state_of(tmp_path / "empty") is None
    assert state_of(tmp_path / "nowhere") is None


def test_the_command_that_goes_on_does_not_begin_anew(tmp_path):
    path = made(tmp_path / "a", rows=2)
    record = json.loads((path / "environment.json").read_text())
    record["sessions"][0]["command"] += ["restart=true", "seed=1"]
    (path / "environment.json").write_text(json.dumps(record))
    assert state_of(path).command == "dimred train experiment=made seed=1"


def test_a_run_goes_on_while_a_process_holds_its_folder(tmp_path):
    path = made(tmp_path / "a", rows=1, ended={"state": "diverged"})
    with RunFolder(path):
        assert state_of(path).state == "going on"
    assert state_of(path).state == "diverged"
    with RunFolder(path):  # to have looked leaves no lock behind
        pass


def test_a_line_that_is_being_written_is_not_read(tmp_path):
    path = made(tmp_path / "a", rows=2)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('{"stage": "fine')
    assert state_of(path).done == ("pretrain", 2, 2)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("environment.json", "[" * 100_000),
        ("environment.json", '{"identity": 3}'),
        ("environment.json", '{"identity": {"config": [], "data": "0"}}'),
        ("environment.json", '{"identity": {"config": {}, "data": "0"}, "sessions": 7}'),
        ("summary.json", "{}"),
        ("summary.json", '{"headline": NaN}'),
        ("summary.json", b"\xff\xfe"),
        ("metrics.jsonl", "[]\n"),
        ("metrics.jsonl", "{}\n"),
    ],
)
def test_what_is_not_as_a_run_writes_it_is_damaged(tmp_path, name, content):
    path = made(tmp_path / "a", rows=1)
    (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    run = state_of(path)
    assert run.state == "damaged"
    assert run.reason
    assert run.n_bytes > 0


def test_links_out_of_a_folder_and_pipes_are_not_read(tmp_path):
    path = made(tmp_path / "a")
    (path / "metrics.jsonl").unlink()
    (path / "metrics.jsonl").symlink_to(made(tmp_path / "b", rows=1) / "metrics.jsonl")
    assert state_of(path).state == "damaged"
    (path / "metrics.jsonl").unlink()
    os.mkfifo(path / "metrics.jsonl")
    assert state_of(path).state == "damaged"


def test_an_environment_json_of_another_program_is_no_run(tmp_path):
    (tmp_path / "environment.json").write_text(json.dumps({"name": "conda"}))
    assert state_of(tmp_path) is None
    (tmp_path / "environment.json").write_text("no JSON")
    assert state_of(tmp_path) is None


def test_nested_runs_are_found_and_circles_are_not_walked(tmp_path):
    made(tmp_path / "outputs/a/b-seed0-00000000")
    made(tmp_path / "outputs/c-seed0-00000000")
    made(tmp_path / "outputs/c-seed0-00000000/inner")
    made(tmp_path / "elsewhere")
    (tmp_path / "outputs/circle").symlink_to(tmp_path)
    (tmp_path / "outputs/link").symlink_to(tmp_path / "elsewhere")
    found = [str(run.folder.relative_to(tmp_path)) for run in runs_below(tmp_path / "outputs")]
    assert sorted(found) == [
        "outputs/a/b-seed0-00000000",
        "outputs/c-seed0-00000000",
        "outputs/link",
    ]


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("smoke-seed0-01234567", "smoke"),
        ("smoke-loss=simclr-lr_per_256=1e-05-seed1-01234567", "smoke"),
        ("my-own-name-seed1-01234567", "my-own-name"),
        ("chosen", "chosen"),
    ],
)
def test_the_name_of_a_run_is_that_of_its_folder_without_what_was_added(tmp_path, name, base):
    assert state_of(made(tmp_path / name)).base == base
