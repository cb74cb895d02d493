"""A finished run notices that its folder holds more images than it was trained on."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from dimred.data import folder_source
from dimred.data.own_options import ImageFolder
from dimred.errors import InputError
from dimred.run_folder.finished import FinishedRun


def run(root, files, **options):
    """What `FinishedRun.images` reads of a run on a folder of images."""
    dataset = ImageFolder(root=str(root), image_size=8, **options)
    fingerprint = dataset.load(seed=0).fingerprint()
    summary = {"dataset": {"rgb": False}}
    record = SimpleNamespace(files=files, fingerprint=fingerprint, summary=summary)
    finished = FinishedRun.__new__(FinishedRun)
    finished.path, finished._known, finished.record = Path("run"), None, record
    finished.config = SimpleNamespace(dataset=dataset, seed=0)
    finished.has_files = False  # what is done with files is in tests/analysis/test_run_images.py
    return finished


@pytest.fixture
def root(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    return tmp_path


@pytest.mark.parametrize("files", [None, 2])
def test_images_that_did_not_change_are_read(root, files):
    assert len(run(root, files).images()) == 2


def test_more_files_are_noticed_before_any_is_read(root, monkeypatch):
    finished = run(root, 2)
    (root / "b/2.png").write_bytes(b"")
    monkeypatch.setattr(folder_source, "decode", None)
    with pytest.raises(InputError, match=r"^run: its images have changed since it was trained$"):
        finished.images()
    del finished.record.summary["dataset"]["rgb"]  # as in runs of earlier versions
    with pytest.raises(InputError, match="trained, or this version reads them otherwise"):
        finished.images()


def test_more_files_of_other_classes_do_not_matter(root):
    finished = run(root, 2, classes=["a"])
    (root / "b/2.png").write_bytes(b"")
    assert len(finished.images()) == 1


def test_a_folder_that_is_gone_is_named(root):
    finished = run(root, 2)
    root.rename(root.with_name("moved"))
    with pytest.raises(InputError, match="give --root if the data have moved"):
        finished.images()
