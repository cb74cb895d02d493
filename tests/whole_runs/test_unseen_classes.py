"""A run that learns from some classes of a folder, through the commands that look at it."""

import csv
import shutil

import numpy as np
import pytest
from command import SMOKE, dimred, summary
from PIL import Image

from dimred import load_run
from dimred.analysis.chosen_sets import OwnImages
from dimred.analysis.placement import Placement
from dimred.analysis.retrieval import retrieve
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

CLASSES = {"ants": 40, "bees": 90, "cats": 140, "dogs": 190}
"""With the brightness of their images."""
TEST, TRAIN = 6, 24
UNSEEN = ("cats", "dogs")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """Photographs of four classes, and a run on the training images of two of them, with its
    page."""
    cwd = tmp_path_factory.mktemp("unseen")
    rng = np.random.default_rng(0)
    for name, brightness in CLASSES.items():
        for folder, n in ((f"photos/train/{name}", TRAIN), (f"photos/test/{name}", TEST)):
            (cwd / folder).mkdir(parents=True)
            for i in range(n):
                pixels = rng.normal(brightness, 20, (8, 8)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(cwd / folder / f"{i:02d}.png")
    words = ["dataset=image_folder", "dataset.root=photos", "dataset.image_size=8"]
    words += ["dataset.fit_classes=[ants,bees]", "dataset.fit_on=train", "dataset.limit=null"]
    words += ["schedule.batch_size=16", "eval.k=[3]", "eval.references=true", "run_dir=run"]
    out, _ = dimred(cwd, *SMOKE, *words)
    (cwd / "said").write_text(out)
    dimred(cwd, "view", "run")
    return cwd


def is_unseen(run):
    return np.isin(np.array(run.class_names)[run.labels], UNSEEN)


def rows_of(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_it_says_what_it_learns_from_and_what_it_is_measured_on(cwd):
    said, found = (cwd / "said").read_text(), summary(cwd / "run")
    line = "learned from 2 classes (48 images), measured on 2 classes never seen (12 of 60 images)"
    assert said.splitlines().count(line) == 2  # before and after
    assert found["dataset"]["learned_from"] == 48
    assert found["dataset"]["class_split"] == {
        "learned": {"classes": 2, "images": 60},
        "unseen": {"classes": 2, "images": 60, "measured": 12},
    }
    assert found["headline"] == "knn3_z_unseen"
    assert "of 12 test images of classes not learned from" in found["verdict"]["text"]
    # Beside it, on the same images: raw pixels, and the network before training.
    assert {"chance", "pixels", "untrained_z"} <= found["verdict"]["numbers"].keys()
    assert found["verdict"]["numbers"]["pixels"] == found["references"]["knn3_pixels_unseen"]
    assert found["dataset"]["chance"] == 0.5
    assert "knn3_z_unseen" in said
    assert "(logistic, unseen split)" in said


def test_the_run_folder_says_which_images_are_of_unseen_classes(cwd):
    run = load_run(cwd / "run")
    assert run.class_split.tolist() == np.where(is_unseen(run), "unseen", "learned").tolist()
    assert run.columns()["class_split"] is run.class_split
    assert list(run.columns())[:3] == ["index", "split", "class_split"]
    own = OwnImages(FinishedRun(cwd / "run"))
    learned = (run.split == "train") & ~is_unseen(run)
    assert own.learned.tolist() == learned.tolist()
    assert own.learned_from().name == "RUN:train,learned"
    chosen = own.chosen(own.learned_from().name, "a", ())
    assert chosen.rows.tolist() == np.flatnonzero(learned).tolist()


def test_its_images_are_known_again_beside_new_ones(cwd, tmp_path):
    # The fingerprint of a run has what is unseen in it, which its own files alone do not say.
    shutil.copytree(cwd, tmp_path / "moved")
    for i in range(200):
        name = tmp_path / f"moved/photos/train/ants/new{i}.png"
        shutil.copy(tmp_path / "moved/photos/train/ants/00.png", name)
    run = load_run(tmp_path / "moved/run", root=str(tmp_path / "moved/photos"))
    assert len(run.images()) == len(run)
    dimred(tmp_path / "moved", "view", "run", "--root", "photos")


def test_inspection_names_it_beside_the_split(cwd):
    out, _ = dimred(cwd, "inspect", "run")
    run = load_run(cwd / "run")
    clusters = rows_of(cwd / "run/inspect/clusters.csv")
    for row in clusters:
        assert row["class_split"] == run.class_split[int(row["row"])]
    assert clusters or "clusters         none" in out
    issues = rows_of(cwd / "run/inspect/label_issues.csv")
    unseen = sum(row["class_split"] == "unseen" for row in issues)
    assert f"{len(issues)} whose neighbors agree on another class, {unseen} of classes not" in out


def test_it_is_drawn_and_compared(cwd):
    out, _ = dimred(cwd, "plot", "knn", "run", "--out", "knn.png")
    assert "knn.png" in out
    out, _ = dimred(cwd, "compare", "run", "RUN:unseen", "--permutations", "119")
    assert "A: RUN:unseen, 60 images; B: RUN:train,learned, 48 images" in out
    assert "the encoder learned from 100% of RUN:train,learned and 0% of RUN:unseen" in out


def test_new_images_retrieve_the_nearest_training_images(cwd):
    words = ("embed", "run", "photos/test", "--out", "found", "--neighbors", "4")
    out, err = dimred(cwd, *words, "--space", "h")
    assert err == ""
    rows = rows_of(cwd / "found-neighbors.csv")
    assert len(rows) == 4 * len(CLASSES) * TEST
    assert {row["split"] for row in rows} == {"train"}
    run = load_run(cwd / "run", root=str(cwd / "photos"))
    near = run.neighbors(run.place([str(cwd / "photos/test")]), k=4, space="h")
    assert [int(row["row"]) for row in rows] == near.ravel().tolist()
    right = np.array([row["class"] == row["path"].split("/")[-2] for row in rows]).reshape(-1, 4)
    assert (
        f"24 in folders called like a class: {right.mean():.1%} of their 4 nearest in H by angle "
        f"are of that class, {right[:, 0].mean():.1%} of the first"
    ) in out
    for row in rows:
        assert run.sources[int(row["row"])] == row["source"]
        assert run.class_split[int(row["row"])] == row["class_split"]
    assert out.splitlines()[-2:] == ["found-neighbors.csv", "found-neighbors.png"]


def test_the_sheet_has_new_images_and_their_neighbors(cwd):
    run = FinishedRun(cwd / "run", str(cwd / "photos"))
    found = retrieve(run, Placement(run).place([str(cwd / "photos/test")]), k=12)
    (axes,) = found.sheet().axes
    assert len(axes.images) == 20 * (1 + 10)  # of 24, with the first 10 of 12
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("new image") == 20
    assert any(text.endswith("dogs/05.png") for text in texts)  # the last
    # Pictures are as in their files: the first new image, and its nearest.
    for image, path in zip(
        axes.images, ("test/ants/00.png", run.map.sources[found.neighbors[0, 0]]), strict=False
    ):
        with Image.open(cwd / "photos" / path) as picture:
            assert (image.get_array()[..., 0] == np.asarray(picture)).all()


def test_without_the_runs_images_there_is_no_sheet_but_thumbnails(cwd, tmp_path):
    shutil.copytree(cwd / "run", tmp_path / "run")
    shutil.copytree(cwd / "photos/test/ants", tmp_path / "new")
    _, err = dimred(tmp_path, "embed", "run", "new", "--out", "found", "--neighbors", "2")
    assert err == ""
    assert (tmp_path / "found-neighbors.png").exists()
    (tmp_path / "run/kept.npz").unlink()
    shutil.move(tmp_path / "found-neighbors.png", tmp_path / "before.png")
    out, err = dimred(tmp_path, "embed", "run", "new", "--out", "found", "--neighbors", "2")
    assert "no sheet of neighbors: " in err
    assert "found-neighbors.csv" in out
    assert not (tmp_path / "found-neighbors.png").exists()


def test_the_page_tells_them_apart(cwd, opened):
    page = opened(cwd / "run/map.html")
    legend, run = page.page.locator("#legend"), load_run(cwd / "run")
    assert legend.locator(".name").all_inner_texts() == [
        *("ants", "bees", "cats unseen", "dogs unseen")
    ]
    assert page.state("page.overlay.names.shown") != []
    header = page.page.locator("header").inner_text()
    assert "test images of classes not learned from have most of their 3 nearest" in header
    page.page.locator("#color").select_option(label="learned classes")
    assert legend.locator(".name").all_inner_texts() == ["learned", "unseen"]
    assert legend.locator(".count").all_inner_texts() == ["60", "60"]
    row = page.lonely()
    page.page.mouse.move(*page.place(row))
    side = f"{run.split[row]}, {run.class_split[row]} class"
    assert side in page.page.locator("#tip").inner_text().splitlines()
    legend.get_by_role("checkbox", name="unseen").uncheck()
    states = np.array(page.state("Array.from(scene.states)"))
    assert (states == 0).tolist() == is_unseen(run).tolist()
    assert page.state("page.overlay.names.shown") == []  # as for the split


def test_a_run_that_learns_from_all_classes_says_nothing_of_it(digits):
    run = load_run(digits)
    assert run.class_split is None
    assert "class_split" not in run.columns()
    assert "class_split" not in summary(digits)["dataset"]
    with np.load(digits / "embedding.npz") as arrays:
        assert "class_split" not in arrays
    assert "learned classes" not in (digits / "map.html").read_text()
