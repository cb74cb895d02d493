"""The table of transfer: published numbers beside the probes of runs."""

import json
from dataclasses import replace
from statistics import stdev

import pytest
from records import record

from dimred.run_folder.probes import Fit, Probed
from dimred.run_folder.record import RunRecord, read_records
from dimred.tables.protocols import comparison


def probed(accuracies, methods=("probe", "scratch"), labels=10, **settings):
    """A result whose draws of every method have these accuracies, those of scratch 0.2 lower."""
    result = Probed(
        target="mnist, 5 classes (5, 6, 7, 8, 9)",
        dataset="mnist",
        own=True,
        settings={"images": "0", "steps": 200, "lr": 0.003, "scratch_lr": 0.03, **settings},
        classes=5,
        train=100,
        test=50,
        split="official",
        chance=0.2,
    )
    for method in methods:
        for draw, accuracy in enumerate(accuracies):
            less = 0.2 if method == "scratch" else 0.0
            result.fits.append(Fit(method, labels, draw, accuracy - less, 1.0))
    return result.as_json()


def run(seed, **probes):
    return replace(record(name="transfer_mnist", seed=seed), probes=probes)


def lines(records):
    return comparison("transfer", records).lines


def cells(line):
    columns = comparison("transfer", []).columns
    return {column.key: cell for column, cell in zip(columns, line.cells, strict=True)}


def test_published_numbers_are_there_without_runs():
    first, *others, last = lines([])
    published = {key: cell.published for key, cell in cells(first).items()}
    assert (published["scratch"].mean, published["probe"].mean) == (49.7, 68.4)
    assert published["finetune"].mean == 70.2
    assert published["pixels"] is None
    means = [cells(line) for line in others]
    for method in ("scratch", "finetune"):  # the mean is that of the ten actions
        of_actions = [mean[method].published.mean for mean in means]
        assert sum(of_actions) / 10 == pytest.approx(published[method].mean, abs=0.06)
    assert last.command.startswith("dimred probe RUN")


def test_seeds_are_averaged_and_a_single_run_has_the_deviation_of_its_draws():
    (line,) = lines([run(0, a=probed([0.8, 0.9]))])[11:]
    assert line.key == "transfer_mnist: mnist, 5 classes (5, 6, 7, 8, 9), 10 labels a class"
    value = cells(line)["probe"].value
    assert (value.mean, value.deviation) == (pytest.approx(85), pytest.approx(stdev([80, 90])))
    assert cells(line)["scratch"].value.mean == pytest.approx(65)
    assert cells(line)["pixels"].value is None
    assert "1 seed, 2 draws" in line.remark
    runs = [run(seed, a=probed([0.8 + seed / 10, 0.8])) for seed in (0, 1)]
    (line,) = lines(runs)[11:]
    value = cells(line)["probe"].value
    assert (value.mean, value.count) == (pytest.approx(82.5), 2)
    assert value.deviation == pytest.approx(stdev([80, 85]))


def test_what_only_some_seeds_have_is_shown_with_their_number():
    first = run(0, a=probed([0.8, 0.9], methods=("probe", "pixels")))
    second, more = probed([0.6, 0.7]), probed([0.5, 0.5], methods=("probe",), labels=50)
    second["fits"] += more["fits"]
    ten, fifty = lines([first, run(1, a=second)])[11:]
    assert cells(ten)["probe"].value.mean == pytest.approx(75)
    assert cells(ten)["pixels"].value.mean == pytest.approx(85)
    assert cells(ten)["scratch"].value.mean == pytest.approx(45)
    assert cells(ten)["random"].value is None
    assert "2 seeds, 2 draws; from scratch, pixels: 1 of 2 seeds; 200" in ten.remark
    assert fifty.key.endswith("50 labels a class")
    assert cells(fifty)["probe"].value.mean == 50
    assert "frozen: 1 of 2 seeds" in fifty.remark


def test_budgets_and_numbers_of_labels_are_lines_of_their_own():
    one = run(0, a=probed([0.8]), b=probed([0.9], steps=400), c=probed([0.7], labels=None))
    keys = [line.key.rpartition(", ")[2] for line in lines([one])[11:]]
    assert keys == ["10 labels a class", "all labels", "10 labels a class"]


def test_a_record_in_a_file_keeps_its_probes(tmp_path):
    content = run(0, a=probed([0.8, 0.9])).as_json()
    (tmp_path / "runs.jsonl").write_text(json.dumps(content) + "\n")
    ((back,), damaged) = read_records(tmp_path / "runs.jsonl")
    assert not damaged
    assert isinstance(back, RunRecord)
    assert back.probed["a"].fits[1] == Fit("probe", 10, 1, 0.9, 1.0)
    assert "probes" not in record().as_json()
