"""Folders of images and arrays kept in a packed file: the same set as in memory."""

import errno
import os
import shutil
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

from dimred.data import blocks, folder_source, pixels
from dimred.data.folder_source import FolderSource
from dimred.data.image_decoding import decode
from dimred.data.mapped import is_mapped
from dimred.data.own_options import ImageFolder, Npz, Store
from dimred.errors import InputError


def photographs(folder, n=12, bits=8):
    random = np.random.default_rng(0)
    for i in range(n):
        file = folder / ("train" if i % 3 else "test") / f"class{i % 2}" / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        values = random.integers(100, 400 if bits == 16 else 255, (9, 8))
        Image.fromarray(values.astype(np.uint16 if bits == 16 else np.uint8)).save(file)


def torn(folder):
    """A file whose header can be read and whose pixels cannot."""
    whole = (folder / "train/class1/01.png").read_bytes()
    (folder / "train/class1/torn.png").write_bytes(whole[:60])


def load(root, store, **options):
    return ImageFolder(root=str(root), image_size=8, store=store, **options).load(0)


def assert_same(one, other):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "images":
            assert torch.equal(a, b)
        elif isinstance(a, np.ndarray):
            assert np.array_equal(a, b)
        elif field.name == "labels":
            assert np.array_equal(a.values, b.values)
            assert a.names == b.names
        else:
            assert repr(a) == repr(b), field.name
    assert one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("options", [{}, {"limit": 7}, {"fit_classes": ["class1"]}])
def test_a_folder_on_disk_is_the_set_in_memory(tmp_path, bits, options):
    photographs(tmp_path, bits=bits)
    torn(tmp_path)
    in_memory = load(tmp_path, Store.memory, **options)
    for _ in range(2):  # made, and found
        on_disk = load(tmp_path, Store.disk, **options)
        assert is_mapped(on_disk.images)
        assert_same(on_disk, in_memory)


def test_only_what_is_selected_is_packed(tmp_path):
    photographs(tmp_path)
    load(tmp_path, Store.disk, limit=5, store_folder=str(tmp_path / "there"))
    (file,) = (tmp_path / "there").glob("*.pixels")
    assert file.stat().st_size == 5 * 64
    assert not (tmp_path / ".dimred-cache").exists()


def test_images_drawn_from_a_pack_are_those_from_memory(tmp_path):
    photographs(tmp_path)
    sets = [load(tmp_path, store, train_per_class=2) for store in (Store.memory, Store.disk)]
    assert_same(*sets)


def test_a_pack_serves_a_copy_of_the_folder_and_no_other_content(tmp_path, capfd):
    one, other, store = tmp_path / "one", tmp_path / "other", str(tmp_path / "packs")
    photographs(one)
    shutil.copytree(one, other, copy_function=shutil.copyfile)  # with other times
    load(one, Store.disk, store_folder=store)
    assert "packing 12 images" in capfd.readouterr().err
    load(other, Store.disk, store_folder=store)
    assert "packing" not in capfd.readouterr().err
    file = other / "train/class1/01.png"
    time = file.stat().st_mtime
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(file)
    os.utime(file, (time, time))
    changed = load(other, Store.disk, store_folder=store)
    assert "packing 12 images" in capfd.readouterr().err
    assert_same(changed, load(other, Store.memory))


def test_strict_refuses_what_a_pack_leaves_out(tmp_path):
    photographs(tmp_path)
    torn(tmp_path)
    assert load(tmp_path, Store.disk).unreadable == ("train/class1/torn.png",)
    with pytest.raises(InputError, match=r"'train/class1/torn\.png' cannot be read"):
        load(tmp_path, Store.disk, strict=True)


def test_a_file_that_a_disk_did_not_give_for_once_is_in_the_next_pack(tmp_path, monkeypatch):
    photographs(tmp_path)

    def failing(path, *of):
        if path.endswith("01.png"):
            raise OSError(errno.EIO, "Input/output error", path)
        return decode(path, *of)

    with monkeypatch.context() as patch:
        patch.setattr(folder_source, "decode", failing)
        assert load(tmp_path, Store.disk).unreadable == ("train/class1/01.png",)
    assert_same(load(tmp_path, Store.disk), load(tmp_path, Store.memory))


@pytest.mark.parametrize("replaced", [b"broken", None])
@pytest.mark.parametrize("stop", [True, False])
def test_files_that_are_other_for_a_while_are_not_in_a_pack(tmp_path, monkeypatch, replaced, stop):
    """Refused where packing ends, and not kept where it is stopped."""
    photographs(tmp_path)
    file, read = tmp_path / "train/class1/01.png", FolderSource.read
    good = file.read_bytes()
    monkeypatch.setattr(blocks, "_IMAGES", 4)

    def reading(self, first, end):
        if first == 0:
            file.write_bytes(replaced or (tmp_path / "train/class0/02.png").read_bytes())
        if first == 8 and stop:
            raise KeyboardInterrupt
        return read(self, first, end)

    with monkeypatch.context() as patch:
        patch.setattr(FolderSource, "read", reading)
        with pytest.raises(KeyboardInterrupt if stop else InputError):
            load(tmp_path, Store.disk)
    file.write_bytes(good)
    assert_same(load(tmp_path, Store.disk), load(tmp_path, Store.memory))


@pytest.mark.parametrize("compressed", [True, False])
def test_arrays_on_disk_are_those_in_memory(tmp_path, compressed):
    images = np.random.default_rng(0).integers(100, 3000, (10, 18, 17, 5), dtype=np.uint16)
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / "mine.npz", images=images, labels=np.arange(10) % 2)
    options = Npz(path=str(tmp_path / "mine.npz"))
    sets = [replace(options, store=store).load(0) for store in (Store.memory, Store.disk)]
    assert is_mapped(sets[1].images)
    assert_same(*sets)


def test_a_pack_does_not_hide_values_outside_the_range_of_their_type(tmp_path):
    np.save(tmp_path / "mine.npy", np.linspace(-1, 2, 300 * 64).reshape(300, 8, 8))
    options = Npz(path=str(tmp_path / "mine.npy"), store=Store.disk)
    replace(options, window=[0, 1]).load(0)  # whose ranges are the same
    with pytest.raises(InputError, match=r"go from -1 to .*, not 0 to 1"):
        replace(options, window="type").load(0)


def test_a_set_that_memory_does_not_hold_is_refused_unless_it_may_be_on_disk(tmp_path, monkeypatch):
    photographs(tmp_path)
    monkeypatch.setattr("dimred.data.free_memory.free_memory", lambda: 100)
    monkeypatch.setattr(pixels, "free_memory", lambda: 100)
    with pytest.raises(InputError) as error:
        load(tmp_path, Store.memory)
    message = str(error.value)
    assert message.startswith("dataset.image_size=8: 12 images of 1x8x8 bytes need ")
    assert message.endswith("make them smaller or set dataset.store=disk")
    assert is_mapped(load(tmp_path, Store.auto).images)
