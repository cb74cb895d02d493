"""Every command on a run on images of five channels."""

import json

import numpy as np
import pytest
from command import SMOKE, dimred, refused

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
    np.savez(folder / "new.npz", images=images[:24] // 2)
    words = ["dataset=npz", "dataset.path=mine.npz", "dataset.limit=null", "eval.every=0"]
    words += ["eval.k=[5]", "eval.linear=sgd", "eval.linear_epochs=2", "eval.references=true"]
    out, _ = dimred(folder, *SMOKE, *words, *MICROSCOPY, "schedule.batch_size=24", "run_dir=run")
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
        (["embed", "run", "new.npz"], "24 images placed"),
        (["compare", "run", "RUN:class=0", "RUN:class=1", "--permutations", "119"], "AUC"),
        (["locate", "run"], "the square that matters most"),
        (["plot", "views", "run", "--channels", "0,4"], "views.png"),
        (["plot", "stages", "run"], "stages.png"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)
def test_commands_take_it(cwd, words, said):
    out, _ = dimred(cwd, *words)
    assert said in out


def test_it_is_exported(cwd):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out, _ = dimred(cwd, "export", "run")
    assert out.startswith("images: uint8 (N, 5, 20, 20) -> h")


def test_few_labels_are_probed(cwd):
    words = ["--labels", "1", "--draws", "1", "--steps", "2"]
    out, _ = dimred(cwd, "probe", "run", *words)
    assert "pixels" in out
    curve = json.loads(next((cwd / "run/probed").rglob("result.json")).read_text())
    assert "scratch" in json.dumps(curve)


def test_other_methods_are_measured_and_those_for_photographs_left_out(cwd):
    out, _ = dimred(cwd, "baselines", "run", "--only", "pixels,pixels_pca,h_pca")
    assert out.count("trustworthiness") == 3
    line = refused(cwd, "baselines", "run", "--only", "imagenet")
    assert "needs gray or RGB images, and these have 5 channels of their own" in line
