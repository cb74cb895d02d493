"""Run folders and files of records, read."""

import json

import pytest
from records import record

from dimred.errors import InputError
from dimred.run_folder.names import begun_with
from dimred.run_folder.record import read_record, read_records


def write(folder, run):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(run.summary))
    (folder / "config.yaml").write_text(json.dumps(run.config))
    (folder / "environment.json").write_text(json.dumps(run.environment))
    return folder


def test_folders_and_a_file_of_records_say_the_same(tmp_path):
    write(tmp_path / "outputs/one", record(seed=0))
    write(tmp_path / "outputs/deeper/two", record(seed=1))
    found, damaged = read_records(tmp_path / "outputs")
    assert [run.summary["seed"] for run in found] == [0, 1]
    assert damaged == []
    file = tmp_path / "runs.jsonl"
    file.write_text("".join(json.dumps(run.as_json()) + "\n" for run in found))
    assert read_records(file) == (found, [])


def test_of_equal_runs_the_last_is_kept(tmp_path):
    write(tmp_path / "a", record(knn=0.9, started="2026-02-01T00:00:00+00:00"))
    write(tmp_path / "b", record(knn=0.1, started="2026-01-01T00:00:00+00:00"))
    (run,) = read_records(tmp_path)[0]
    assert run.summary["final"]["knn15_z_random"] == 0.9


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("summary.json", "{"),
        ("summary.json", "[]"),
        ("config.yaml", "a: ["),
        ("config.yaml", "1"),
        ("environment.json", "{}"),
        ("baselines.json", "{"),
    ],
)
def test_a_damaged_folder_is_named_and_left_out(tmp_path, file, text):
    write(tmp_path / "good", record())
    write(tmp_path / "bad", record(seed=1))
    (tmp_path / "bad" / file).write_text(text)
    found, (line,) = read_records(tmp_path)
    assert [run.folder for run in found] == ["good"]
    assert line.startswith(f"{tmp_path / 'bad'}: ")
    assert "\n" not in line


def test_a_run_in_progress_is_no_record(tmp_path):
    folder = write(tmp_path / "run", record())
    (folder / "summary.json").unlink()
    assert read_records(tmp_path) == ([], [])
    with pytest.raises(InputError, match="no finished run"):
        read_record(folder)


def test_places_that_hold_no_records_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"must be a folder of run folders, or a \.jsonl"):
        read_records(tmp_path / "nowhere")
    file = tmp_path / "runs.jsonl"
    file.write_text('{"folder": 1}\n')
    with pytest.raises(InputError, match="line 1 holds no record"):
        read_records(file)
    file.write_bytes(b"\xff\n")
    with pytest.raises(InputError, match=r"runs\.jsonl: is not UTF-8"):
        read_records(file)
    with pytest.raises(InputError, match=r"nowhere\.jsonl: must be"):
        read_records(tmp_path / "nowhere.jsonl")


@pytest.mark.parametrize(
    ("verdict", "named"),
    [
        ("good", "verdict"),
        ({"word": "good", "text": "so"}, "advice"),
        ({"word": 1, "text": "so", "advice": None}, "verdict.word"),
        ({"word": "good", "text": "so", "advice": ["more"]}, "verdict.advice"),
    ],
)
def test_a_verdict_that_no_run_writes_is_refused(tmp_path, verdict, named):
    run = record()
    run.summary["verdict"] = {"word": "good", "text": "so", "advice": None}
    write(tmp_path / "good", run)
    run.summary["verdict"] = verdict
    write(tmp_path / "bad", run)
    found, (line,) = read_records(tmp_path)
    assert [one.folder for one in found] == ["good"]
    assert named in line


def test_what_runs_began_with_is_told_apart_but_for_the_seed_of_a_run():
    def began(value, configuration, option="model.init_from", sha256="0"):
        part = {"option": option, "value": value, "sha256": sha256}
        return begun_with(part | ({"configuration": configuration} if configuration else {}))

    first = began("out/demo-seed0-aaaaaaaa", "1" * 64, sha256="a")
    assert first == began("out/demo-seed1-bbbbbbbb", "1" * 64, sha256="b")
    assert first != began("out/demo-seed0-bbbbbbbb", "2" * 64, sha256="b")
    assert began("out/demo-seed0-aaaaaaaa", None) == {"model.init_from": "demo"}  # as earlier
    files = [("a/weights.pt", "a"), ("b/weights.pt", "b"), ("c/weights.pt", "a")]
    one, two, copied = (began(file, None, "model.weights", sha) for file, sha in files)
    assert one == copied != two
    assert one == {"model.weights": "weights.pt-a"}


@pytest.mark.parametrize("part", ["a run", {"option": "model.init_from", "value": 1}, {}])
def test_weights_begun_with_that_no_run_writes_are_refused(tmp_path, part):
    run = record()
    run.summary["begins_with"] = {"option": "model.init_from", "value": "out/a", "sha256": "0"}
    write(tmp_path / "good", run)
    run.summary["begins_with"] = part
    write(tmp_path / "bad", run)
    (one,), (line,) = read_records(tmp_path)
    assert one.values["model.init_from"] == "a"
    assert "begins_with" in line or "option" in line
