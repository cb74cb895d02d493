"""Runs beside published values: what is averaged, what is not, what is said of a line."""

import dataclasses
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import EVAL, VALUES, record

from dimred.tables import (
    TABLES,
    Column,
    Row,
    Table,
    Value,
    compare,
    grouped,
    summarize,
    with_runs,
)
from dimred.tables.compare import look_up
from dimred.tables.differences import differences

TABLE = Table(
    "a table",
    "a source",
    (
        Column("knn", "kNN, %", "final.knn15_z_random", 100),
        Column("linear", "linear, %", "linear.accuracy", 100),
        Column("superclass", "superclass", "final.knn15_superclass_z_random", 100),
        Column("hours", "hours", "training_seconds", 1 / 3600),
    ),
    (
        Row("4", "2-D", "table1_row4", {"knn": Value(80.6, 0.5, 3), "superclass": Value(50.0)}),
        Row("5", "longer", "table1_row5"),
    ),
    {},
)


PROTOCOL = {**VALUES, **EVAL}


def compared(*records):
    return compare("t", TABLE, records, {"4": PROTOCOL, "5": PROTOCOL})


def measured(*records):
    return [line for line in compared(*records).lines if line.kind == "measured"]


def said(*changed, **changes):
    """What a row of three seeds says, besides where it ran."""
    runs = [record(seed=seed, **changes) for seed in (0, 1, 2)]
    *words, device = differences([*changed] or runs, PROTOCOL)
    assert device == "cuda (GPU)"
    return words


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9))
def test_mean_and_sample_deviation(numbers):
    value = summarize(numbers)
    assert value.mean == pytest.approx(statistics.mean(numbers), abs=1e-6)
    assert value.deviation == pytest.approx(statistics.stdev(numbers), abs=1e-6)
    assert value.count == len(numbers)


def test_rows_without_runs_are_left_out_with_their_published_values_and_counted():
    lines = with_runs(compared(record(name="table1_row5"))).lines
    assert [(line.key, line.kind) for line in lines] == [("5", "measured")]
    one = with_runs(compared(record()))
    assert [(line.key, line.kind) for line in one.lines] == [("4", "published"), ("4", "measured")]
    assert one.legend.endswith("; 1 row without runs is left out")
    none = with_runs(compared())
    assert none.lines == ()
    assert none.legend.endswith("; 2 rows without runs are left out")
    both = compared(record(), record(name="table1_row5"))
    assert with_runs(both) == both


def test_one_run_has_no_deviation_and_none_no_value():
    assert math.isnan(summarize([0.5]).deviation)
    assert summarize([]) is None


def test_seeds_are_averaged_beside_the_published_value():
    (line,) = measured(record(seed=0, knn=0.80), record(seed=1, knn=0.82), record(seed=2, knn=0.84))
    knn, linear, _, hours = line.cells
    assert (knn.value.mean, knn.value.count) == (pytest.approx(82.0), 3)
    assert knn.value.deviation == pytest.approx(2.0)
    assert knn.difference == pytest.approx(1.4)
    assert linear.value.mean == pytest.approx(83.0)
    assert math.isnan(linear.difference)
    assert hours.value.mean == pytest.approx(2.0)
    assert line.remark == "cuda (GPU)"
    assert len(line.runs) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"values": {"schedule.batch_size": 512}},
        {"values": {"schedule.stages.train.epochs": 10}},
        {"values": {"device.name": "cpu"}},
        {"values": {"device.precision": "bf16"}},
        {"values": {"dataset.name": "image_folder"}, "root": "here/a"},
        {"images": 5_000},
        {"data": "other pixels"},
        {"eval": {"linear": "logistic"}},
        {"eval": {"linear_epochs": 1}},
    ],
)
def test_other_configurations_are_never_averaged(change):
    lines = measured(record(seed=0, knn=0.8), record(seed=1, knn=0.9, **change))
    assert [line.cells[0].value.count for line in lines] == [1, 1]
    assert sorted(line.cells[0].value.mean for line in lines) == pytest.approx([80.0, 90.0])


def test_folders_of_images_with_other_names_are_other_data():
    folder = {"dataset.name": "image_folder"}
    runs = [record(seed=i, values=folder, root=f"here/{name}") for i, name in enumerate("aab")]
    assert sorted(len(group) for group in grouped(runs)) == [1, 2]


