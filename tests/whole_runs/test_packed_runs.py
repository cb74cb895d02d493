"""Runs on a packed file end in the same bytes as runs from memory, stopped or not."""

import numpy as np
import pytest
from command import SMOKE, dimred, refused, summary
from crash import Crash, crash_after
from PIL import Image

from dimred.data import packed
from dimred.run_folder.finished import FinishedRun

pytestmark = pytest.mark.usefixtures("no_figures_here")

WORDS = [
    *SMOKE,
    "dataset=image_folder",
    "dataset.limit=null",
    "dataset.root=photos",
    "dataset.image_size=8",
    "eval.k=[5]",
    "eval.linear=none",
    "schedule.batch_size=16",
    "checkpoint_every=0",
]


def photographs(folder, n=60):
    random = np.random.default_rng(0)
    for i in range(n):
        file = folder / f"class{i % 2}" / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (9, 8, 3), dtype=np.uint8)).save(file)
    (folder / "class0/torn.png").write_bytes((folder / "class0/00.png").read_bytes()[:60])


def results(path):
    content = summary(path)
    assert content["dataset"]["unreadable"] == ["class0/torn.png"]
    for key in ("images_per_s", "seconds"):
        content["final"].pop(key)
    parts = {key: content[key] for key in ("dataset", "final", "verdict")}
    return (path / "embedding.npz").read_bytes(), (path / "weights.safetensors").read_bytes(), parts


def test_a_run_from_disk_killed_while_packing_and_training_is_the_run_from_memory(
    tmp_path, monkeypatch, capfd
):
    photographs(tmp_path / "photos")
    dimred(tmp_path, *WORDS, "dataset.store=memory", "run_dir=memory")
    on_disk = [*WORDS, "dataset.store=disk", "dataset.store_folder=packs", "run_dir=disk"]
    with monkeypatch.context() as patch:

        def power_cut(*_):
            raise Crash

        patch.setattr(packed, "last_line", power_cut)
        with pytest.raises(Crash):
            dimred(tmp_path, *on_disk)
    assert not list((tmp_path / "packs").glob("*.pixels"))
    with monkeypatch.context() as patch:
        saved = crash_after(patch, 2)
        with pytest.raises(Crash):
            dimred(tmp_path, *on_disk)
    assert saved[-1].step  # amid an epoch
    dimred(tmp_path, *on_disk)
    (pack,) = (tmp_path / "packs").glob("*.pixels")
    assert results(tmp_path / "disk") == results(tmp_path / "memory")
    pack.unlink()
    capfd.readouterr()
    monkeypatch.chdir(tmp_path)
    FinishedRun(tmp_path / "disk").images()  # to look at it: what takes gigabytes is said
    assert f"packing 61 images into packs/{pack.name}: " in capfd.readouterr().err


def test_a_folder_for_packs_that_is_a_file_is_refused_in_one_line(tmp_path):
    photographs(tmp_path / "photos", 20)
    (tmp_path / "packs").write_text("")
    line = refused(tmp_path, *WORDS, "dataset.store=disk", "dataset.store_folder=packs")
    assert "packs cannot be written" in line
    assert "set dataset.store_folder=FOLDER" in line
