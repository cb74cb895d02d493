"""dimred compare: two sets of images, from the command to the files and the page."""

import csv
import json
import shutil

import numpy as np
import pytest
from command import SMOKE, dimred, refused
from PIL import Image

from dimred import load_run
from dimred.errors import InputError

pytestmark = pytest.mark.usefixtures("no_figures_here")

TRAIN = [*SMOKE, "dataset.limit=null", "eval.every=0", "eval.linear=none", "eval.random_test=null"]
QUICK = ["--permutations", "119"]


def photograph(path, brightness, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).normal(brightness, 60, (14, 14)).clip(0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on photographs with a split, further ones like its own, and bright ones."""
    cwd = tmp_path_factory.mktemp("compare")
    for number in range(120):
        split, name = ("train", "test")[number % 3 == 2], ("ants", "bees")[number % 2]
        photograph(cwd / f"photos/{split}/{name}/{number}.png", 110, number)
    for number in range(40):
        photograph(cwd / f"alike/{number}.png", 110, 1_000 + number)
        photograph(cwd / f"bright/{number}.png", 170, 2_000 + number)
    words = ["dataset=image_folder", "dataset.root=photos", "dataset.image_size=14"]
    dimred(cwd, *TRAIN, *words, "dataset.fit_on=train", "run_dir=run")
    return cwd


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_new_images_that_differ_are_told_and_those_that_tell(made):
    out, _ = dimred(made, "compare", "run", "bright", *QUICK, "--nn")
    assert out.splitlines()[0].startswith("very different: ")
    assert "A: bright, 40 images; B: RUN:train, 80 images" in out
    assert "half split, network of 20 hidden units on pixels: " in out
    assert "note: the encoder learned from 100% of RUN:train and 0% of bright" in out
    (folder,) = (made / "run/compared").iterdir()
    assert str(folder.relative_to(made)) in out
    result = json.loads((folder / "result.json").read_text())
    assert result["different"]
    assert result["sentence"] == out.splitlines()[0]
    assert result["spaces"]["pixels"]["half_split"]["nn"]["n_test"] == 40
    scores = rows(folder / "scores.csv")
    assert [row["set"] for row in scores] == ["A"] * 40 + ["B"] * 80
    assert {row["image"] for row in scores[:40]} == {f"bright/{i}.png" for i in range(40)}
    of_a = [float(row["score_pixels"]) for row in scores[:40]]
    assert np.mean(np.array(of_a) < 0) > 0.8
    names = {"result.json", "scores.csv", "betray.png", "islands.csv", "map.png", "images.npz"}
    assert {file.name for file in folder.iterdir()} == names


def test_new_images_that_are_alike_are_not_found_different(made):
    out, _ = dimred(made, "compare", "run", "alike", "RUN:test", *QUICK, "--out", "mine")
    assert out.startswith("no difference found (p ")
    assert "would be found with probability 0.8" in out.splitlines()[0]
    assert (made / "run/compared/mine/result.json").exists()


def test_images_of_the_run_are_chosen_by_what_is_known_of_them(made):
    words = ["RUN:test,class=ants", "run:test,class=bees", *QUICK, "--spaces", "h,z"]
    out, _ = dimred(made, "compare", "run", *words, "--out", "classes")
    assert "A: RUN:test,class=ants, 20 images; B: run:test,class=bees, 20 images" in out
    assert [line.split()[0] for line in out.splitlines()[4:6]] == ["H", "Z"]
    comparison = load_run(made / "run").compare(
        "RUN:test,class=ants", "RUN:test,class=bees", permutations=119, spaces=("h", "z")
    )
    assert comparison.sentence == out.splitlines()[0]


def test_what_was_compared_is_on_the_page(made, tmp_path):
    run = shutil.copytree(made / "run", tmp_path / "run")
    shutil.rmtree(run / "compared", ignore_errors=True)
    dimred(made, "compare", str(run), "bright", "RUN:test", *QUICK, "--out", "drift")
    dimred(made, "view", str(run))
    page = (run / "map.html").read_text()
    assert "compared drift" in page
    assert page.count("bright/0.png") >= 1


def test_without_a_run_it_is_the_newest(made):
    shutil.copytree(made / "run", made / "outputs/mine")
    try:
        out, _ = dimred(made, "compare", "RUN:train", "RUN:test", *QUICK, "--spaces", "z")
    finally:
        shutil.rmtree(made / "outputs")
    assert out.startswith("outputs/mine (newest)\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "no set of images; must be A, "),
        (["run", "a", "b", "c"], "3 sets of images: a b c; must be A, "),
        (["run", "nowhere"], "nowhere: does not exist"),
        (["run", "RUN:train", "RUN:all"], "are in both"),
        (["run", "RUN:class=wasps", "RUN:test"], "no class 'wasps'"),
        (["run", "RUN:height<3", "RUN:test"], "height"),
        (["run", "RUN:test", "photos/test/ants"], "are in both"),
        (["run", "few", "RUN:test"], "few: 3 images; a set must have 20 at least"),
        (["run", "empty", "RUN:test"], "empty: no images there"),
        (["run", "bright", "--spaces", "h,x"], "dimred: --spaces=x: must be of pixels, h, z"),
        (["run", "bright", "--permutations", "3"], "dimred: --permutations=3: must be from 19"),
        (["run", "bright", "--permutations", "99"], "dimred: --permutations=99: too few for p"),
        (["run", "bright", "--within", "class"], "within=class: bright has images without a class"),
        (["run", "bright", "--out", "../x"], "must be the name of a folder"),
        (["run", "wide.npz"], "wide.npz: array 'images' has images of 9x20 pixels"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(made, words, message):
    (made / "empty").mkdir(exist_ok=True)
    for number in range(3):
        photograph(made / f"few/{number}.png", 100, number)
    np.savez(made / "wide.npz", images=np.zeros((30, 9, 20), np.uint8))
    before = sorted(made.rglob("compared/*"))
    assert message in refused(made, "compare", *words)
    assert sorted(made.rglob("compared/*")) == before


def test_images_that_are_gone_leave_h_and_z_of_the_runs_own(made, tmp_path):
    run = shutil.copytree(made / "run", tmp_path / "run")
    (made / "photos").rename(made / "moved")
    try:
        out, _ = dimred(made, "compare", str(run), "RUN:train", "RUN:test", *QUICK)
        assert "note: the run's images are not there" in out
        assert "pixels" not in [line.split()[0] for line in out.splitlines()[3:6]]
        with pytest.raises(InputError, match="spaces=pixels"):
            load_run(run).compare("RUN:train", "RUN:test", spaces=("pixels",))
        assert "--root" in refused(made, "compare", str(run), "bright", "RUN:test")
        out, _ = dimred(
            made, "compare", str(run), "RUN:train", "RUN:test", *QUICK, "--root", "moved"
        )
        assert "\npixels  " in out
    finally:
        (made / "moved").rename(made / "photos")
