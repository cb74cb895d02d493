"""A run on TIFF files of five channels and 16 bits: what it keeps, and what shows them."""

import shutil

import numpy as np
import pytest
from command import dimred, refused, summary
from PIL import Image
from shown import BLACK, BLUE, GREEN, MAGENTA, RED, assert_colors, has_color, page_of
from tifffile import imwrite

from dimred.run_folder.finished import FinishedRun

WORDS = [
    *("experiment=drlim_digits", "dataset=image_folder", "dataset.root=scans"),
    *("dataset.image_size=8", "dataset.classes=null", "dataset.fit_on=all", "dataset.mean=null"),
    *("dataset.std=null", "schedule.epochs_scale=0.05", "eval.linear=none", "pairing.k=2"),
    *("eval.references=false", "eval.k=[3]", "run_dir=run", "view=true"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Images that are bright, for their 12 bits, in the channel that is their class."""
    cwd = tmp_path_factory.mktemp("scans")
    rng = np.random.default_rng(0)
    for i in range(40):
        image = rng.integers(100, 600, (5, 16, 16), dtype=np.uint16)
        image[i % 5] += 3400
        file = cwd / f"scans/channel {i % 5}/{i}.ome.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        imwrite(file, image, metadata={"axes": "CYX"})
    dimred(cwd, "train", *WORDS)
    return cwd


@pytest.fixture
def cwd(made, tmp_path):
    for name in ("run", "scans"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def test_the_page_shows_what_was_kept_in_the_window_of_the_run(cwd, monkeypatch):
    assert summary(cwd / "run")["dataset"]["shape"] == [5, 8, 8]
    monkeypatch.setattr("dimred.analysis.run_images.whole_pictures", None)
    dimred(cwd, "view", "run")
    subtitle, colors, told = page_of(cwd / "run/map.html", side=16)
    assert subtitle.endswith("; channels 0, 1, 2 as red, green, blue")
    assert_colors(colors, [RED, GREEN, BLUE, BLACK, BLACK])
    assert told["files"]["windowed"]


def test_other_channels_are_read_from_the_files(cwd):
    dimred(cwd, "view", "run", "--channels", "3,4")
    subtitle, colors, _ = page_of(cwd / "run/map.html", side=16)
    assert subtitle.endswith("; channels 3, 4 as green, magenta")
    assert_colors(colors, [BLACK, BLACK, BLACK, GREEN, MAGENTA])
    shutil.move(cwd / "scans", cwd / "moved")
    said = refused(cwd, "view", "run", "--channels", "3,4")
    assert "scans" in said
    dimred(cwd, "view", "run", "--channels", "3,4", "--root", "moved")


def test_new_images_are_shown_in_the_same_channels(cwd):
    (cwd / "new").mkdir()
    shutil.copy(cwd / "scans/channel 3/3.ome.tif", cwd / "new/a.tif")
    Image.new("RGB", (16, 16), "blue").save(cwd / "new/photo.png")
    out, err = dimred(cwd, "embed", "--neighbors", "2", "--channels", "4,3,2", "run", "new")
    assert "1 image placed, 1 left out" in out
    assert "photo.png" in err
    sheet = cwd / "run/embedded/new-neighbors.png"
    assert has_color(sheet, GREEN)
    assert not has_color(sheet, RED)
    images = FinishedRun(cwd / "run", str(cwd / "scans")).images().images
    np.savez(cwd / "arrays.npz", images=images[:2].numpy())
    dimred(cwd, "embed", "run", "arrays.npz")
    out, _ = dimred(cwd, "view", "run", "--channels", "3")
    assert "no thumbnail" not in out
    _, _, told = page_of(cwd / "run/map.html", side=16)
    assert sorted(told["placed"]["names"]) == ["arrays.npz[0]", "arrays.npz[1]", "new/a.tif"]
