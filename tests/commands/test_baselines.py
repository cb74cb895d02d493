"""`dimred baselines` on few images, with methods that fail, and on damaged runs. Its numbers are
tested with whole tables."""

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command import SMOKE, dimred, refused

from dimred.analysis import baselines, other_methods
from dimred.analysis.other_methods import BASELINES, provide_compile_cache
from dimred.files import private_cache


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run on 18 images of two classes."""
    cwd = tmp_path_factory.mktemp("baselines")
    images = np.random.default_rng(0).integers(0, 256, (18, 8, 8), dtype=np.uint8)
    np.savez(cwd / "own.npz", images=images, labels=np.arange(18) % 2)
    words = ["dataset=npz", "dataset.path=own.npz", "dataset.limit=null", "eval.linear=none"]
    words += ["schedule.batch_size=8", "eval.k=[3]", "eval.every=0", "run_dir=run"]
    dimred(cwd, *SMOKE, *words)
    return cwd


def test_trustworthiness_is_left_out_of_few_images(made):
    out, _ = dimred(made, "baselines", "run", "--only", "z,pixels")
    assert out.count("trustworthiness15 left out: needs 31 images") == 2
    found = json.loads((made / "run/baselines.json").read_text())
    assert {key for key in found["z"] if key.endswith(("15", "15_random"))} == {"knn15_random"}
    assert "raw pixels" in dimred(made, "table", "baselines", "--outputs", ".")[0]


def test_of_many_images_some_are_drawn_and_it_is_said(made, monkeypatch):
    monkeypatch.setattr(baselines, "MAX_PIXEL_VALUES", 34 * 64)
    words = ["baselines", "run", "--again", "--only"]
    out, _ = dimred(made, *words, "pixels_pca")
    assert "images drawn" not in out
    monkeypatch.setattr(baselines, "_K", 2)
    monkeypatch.setattr(baselines, "MAX_PIXEL_VALUES", 11 * 64 + 1)
    monkeypatch.setitem(BASELINES, "h_pca", replace(BASELINES["h_pca"], max_images=9))
    out, _ = dimred(made, *words, "pixels_pca,h_pca")
    pixels, h = out.splitlines()[:2]
    assert pixels.endswith(", of 11 images drawn")
    assert h.endswith(", of 9 images drawn")
    found = json.loads((made / "run/baselines.json").read_text())
    assert [found[name]["images"] for name in ("pixels_pca", "h_pca")] == [11, 9]
    with np.load(made / "run/baselines/pixels_pca.npz") as content:
        assert len(set(content["index"].tolist())) == len(content["z"]) == 11
    for name in ("pixels_umap", "pixels_tsne", "h_umap", "h_tsne"):
        assert BASELINES[name].max_images == 100_000


def test_methods_are_left_out_where_too_few_images_fit(made, monkeypatch):
    monkeypatch.setattr(baselines, "MAX_PIXEL_VALUES", 17 * 64)
    line = refused(made, "baselines", "run", "--again", "--only", "pixels")
    assert "--only pixels: 31 images have more than 1,088 values" in line


@contextmanager
def changed(file):
    """The content of a JSON file, which is put back at the end."""
    before = file.read_text()
    try:
        yield json.loads(before)
    finally:
        file.write_text(before)


def raises(*_):
    raise RuntimeError("cannot cache function 'seed'\nand more")


def is_not_finite(points, *_):
    return np.full((len(points), 2), np.nan)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (raises, "it failed (RuntimeError: cannot cache function 'seed')"),
        (is_not_finite, "it failed (its map is not finite)"),
    ],
)
def test_a_method_that_fails_loses_no_other(made, monkeypatch, place, said):
    monkeypatch.setitem(BASELINES, "pixels_tsne", replace(BASELINES["pixels_pca"], place=place))
    methods = "pixels_tsne,pixels_pca"
    out, err = dimred(made, "baselines", "run", "--again", "--only", methods, code=1)
    assert out.startswith(f"pixels_tsne    left out: {said}\npixels_pca     knn15_random")
    assert err == ""
    assert "pixels_tsne" not in json.loads((made / "run/baselines.json").read_text())


@pytest.mark.parametrize("value", [None, "1", float("nan")])
def test_a_training_time_that_is_no_number_is_refused(made, value):
    file = made / "run/summary.json"
    with changed(file) as content:
        content["training_seconds"] = value
        file.write_text(json.dumps(content))
        assert "damaged" in refused(made, "baselines", "run", "--again", "--only", "z")


def test_a_session_without_threads_is_refused(made):
    file = made / "run/environment.json"
    with changed(file) as content:
        del content["sessions"][-1]["threads"]
        file.write_text(json.dumps(content))
        line = refused(made, "baselines", "run", "--again", "--only", "z")
        assert line == "dimred: run/environment.json: its last session has no threads\n"


def test_numba_keeps_what_it_compiles_in_a_private_folder_where_it_has_no_other(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    provide_compile_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    provide_compile_cache()  # the packages or the home can be written here
    assert "NUMBA_CACHE_DIR" not in os.environ
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(other_methods, "can_be_written", lambda folder: False)
    provide_compile_cache()
    folder = Path(os.environ.pop("NUMBA_CACHE_DIR"))
    assert folder == tmp_path / f"dimred-cache-{os.getuid()}" / "numba"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # so that it is taken back at the end


def test_a_private_folder_that_others_can_write_is_not_used(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first = private_cache("fonts")
    assert private_cache("fonts") == first
    first.parent.chmod(0o770)
    second = private_cache("fonts")
    assert second.parent != first.parent
    assert second.parent.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(first.parent)
    first.parent.symlink_to(second.parent)
    assert private_cache("fonts").parent not in (first.parent, second.parent)


def test_without_a_home_no_folder_is_made_for_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(other_methods, "expanded", Path)  # an unknown home stays as it is
    assert not other_methods._home_can_be_written()
    assert list(tmp_path.iterdir()) == []
