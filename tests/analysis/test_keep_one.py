"""Which image of a group of near-duplicates is kept, and what the list holds."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from dimred.analysis.keep_one import leave_out_near_duplicates, next_command
from dimred.data.own_options import ImageFolder
from dimred.run_folder import layout

SOURCES = ("a/0.png", "a/1.png", "b/2.png", "b/3.png", "b/4.png", "b/5.png")


@pytest.fixture
def run(tmp_path):
    """A run on six files, the last the largest, and what is written to its folder."""
    for i, name in enumerate(SOURCES):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * (9 if i == 5 else 1))
    run = SimpleNamespace(
        map=SimpleNamespace(
            sources=np.array(SOURCES, dtype=object),
            split=np.array(["train"] * 3 + ["test"] * 3),
            index=np.arange(6) + 10,
            labels=np.array([0, 0, 1, 1, 1, 1]),
            class_names=("a", "b"),
        ),
        config=SimpleNamespace(dataset=ImageFolder(root=str(tmp_path))),
        record=SimpleNamespace(
            data="mine", command=["dataset.root=x y", "dataset.exclude=old.csv"]
        ),
        root=None,
        path=tmp_path / "run",
    )
    files = SimpleNamespace(
        write=lambda name, content: (tmp_path / "list.csv").write_bytes(content),
        remove=lambda name: (tmp_path / "list.csv").unlink(missing_ok=True),
    )
    run.folder = SimpleNamespace(files=files)
    return run


def table(run):
    with (run.path.parent / "list.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def similar(*pairs, kind="similar"):
    return [{"row": a, "row_2": b, "kind": kind} for a, b in pairs]


def test_training_images_then_large_files_then_the_first_by_name_are_kept(run):
    found = leave_out_near_duplicates(run, run.folder, similar((0, 2), (2, 5), (0, 5), (3, 4)))
    assert [(line["source"], line["kept"]) for line in table(run)] == [
        ("b/2.png", "a/0.png"),
        ("b/4.png", "b/3.png"),
        ("b/5.png", "a/0.png"),
    ]
    first = table(run)[0]
    assert (first["row"], first["index"], first["class"], first["split"]) == (
        "2",
        "12",
        "b",
        "train",
    )
    assert (found.images, found.kept, found.other_class, found.earlier) == (3, 2, 2, 0)
    leave_out_near_duplicates(run, run.folder, similar((3, 4), (4, 5), (3, 5)))
    assert [line["source"] for line in table(run)] == ["b/3.png", "b/4.png"]


def test_of_a_chain_those_stay_that_are_no_copies_of_one_that_stays(run):
    """As of a film, whose first and last pictures are different."""
    leave_out_near_duplicates(run, run.folder, similar((0, 1), (1, 2), (2, 3), (3, 4)))
    assert [(line["source"], line["kept"]) for line in table(run)] == [
        ("a/1.png", "a/0.png"),
        ("b/3.png", "b/2.png"),
    ]


def test_equal_images_are_all_copies_of_one_another(run):
    """They are paired with the first of them only, which alone is paired with others."""
    pairs = [*similar((3, 4), (3, 5), kind="identical"), *similar((2, 3))]
    leave_out_near_duplicates(run, run.folder, pairs)
    assert {line["source"]: line["kept"] for line in table(run)} == {
        "b/3.png": "b/2.png",
        "b/4.png": "b/2.png",
        "b/5.png": "b/2.png",
    }
    leave_out_near_duplicates(run, run.folder, pairs[:2])
    assert {line["source"]: line["kept"] for line in table(run)} == {
        "b/3.png": "b/5.png",
        "b/4.png": "b/5.png",
    }


def test_what_was_left_out_before_stays_so(run, tmp_path):
    (tmp_path / "old.csv").write_text("file\nc/9.png\n")
    run.config.dataset.exclude = str(tmp_path / "old.csv")
    assert leave_out_near_duplicates(run, run.folder, similar((0, 1))).earlier == 1
    assert [line["source"] for line in table(run)] == ["a/1.png", "c/9.png"]
    leave_out_near_duplicates(run, run.folder, similar())
    assert [line["source"] for line in table(run)] == ["c/9.png"]
    run.config.dataset.exclude = None
    leave_out_near_duplicates(run, run.folder, similar())
    assert not (tmp_path / "list.csv").exists()


def test_the_command_to_type_next_has_the_new_list(run):
    exclude = run.path / layout.EXCLUDED
    assert next_command(run) == f"dimred train 'dataset.root=x y' dataset.exclude={exclude}"
    run.root = "/moved"
    assert next_command(run) == f"dimred train dataset.root=/moved dataset.exclude={exclude}"
