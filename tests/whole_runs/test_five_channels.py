"""Every command on a run on images of five channels."""

import json
from contextlib import chdir

import numpy as np
import pytest
from command import SMOKE, dimred, refused

from dimred import load_run
from dimred.run import views

pytestmark = pytest.mark.usefixtures("no_figures_here")
MICROSCOPY = ["pairing=augmentation_microscopy", "pairing.channel_drop=0.1", "pairing.erase=0.2"]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A run on an array of 12-bit images, and a folder with some of them as files."""
    folder = tmp_path_factory.mktemp("five")
    generator = np.random.default_rng(0)
    images = generator.integers(0, 4096, (96, 5, 20, 20)).astype(np.uint16)
    labels = np.arange(96) % 2
    images[labels == 1, 3] //= 2
    split = np.array(["train", "test"])[(np.arange(96) % 4 == 3).astype(int)]
    np.savez(folder / "mine.npz", images=images, labels=labels, split=split)
    np.savez(folder / "new.npz", images=images[:24])
    words = ["dataset=npz", "dataset.path=mine.npz", "dataset.limit=null", "eval.every=0"]
    words += ["eval.k=[5]", "eval.linear=sgd", "eval.linear_epochs=2", "eval.references=true"]
    words += ["schedule.stages.pretrain.epochs=1", "schedule.stages.finetune.epochs=1"]
    words += ["schedule.batch_size=48", "device.threads=1", "run_dir=run"]
    out, _ = dimred(folder, *SMOKE, *words, *MICROSCOPY)
    assert "5 channels" in out
    return folder


def test_it_is_measured(cwd):
    summary = json.loads((cwd / "run/summary.json").read_text())
    assert summary["dataset"]["shape"] == [5, 20, 20]
    assert summary["dataset"]["rgb"] is False
    assert 0 <= summary["linear"]["accuracy"] <= 1
    assert {"knn5_pixels_official", "knn5_pca2_random"} <= summary["references"].keys()
    assert not summary["measures"]["failed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["view", "run"], "run/map.html"),
        (["inspect", "run"], "label_issues"),
        (["compare", "run", "RUN:class=0", "RUN:class=1", "--permutations", "119"], "AUC"),
        (["locate", "run"], "the square that matters most"),
        (["plot", "stages", "run"], "stages.png"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_commands_take_it(cwd, words, said):
    out, _ = dimred(cwd, *words)
    assert said in out


def test_images_are_placed_through_the_window_of_the_run(cwd):
    """The same images are at the same places, although a window of these 24 would be another."""
    out, _ = dimred(cwd, "embed", "run", "new.npz", "--out", "placed")
    assert "24 images placed" in out
    with np.load(cwd / "placed.npz") as placed, np.load(cwd / "run/embedding.npz") as run:
        np.testing.assert_allclose(placed["z"], run["z"][:24], atol=1e-5)


def test_views_are_drawn_in_the_channels_that_are_named(cwd, monkeypatch):
    drawn, sheet = [], views.sheet
    monkeypatch.setattr(views, "sheet", lambda *args: drawn.append(args) or sheet(*args))
    dimred(cwd, "plot", "views", "run", "--channels", "0,4", "--out", "x.png")
    ((tiles, _, _, said, legend),) = drawn
    assert said.endswith("channels 0, 4 as green, magenta")
    assert "hue" not in legend
    with chdir(cwd):
        images = load_run("run").images()
    first = images[int(tiles[0].heading.removeprefix("image "))]
    magenta, green, _ = shown = tiles[0].pictures[0].image
    assert np.array_equal(green, first[0])
    assert np.array_equal(magenta, first[4])
    assert np.array_equal(shown[2], first[4])


def test_it_is_exported(cwd):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out, _ = dimred(cwd, "export", "run")
    assert out.startswith("images: uint8 (N, 5, 20, 20) -> h")


def test_few_labels_are_probed(cwd):
    words = ["--labels", "1", "--draws", "1", "--steps", "2"]
    dimred(cwd, "probe", "run", *words)
    (curve,) = ((path / "table.csv").read_text() for path in (cwd / "run/probed").iterdir())
    methods = [line.split(",")[1] for line in curve.splitlines()[1:]]
    assert methods == ["probe", "finetune", "scratch", "random", "pixels"]


def test_other_methods_are_measured_and_those_for_photographs_left_out(cwd):
    out, _ = dimred(cwd, "baselines", "run", "--only", "pixels,pixels_pca,h_pca")
    assert out.count("trustworthiness") == 3
    line = refused(cwd, "baselines", "run", "--only", "imagenet")
    assert "needs gray or RGB images, and these have 5 channels of their own" in line
