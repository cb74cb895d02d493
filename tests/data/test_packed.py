"""Images in a packed file: the same bytes as from memory, whatever happens while it is made."""

import os
import time

import numpy as np
import pytest
import torch
from packs import load, only, refusal, same
from pixel_sources import Textures

from dimred.data import blocks, packed_folder, pixels
from dimred.data.mapped import is_mapped
from dimred.data.own_options import Store


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 4)


@pytest.mark.parametrize("bad", [(), (0, 5, 6), range(4, 8), range(18)])
@pytest.mark.parametrize("about", [True, False])
def test_a_pack_holds_what_memory_would(tmp_path, bad, about, capfd):
    source = Textures(18, (3, 5, 7), bad=bad, about=about)
    made = load(source, tmp_path / "cache")
    assert same(made, source)
    assert is_mapped(made.images) == bool(len(made.images))
    said = capfd.readouterr().err
    assert said.startswith("packing 18 images into ")
    assert said.count("\n") == 1
    assert sorted(p.suffix for p in (tmp_path / "cache").iterdir()) == [".index", ".pixels"]
    source.reads.clear()
    again = load(source, tmp_path / "cache")
    assert same(again, source)
    assert capfd.readouterr().err == ""


def test_it_is_found_by_content_and_read_no_more(tmp_path):
    load(Textures(18), tmp_path)
    same_content, other = Textures(18), Textures(18, seed=1)
    assert same(load(same_content, tmp_path), Textures(18))
    assert not [read for read in same_content.reads if read]
    assert same(load(other, tmp_path), Textures(18, seed=1))
    assert len(other.reads) == 5


@pytest.mark.parametrize("store", ["pixels", "index"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
def test_a_flipped_bit_is_noticed_and_what_uses_the_pack_goes_on(tmp_path, capfd, store, place):
    source = Textures(18, bad=(3,))
    before = load(source, tmp_path)
    file = only(tmp_path, store)
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= 4
    descriptor = os.open(file, os.O_WRONLY)
    os.write(descriptor, content)
    os.close(descriptor)
    capfd.readouterr()
    again = load(source, tmp_path)
    assert same(again, source)
    said, packing = capfd.readouterr().err.splitlines()
    why = "is damaged" if store == "pixels" else "has no sound index"
    assert said == f"{only(tmp_path, 'pixels')} {why}; the images are packed again"
    assert packing.startswith("packing 18 images into ")
    if store == "index":
        assert torch.equal(before.images, again.images)  # their file is not changed under them
    assert same(load(source, tmp_path), source)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("change", ["shorter", "longer", "gone"])
def test_a_pack_of_another_length_is_made_again(tmp_path, change):
    source = Textures(18)
    load(source, tmp_path)
    file = only(tmp_path, "pixels")
    content = file.read_bytes()
    file.unlink()
    if change != "gone":
        file.write_bytes(content[:-1] if change == "shorter" else content + b"\0")
    assert same(load(source, tmp_path), source)
    assert only(tmp_path, "pixels").read_bytes() == content


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    message = refusal(Textures(18), tmp_path / "file" / "cache")
    assert "dataset.store_folder" in message
    assert "cannot be written" in message


def test_a_disk_without_room_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    class Full:
        f_bavail, f_frsize = 1, 1000

    monkeypatch.setattr(os, "statvfs", lambda _: Full)
    source = Textures(18)
    message = refusal(source, tmp_path)
    assert message.startswith("dataset.image_size=8: 18 images of 1x8x8 bytes need ")
    assert "dataset.store_folder" in message
    assert not source.reads


def test_a_disk_that_fills_up_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(packed_folder.os, "write", full)
        message = refusal(Textures(18), tmp_path)
    assert "No space left on device" in message
    assert "dataset.store_folder" in message


def test_no_folder_to_pack_into_is_refused():
    assert "dataset.store_folder=FOLDER" in refusal(Textures(18), None)


@pytest.mark.parametrize(("free", "is_on_disk"), [(18 * 64 * 2 - 1, True), (18 * 64 * 2, False)])
def test_auto_takes_the_disk_for_more_than_half_of_the_free_memory(
    tmp_path, monkeypatch, capfd, free, is_on_disk
):
    monkeypatch.setattr(pixels, "free_memory", lambda: free)
    source = Textures(18)
    loaded = load(source, tmp_path, Store.auto)
    assert same(loaded, source)
    assert is_mapped(loaded.images) == is_on_disk
    assert ("dataset.store=disk: " in capfd.readouterr().err) == is_on_disk


def test_packs_that_nobody_completes_are_swept_after_a_day(tmp_path):
    for seed, days in ((1, 0), (2, 2)):
        source = Textures(18, seed=seed)
        load(source, tmp_path)
        done = sorted(tmp_path.glob("*.pixels"), key=os.path.getmtime)[-1]
        done.rename(done.with_suffix(".partial"))
        for file in (done.with_suffix(".partial"), done.with_suffix(".index")):
            os.utime(file, (time.time() - days * 86400,) * 2)
    complete = Textures(18, seed=3)
    load(complete, tmp_path)
    for file in tmp_path.glob("*.pixels"):
        os.utime(file, (time.time() - 9 * 86400,) * 2)
    load(Textures(18), tmp_path)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [
        *(".index",) * 3,
        ".partial",
        *(".pixels",) * 2,
    ]


def test_it_says_what_other_packs_take(tmp_path, capfd):
    load(Textures(18), tmp_path)
    (tmp_path / "packed-gone.pixels").symlink_to(tmp_path / "removed meanwhile")
    load(Textures(18, seed=1), tmp_path)
    assert "; 1 other pack there takes 0.1 MiB" in capfd.readouterr().err


def test_images_from_a_pack_can_be_used_as_any_others(tmp_path):
    source = Textures(18)
    images = load(source, tmp_path).images
    rows = np.array([5, 2, 2])
    assert is_mapped(images[3:9])
    taken = images[torch.from_numpy(rows)]
    assert not is_mapped(taken)
    assert np.array_equal(taken.numpy(), source.all_readable()[rows])
