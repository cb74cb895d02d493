"""The list of runs."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import dimred, refused
from made_runs import made

from dimred.commands import runs
from dimred.commands.sweep import varied_words
from dimred.run_folder.folder import RunFolder


@pytest.fixture
def outputs(tmp_path):
    place = tmp_path / "outputs"
    made(place / "a-seed0-00000001", knn=0.5, started="2026-11-26T10:00:00+00:00")
    made(
        place / "a-seed0-00000002",
        knn=0.75,
        started="2026-11-26T12:00:00+00:00",
        schedule__batch_size=128,
    )
    made(place / "b-seed0-00000003", rows=2, started="2026-11-26T11:00:00+00:00")
    made(place / "b-seed0-00000004", ended={"state": "diverged", "reason": "loss became nan"})
    damaged = made(place / "sub/c-seed0-00000005", started="2026-11-26T09:00:00+00:00")
    (damaged / "summary.json").write_text("{}")
    return place


def column(out, number):
    return [line.split()[number] for line in out.partition("\n\n")[0].splitlines()[1:]]


def test_all_runs_are_listed_the_newest_first(tmp_path, outputs):
    out, _ = dimred(tmp_path, "runs")
    assert column(out, 0) == [
        "outputs/a-seed0-00000002",
        "outputs/b-seed0-00000003",
        "outputs/a-seed0-00000001",
        "outputs/b-seed0-00000004",
        "outputs/sub/c-seed0-00000005",
    ]
    lines = out.splitlines()
    assert lines[0].split() == [
        *("run", "state", "knn15_z_official", "chance", "pixels", "epochs", "minutes", "MB"),
        "differs",
    ]
    words = ["finished", "0.750", "0.100", "0.860", "5", "1.5", "0.0", "batch_size=128"]
    assert lines[1].split()[1:] == words
    assert lines[2].split()[1:3] == ["unfinished", "2/5"]
    assert "outputs/b-seed0-00000004: diverged (loss became nan)" in out
    assert "outputs/sub/c-seed0-00000005: damaged (" in out


def test_runs_are_listed_by_folder_and_by_name(tmp_path, outputs):
    assert column(dimred(tmp_path, "runs", "outputs/sub")[0], 1) == ["damaged"]
    assert len(column(dimred(tmp_path, "runs", "a", "outputs/a-seed0-00000001")[0], 0)) == 2
    assert "nothing: no such folder, and no run below outputs" in refused(
        tmp_path, "runs", "nothing"
    )
    (tmp_path / "empty").mkdir()
    assert dimred(tmp_path, "runs", "empty")[0].startswith("no runs in empty; ")
    assert dimred(tmp_path / "empty", "runs")[0].startswith("no runs in outputs; dimred train")


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (["--sort", "knn15"], "0.500"),
        (["--sort", "knn15", "--reverse"], "0.750"),
        (["--sort", "value"], "0.500"),
        (["--sort", "run"], "0.750"),
        (["--sort", "started", "--reverse"], "0.750"),
    ],
)
def test_the_order_is_by_any_column_or_number(tmp_path, outputs, words, last):
    out, _ = dimred(tmp_path, "runs", "a", *words)
    assert column(out, 2)[-1] == last


def test_a_number_to_sort_by_is_shown(tmp_path, outputs):
    assert column(dimred(tmp_path, "runs", "--sort", "linear")[0], 2)[0] == "0.5"
    line = refused(tmp_path, "runs", "--sort", "minuets")
    assert "--sort minuets: no such column; did you mean minutes?" in line
    assert "knn15_z_official" in line


def test_other_formats_hold_all_numbers(tmp_path, outputs):
    rows = list(csv.DictReader(io.StringIO(dimred(tmp_path, "runs", "--format", "csv")[0])))
    assert rows[0]["knn15_z_random"] == "0.75"
    assert rows[1]["state"] == "unfinished"
    content = json.loads(dimred(tmp_path, "runs", "--format", "json")[0])
    assert content[0]["differs"] == {"batch_size": 128}
    assert content[0]["final"]["knn15_pixels_official"] == 0.86
    assert (content[1]["epochs"], content[1]["epochs_in_all"]) == (2, 5)
    out, _ = dimred(tmp_path, "runs", "--format", "markdown")
    assert out.splitlines()[1].startswith("| --- |")
    assert "table, csv, markdown, json" in refused(tmp_path, "runs", "--format", "html")


def test_the_verdict_is_shown_where_there_is_one(tmp_path, outputs):
    path = outputs / "a-seed0-00000002/summary.json"
    verdict = {"word": "good", "text": "knn15 0.75", "advice": None}
    for word, shown in (("good", "good"), (3, None)):
        content = {**json.loads(path.read_text()), "verdict": {**verdict, "word": word}}
        path.write_text(json.dumps(content))
        out, _ = dimred(tmp_path, "runs", "a-seed0-00000002")
        assert column(out, 5) == [shown] if shown else "verdict.word is '3'" in out


def test_texts_of_strangers_stay_in_their_line(tmp_path, outputs):
    made(outputs / "d\x1b[31m\n-seed0-00000006", knn=0.1)
    made(outputs / "e-seed0-00000007", knn=0.1, loss__name="\x1b[2J\n" * 99)
    made(outputs / "e-seed0-00000008", knn=0.1)
    for words in ([], ["--format", "markdown"]):
        out, _ = dimred(tmp_path, "runs", *words)
        assert "\x1b" not in out
        assert len(out.partition("\n\n")[0].splitlines()) == 9 + bool(words)


def test_unfinished_runs_are_deleted_after_asking(tmp_path, outputs, monkeypatch):
    (outputs / "b-seed0-00000003/notes.txt").write_text("mine")
    out, _ = dimred(tmp_path, "runs", "--unfinished")
    assert column(out, 1) == ["unfinished", "diverged"]
    assert out.endswith("\nthese go on with them:\ndimred train experiment=made\n")
    words = ["runs", "--unfinished", "--delete"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "nobody is there to be asked about 2 unfinished runs, 0.0 MB; add --yes" in refused(
        tmp_path, *words
    )
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert "nothing is deleted" in dimred(tmp_path, *words)[0]
    assert len(list(outputs.iterdir())) == 5
    monkeypatch.setattr("builtins.input", lambda _: "y")
    out, _ = dimred(tmp_path, *words)
    left = " (but for what dimred did not write: notes.txt)"
    assert f"deleted: outputs/b-seed0-00000003{left}\n" in out
    names = ["a-seed0-00000001", "a-seed0-00000002", "b-seed0-00000003", "sub"]
    assert sorted(path.name for path in outputs.iterdir()) == names
    assert [path.name for path in (outputs / "b-seed0-00000003").iterdir()] == ["notes.txt"]
    assert (outputs / "sub/c-seed0-00000005/environment.json").exists()  # damaged is not unfinished


def test_what_is_written_or_linked_is_not_deleted(tmp_path, outputs):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/link").symlink_to(outputs / "b-seed0-00000003")
    words = ["runs", "--unfinished", "--delete", "--yes"]
    assert "more/link: is a link" in dimred(tmp_path, *words, "more", code=2)[1]
    with RunFolder(outputs / "b-seed0-00000003"):
        out, _ = dimred(tmp_path, *words)
    assert out.count("deleted: ") == 1
    assert (outputs / "b-seed0-00000003/environment.json").exists()
    assert "add --unfinished" in refused(tmp_path, "runs", "--delete", "--yes")


def test_nothing_is_deleted_where_locks_do_not_work(tmp_path, outputs, monkeypatch):
    """Another process may be writing it."""

    def unsupported(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    _, err = dimred(tmp_path, "runs", "--unfinished", "--delete", "--yes", code=2)
    assert "cannot be known without locks" in err
    assert (outputs / "b-seed0-00000003/environment.json").exists()


def test_listing_imports_nothing_heavy(tmp_path, outputs):
    code = (
        "import sys; from dimred.commands.main import main; code = main(['runs']);"
        "heavy = {'torch', 'hydra', 'numpy'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert runs.HELP.startswith("dimred runs")


@pytest.mark.parametrize(
    ("job", "swept", "words"),
    [
        ("seed=1 loss=simclr schedule.batch_size=64", "seed loss", "loss=simclr"),
        ("loss=simclr schedule.batch_size=64", "loss schedule.batch_size", None),
        ("experiment=a eval.k=[1] output_dir=x", "experiment eval.k output_dir", ""),
        ("dataset.root='my photos/2024 (new)'", "dataset.root", "root=2024_new"),
        ("model.widths=[8,16]", "model.widths", "widths=8_16"),
        ("+loss@schedule.stages.a.loss=simclr", "loss@schedule.stages.a.loss", "loss=simclr"),
        ("a.x=1 b.x=2", "a.x b.x", "a.x=1-b.x=2"),
    ],
)
def test_a_folder_says_what_a_sweep_varies(job, swept, words):
    quoted = job.split(" ") if "'" not in job else [job]
    expected = "loss=simclr-batch_size=64" if words is None else words
    assert varied_words(quoted, swept.split()) == expected


def test_a_folders_name_stays_short_and_different():
    names = [varied_words([f"a.{key}=1" for key in range(50)], [f"a.{key}" for key in range(50)])]
    names.append(
        varied_words([f"a.{k}={k == 49}" for k in range(50)], [f"a.{k}" for k in range(50)])
    )
    assert len(set(names)) == 2
    assert all(len(name) <= 80 for name in names)
    assert Path(names[0]).name == names[0]
