"""dimred inspect: what it finds, what it writes, what it refuses."""

import csv
import json
import re
import shutil

import numpy as np
import pytest
from command import SMOKE, dimred, refused
from PIL import Image
from scipy.ndimage import gaussian_filter
from undrawn import without_figures

from dimred import load_run
from dimred.data.own_options import ImageFolder
from dimred.run_folder.folder import RunFolder

KINDS = ["near_duplicates", "outliers", "label_issues", "clusters"]
# Of the classes of the file: hostile to pages, to CSV and to terminals.
NAMES = ["<img onerror=alert(1)>", 'a, "b"\n\x1b[31m']
N = 120


def pictures(n, seed=0, side=16):
    """Smooth noise, the second half on a white ground: uint8 (n, side, side)."""
    noise = np.random.default_rng(seed).normal(size=(n, side, side))
    smooth = gaussian_filter(noise, (0, 1.2, 1.2))
    smooth = 60 + 50 * smooth / np.abs(smooth).max(axis=(1, 2), keepdims=True)
    smooth[n // 2 :] += 80
    return np.rint(smooth).astype(np.uint8)


def planted():
    """Images with copies (10 of 5 moved, 119 of 100) and a flipped label (30), and the split."""
    images, labels = pictures(N), np.repeat([0, 1], N // 2)
    images[10] = np.roll(images[5], 1, axis=1)
    images[119] = images[100]
    labels[30] = 1
    split = np.zeros(N, dtype=int)
    split[[10, 50, 70, 90, 119]] = 1
    return {"images": images, "labels": labels, "class_names": np.array(NAMES), "split": split}


def train(cwd, *words):
    words = ["dataset.limit=null", "run_dir=run", "eval.k=[5]", "eval.linear=none", *words]
    with without_figures():
        dimred(cwd, *SMOKE, *words, "eval.every=0")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on images with copies and a flipped label, and what inspecting it printed."""
    cwd = tmp_path_factory.mktemp("inspect")
    np.savez(cwd / "own.npz", **planted())
    train(cwd, "dataset=npz", "dataset.path=own.npz")
    return cwd, dimred(cwd, "inspect", "run")[0]


def table(cwd, kind):
    with (cwd / f"run/inspect/{kind}.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def findings(cwd, kind):
    """The rows of each group."""
    content = json.loads((cwd / "run/inspect/findings.json").read_text())
    return [group["rows"] for group in content[kind]["groups"]]


def test_planted_copies_are_found_with_split_and_class(made):
    cwd, out = made
    by_rows = {(line["row"], line["row_2"]): line for line in table(cwd, "near_duplicates")}
    assert set(by_rows) == {("100", "119"), ("5", "10")}
    equal, moved = by_rows["100", "119"], by_rows["5", "10"]
    assert (equal["kind"], equal["zncc"], equal["h_distance"]) == ("identical", "1.0", "0.0")
    assert (equal["split"], equal["split_2"], equal["class"]) == ("train", "test", NAMES[1])
    assert moved["kind"] == "shifted"
    assert (moved["dx"], moved["dy"], moved["group_size"]) == ("1", "0", "2")
    assert "2 pairs in 2 groups: 1 identical" in out
    assert "2 across the split; 0 of two classes" in out
    assert findings(cwd, "near_duplicates") == [[100, 119], [5, 10]]
    # By the numbers that the page gives these lists.
    assert (equal["group"], moved["group"]) == ("1", "2")


def test_a_flipped_label_is_in_conflict_and_far_from_its_class(made):
    cwd, _ = made
    (line,) = table(cwd, "label_issues")
    assert (line["row"], line["class"], line["other_class"]) == ("30", NAMES[1], NAMES[0])
    assert float(line["share"]) == float(line["kdn"]) >= 0.8
    assert findings(cwd, "label_issues") == [[30]]
    (line,) = [line for line in table(cwd, "outliers") if line["row"] == "30"]
    assert float(line["knn_distance_class"]) > float(line["knn_distance_class_threshold"])


def test_tables_findings_and_sheets_say_the_same(made):
    cwd, out = made
    for kind in KINDS:
        lines = table(cwd, kind)
        with Image.open(cwd / f"run/inspect/{kind}.png") as picture:
            assert picture.width > 300
        groups = findings(cwd, kind)
        if kind == "clusters":
            assert [int(line["row"]) for line in lines] == [rows[0] for rows in groups]
        elif kind != "near_duplicates":
            assert [[int(line["row"]) for line in lines]] == groups
        assert all(line["index"] == line["row"] for line in lines)
    clusters = load_run(cwd / "run").findings()["clusters"]
    assert len(set(clusters.rows)) == len(clusters.rows) <= N
    numbers = [int(line["cluster"]) for line in table(cwd, "clusters")]
    assert numbers == list(range(1, len(clusters.groups) + 1))
    sizes = [int(line["size"]) for line in table(cwd, "clusters")]
    assert sizes == [len(group.rows) for group in clusters.groups]
    for number, group in zip(numbers, clusters.groups, strict=True):
        assert group.title.startswith(f"cluster {number}: {len(group.rows)} images, density")
    conflicts = load_run(cwd / "run").findings()["label_issues"]
    assert list(conflicts.notes) == conflicts.rows
    assert all(note.startswith("→") for note in conflicts.notes.values())
    # Nothing of a name that moves a terminal's cursor is printed.
    assert "\x1b" not in out
    assert "dimred view run marks them" in out


def test_restart_removes_what_was_inspected(made, tmp_path):
    shutil.copytree(made[0] / "run", tmp_path / "run")
    RunFolder(tmp_path / "run").clear()
    assert not (tmp_path / "run/inspect").exists()


def test_what_is_no_longer_found_is_no_longer_there(made, tmp_path, monkeypatch):
    shutil.copytree(made[0] / "run", tmp_path / "run")
    monkeypatch.setattr("dimred.analysis.inspection.CONFLICT_SHARE", 2.0)
    dimred(tmp_path, "inspect", "run", "--root", str(made[0] / "own.npz"))
    assert table(tmp_path, "label_issues") == []
    assert not (tmp_path / "run/inspect/label_issues.png").exists()


def test_without_labels_what_wants_them_is_left_out(tmp_path):
    for number, image in enumerate([*pictures(70), *np.zeros((3, 16, 16), np.uint8)]):
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / f"photos/{number:03d}, \x1b.png")
    with (tmp_path / "photos/071, \x1b.png").open("ab") as file:
        file.write(b"the largest file")
    train(tmp_path, "dataset=image_folder", "dataset.root=photos", "dataset.image_size=16")
    out, _ = dimred(tmp_path, "inspect", "run", "--keep-one")
    assert "label_issues     left out: no labels" in out
    assert "exclude          2 images, near-duplicates of 1 image that stays\n" in out
    (typed,) = re.findall("without them: dimred (.*)", out)
    assert typed.startswith("train experiment=smoke ")
    assert typed.endswith(" dataset.exclude=run/inspect/exclude.csv")
    excluded = [line["source"] for line in table(tmp_path, "exclude")]
    assert excluded == ["070, \x1b.png", "072, \x1b.png"]
    images = ImageFolder(
        root=str(tmp_path / "photos"), exclude=str(tmp_path / "run/inspect/exclude.csv")
    ).load(0)
    assert len(images) == 71
    assert images.sources[-1] == "071, \x1b.png"
    assert "070, \\x1b.png and 071" in out
    assert "those far from their class left out: no labels" in out
    assert findings(tmp_path, "near_duplicates") == [[70, 71, 72]]
    line = table(tmp_path, "near_duplicates")[0]
    assert (line["source"], line["source_2"]) == ("070, \x1b.png", "071, \x1b.png")
    assert "class" not in line
    assert not (tmp_path / "run/inspect/label_issues.csv").exists()


def test_of_transformed_images_the_untransformed_are_inspected(tmp_path):
    arrays = planted()
    del arrays["split"]
    np.savez(tmp_path / "own.npz", **arrays)
    words = ["experiment=drlim_digits_shifts_naive", "dataset=npz", "dataset.path=own.npz"]
    words += ["dataset.fit_on=all", "pairing.transformations.shift=[-2,2]", "run_dir=run"]
    dimred(tmp_path, "train", *words, "schedule.stages.train.epochs=1", "dataset.classes=null")
    dimred(tmp_path, "inspect", "run")
    assert findings(tmp_path, "near_duplicates") == [[300, 357], [15, 30]]
    lines = table(tmp_path, "near_duplicates")
    assert [(line["row"], line["index"]) for line in lines] == [("300", "100"), ("15", "5")]
    assert float(lines[0]["h_distance"]) == 0


def test_all_images_may_be_equal(tmp_path):
    np.savez(tmp_path / "own.npz", images=np.full((70, 8, 8), 9, np.uint8))
    train(tmp_path, "dataset=npz", "dataset.path=own.npz")
    out, _ = dimred(tmp_path, "inspect", "run")
    assert "69 pairs in 1 group: 69 identical" in out
    assert "0 far from all others" in out
    assert findings(tmp_path, "clusters") == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "outputs: holds no finished run"),
        (["run", "--nope"], "--nope; dimred inspect [RUN]"),
        (["nowhere"], "nowhere"),
        (["run", "--keep-one"], "--keep-one: the images of own.npz are no files of a folder"),
        (["run", "--root", "elsewhere.npz"], "elsewhere.npz"),
    ],
)
def test_refusals(made, words, named):
    assert named in refused(made[0], "inspect", *words)
    assert not (made[0] / "nowhere").exists()


def test_an_unfinished_run_and_changed_images_are_refused(made, tmp_path):
    shutil.copytree(made[0] / "run", tmp_path / "run", ignore=shutil.ignore_patterns("inspect"))
    arrays = planted()
    arrays["images"][0] += 1
    np.savez(tmp_path / "own.npz", **arrays)
    assert "its images have changed" in refused(tmp_path, "inspect", "run")
    (tmp_path / "run/summary.json").unlink()
    assert "run" in refused(tmp_path, "inspect", "run")
    assert not (tmp_path / "run/inspect").exists()
