"""Runs on the user's own images."""

import json

import numpy as np
import pytest
from command import SMOKE, dimred, refused, summary
from PIL import Image

from dimred import load_run
from dimred.analysis.map_page import map_page
from dimred.run_folder.finished import FinishedRun


def photographs(folder, n, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(n):
        pixels = rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")


OWN = [*SMOKE, "dataset=image_folder", "dataset.limit=null", "dataset.root=photos", "run_dir=run"]


@pytest.fixture
def own(tmp_path):
    return tmp_path, [*OWN, "dataset.image_size=16", "eval.k=[5]"]


def test_a_flat_folder_is_mapped_without_labels(own):
    cwd, words = own
    photographs(cwd / "photos", 80)
    (cwd / "photos/broken.jpg").write_bytes(b"\xff\xd8nothing")
    out, _ = dimred(cwd, *words)
    content = summary(cwd / "run")
    assert content["dataset"]["images"] == 80
    assert content["dataset"]["unreadable"] == ["broken.jpg"]
    assert "1 unreadable file left out: not an image of a known format (1, 'broken.jpg')" in out
    assert (
        "first look: 80 images, 16x16 pixels, color, from 24x20 (80 PNG RGB); pixel values" in out
    )
    look = content["dataset"]["first_look"]
    assert (look["files"], look["copies"], look["notes"]) == (81, 0, [])
    assert look["unreadable"][0]["first"] == ["broken.jpg"]
    assert 0 <= content["final"]["trustworthiness5_z"] <= 1
    assert 0 <= content["final"]["overlap5_hz"] <= 1
    assert content["dataset"]["chance"] == pytest.approx(5 / 79)
    assert "trust5 of Z against H" in out
    assert "trustworthiness5 of Z against H " in out
    assert "other view found      in H 0." in out
    assert out.count("other view found ") == 1
    numbers = content["verdict"]["numbers"]
    assert numbers["images"] == 80
    assert numbers["z"] == content["views"]["views5_z"]
    assert numbers["trustworthiness"] == content["final"]["trustworthiness5_z"]
    assert f"map: {content['verdict']['word']}. {content['verdict']['text']}\n" in out
    assert content["linear"] is None
    with np.load(cwd / "run/embedding.npz") as arrays:
        assert "label" not in arrays
        assert arrays["source"][0] == "000.png"


def test_class_folders_give_labels_and_train_and_test_the_split(own, monkeypatch):
    cwd, words = own
    for split, n in (("train", 40), ("test", 10)):
        for number, name in enumerate(("cats", "dogs $x$ <b>")):
            photographs(cwd / "photos" / split / name, n, seed=number)
    table = "file;weight;camera\n" + "train/cats/000.png;1,5;A\ntrain/cats/001.png;;B\n"
    (cwd / "photos/list.csv").write_text(table)
    words.remove("eval.references=false")
    words = [*words, "dataset.fit_on=train", "dataset.table=list.csv", "eval.every=0"]
    out, _ = dimred(cwd, *words)
    assert "note: list.csv: 98 images have no row: 'train/cats/002.png'" in out
    content = summary(cwd / "run")
    assert content["dataset"]["test_images"] == {"official": 20, "random": 20}
    assert "accuracies of 20 test images have a standard error of up to 0.11" in out
    columns, z = load_run(cwd / "run").columns(), load_run(cwd / "run").z
    assert columns["camera"].tolist() == ["A", "B"] + [""] * 98
    np.testing.assert_array_equal(columns["weight"][:2], [1.5, np.nan])
    assert not any("camera" in key for key in content["final"])
    (cwd / "photos/list.csv").write_text(table.replace("1,5", "2"))
    for said in (True, False):
        out, _ = dimred(cwd, *words)
        assert "finished before" in out  # a further column is not learned from
        assert ("its further columns are those of the table now" in out) == said
    again = load_run(cwd / "run")
    assert again.columns()["weight"][0] == 2
    assert again.columns()["camera"].tolist() == columns["camera"].tolist()
    assert np.array_equal(again.z, z)
    monkeypatch.chdir(cwd)
    shown = {column.title: column for column in map_page(FinishedRun(cwd / "run"))[0].columns}
    assert list(shown) == ["class", "split", "weight", "camera", "loss in this stage"]
    np.testing.assert_array_equal(shown["weight"].values[:2], [2, np.nan])
    assert shown["camera"].names == ("none", "A", "B")
    assert content["dataset"]["classes"] == {"cats": 50, "dogs $x$ <b>": 50}
    assert content["dataset"]["learned_from"] == 80
    numbers = content["verdict"]["numbers"]
    assert numbers["z"] == content["final"]["knn5_z_official"]
    assert (numbers["images"], numbers["chance"]) == (20, 0.5)
    assert numbers["pixels"] == content["references"]["knn5_pixels_official"]
    assert numbers["error_h"] == content["references"]["error5_z-h_official"]
    assert numbers["untrained_h"] == content["untrained"]["knn5_untrained_h_official"]
    assert "views" not in content


@pytest.mark.parametrize("name", ["Fotos (2026), späte", "it's a=b", "猫", "a\\'b\\"])
def test_a_path_is_taken_as_typed(tmp_path, monkeypatch, name):
    monkeypatch.setenv("HOME", str(tmp_path))
    photographs(tmp_path / name, 70)
    words = [*OWN, "dataset.image_size=8", f"dataset.root=~/{name}", f"name={name}"]
    words = [word for word in words if word != "run_dir=run"]
    dimred(tmp_path, *words)
    (path,) = (tmp_path / "outputs").iterdir()
    assert path.name.startswith(f"{name}-seed0-")
    assert summary(path)["dataset"]["images"] == 70


def test_a_folder_moved_or_typed_otherwise_is_the_same_run(own):
    cwd, words = own
    photographs(cwd / "photos/2024", 70)
    out, _ = dimred(cwd, *words)
    assert out.count("all images are in 2024/: taken as unlabeled") == 1
    assert ", no labels, by chance trustworthiness 0.5, overlap 0." in out
    assert not {"class", "knn5"} & set(out.replace("_", " ").split())
    (cwd / "photos").rename(cwd / "moved")
    out, _ = dimred(cwd, *words, f"dataset.root={cwd}/moved")
    assert "finished before" in out


def test_a_class_that_the_training_images_lack_does_not_break_the_run(own):
    cwd, words = own
    photographs(cwd / "photos/train/cats", 60)
    photographs(cwd / "photos/test/dogs", 20, seed=1)
    out, _ = dimred(cwd, *words)
    assert ", 2 classes of 20 to 60, chance unknown\n" in out
    assert "note: 1 of 2 classes have test images (20) but no training images" in out
    content = summary(cwd / "run")
    assert content["linear"] is None
    assert content["dataset"]["chance"] == 0


def test_learning_from_the_train_split_needs_one(own):
    cwd, words = own
    photographs(cwd / "photos", 70)
    assert "dataset.fit_on=train" in refused(cwd, *words, "dataset.fit_on=train")


def test_images_that_changed_since_are_not_mixed_into_a_run(own):
    cwd, words = own
    photographs(cwd / "photos", 70)
    dimred(cwd, *words)
    photographs(cwd / "photos", 71, seed=1)
    assert "images have changed" in refused(cwd, *words)
    dimred(cwd, *words, "restart=true")
    assert summary(cwd / "run")["dataset"]["images"] == 71


def test_strict_stops_at_an_unreadable_file(own):
    cwd, words = own
    photographs(cwd / "photos", 70)
    (cwd / "photos/broken.jpg").write_bytes(b"nothing")
    assert "broken.jpg" in refused(cwd, *words, "dataset.strict=true")


def test_an_npz_of_arrays(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "mine.npz",
        images=rng.integers(0, 256, (90, 12, 12), dtype=np.uint8),
        labels=np.repeat([3, 5, 9], 30),
    )
    words = ["dataset=npz", "dataset.path=mine.npz", "run_dir=run", "dataset.classes=[3,9]"]
    dimred(tmp_path, *SMOKE, *words, "schedule.batch_size=32")
    content = json.loads((tmp_path / "run/summary.json").read_text())
    assert content["dataset"]["classes"] == {"3": 30, "9": 30}
