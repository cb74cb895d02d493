"""Image files as a source of pixels: what its key is of, and the same images from disk."""

import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_image_folder import SIZE, load, save

from dimred.data import folder_source
from dimred.data.channels import Channels
from dimred.data.folder_source import FolderSource
from dimred.data.own_options import Store
from dimred.data.reading import Reading
from dimred.data.window import Window

NAMES = ("a.png", "b.png", "c.tif")


def folder(path):
    for i, name in enumerate(NAMES[:2]):
        save(path / name, Image.new("L", (SIZE, SIZE), 50 * i))
    tifffile.imwrite(path / "c.tif", np.arange(64, dtype=np.uint16).reshape(8, 8))
    return path


def key(path, names=NAMES, size=SIZE, **reading):
    paths = [str(path / name) for name in NAMES]
    return FolderSource(paths, names, Channels(1), (size, size), Reading(**reading)).key()


def test_a_key_is_of_content_and_of_how_it_is_read_not_of_the_place(tmp_path):
    here = folder(tmp_path / "here")
    first = key(here)
    assert len(first) == 32
    shutil.move(here, tmp_path / "there")
    there = tmp_path / "there"
    assert key(there) == first
    window = Window({"uint16": ((0.0, 63.0),)})
    others = [
        key(there, names=("a.png", "b.png", "d.tif")),
        key(there, size=9),
        key(there, window=window),
        key(there, pages="images"),
    ]
    save(there / "b.png", Image.new("L", (SIZE, SIZE), 51))
    others.append(key(there))
    assert len({first, *others}) == 6


@pytest.mark.parametrize("package", ["Pillow", "tifffile", "imagecodecs", "pillow-heif"])
def test_a_key_is_of_the_versions_of_what_decodes(tmp_path, monkeypatch, package):
    here = folder(tmp_path)
    first = key(here)

    def other(name):
        return "0.1" if name == package else found(name)

    found = folder_source.version

    monkeypatch.setattr(folder_source, "version", other)
    assert key(here) != first


def test_blocks_of_any_size_are_the_same_bytes(tmp_path):
    paths = [str(folder(tmp_path) / name) for name in NAMES]
    (tmp_path / "b.png").write_bytes(b"")
    source = FolderSource(paths, NAMES, Channels(3), (SIZE, SIZE))
    whole = source.read(0, 3)
    assert whole.pixels.shape == (2, 3, SIZE, SIZE)
    assert whole.problems == {1: "is empty"}
    assert [image.kind for image in whole.about] == ["PNG L", "TIFF uint16"]
    parts = [source.read(i, i + 1).pixels for i in range(3)]
    assert np.array_equal(np.concatenate(parts), whole.pixels)


def test_a_folder_from_disk_is_the_same_as_from_memory(tmp_path):
    for number in range(40):
        values = np.random.default_rng(number).integers(0, 4096, (SIZE, SIZE))
        (tmp_path / "x/a").mkdir(parents=True, exist_ok=True)
        (tmp_path / "x/b").mkdir(parents=True, exist_ok=True)
        file = tmp_path / f"x/{'ab'[number % 2]}/{number}.tif"
        tifffile.imwrite(file, values.astype(np.uint16))
    (tmp_path / "x/a/0.tif").write_bytes(b"II*\0 damaged")
    memory = load(tmp_path / "x")
    for _ in range(2):  # packed, then found
        disk = load(tmp_path / "x", store=Store.disk, store_folder=tmp_path / "packed")
        assert disk.fingerprint() == memory.fingerprint()
        assert disk.unreadable == memory.unreadable == ("a/0.tif",)
        assert disk.found == memory.found
        assert disk.window == memory.window
