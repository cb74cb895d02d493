"""A run on five-channel TIFFs through the command, and new images, which are read alike."""

import json

import numpy as np
import pytest
import tifffile
from command import SMOKE, dimred, refused, summary
from PIL import Image

from dimred import load_run
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

SIZE, CHANNELS = 8, 5
TRAIN = [*SMOKE, "dataset=image_folder", "dataset.limit=null", "eval.every=0", "eval.linear=none"]
TRAIN += [f"dataset.image_size={SIZE}", "model.widths=[4,8]"]


def stack(number, channels=CHANNELS):
    """(channels, SIZE, SIZE) of values 100 to 500, brighter where the class is odd."""
    rng = np.random.default_rng(number)
    values = rng.integers(100, 300, (channels, SIZE, SIZE)) + 200 * (number % 2)
    return values.astype(np.uint16)


def write(path, values, axes="CYX"):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, values, photometric="minisblack", ome=True, metadata={"axes": axes})


@pytest.fixture(scope="module")
def stains(tmp_path_factory):
    """A run on OME-TIFFs, of which one is of another kind."""
    cwd = tmp_path_factory.mktemp("stains")
    for number in range(80):
        write(cwd / f"cells/{'ab'[number % 2]}/{number:02d}.ome.tif", stack(number))
    Image.new("L", (SIZE, SIZE)).save(cwd / "cells/a/snap.png")
    said = dimred(cwd, *TRAIN, "dataset.root=cells", "run_dir=run")[0]
    return cwd, said


def test_what_was_chosen_is_said_and_kept(stains):
    cwd, said = stains
    line = "window: uint16 as 100 to 499 in each channel; 256 levels in each channel\n"
    assert line in said
    assert "5 channels" in said
    dataset = json.loads((cwd / "run/summary.json").read_text())["dataset"]
    assert dataset["shape"] == [CHANNELS, SIZE, SIZE]
    assert not dataset["rgb"]
    assert dataset["unreadable"] == ["a/snap.png"]
    assert dataset["first_look"]["unreadable"][0]["reason"] == "is gray, where most have 5 channels"
    assert [len(pair) for pair in dataset["window"]["uint16"]] == [2] * CHANNELS
    assert min(dataset["first_look"]["levels_kept"]) > 200


def test_new_images_are_read_by_the_window_of_the_run(stains, tmp_path):
    cwd, _ = stains
    run = load_run(cwd / "run")
    for number in (3, 78):
        write(tmp_path / f"new/{number}.tif", stack(number))
    placed = run.place([str(tmp_path / "new")], k=1)
    on, nearest = FinishedRun(cwd / "run").map, placed.neighbors[:, 0]
    sources = on.sources[nearest].tolist()
    assert sources == ["b/03.ome.tif", "a/78.ome.tif"]
    np.testing.assert_allclose(placed.z, on.z[nearest], atol=1e-5)


def test_images_of_other_channels_are_left_out(stains, tmp_path):
    cwd, _ = stains
    write(tmp_path / "a.tif", stack(1))
    write(tmp_path / "b.tif", stack(1, 3))
    Image.new("RGB", (SIZE, SIZE)).save(tmp_path / "c.png")
    write(tmp_path / "d.tif", stack(1, 10).reshape(2, 5, SIZE, SIZE), "ZCYX")
    np.save(tmp_path / "e.npy", np.zeros((5, 17, 17), np.float32) + 3)  # as labels beside images
    said, err = dimred(cwd, "embed", "run", str(tmp_path), "--out", str(tmp_path / "x"))
    assert "where the run's images have 5" in said + err
    left_out = dict(load_run(cwd / "run").place([str(tmp_path)]).left_out)
    reasons = {name.rpartition("/")[2]: reason for name, reason in left_out.items()}
    assert reasons == {
        "b.tif": "has 3 channels that are no colors, where the run's images have 5",
        "c.png": "is in color, where the run's images have 5 channels",
        "d.tif": "has 2 pages (Z); the run's files are of one image each: save each page as a "
        "file, or train a run with dataset.pages=images",
    }


def test_strict_refuses_the_set_in_a_line(stains, tmp_path):
    cwd, _ = stains
    line = refused(cwd, *TRAIN, "dataset.root=cells", "dataset.strict=true", "run_dir=strict")
    assert "'a/snap.png' cannot be read: is gray, where most have 5 channels" in line


def test_the_images_of_a_run_are_read_again_whatever_is_new(stains, monkeypatch):
    cwd, _ = stains
    monkeypatch.chdir(cwd)
    write(cwd / "cells/b/new.tif", 10 * stack(1))  # would change the window
    try:
        images = FinishedRun(cwd / "run").images()
    finally:
        (cwd / "cells/b/new.tif").unlink()
    assert images.images.shape == (80, CHANNELS, SIZE, SIZE)


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    """A run on the pages of TIFFs, and on a table that names files and pages."""
    cwd = tmp_path_factory.mktemp("slices")
    for number in range(20):
        values = np.stack([stack(2 * number + page, 1)[0] for page in range(4)])
        write(cwd / f"scans/{number:02d}.tif", values, "ZYX")
    rows = [f"{number:02d}.tif,{'xy'[number % 2]}" for number in range(18)]
    rows += [f"18.tif[{page}],x" for page in range(4)]
    (cwd / "table.csv").write_text("\n".join(["file,class", *rows]) + "\n")
    words = ["dataset.pages=images", "dataset.root=scans", "dataset.table=table.csv"]
    dimred(cwd, *TRAIN, *words, "run_dir=run")
    return cwd


def test_pages_are_images_of_their_own(slices, monkeypatch):
    monkeypatch.chdir(slices)
    run = FinishedRun(slices / "run")
    sources = run.map.sources.tolist()
    assert len(sources) == 76
    assert sources[:5] == [*(f"00.tif[{page}]" for page in range(4)), "01.tif[0]"]
    assert summary(slices / "run")["dataset"]["first_look"]["files"] == 20
    now = run.files_now
    assert now.sentence == ""
    assert len(now.there) == 76
    write(slices / "new/a.tif", np.stack([stack(1, 1)[0], stack(4, 1)[0]]), "ZYX")
    placed = load_run(slices / "run").place([str(slices / "new")], k=1)
    assert [path.rpartition("/")[2] for path in placed.paths] == ["a.tif[0]", "a.tif[1]"]
    dimred(slices, "view", "run")


def test_a_set_of_pages_is_refused_until_it_is_said_what_they_are(slices):
    line = refused(slices, *TRAIN, "dataset.root=scans", "run_dir=other")
    assert "20 files have several pages, '00.tif' first (4, axes Z)" in line
