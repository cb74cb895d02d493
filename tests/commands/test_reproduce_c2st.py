"""`dimred reproduce c2st` and `dimred table c2st`, at the smoke budget."""

import csv
import io
import json
import shutil
import struct

import numpy as np
import pytest
from command import dimred, refused

from dimred.analysis import c2st_experiments
from dimred.tables.c2st import ROWS

REPRODUCE = ["reproduce", "c2st", "--budget", "smoke"]
THREE = ["--rows", "level_n50,student_df1,sinusoid_n2000"]
FILE = "outputs/c2st/student_df1-smoke.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Three rows, and what was printed of them."""
    cwd = tmp_path_factory.mktemp("c2st")
    return cwd, dimred(cwd, *REPRODUCE, *THREE)[0]


@pytest.fixture
def begun(monkeypatch):
    """Which rows are made; none is."""
    keys = []

    def make_row(made, *_):
        keys.append(made.key)
        return c2st_experiments.Result(made, {"nn": 1}, 1.0)

    monkeypatch.setattr(c2st_experiments, "make_row", make_row)
    return keys


def plant_mnist(root, n=120):
    """Files of MNIST's format."""
    rng = np.random.default_rng(0)
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = (np.arange(n) % 10).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (raw / f"{prefix}-{name}-ubyte").write_bytes(head + array.tobytes())


def test_a_row_is_a_file_and_a_line(made):
    cwd, out = made
    assert "0 of 3 rows are finished" in out
    assert "[3/3] sinusoid_n2000: C2ST-NN" in out
    content = json.loads((cwd / FILE).read_text())
    assert content["recipe"]["key"] == "student_df1"
    assert content["rejected"].keys() == {"nn", "knn", "own", "auc", "both"}
    assert all(0 <= count <= 2 for count in content["rejected"].values())
    assert len(list((cwd / "outputs/c2st").iterdir())) == 3


def test_what_is_finished_is_not_made_again(made, begun):
    out, _ = dimred(made[0], *REPRODUCE, *THREE)
    assert "3 of 3 rows are finished" in out
    assert not begun
    # Nor listed as to be made.
    assert out.count("finished: dimred reproduce c2st --budget smoke --rows ") == 3
    dimred(made[0], "reproduce", "c2st", "--rows", "level_n50,student_n50")
    assert begun == ["level_n50", "student_n50"]  # in the full budget


def test_what_is_damaged_is_said_and_made_again(made, begun, tmp_path):
    shutil.copytree(made[0], tmp_path / "copy")
    (tmp_path / "copy" / FILE).write_text("{")
    _, err = dimred(tmp_path / "copy", *REPRODUCE, *THREE)
    assert begun == ["student_df1"]
    assert err.startswith(f"dimred: {FILE}: is damaged")
    _, err = dimred(tmp_path / "copy", "table", "c2st")
    assert err.startswith(f"dimred: left out: {FILE}: is damaged")


def test_the_list_makes_nothing(made, begun):
    out, _ = dimred(made[0], *REPRODUCE, "--list")
    assert f"3 of {len(ROWS)} rows are finished" in out
    assert not begun


@pytest.mark.parametrize("kind", ["text", "markdown", "latex", "csv"])
def test_the_table_has_published_beside_measured(made, kind):
    out, err = dimred(made[0], "table", "c2st", "--format", kind)
    assert not err
    assert "Student t, degrees = 1" in out
    if kind == "csv":
        rows = [r for r in csv.DictReader(io.StringIO(out)) if r["row"] == "level_n50"]
        kinds = {(row["kind"], row["column"]) for row in rows}
        assert {("published", "nn"), ("measured", "nn"), ("measured", "both")} <= kinds
        measured = next(row for row in rows if row["kind"] == "measured")
        assert (measured["published"], measured["seeds"]) == ("5.1", "2")
    else:
        assert "standard error" in out
        assert "of the seeds" not in out


def test_the_table_of_a_budget_or_of_an_empty_place(made, tmp_path):
    def kinds(*words):
        out, _ = dimred(made[0], "table", "c2st", "--format", "csv", *words)
        return {row["kind"] for row in csv.DictReader(io.StringIO(out))}

    assert kinds() == {"published", "measured", "missing"}
    assert kinds("--budget", "short") == {"published", "missing"}
    assert "measured" not in dimred(tmp_path, "table", "c2st", "--format", "csv")[0]
    assert "must be a folder" in refused(tmp_path, "table", "c2st", "--outputs", "x.jsonl")
    assert "--measures" in refused(tmp_path, "table", "c2st", "--measures", "loss")


def test_rows_on_mnist_are_skipped_where_it_is_not_at_hand(tmp_path, begun):
    out, _ = dimred(tmp_path, *REPRODUCE)
    assert len(begun) == sum(row.sets != "mnist" for row in ROWS.values())
    (line,) = (line for line in out.splitlines() if "skipped" in line)
    assert "24 rows on MNIST are skipped" in line
    assert "dataset.download=true" in line
    assert "dataset.root=FOLDER" in line


def test_rows_on_mnist_that_are_asked_for_are_not_skipped(tmp_path):
    line = refused(tmp_path, *REPRODUCE, "--rows", "level_n50,mnist_no9_n100")
    assert "dataset.root='data': no such folder" in line
    line = refused(tmp_path, *REPRODUCE, "dataset.root=nowhere")
    assert "dataset.root='nowhere': no such folder" in line


def test_rows_on_mnist_are_made_where_it_is(tmp_path):
    plant_mnist(tmp_path / "here")
    words = ["--rows", "mnist_shift1_n100", "dataset.root=here", "output_dir=there"]
    out, _ = dimred(tmp_path, *REPRODUCE, *words)
    assert "[1/1] mnist_shift1_n100: C2ST-NN" in out
    (file,) = (tmp_path / "there/c2st").iterdir()
    assert "plane" in json.loads(file.read_text())["rejected"]
    out, _ = dimred(tmp_path, "table", "c2st", "--outputs", "there", "--format", "markdown")
    assert "n = 50; 2 trials; 19 permutations; all in PCA-50" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rows", "x"], "--rows x: no such row; the rows are level_n50"),
        (["--rows", "levl_n50"], "no such row; did you mean level_n50? the rows are level_n50"),
        (["--seeds", "0,1"], "--seeds 0,1: c2st trains nothing"),
        (["--config-dir", "."], "--config-dir .: c2st trains nothing"),
        (["seed=3"], "seed=3: c2st takes only dataset.root, dataset.download, output_dir"),
        (["dataset.download=maybe"], "dataset.download"),
        (["--budget", "tiny"], "--budget tiny: must be one of full, short, smoke"),
    ],
)
def test_what_these_experiments_do_not_have_is_refused(tmp_path, words, said):
    assert said in refused(tmp_path, "reproduce", "c2st", *words)
    assert not list(tmp_path.iterdir())
