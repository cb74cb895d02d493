"""Which image of a group of near-duplicates is kept, and what the list holds."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from dimred.analysis.keep_one import leave_out_near_duplicates, next_command
from dimred.data.options import ImageFolder
from dimred.run_folder import layout
from dimred.run_folder.findings import Findings, RowGroup

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
        groups=[(0, 2, 5), (3, 4)],
    )
    groups = lambda: tuple(RowGroup("", rows) for rows in run.groups)  # noqa: E731
    run.findings = lambda: {"near_duplicates": Findings(groups())}
    files = SimpleNamespace(
        write=lambda name, content: (tmp_path / "list.csv").write_bytes(content),
        remove=lambda name: (tmp_path / "list.csv").unlink(missing_ok=True),
    )
    run.folder = SimpleNamespace(files=files)
    return run


def table(run):
    with (run.path.parent / "list.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_training_images_then_large_files_then_the_first_by_name_are_kept(run):
    found = leave_out_near_duplicates(run, run.folder)
    assert [(line["source"], line["kept"], line["group"]) for line in table(run)] == [
        ("b/2.png", "a/0.png", "1"),
        ("b/5.png", "a/0.png", "1"),
        ("b/4.png", "b/3.png", "2"),
    ]
    assert (
        table(run)[0] | {"row": "2", "index": "12", "class": "b", "split": "train"} == table(run)[0]
    )
    assert (found.images, found.groups, found.two_classes, found.earlier) == (3, 2, 1, 0)
    run.groups = [(3, 4, 5)]
    leave_out_near_duplicates(run, run.folder)
    assert [line["source"] for line in table(run)] == ["b/3.png", "b/4.png"]


def test_what_was_left_out_before_stays_so(run, tmp_path):
    (tmp_path / "old.csv").write_text("file\nc/9.png\n")
    run.config.dataset.exclude = str(tmp_path / "old.csv")
    assert leave_out_near_duplicates(run, run.folder).earlier == 1
    assert [line["source"] for line in table(run)][-1] == "c/9.png"
    run.groups = []
    leave_out_near_duplicates(run, run.folder)
    assert [line["source"] for line in table(run)] == ["c/9.png"]
    run.config.dataset.exclude = None
    leave_out_near_duplicates(run, run.folder)
    assert not (tmp_path / "list.csv").exists()


def test_the_command_to_type_next_has_the_new_list(run):
    exclude = run.path / layout.EXCLUDED
    assert next_command(run) == f"dimred train 'dataset.root=x y' dataset.exclude={exclude}"
    run.root = "/moved"
    assert next_command(run) == f"dimred train dataset.root=/moved dataset.exclude={exclude}"
