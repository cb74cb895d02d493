"""What is in a pack is what would be read now: the rest is read again, or the pack refused."""

import json
import os

import pytest
from packs import begun, load, only, refusal, same
from pixel_sources import Textures, blocks_of
from scripted import scripted

from dimred.data import blocks, packed_index, pixels
from dimred.data.mapped import is_mapped
from dimred.data.own_options import Store


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 4)


def test_files_that_change_while_they_are_packed_are_refused(tmp_path):
    source = Textures(18)
    keys = iter([source.key(), Textures(18, seed=1).key()])
    source.key = lambda known: next(keys)
    message = refusal(source, tmp_path)
    assert message == (
        "dataset.image_size=8: 18 images of 1x8x8 bytes have changed while they were packed; "
        "start again"
    )
    assert not list(tmp_path.glob("*.pixels"))


def test_an_image_that_can_be_read_by_now_is_not_left_out(tmp_path, capfd):
    load(Textures(18, bad=(3, 9)), tmp_path)
    capfd.readouterr()
    source = Textures(18, bad=(3,))
    assert same(load(source, tmp_path), source)
    file = only(tmp_path, "pixels")
    said, packing = capfd.readouterr().err.splitlines()
    assert said == f"{file} leaves out images that can be read now; the images are packed again"
    assert packing.startswith("packing 18 images into ")
    source.reads.clear()
    load(source, tmp_path)
    assert source.reads == [(3, 4)]  # what is damaged is tried again


def test_neither_is_it_where_packing_was_stopped(tmp_path):
    begun(Textures(18, bad=(1, 5)), tmp_path, at=12)
    source = Textures(18, bad=(1,))
    loaded = load(source, tmp_path)
    assert min(blocks_of(source)) == (4, 8)
    assert same(loaded, source)


def test_blocks_of_files_that_were_touched_are_kept_where_they_are_the_same(tmp_path):
    begun(Textures(18), tmp_path, at=12)
    source = Textures(18)
    source.states = {4: "touched"}
    loaded = load(source, tmp_path)
    assert sorted(blocks_of(source)) == [(4, 8), (12, 16), (16, 18)]
    assert same(loaded, source)


def test_blocks_of_files_that_were_other_for_a_while_are_read_again(tmp_path):
    then, source = Textures(18), Textures(18)
    then.image = Textures(18, seed=1).image
    begun(then, tmp_path, at=12)
    source.states = dict.fromkeys(range(0, 18, 4), "restored")
    assert same(load(source, tmp_path), source)


def test_files_that_are_other_only_while_they_are_packed_are_refused(tmp_path):
    source = Textures(18)
    read = source.read

    def replaced(first, stop):
        if first != 8 or source.states:
            return read(first, stop)
        source.states[8] = "replaced, and back"
        return Textures(18, seed=1).read(first, stop)

    source.read = replaced
    assert "have changed while they were packed" in refusal(source, tmp_path)
    source.reads.clear()
    loaded = load(source, tmp_path)
    assert min(blocks_of(source)) == (8, 12)
    assert same(loaded, source)


@pytest.mark.parametrize(
    "change",
    [
        {"problems": []},
        {"problems": {str(i): "x" for i in range(99)}},
        {"problems": {"7": "of another block"}},
        {"problems": None},
        {"about": [[["a", "b"], 3, 4, 5, 6, 7]] * 4},
        {"about": []},
        {"about": 5},
        {"about": [["PNG L", [1, "9"], "", False, 1, False]] * 4},
        {"first": "x"},
        {"checksum": None},
    ],
)
def test_an_index_of_other_hands_is_as_good_as_a_damaged_one(tmp_path, capfd, change):
    source = Textures(18)
    load(source, tmp_path)
    index = only(tmp_path, "index")
    lines = index.read_bytes().splitlines(keepends=True)[:-1]
    said = json.loads(lines[1].partition(b" ")[2]) | change
    lines[1] = packed_index._line(said)
    content = b"".join(lines)
    index.write_bytes(content + packed_index.last_line(content))
    capfd.readouterr()
    assert same(load(source, tmp_path), source)
    assert "has no sound index; the images are packed again" in capfd.readouterr().err


@pytest.mark.parametrize("text", [b"{", b"[" * 9999, b"[]", b"5"])
def test_so_is_one_that_is_no_json(tmp_path, text):
    source = Textures(18)
    load(source, tmp_path)
    index = only(tmp_path, "index")
    head = index.read_bytes().splitlines(keepends=True)[0]
    index.write_bytes(head + packed_index._digest(text).encode() + b" " + text + b"\n")
    assert same(load(source, tmp_path), source)


def test_a_lost_index_is_said(tmp_path, capfd):
    load(Textures(18), tmp_path)
    only(tmp_path, "index").unlink()
    capfd.readouterr()
    load(Textures(18), tmp_path)
    assert "has no sound index; the images are packed again" in capfd.readouterr().err


@pytest.mark.parametrize("suffix", ["index", "pixels"])
def test_a_link_in_place_of_a_file_is_refused(tmp_path, suffix):
    load(Textures(18), tmp_path)
    file = only(tmp_path, suffix)
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    message = refusal(Textures(18), tmp_path)
    assert message.startswith(f"{file}: ")
    assert "dataset.store_folder=FOLDER" in message


def test_images_larger_than_a_read_are_checked_whole(tmp_path, monkeypatch):
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda file, size, start: pread(file, min(size, 100), start))
    source = Textures(6)
    load(source, tmp_path)
    file = only(tmp_path, "pixels")
    before = file.stat().st_ino
    load(source, tmp_path)
    assert file.stat().st_ino == before


IN_LITTLE_SPACE = """
import resource, sys
from pathlib import Path
from pixel_sources import Textures
from dimred.data.free_memory import _PROCESS, _numbers
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.errors import InputError

used = _numbers(_PROCESS / "self/status")["VmSize:"] * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 2**26,) * 2)
source = Textures(2**16, (1, 64, 64))
for store in (Store.auto, Store.disk):
    try:
        load_pixels(source, store, Path(sys.argv[1]), "dataset.image_size=64")
    except InputError as error:
        print(error)
assert not source.reads
"""


def test_what_the_address_space_does_not_hold_is_refused_before_it_is_packed(tmp_path):
    lines = scripted(IN_LITTLE_SPACE, tmp_path).stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("dataset.image_size=64: 65,536 images of 1x64x64 bytes need 256 MiB")
        assert "(ulimit -v) leaves" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file/cache", None])
def test_auto_stays_in_memory_where_the_disk_cannot_be_used(tmp_path, monkeypatch, capfd, place):
    (tmp_path / "file").write_text("")
    folder = place and tmp_path / place
    monkeypatch.setattr(pixels, "free_memory", lambda: 18 * 64 * 2 - 1)
    source = Textures(18)
    loaded = load(source, folder, Store.auto)
    assert same(loaded, source)
    assert not is_mapped(loaded.images)
    said = capfd.readouterr().err
    assert said.startswith("dataset.store=memory: 0.1 MiB of pixels are more than half ")
    assert "dataset.store_folder=FOLDER" in said
    monkeypatch.setattr(pixels, "free_memory", lambda: 18 * 64 - 1)
    assert "dataset.store=disk" in refusal(source, folder, Store.auto)
