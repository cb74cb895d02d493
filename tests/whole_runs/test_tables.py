"""A paper's table from the runs to the numbers, baselines and figures, through the command."""

import csv
import io
import json
import shutil
import statistics

import numpy as np
import pytest
from command import dimred, refused, summary
from PIL import Image
from undrawn import without_figures

from dimred.analysis import baselines
from dimred.analysis.other_methods import BASELINES
from dimred.commands import train
from dimred.config.compose import composed
from dimred.errors import InputError
from dimred.run_folder.folder import RunFolder
from dimred.tables import BUDGETS, TABLES

TINY = ["dataset.limit=100", "schedule.batch_size=30", "model.widths=[4]", "model.hidden_dim=8"]
TINY += ["view=false"]
SMOKE = ["reproduce", "table1", "--budget", "smoke", *TINY]
TWO_ROWS = [*SMOKE, "--rows", "4,8", "--seeds", "0,1"]
# Of the others, 5, 7 and 9 train as these do, and 2 like the row of Table A.1 below.
ROWS = "1468"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Rows of Table 1, two of them with a second seed; and what was printed of those two."""
    cwd = tmp_path_factory.mktemp("table")
    with without_figures():
        assert "4 of 4 runs made" in dimred(cwd, *SMOKE, "--rows", ",".join(ROWS))[0]
        return cwd, dimred(cwd, *TWO_ROWS)[0]


def plant_turntable(folder):
    """What is rendered otherwise, in seconds."""
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (972, 96, 96), dtype=np.uint8)
    np.savez(folder / "turntable-v1.npz", images=images)


def folders(cwd, row="*"):
    return sorted(cwd.glob(f"outputs/table1_row{row}-*"))


def test_rows_are_made_seed_by_seed(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(train, "run", lambda words: begun.append(words) or 0)
    out, _ = dimred(tmp_path, *TWO_ROWS)
    assert [(words[0], words[-1]) for words in begun] == [
        (f"experiment=table1_row{row}", f"seed={seed}") for seed in (0, 1) for row in (4, 8)
    ]
    # How long it takes is said before it begins.
    assert out.index("training 4 runs takes about") < out.index("[1/4]")


def test_what_is_finished_is_not_made_again(made, monkeypatch):
    cwd, out = made
    assert "2 of 4 runs are finished" in out
    assert "2 of 2 runs made" in out
    begun = []
    monkeypatch.setattr(train, "run", lambda words: begun.append(words) or 0)
    assert "4 of 4 runs are finished" in dimred(cwd, *TWO_ROWS)[0]
    assert begun == []
    # A run that was stopped before its end is made again, which goes on with it.
    stopped = folders(cwd, "8")[1] / "summary.json"
    stopped.rename(stopped.with_name("aside"))
    try:
        dimred(cwd, *TWO_ROWS)
    finally:
        stopped.with_name("aside").rename(stopped)
    assert [words[-1] for words in begun] == ["seed=1"]


def test_the_table_has_what_was_made_and_says_that_it_is_smoke(made):
    cwd, _ = made
    text, _ = dimred(cwd, "table", "table1")
    assert text.count("missing") == 9 - len(ROWS)
    assert text.count("      smoke; ") == len(ROWS)
    assert text.count("smoke; 2 seeds; data digits, 100 images; convnet [4]") == 2
    table = list(csv.DictReader(io.StringIO(dimred(cwd, "table", "table1", "--format", "csv")[0])))
    for row in "48":
        runs = [summary(path)["final"] for path in folders(cwd, row)]
        (shown,) = [
            r for r in table if (r["row"], r["kind"], r["column"]) == (row, "measured", "knn")
        ]
        values = [100 * run["knn15_z_random"] for run in runs]
        assert float(shown["mean"]) == pytest.approx(statistics.mean(values), rel=1e-5)
        assert float(shown["deviation"]) == pytest.approx(statistics.stdev(values), rel=1e-5)
        assert shown["seeds"] == "2"


def test_a_table_goes_to_a_file(made, tmp_path):
    cwd, _ = made
    file = tmp_path / "deeper/t.tex"
    out, _ = dimred(cwd, "table", "table1", "--format", "latex", "--out", str(file))
    assert out.strip() == str(file)
    assert file.read_text().endswith("\\end{tabular}\n")


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        ("table_a1", "2", TINY),
        ("drlim", "c", []),
        ("angel2015_mnist", "generalized", []),
        ("angel2015_norb", "generalized", ["eval.lle=100"]),
    ],
)
def test_the_smoke_budget_of_the_other_tables_runs(tmp_path, name, row, words):
    plant_turntable(tmp_path / "data")
    out, _ = dimred(tmp_path, "reproduce", name, "--budget", "smoke", "--rows", row, *words)
    assert "1 of 1 runs made" in out
    table, _ = dimred(tmp_path, "table", name)
    assert table.count("      smoke; 1 seed; ") == 1


@pytest.mark.usefixtures("no_figures")
def test_baselines_are_reproduced_on_simclr(tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "METHODS", ("z", "pixels_pca"))
    words = ["reproduce", "baselines", "--budget", "smoke", *TINY]
    out, _ = dimred(tmp_path, *words)
    assert "experiment=table1_row1 " in out
    table, _ = dimred(tmp_path, "table", "baselines")
    assert "digits, 100 images: its own map, 128-D" in table
    assert "digits, 100 images: PCA of pixels" in table
    assert "measured before" in dimred(tmp_path, *words)[0]


def test_where_no_row_has_data_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "run", lambda words: pytest.fail("a run was begun"))
    _, err = dimred(tmp_path, "reproduce", "drlim", "--seeds", "0", "--rows", "c,d", code=2)
    assert err.startswith("dimred: dataset.root='data': no smallnorb")
    out, _ = dimred(tmp_path, "reproduce", "drlim", "--seeds", "0", "--rows", "c,d", "--list")
    assert "how long training 2 runs takes is unknown" in out


def test_a_row_whose_data_are_missing_does_not_keep_the_others(tmp_path, monkeypatch):
    def rate(config):
        if config.name == "table1_row4":
            raise InputError("no data")
        return 2.0

    monkeypatch.setattr("dimred.run.rate.seconds_per_epoch", rate)
    monkeypatch.setattr("dimred.run.rate.rate_key", lambda config: config.name)
    monkeypatch.setattr(train, "run", lambda words: 0)
    out, _ = dimred(tmp_path, *TWO_ROWS)
    assert out.count("not estimated: no data") == 1
    assert "training 2 runs takes about 12 seconds on this machine, besides 2 that cannot" in out
    assert "4 of 4 runs made" in out


def test_a_table_of_one_budget(made):
    cwd, _ = made
    assert "measured" not in dimred(cwd, "table", "table1", "--budget", "full")[0]
    everything, _ = dimred(cwd, "table", "table1")
    assert dimred(cwd, "table", "table1", "--budget", "smoke")[0] == everything
    assert "full, short, smoke" in refused(cwd, "table", "table1", "--budget", "tiny")


def test_a_list_makes_nothing(tmp_path):
    plant_turntable(tmp_path / "data")
    out, _ = dimred(tmp_path, "reproduce", "angel2015_norb", "--budget", "smoke", "--list")
    assert "dimred train experiment=generalized_turntable budget=smoke" in out
    assert "training 3 runs takes about" in out
    assert not (tmp_path / "outputs").exists()


def test_a_run_that_fails_does_not_keep_the_others(tmp_path, monkeypatch):
    codes = iter([1, 0])
    monkeypatch.setattr(train, "run", lambda words: next(codes))
    out, _ = dimred(tmp_path, *TWO_ROWS, "--seeds", "0", code=1)
    assert "1 of 2 runs made" in out
    (failed,) = [line for line in out.splitlines() if line.startswith("failed: ")]
    assert "experiment=table1_row4 " in failed
    assert list(codes) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["table"], "required: name"),
        (["table", "table9"], "the tables are table1, table_a1, drlim"),
        (["table", "table1", "--format", "html"], "text, markdown, latex, csv"),
        (["table", "table1", "--outputs", "nowhere"], "nowhere: must be a folder"),
        (["reproduce", "table1", "name=mine"], "named by their rows"),
        (["reproduce", "baselines", "--rows", "4"], "baselines has no rows"),
        (["reproduce", "table9"], "the tables are table1"),
        (["reproduce", "table1", "--budget", "tiny"], "full, short, smoke"),
        (["reproduce", "table1", "--rows", "4,44"], "the rows are 1, 2, 3"),
        (["reproduce", "table1", "--seeds", "a"], "whole numbers"),
        (["reproduce", "table1", "--budget", "smoke", "sed=1"], "sed"),
        (["baselines", "nowhere"], "nowhere: holds no finished run"),
        (["plot", "knn"], "outputs: holds no finished run"),
        (["plot", "pie", "nowhere"], "the figures are knn, stages"),
        (["plot", "knn", "nowhere"], "nowhere: holds no finished run"),
    ],
)
def test_bad_words_are_refused_by_name(tmp_path, words, named):
    assert named in refused(tmp_path, *words)


@pytest.mark.parametrize("name", TABLES)
def test_the_words_of_every_row_make_runs_of_that_row(name):
    """Of rows that share their words, one: experiments are named by their files."""
    seen = set()
    for row in TABLES[name].rows:
        for budget in BUDGETS:
            words = TABLES[name].command(row, budget)
            kind = (row.small or name, row.annealed, budget)
            if kind in seen:
                continue
            seen.add(kind)
            config = composed(words)
            assert config.name in row.names, words
            assert config.budget == (None if budget == "full" else budget)


def test_baselines_are_measured_on_the_images_of_the_run(made):
    cwd, _ = made
    run = folders(cwd, "8")[0]
    methods = "z,pixels,pixels_pca,h_pca"
    dimred(cwd, "baselines", str(run), "--only", methods)
    found = json.loads((run / "baselines.json").read_text())
    assert list(found) == methods.split(",")
    final, references = summary(run)["final"], summary(run)["references"]
    for split in ("official", "random"):
        assert found["z"][f"knn15_{split}"] == pytest.approx(final[f"knn15_z_{split}"])
        assert found["pixels"][f"knn15_{split}"] == references[f"knn15_pixels_{split}"]
        assert found["pixels_pca"][f"knn15_{split}"] == references[f"knn15_pca2_{split}"]
    assert found["pixels"]["trustworthiness15"] == 1
    with np.load(run / "baselines/h_pca.npz") as arrays:
        assert arrays["z"].shape == (100, 2)
    assert (run / "plots/baseline_h_pca.png").exists()
    again, _ = dimred(cwd, "baselines", str(run), "--only", methods)
    assert again.count("measured before") == 4
    text, _ = dimred(cwd, "table", "baselines")
    assert text.index("raw pixels") < text.index("PCA of pixels") < text.index("PCA of H")
    assert text.count("1 seed; cpu") == 4


def test_a_baseline_that_cannot_be_had_is_named(made, monkeypatch):
    cwd, _ = made
    run = str(folders(cwd, "4")[0])
    assert "imagenet" in BASELINES
    monkeypatch.setenv("TORCH_HOME", str(cwd / "none"))
    assert "resnet18-" in refused(cwd, "baselines", run, "--only", "imagenet")
    assert "must be of z, pixels" in refused(cwd, "baselines", run, "--only", "tsne")
    monkeypatch.setattr(baselines, "METHODS", ("pixels_pca", "imagenet"))
    out, _ = dimred(cwd, "baselines", run)
    assert "imagenet       left out: no weights" in out


def test_baselines_of_a_run_that_is_being_written_are_refused(made, tmp_path):
    cwd, _ = made
    run = tmp_path / "run"
    shutil.copytree(folders(cwd, "6")[0], run)
    with RunFolder(run):
        assert "another run" in refused(tmp_path, "baselines", "run", "--only", "pixels")
    with RunFolder(run) as folder:
        (run / "baselines").mkdir()
        (run / "baselines.json").write_text("{}")
        folder.clear()
    # What belonged to a run does not stay with the next one in its folder.
    assert not (run / "baselines.json").exists()
    assert not (run / "baselines").exists()


def test_a_file_that_cannot_be_read_is_named(made, tmp_path):
    cwd, _ = made
    copy = tmp_path / "run"
    shutil.copytree(folders(cwd, "6")[0], copy)
    for content in (b"", (copy / "embedding.npz").read_bytes()[:100]):
        (copy / "embedding.npz").write_bytes(content)
        assert "embedding.npz: holds no arrays of a run" in refused(tmp_path, "plot", "knn", "run")
    (copy / "weights.safetensors").write_bytes(b"?" * 64)
    (copy / "baselines.json").unlink(missing_ok=True)
    line = refused(tmp_path, "baselines", "run", "--only", "h_pca")
    assert "weights.safetensors: holds no weights of this run" in line


def test_a_run_whose_images_changed_is_refused(made, tmp_path):
    cwd, _ = made
    run = folders(cwd, "4")[1]
    file = run / "environment.json"
    before = file.read_text()
    content = json.loads(before)
    content["identity"]["data"] = "other"
    file.write_text(json.dumps(content))
    try:
        assert "its images have changed" in refused(cwd, "baselines", str(run))
    finally:
        file.write_text(before)


FIGURES = {"knn": "*", "stages": "8", "spectrum": "*", "norms": "?", "seeds": "8", "loss": "*"}


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_are_written_as_pdf_and_png(made, tmp_path, figure):
    cwd, _ = made
    runs = [str(path) for path in folders(cwd, FIGURES[figure])]
    runs = runs[:1] if figure == "stages" else runs
    dimred(cwd, "plot", figure, *runs, "--out", str(tmp_path / "a"))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 250  # in COARSE dots an inch
        assert len(picture.convert("RGB").getcolors(2**24)) > 9


def test_a_figure_drawn_twice_is_the_same_to_the_byte(made, tmp_path):
    cwd, _ = made
    runs = [str(path) for path in folders(cwd, "8")]
    for name in ("a", "b.pdf", "c.png"):
        out, _ = dimred(cwd, "plot", "loss", *runs, "--out", str(tmp_path / name))
        if name != "a":  # what was asked for, and no more
            assert out.splitlines() == [str(tmp_path / name)]
    for name in ("b.pdf", "c.png"):
        file = tmp_path / name
        assert (tmp_path / f"a{file.suffix}").read_bytes() == file.read_bytes()
        assert {path.name for path in tmp_path.glob(f"{file.stem}.*")} == {name}


def test_figures_of_runs_that_do_not_go_together_are_refused(made):
    cwd, _ = made
    runs = [str(path) for path in folders(cwd)]
    assert "of one run, but 6 were named" in refused(cwd, "plot", "stages", *runs)
    assert "compares the maps of runs" in refused(cwd, "plot", "seeds", runs[0], runs[0])
    assert "is no figure; name one before" in refused(cwd, "plot", runs[0])
    assert ".pdf, .png, or neither" in refused(cwd, "plot", "loss", *runs, "--out", "x.svg")
    assert "have no losses on test pairs in common" in refused(cwd, "plot", "contrast", *runs)


def test_losses_on_test_pairs_are_drawn_where_they_were_measured(tmp_path):
    words = ["train", "experiment=drlim_digits", "schedule.epochs_scale=0.4", "eval.every=1"]
    dimred(tmp_path, *words, "run_dir=run")
    out, _ = dimred(tmp_path, "plot", "contrast", "run")
    assert out.splitlines() == ["outputs/figures/contrast.pdf", "outputs/figures/contrast.png"]
    assert (tmp_path / "outputs/figures/contrast.png").stat().st_size > 5_000
