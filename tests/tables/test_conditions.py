"""In a few words, how a run differs from the published one, and whether it says anything of it."""

import pytest
from records import EVAL, VALUES, record

from dimred.tables import Column
from dimred.tables.conditions import conditions, in_a_cell, is_comparable

PROTOCOL = {**VALUES, **EVAL}
KNN = Column("knn", "kNN, %", "final.knn15_z_random", 100)
LINEAR = Column("linear", "linear, %", "linear.accuracy", 100)
FOLDER = {"dataset.name": "image_folder"}


def words(column=KNN, **changes):
    return conditions(record(**changes), PROTOCOL, column)


def test_as_published_nothing_is_said():
    assert words() == []
    assert in_a_cell(words()) == "yes"


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("data/cifar10-jpeg", "JPEG copy"),
        ("data/CIFAR-10", "copy CIFAR-10"),
        ("data/cifar100-jpeg", "cifar100-jpeg, not CIFAR-10"),
    ],
)
def test_images_from_a_folder_are_named(root, said):
    assert words(values=FOLDER, root=root) == [said]


def test_data_epochs_network_and_batch_are_said_without_their_options():
    changed = {
        **FOLDER,
        "dataset.limit": 5_000,
        "model.name": "convnet",
        "schedule.batch_size": 256,
        "schedule.optimizer.lr_per_256": 0.1,
        "schedule.stages.train.epochs": 350,
        "device.precision": "bf16",
    }
    assert words(values=changed, root="data/cifar10-jpeg", images=5_000) == [
        "JPEG copy",
        "5,000 images",
        "350 epochs instead of 1,000",
        "small convnet, not ResNet-18",
        "batch 256",
        "bf16",
    ]
    assert words(values={"dataset.name": "fashion_mnist"}) == ["Fashion-MNIST, not CIFAR-10"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"pairing.flip": 0.0}, ["flip 0.0"]),
        ({"loss.name": "simclr"}, ["simclr, not tsimcne"]),
        ({"schedule.stages.train.warmup_epochs": 0}, ["train warmup_epochs 0"]),
        (
            {"schedule.stages.finetune.epochs": 500},
            ["1,500 epochs instead of 1,000", "other stages"],
        ),
    ],
)
def test_no_difference_is_silent(values, said):
    assert words(values=values) == said


def test_epochs_of_other_shares_are_said():
    stages = {"schedule.stages.train.epochs": 900, "schedule.stages.finetune.epochs": 100}
    published = {"schedule.stages.train.epochs": 500, "schedule.stages.finetune.epochs": 500}
    said = conditions(record(values=stages), {**PROTOCOL, **published}, KNN)
    assert said == ["divided otherwise"]


def test_the_linear_classifier_bears_on_its_own_column_only():
    assert words(eval={"linear": "logistic"}) == []
    assert words(LINEAR, eval={"linear": "logistic"}) == ["logistic for the linear accuracy"]


def test_words_fit_into_a_cell():
    many = [f"something {n} that is otherwise" for n in range(9)]
    assert in_a_cell(many) == "something 0 that is otherwise; 8 more differences"
    assert in_a_cell(many[:1]) == many[0]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"budget": "short", "values": {"schedule.stages.train.epochs": 100}}, True),
        ({"values": {"schedule.stages.train.epochs": 99}}, False),
        ({"values": {"model.name": "convnet"}}, False),
        ({"values": {"model.widths": [8, 16]}}, False),
        ({"values": {"dataset.limit": 5_000}}, False),
        ({"budget": "smoke"}, False),
    ],
)
def test_a_small_run_says_nothing_about_a_published_number(changes, expected):
    assert is_comparable(record(**changes), PROTOCOL) is expected
