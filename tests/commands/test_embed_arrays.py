"""Arrays of more than bytes, in .npy and .npz files, from training to new images."""

import json
import re
import shutil

import numpy as np
import pytest
from command import SMOKE, dimred, refused

from dimred.analysis.new_images import NewImages
from dimred.analysis.placed_rows import placed_rows
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

TRAIN = [*SMOKE, "dataset.limit=null", "eval.every=0", "eval.linear=none"]
DIM = np.random.default_rng(1).integers(100, 500, (80, 10, 16)).astype(np.uint16)


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """A run on dim images of 16 bits in an .npy file, which is then gone."""
    cwd = tmp_path_factory.mktemp("deep")
    np.save(cwd / "mine.npy", DIM)
    dimred(cwd, *TRAIN, "dataset=npz", "dataset.path=mine.npy", "run_dir=run", "eval.k=[5]")
    (cwd / "mine.npy").unlink()
    return cwd / "run"


def embedding(path):
    with np.load(path) as content:
        return content["z"]


def test_new_arrays_go_through_the_window_of_the_run(deep, tmp_path):
    dataset = json.loads((deep / "summary.json").read_text())["dataset"]
    assert dataset["window"] == {"uint16": [[100.0, 499.0]]}
    bright = DIM.copy()
    bright[40:] += 20_000  # which a window of their own would make the others black for
    np.save(tmp_path / "new.npy", bright)
    np.savez_compressed(tmp_path / "new.npz", images=bright[:, np.newaxis], axes="NCHW")
    own = embedding(deep / "embedding.npz")
    for name in ("new.npy", "new.npz"):
        out, _ = dimred(tmp_path, "embed", str(deep), name, "--out", "x")
        assert out.startswith("80 images placed")
        assert np.abs(embedding(tmp_path / "x.npz")[:40] - own[:40]).max() < 1e-5
        assert np.abs(embedding(tmp_path / "x.npz")[40:] - own[40:]).max() > 1e-3


def test_the_page_shows_new_arrays_as_the_run_sees_them(deep, tmp_path):
    run = shutil.copytree(deep, tmp_path / "run")
    np.save(tmp_path / "new.npy", DIM)
    dimred(tmp_path, "embed", str(run), "new.npy")
    finished = FinishedRun(run)
    rows = placed_rows(finished)
    expected = np.rint((DIM - 100.0) * (255 / 399)).clip(0, 255)
    for picture, pixels in zip(rows.pictures(finished, 96), expected, strict=True):
        assert np.array_equal(picture[0], pixels)
    np.save(tmp_path / "new.npy", DIM[:40].astype(np.int32))
    assert rows.pictures(finished, 96) == [None] * 80


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (np.zeros((2, 5, 10, 16), np.uint16), "has 5 channels, where the run's images are gray"),
        (np.zeros((2, 20, 20), np.uint16), "images of 20x20 pixels"),
        (np.zeros((2, 10, 16), np.int32), "is int32, where the run's dataset.window is of uint16"),
        (np.full((2, 10, 16), 0.5), "is float64, where the run's dataset.window is of uint16"),
        (np.zeros((10, 16), np.uint16), "has shape (10, 16); must be (N, H, W)"),
    ],
)
def test_arrays_that_the_run_cannot_take(deep, tmp_path, array, part):
    np.save(tmp_path / "new.npy", array)
    message = refused(tmp_path, "embed", str(deep), "new.npy")
    assert message.startswith("dimred: new.npy: array 'images' ")
    assert part in message


def test_channels_that_are_no_colors_are_not_made_gray(deep, tmp_path):
    images = np.random.default_rng(3).integers(0, 500, (4, 3, 10, 16)).astype(np.uint16)
    np.savez(tmp_path / "new.npz", images=images, rgb=False)
    message = refused(tmp_path, "embed", str(deep), "new.npz")
    assert "array 'images' has 3 channels that are no colors, where the run's images" in message
    np.savez(tmp_path / "new.npz", images=images)
    out, _ = dimred(tmp_path, "embed", str(deep), "new.npz", "--out", "x")
    assert "4 in color, made gray" in out


def test_colors_are_no_three_channels_of_another_kind(tmp_path):
    images = np.random.default_rng(4).integers(0, 256, (64, 3, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=images, rgb=False)
    short = ["schedule.stages.pretrain.epochs=1", "schedule.stages.finetune.epochs=1"]
    words = ["dataset=npz", "dataset.path=mine.npz", "run_dir=run", "eval.k=[5]"]
    dimred(tmp_path, *TRAIN, *short, *words)
    for rgb in ({}, {"rgb": True}):
        np.savez(tmp_path / "new.npz", images=images, **rgb)
        message = refused(tmp_path, "embed", "run", "new.npz")
        said = "is in color, where the run's images have 3 channels that are no colors"
        assert f"new.npz: array 'images' {said}" in message
    dimred(tmp_path, "embed", "run", "mine.npz", "--out", "x")
    run = FinishedRun(tmp_path / "run")
    assert np.abs(embedding(tmp_path / "x.npz") - run.map.z).max() < 1e-5
    ((_, pixels),) = NewImages(run, images[:2]).batches()  # in memory nothing says
    assert np.array_equal(pixels, images[:2])


def test_a_run_of_an_earlier_version_has_the_range_of_the_type(tmp_path):
    dim = np.random.default_rng(2).random((80, 8, 8)).astype(np.float32) * 0.3
    np.savez(tmp_path / "mine.npz", images=dim)
    words = ["dataset=npz", "dataset.path=mine.npz", "dataset.window=type", "run_dir=run"]
    dimred(tmp_path, *TRAIN, *words, "eval.k=[5]")
    config, summary = tmp_path / "run/config.yaml", tmp_path / "run/summary.json"
    config.write_text(re.sub("(?m)^  (window|store|store_folder): .*\n", "", config.read_text()))
    record = json.loads(summary.read_text())
    del record["dataset"]["rgb"], record["dataset"]["window"]
    summary.write_text(json.dumps(record))
    run = FinishedRun(tmp_path / "run", root=str(tmp_path / "mine.npz"))
    assert np.array_equal(run.images().images[:, 0].numpy(), np.rint(dim * 255))
    np.save(tmp_path / "new.npy", dim)
    dimred(tmp_path, "embed", "run", "new.npy", "--out", "x")
    assert np.abs(embedding(tmp_path / "x.npz") - run.map.z).max() < 1e-5
    np.savez(tmp_path / "mine.npz", images=dim[::-1])
    said = refused(tmp_path, "view", "run", "--root", "mine.npz")
    assert "changed since it was trained, or this version reads them otherwise" in said
