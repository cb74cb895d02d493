"""dimred probe and its table, from the command to the files."""

import csv
import json

import numpy as np
import pytest
from command import SMOKE, dimred, refused

from dimred import load_run
from dimred.errors import InputError

TRAIN = [
    *SMOKE,
    "dataset.limit=400",
    "dataset.fit_classes=[0-4]",
    "dataset.fit_on=train",
    "eval.linear=none",
    "device.threads=1",
]
QUICK = ["--labels", "1,5", "--draws", "2", "--steps", "3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    cwd = tmp_path_factory.mktemp("probe")
    dimred(cwd, *TRAIN, "run_dir=outputs/run")
    return cwd


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_a_probe_tells_writes_and_is_a_table(made):
    out, _ = dimred(made, "probe", "run", *QUICK)
    assert "digits, 5 classes (5, 6, 7, 8, 9)" in out
    assert "on this machine (H of " in out
    assert "Ctrl-C saves, the same command goes on" in out
    folder = made / "outputs/run/probed/digits-unseen"
    assert out.rstrip().endswith("outputs/run/probed/digits-unseen")
    names = {"result.json", "table.csv", "curve.png", "h-000.npz", "h-random-000.npz"}
    assert {file.name for file in folder.iterdir()} == names
    table = rows(folder / "table.csv")
    assert [row["labels"] for row in table] == ["1"] * 5 + ["5"] * 5
    result = json.loads((folder / "result.json").read_text())
    for row in table:
        fits = [
            fit["accuracy"]
            for fit in result["fits"]
            if (fit["method"], str(fit["labels"])) == (row["method"], row["labels"])
        ]
        assert float(row["accuracy"]) == pytest.approx(np.mean(fits), abs=1e-6)
        assert float(row["deviation"]) == pytest.approx(np.std(fits, ddof=1), abs=1e-6)
        assert f"{100 * np.mean(fits):.1f}" in out
    again, _ = dimred(made, "probe", "run", *QUICK)
    assert "all of it is finished" in again
    shown, _ = dimred(made, "table", "transfer")
    assert "VOC 2012 actions, mean of ten" in shown
    assert f"{100 * float(table[0]['accuracy']):.1f} ± " in shown
    assert "1 seed, 2 draws; 3 steps or more, at 0.03 from scratch" in shown
    loaded = load_run(made / "outputs/run").probe(labels=[1, 5], draws=2, steps=3)
    assert [fit.accuracy for fit in loaded.fits] == [f["accuracy"] for f in result["fits"]]


def test_what_cannot_be_probed_is_refused_in_a_line(made):
    np.savez(made / "plain.npz", images=np.arange(640, dtype=np.uint8).reshape(10, 8, 8))
    for words, said in (
        (["--labels", "1,none"], "labels=none: must be a whole number above 0, or all"),
        (["--methods", "guess"], "methods=guess: must be of probe, finetune"),
        (["--draws", "0"], "draws=0: must be a whole number from 1 to 1,000,000"),
        (["--lr", "nan"], "lr=nan: must be above 0"),
        (["--out", "../x"], "must be the name of a folder in RUN/probed/"),
        (["seed=1"], "seed=1: only dataset=NAME"),
        (["dataset.limit=10"], "dataset.limit=10: give dataset=NAME too"),
        (["dataset=npz", "dataset.path=plain.npz"], "dataset=npz: its images have no labels"),
        (["other"], "one run at a time"),
    ):
        assert said in refused(made, "probe", "run", *words)
    assert "transfer: is of any runs" in refused(made, "reproduce", "transfer")


def test_what_cannot_be_probed_is_refused_in_python_too(made):
    run = load_run(made / "outputs/run")
    for options, said in (
        ({"draws": 2.5}, r"draws=2\.5: must be a whole number"),
        ({"draws": "2"}, "draws=2: must be a whole number"),
        ({"lr": "high"}, "lr=high: must be above 0"),
        ({"dataset": "digits"}, "dataset='digits': must be options of images"),
        ({"methods": "probe"}, r"methods='probe': must be a list, as \['probe'\]"),
        ({"labels": "10"}, r"labels='10': must be a list, as \['10'\]"),
    ):
        with pytest.raises(InputError, match=said):
            run.probe(**options)


def test_options_may_stand_before_the_words_of_other_images(made):
    options = ["--methods", "pixels", "--draws", "1", "--labels", "1"]
    out, _ = dimred(made, "probe", "run", *options, "dataset=digits")
    assert out.rstrip().endswith("outputs/run/probed/digits")


def test_a_damaged_result_is_named_and_harms_nothing_else(made):
    folder = made / "outputs/run/probed/bad"
    folder.mkdir(parents=True)
    (folder / "result.json").write_text('{"fits": [{"method": "probe", "labels": -1}]}')
    line = refused(made, "probe", "run", "--out", "bad")
    assert "probed/bad/result.json: is damaged (" in line
    assert line.rstrip().endswith("; delete it, and dimred probe makes it anew")
    dimred(made, "view", "run", "--out", "page.html")
    load_run(made / "outputs/run").probe(labels=[1], draws=1, methods=["pixels"])
    shown, said = dimred(made, "table", "transfer")
    assert "left out: outputs/run/probed/bad/result.json: is damaged (" in said
    assert "digits, 5 classes" in shown
    assert "left out" not in dimred(made, "table", "table1")[1]
    (folder / "result.json").unlink()
