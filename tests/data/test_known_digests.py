"""Digests of files that are as they were are known without reading them; no change is missed."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dimred.data import array_file, folder_source, image_files, known_digests
from dimred.data.array_source import ArraySource
from dimred.data.channels import Channels
from dimred.data.folder_source import FolderSource
from dimred.data.known_digests import NAME, KnownDigests, content_digest
from dimred.data.own_options import ImageFolder, Npz, Store
from dimred.errors import InputError

N = 6
NAMES = [f"{i}.bmp" for i in range(N)]
HOURS = 3600 * 10**9


@pytest.fixture
def later(monkeypatch):
    """The clock is two hours on, so that files that tests have just made are old."""
    now = known_digests.time_ns
    monkeypatch.setattr(known_digests, "time_ns", lambda: now() + 2 * HOURS)


@pytest.fixture
def reads(monkeypatch):
    """The files that are opened to be digested."""
    opened = []

    def digest(path):
        opened.append(Path(path).name)
        return content_digest(path)

    monkeypatch.setattr(image_files, "content_digest", digest)
    return opened


def photographs(folder):
    folder.mkdir()
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(folder / name)
    return folder


def key(folder, cache):
    """The key of a folder, and whether it is that of the contents, which are read to compare."""
    paths = [str(folder / name) for name in NAMES]
    source = FolderSource(paths, NAMES, Channels(1), (8, 8))
    known = KnownDigests(cache)
    found = source.key(known)
    known.save()
    return found, found == source.key()


def change(file, at=-1):
    """Another byte in a file of the same size, inode and mtime."""
    before = file.stat()
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # one tick of the clock
        with file.open("r+b") as opened:
            opened.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
            opened.write(b"\xff")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = file.stat()
    same = ("st_size", "st_mtime_ns", "st_ino", "st_dev")
    assert [getattr(after, it) for it in same] == [getattr(before, it) for it in same]


def test_files_that_are_as_they_were_are_not_opened(tmp_path, reads, later):
    folder, opened = photographs(tmp_path / "photos"), reads
    first, is_right = key(folder, tmp_path)
    assert is_right
    assert sorted(opened[:N]) == NAMES
    opened.clear()
    paths = [str(folder / name) for name in NAMES]
    known = KnownDigests(tmp_path)
    assert FolderSource(paths, NAMES, Channels(1), (8, 8)).key(known) == first
    assert opened == []


def test_a_change_that_leaves_size_and_mtime_is_noticed(tmp_path, reads, later):
    folder = photographs(tmp_path / "photos")
    before, _ = key(folder, tmp_path)
    change(folder / "3.bmp")
    reads.clear()
    after, is_right = key(folder, tmp_path)
    assert is_right
    assert after != before
    assert reads[:-N] == ["3.bmp"]  # the last N are those of the comparison


def test_a_file_in_place_of_another_is_read(tmp_path, reads, later):
    folder = photographs(tmp_path / "photos")
    before, _ = key(folder, tmp_path)
    for one, other in (("0.bmp", "x"), ("1.bmp", "0.bmp"), ("x", "1.bmp")):
        (folder / one).rename(folder / other)
    reads.clear()
    after, is_right = key(folder, tmp_path)
    assert is_right
    assert after != before
    assert sorted(reads[:-N]) == ["0.bmp", "1.bmp"]


def test_files_of_the_last_minute_are_read_again(tmp_path, reads):
    folder = photographs(tmp_path / "photos")
    for name in NAMES[1:]:
        os.utime(folder / name, (0, 0))  # their ctime is now
    for _ in range(2):
        reads.clear()
        assert key(folder, tmp_path)[1]
        assert sorted(reads[:-N]) == NAMES
    assert not (tmp_path / NAME).exists()


@pytest.mark.parametrize("missing", ["st_ino", "st_ctime_ns"])
def test_files_without_inode_or_ctime_are_read_again(tmp_path, reads, later, monkeypatch, missing):
    folder = photographs(tmp_path / "photos")
    names = [name for name in dir(os.stat_result) if name.startswith("st_")]

    def stat(path, **_):
        found = os.lstat(path)
        return SimpleNamespace(**{name: getattr(found, name) for name in names} | {missing: 0})

    monkeypatch.setattr(known_digests.os, "stat", stat)
    for _ in range(2):
        reads.clear()
        key(folder, tmp_path)
        assert len(reads) == 2 * N


def test_a_folder_swapped_for_another_while_it_is_read_is_read_again(tmp_path, later):
    link, known = tmp_path / "current", KnownDigests(tmp_path)

    def lead_to(name):
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / name)

    def read():
        return content_digest(str(link / "a"))

    def read_after_swap():
        lead_to("new")
        return read()

    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    lead_to("old")
    known.of(str(link / "a"), "content", read_after_swap)
    lead_to("old")  # where the file has the state that it had at first
    assert known.of(str(link / "a"), "content", read) == read()


def test_a_moved_or_copied_folder_is_read_once(tmp_path, reads, later):
    folder, store = photographs(tmp_path / "photos"), str(tmp_path / "packs")
    load(folder, store)
    moved = shutil.move(folder, tmp_path / "moved")
    copied = shutil.copytree(moved, tmp_path / "copied")
    for place in (moved, copied):
        for expected in (N, 0):
            reads.clear()
            load(place, store)
            assert len(reads) == expected
    assert len(list((tmp_path / "packs").glob("*.pixels"))) == 1


@pytest.mark.parametrize("place", [0, 20, 60, 66, -1, "torn", "longer", "empty", "folder"])
def test_damaged_digests_are_ignored(tmp_path, reads, later, place):
    folder = photographs(tmp_path / "photos")
    first, _ = key(folder, tmp_path)
    file = tmp_path / NAME
    content = bytearray(file.read_bytes())
    file.unlink()
    if place == "folder":
        file.mkdir()
    elif isinstance(place, int):
        content[place] ^= 1
        file.write_bytes(content)
    else:
        file.write_bytes({"torn": content[:-32], "longer": content + b"\0"}.get(place, b""))
    reads.clear()
    assert key(folder, tmp_path) == (first, True)
    assert len(reads) == 2 * N
    reads.clear()
    key(folder, tmp_path)
    assert len(reads) == (2 * N if place == "folder" else N)


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path, reads, later):
    folder = photographs(tmp_path / "photos")
    (tmp_path / "file").touch()
    assert key(folder, tmp_path / "file")[1]
    assert key(folder, tmp_path / "file" / "below")[1]


def test_two_processes_and_two_folders_do_not_harm_each_other(tmp_path, reads, later):
    folders = [photographs(tmp_path / name) for name in ("one", "other")]
    known = [KnownDigests(tmp_path) for _ in folders]
    paths = [str(folder / name) for folder in folders for name in NAMES]
    found = [image_files.digests(paths, each).tolist() for each in known]
    assert found[0] == found[1]
    for each in known:
        each.save()
    reads.clear()
    assert [key(folder, tmp_path)[1] for folder in folders] == [True, True]
    assert len(reads) == 2 * N  # of the comparison


def test_digests_of_other_files_are_kept_up_to_a_number(tmp_path, reads, later, monkeypatch):
    monkeypatch.setattr(known_digests, "_OTHERS", N)
    folders = [photographs(tmp_path / name) for name in ("one", "two", "three")]
    for folder in folders:
        key(folder, tmp_path)
    sizes = []
    for folder in folders[::-1]:
        reads.clear()
        key(folder, tmp_path)
        sizes.append(len(reads) - N)
    assert sizes == [0, 0, N]


def load(folder, store):
    options = ImageFolder(root=str(folder), image_size=8, store=Store.disk, store_folder=str(store))
    return options.load(0)


def test_a_change_while_packing_is_refused_though_digests_are_known(tmp_path, later, monkeypatch):
    folder, store = photographs(tmp_path / "photos"), tmp_path / "packs"
    key(folder, store)
    decode, left = folder_source.decode, [folder / "0.bmp"]

    def decode_and_change(*arguments):
        decoded = decode(*arguments)
        if left:
            change(left.pop())
        return decoded

    monkeypatch.setattr(folder_source, "decode", decode_and_change)
    with pytest.raises(InputError, match="have changed while they were packed; start again"):
        load(folder, store)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_the_file_of_an_array_is_not_read_again(tmp_path, later, monkeypatch, suffix):
    images = np.random.default_rng(0).integers(0, 255, (10, 8, 8), np.uint8)
    file, calls = tmp_path / f"mine.{suffix}", []
    np.save(file, images) if suffix == "npy" else np.savez(file, images=images)

    def counted(function):
        return lambda *arguments: calls.append(function.__name__) or function(*arguments)

    monkeypatch.setattr(ArraySource, "_digest", counted(ArraySource._digest))
    monkeypatch.setattr(array_file, "checksum", counted(array_file.checksum))
    options = Npz(path=str(file), store=Store.disk)
    first = options.load(0)
    assert calls.count("_digest") == 1  # the file is known when the pack is complete
    assert calls.count("checksum") == (suffix == "npz")
    calls.clear()
    assert torch.equal(options.load(0).images, first.images)
    assert calls == []
    change(file, 500)
    if suffix == "npz":
        with pytest.raises(InputError, match="array 'images' is damaged"):
            options.load(0)
    else:
        images.reshape(-1)[500 - 128] = 255  # after the header
        assert np.array_equal(options.load(0).images[:, 0].numpy(), images)