@given(st.permutations(range(4)))
def test_a_seed_counts_once_the_last_of_its_runs(order):
    runs = [
        record(seed=0, knn=0.1, started="2026-01-01T00:00:00+00:00"),
        record(seed=0, knn=0.7, started="2026-03-01T00:00:00+00:00"),
        record(seed=0, knn=0.2, started="2026-02-01T00:00:00+00:00"),
        record(seed=1, knn=0.9, started="2026-01-15T00:00:00+00:00"),
    ]
    (line,) = measured(*(runs[i] for i in order))
    assert line.cells[0].value.mean == pytest.approx(80.0)
    assert line.cells[0].value.count == 2


def test_a_value_that_one_of_the_runs_lacks_is_not_averaged():
    lacking = record(seed=1)
    del lacking.summary["final"]["knn15_z_random"]
    (line,) = measured(record(seed=0), lacking)
    assert line.cells[0].value is None
    assert line.cells[1].value.count == 2


def test_seeds_that_draw_their_images_are_averaged_all_the_same():
    drawn = {"dataset.train_per_class": 3000}
    (line,) = measured(*(record(seed=seed, values=drawn, data=str(seed)) for seed in (0, 1)))
    assert line.cells[0].value.count == 2


def test_how_often_a_run_was_measured_does_not_make_it_another():
    (line,) = measured(record(seed=0), record(seed=1, eval={"every": 1}))
    assert line.cells[0].value.count == 2


def test_what_differs_from_the_paper_is_said():
    changed = {
        "dataset.name": "image_folder",
        "dataset.limit": 5_000,
        "model.name": "convnet",
        "model.widths": [8, 16],
        "schedule.batch_size": 256,
        "schedule.stages.train.epochs": 40,
        "schedule.stages.train.warmup_epochs": 1,
        "device.precision": "bf16",
    }
    one = record(values=changed, budget="short", root="data/cifar10-jpeg", images=5_000)
    assert said(one) == [
        "short",
        "1 seed",
        "data cifar10-jpeg, 5,000 images",
        "convnet [8, 16]",
        "40 of 1,000 epochs",
        "schedule.batch_size=256",
        "bf16",
    ]
    assert said() == []
    assert said(values={"dataset.limit": 300}, images=300) == ["300 images"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        # Another choice says what its keys would; a key says what differs within a choice.
        ({"pairing.name": "mine", "pairing.flip": 0.0}, ["pairing=mine"]),
        ({"loss.name": "simclr"}, ["loss=simclr"]),
        ({"pairing.flip": 0.0}, ["pairing.flip=0.0"]),
        # But for what no choice of data says.
        (
            {"dataset.name": "mnist", "dataset.classes": ["4"]},
            ["data mnist, 60,000 images", "dataset.classes=['4']"],
        ),
        ({"schedule.stages.train.loss.name": "simclr"}, ["train.loss=simclr"]),
        ({"schedule.stages.train.warmup_epochs": 0}, ["train.warmup_epochs=0"]),
        (
            {"schedule.stages.train.epochs": 40, "schedule.stages.train.warmup_epochs": 0},
            ["40 of 1,000 epochs", "train.warmup_epochs=0"],
        ),
        ({"schedule.stages.finetune.epochs": 0}, ["stages train 1,000, finetune 0"]),
    ],
)
def test_no_deviation_is_silent(values, words):
    assert said(values=values) == words


def test_epochs_that_no_factor_explains_are_listed():
    stages = {"a": 500, "b": 50, "c": 950}
    values = {f"schedule.stages.{name}.epochs": count for name, count in stages.items()}
    protocol = {**PROTOCOL, **dict.fromkeys(values, 10), **values}
    protocol["schedule.stages.a.epochs"], protocol["schedule.stages.c.epochs"] = 1000, 450
    runs = [record(seed=seed, values=values) for seed in (0, 1, 2)]
    words = differences(runs, protocol)
    assert words[0] == (
        "epochs train 1,000, a 500, b 50, c 950 instead of train 1,000, a 1,000, b 50, c 450"
    )


