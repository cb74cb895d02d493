"""The sets that docs/images.md has made are read as it says."""

from pathlib import Path

import pytest

from dimred.config.compose import composed
from dimred.data.first_look import first_look
from dimred.errors import InputError

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def sets(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import odd_images

    monkeypatch.setattr("sys.argv", ["odd_images.py", str(tmp_path / "odd"), "--count", "12"])
    odd_images.main()
    return tmp_path / "odd"


def load(folder, *words):
    config = composed(["dataset=image_folder", f"dataset.root={folder}", *words])
    return config.dataset.load(0)


def test_ramps_of_12_bits_keep_their_levels(sets):
    images = load(sets / "ramp12", "dataset.image_size=64")
    assert images.images.shape == (12, 1, 64, 64)
    assert first_look(images).kept == (256,)
    assert first_look(load(sets / "ramp12", "dataset.window=type")).kept == (17,)


def test_five_channels_are_the_same_from_files_and_from_an_array(sets):
    images = load(sets / "five")
    assert images.images.shape == (12, 5, 32, 32)
    array = composed(["dataset=npz", f"dataset.path={sets / 'five.npy'}"]).dataset.load(0)
    assert sorted(map(bytes, images.images.numpy())) == sorted(map(bytes, array.images.numpy()))


def test_heights_lie_below_zero_too(sets):
    window = load(sets / "heights").window
    ((low, high),) = window.by_type["float32"]
    assert low < -2 < 2 < high


def test_of_mixed_files_those_of_five_channels_are_read(sets):
    with pytest.raises(
        InputError, match=r"1 file has several pages, 'stack.tif' first \(4, axes Z"
    ):
        load(sets / "mixed")
    images = load(sets / "mixed", "dataset.pages=images")
    assert images.images.shape == (40, 5, 32, 32)
    named = {name for reason in images.found.unreadable for name in reason.first}
    assert named > {"broken.tif", "gray.tif", "many.tif", "rgb.tif"}
