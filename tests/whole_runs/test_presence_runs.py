"""Runs on images that show several classes, through the commands that make and read them."""

import csv

import numpy as np
import pytest
from command import dimred, only_run, refused, summary
from crash import Crash, crash_after
from PIL import Image

from dimred import load_run
from dimred.config import compose
from dimred.run.train import run
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

LEARN = [
    *["pairing=class_presence", "loss=binary_logistic", "schedule=classifier", "model=convnet"],
    *["model.hidden_dim=null", "model.score_pool=max"],
    *["dataset.fit_on=train", "schedule.batch_size=16", "schedule.stages.train.epochs=2"],
    *["eval.references=false", "view=false", "eval.k=[3]"],
]
CANVASES = ["dataset=canvases", "dataset.n_train=48", "dataset.n_test=20"]
SMALL = ["model.widths=[4,8]"]
SQUEEZENET = ["model=torchvision", "model.arch=squeezenet1_1"]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A run on canvases whose batches are resized."""
    cwd = tmp_path_factory.mktemp("presence")
    out, _ = dimred(
        cwd, "train", *CANVASES, *LEARN, *SMALL, "pairing.scales=[0.8,1.2]", "run_dir=run"
    )
    (cwd / "said").write_text(out)
    return cwd


def test_it_says_that_images_show_several_classes(cwd, monkeypatch):
    monkeypatch.chdir(cwd)
    said, found = (cwd / "said").read_text(), summary(cwd / "run")["dataset"]
    assert "note: several labels an image, of 10 classes: " in said
    assert "canvases: 68 images, learned from 48, several labels an image, of 10 classes" in said
    assert found["classes"] == {}
    assert found["first_look"]["training"] == 48
    images = FinishedRun(cwd / "run").images()
    shown = images.presence.values.sum(0).tolist()
    assert found["present"] == dict(zip("0123456789", shown, strict=True))


def test_no_number_is_of_single_classes(cwd):
    numbers = summary(cwd / "run")["measures"]["numbers"]
    assert not [name for name in numbers if "knn" in name or "linear" in name]


def test_the_map_keeps_what_each_image_shows(cwd):
    with np.load(cwd / "run/embedding.npz") as arrays:
        presence, names = arrays["presence"], arrays["class_names"]
        assert "label" not in arrays
        combinations = arrays["classes_names"][arrays["classes"]]
    assert presence.shape == (68, 10)
    for shown, text in zip(presence, combinations, strict=True):
        assert text == (", ".join(names[shown]) or "none")
    loaded = load_run(cwd / "run")
    assert np.array_equal(loaded.presence, presence)
    assert loaded.labels is None
    assert loaded.class_names == tuple("0123456789")
    assert loaded.columns()["classes"].tolist() == combinations.tolist()


def test_it_serves_like_any_other(cwd):
    dimred(cwd, "view", "run")
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24), dtype=np.uint8)
    np.savez(cwd / "new.npz", images=images)
    dimred(cwd, "embed", "run", "new.npz", "--out", "placed.csv")
    with (cwd / "placed.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    dimred(cwd, "inspect", "run")


def test_canvases_that_are_not_kept_are_made_to_look_at_a_run(cwd, monkeypatch):
    monkeypatch.chdir(cwd)
    for file in (cwd / "data/.dimred-cache").iterdir():
        file.unlink()
    assert len(FinishedRun(cwd / "run").images()) == 68
    assert not list((cwd / "data/.dimred-cache").iterdir())


def test_a_stopped_run_goes_on_to_the_same_result(tmp_path, monkeypatch):
    words = [*CANVASES, *LEARN, *SMALL, "dataset.root=null", "pairing.scales=[0.7,1.4]"]
    words += ["pairing.shift_x=2", "checkpoint_every=0", "device.name=cpu"]
    whole, stopped = (compose.composed([*words, f"run_dir={tmp_path / n}"]) for n in ("a", "b"))
    run(whole, [])
    with monkeypatch.context() as patch:
        crash_after(patch, 3)
        with pytest.raises(Crash):
            run(stopped, [])
    run(stopped, [])
    first, second = ((tmp_path / n / "embedding.npz").read_bytes() for n in ("a", "b"))
    assert first == second


def test_a_folder_whose_table_names_all_classes(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    lines = ["file,classes,split"]
    for i in range(40):
        pixels = rng.integers(0, 100, (8, 8), dtype=np.uint8)
        pixels[:, :4] += 100 * (i % 2)
        pixels[:, 4:] += 100 * (i % 3 == 0)
        Image.fromarray(pixels).save(tmp_path / f"photos/{i:02d}.png")
        names = ["left"] * (i % 2) + ["right"] * (i % 3 == 0)
        lines.append(f"{i:02d}.png,{';'.join(names)},{'test' if i % 4 == 0 else 'train'}")
    (tmp_path / "photos/list.csv").write_text("\n".join(lines))
    words = ["dataset=image_folder", "dataset.root=photos", "dataset.table=list.csv"]
    words += ["dataset.image_size=8", "schedule.stages.train.out_dim=2"]
    dimred(tmp_path, "train", *LEARN, *SMALL, *words)
    path = only_run(tmp_path)
    assert summary(path)["dataset"]["present"] == {"left": 20, "right": 14}
    with np.load(path / "embedding.npz") as arrays:
        assert arrays["classes_names"].tolist() == ["none", "left", "right", "left, right"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["dataset=digits"], ["pairing=class_presence", "do not say which of several classes"]),
        ([*CANVASES, "pairing=class_target", "loss=cross_entropy"], ["class_target", "presence"]),
        ([*CANVASES, "pairing=augmentation"], ["loss=binary_logistic goes with", "class_presence"]),
        ([*CANVASES, "loss=squared_error"], ["squared_error"]),
        ([*CANVASES, "schedule.stages.train.out_dim=9"], ["out_dim=9", "must be 10"]),
        ([*CANVASES, "dataset.classes=[3]"], ["dataset.classes=['3']", "several classes"]),
        ([*CANVASES, "dataset.train_per_class=3"], ["dataset.train_per_class=3", "several"]),
        ([*CANVASES, "dataset.counts=[2,1]"], ["dataset.counts=[2, 1]", "the smaller first"]),
        ([*CANVASES, "dataset.size=4"], ["dataset.size=4", "at least 8"]),
        ([*CANVASES, "dataset.source=fonts"], ["dataset.source=fonts", "mnist"]),
        ([*CANVASES, "dataset.source=mnist"], ["dataset.root='data'", "dataset.download=true"]),
        ([*CANVASES, "pairing.scales=[1.4,0.7]"], ["pairing.scales=[1.4, 0.7]", "smaller first"]),
        ([*CANVASES, "pairing.scales=[1]"], ["pairing.scales=[1.0]", "two numbers"]),
        (
            [*CANVASES, "pairing.scales=[0.7,1.4]", "model=lenet", "model.score_pool=none"],
            ["pairing.scales=[0.7, 1.4]: model=lenet takes images of one size"],
        ),
        (
            [*CANVASES, "pairing.scales=[0.1,1]", *SQUEEZENET],
            ["pairing.scales=[0.1, 1.0]: model=torchvision takes no images of 2x2 (", "Kernel"],
        ),
        (
            [*CANVASES, "model.test_scales=[1,0.1]", *SQUEEZENET],
            ["model.test_scales=[1.0, 0.1]: model=torchvision takes no images of 2x2 ("],
        ),
        (["dataset=voc2012"], ["dataset.root='data'", "no VOCdevkit/VOC2012 there"]),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, words, parts):
    line = refused(tmp_path, "train", *LEARN, *words)
    for part in parts:
        assert part in line
    assert not (tmp_path / "outputs").exists()