@pytest.mark.parametrize(
    ("values", "root", "shown"),
    [
        ({}, "data", True),
        ({"dataset.name": "image_folder"}, "data/cifar10-jpeg", True),
        ({"dataset.name": "image_folder"}, "data/CIFAR-10", True),
        ({"dataset.name": "image_folder"}, "data/cifar100-jpeg", False),
        ({"dataset.name": "fashion_mnist"}, "data/cifar10", False),
    ],
)
def test_differences_are_those_of_the_same_data(values, root, shown):
    (line,) = measured(*(record(seed=seed, values=values, root=root) for seed in (0, 1, 2)))
    assert math.isnan(line.cells[0].difference) is not shown


def test_a_command_is_shown_as_typed():
    run = record(seed=1)
    run.environment["sessions"][0]["command"] += ["dataset.root='here'", "run_dir='there'"]
    (line,) = measured(run)
    words = "dimred train -m experiment=table1_row4 dataset.root=here seed=0,2"
    assert line.command == words


def test_what_is_missing_of_a_row_has_its_command():
    (line,) = measured(record(seed=1))
    assert line.command == "dimred train -m experiment=table1_row4 seed=0,2"
    lacking = record(seed=0, eval={"linear": "none"})
    lacking.summary["linear"] = None
    (line,) = measured(lacking)
    assert line.command == "dimred train -m experiment=table1_row4 eval.linear=sgd seed=0,1,2"
    (line,) = measured(record(seed=1, budget="smoke"))
    assert line.command == ""


def test_a_row_without_runs_names_the_command():
    lines = compared(record()).lines
    (missing,) = [line for line in lines if line.kind == "missing"]
    assert missing.command == "dimred train -m experiment=table1_row5 seed=0,1,2"
    assert missing.key == "5"


def test_runs_of_other_names_stay_out():
    assert measured(record(name="mine")) == []


def test_a_row_about_another_space_has_a_line_for_each_set_of_images():
    """Not the numbers of digits, on which small budgets run, as those of the row's images."""
    pixels = Row("p", "pixels", "table1_row4", space="pixels")
    table = dataclasses.replace(TABLE, rows=(*TABLE.rows, pixels))
    runs = [record(seed=seed) for seed in (0, 1)]
    runs.append(record(values={"dataset.name": "digits"}))
    for run, share in zip(runs, (0.6, 0.7, 0.9), strict=True):
        run.summary["final"]["knn15_pixels_random"] = share
    found = compare("t", table, runs, dict.fromkeys("45p", PROTOCOL)).lines
    own, digits = sorted((it for it in found if it.key == "p"), key=lambda line: line.remark)
    assert (own.remark, own.cells[0].value.mean) == ("", pytest.approx(60.0))  # of the first
    assert digits.remark.startswith("data ")
    assert digits.cells[0].value.mean == pytest.approx(90.0)
    assert own.cells[1].value is None  # of no space


def test_a_loss_that_is_around_another_is_said():
    around = {"loss.metric.name": "triplet"}
    runs = [record(seed=seed, values=around) for seed in (0, 1, 2)]
    *words, _ = differences(runs, {**PROTOCOL, "loss.metric.name": "n_pair"})
    assert words == ["loss.metric.name=triplet"]


def test_a_column_that_is_not_there_is_none():
    assert look_up(record(), TABLE.columns[2]) is None
    assert look_up(record(), TABLE.columns[0]) == pytest.approx(80.0)


def test_published_values_stand_in_their_columns():
    """Of each table a few, as printed."""
    rows = {(name, row.key): row.published for name, table in TABLES.items() for row in table.rows}
    assert rows["table1", "9"] == {
        "linear": Value(87.9, 0.2, 3),
        "knn": Value(85.7, 0.4, 3),
        "loss": rows["table1", "9"]["loss"],
        "hours": rows["table1", "9"]["hours"],
    }
    assert (rows["table1", "9"]["loss"].mean, rows["table1", "9"]["hours"].mean) == (3.3, 6.0)
    assert rows["table1", "2"]["knn"] == Value(73.9, 0.8, 3)
    assert rows["table_a1", "6"]["superclass"].mean == 65
    assert rows["table_a1", "2"]["knn"].mean == 15.9
    assert rows["angel2015_mnist", "drlim"]["loss"].mean == 0.160
    assert rows["angel2015_mnist", "lenet_shifts"]["shifted"].mean == 8.5
    assert rows["angel2015_norb", "generalized"]["elevation"].mean == 0.0855
