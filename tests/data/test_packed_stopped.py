"""Packing goes on where it was stopped, and never writes where another process does."""

import errno
import os
from itertools import count
from pathlib import Path

import pytest
import torch
from packs import Stopped, begun, lines_of, load, same
from pixel_sources import Textures, blocks_of
from scripted import scripted

from dimred.data import blocks


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 4)


@pytest.mark.parametrize("at", range(19))
def test_what_was_packed_is_kept_wherever_it_was_stopped(tmp_path, monkeypatch, at, capfd):
    """Between any two calls that change files, and amid a write."""
    source, calls = Textures(18, bad=(2, 9)), count()
    with monkeypatch.context() as patch:

        def stop(function):
            def called(*arguments):
                if next(calls) >= at:
                    if function is write:  # torn
                        write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    raise Stopped
                return function(*arguments)

            return called

        write = os.write
        for module, name in ((os, "write"), (os, "ftruncate"), (os, "fsync"), (Path, "rename")):
            patch.setattr(module, name, stop(getattr(module, name)))
        try:
            load(source, tmp_path)
            stopped = False
        except Stopped:
            stopped = True
    assert stopped == (at < 18)
    packed = max(lines_of(tmp_path) - 1, 0)  # without the line before the blocks
    source.reads.clear()
    again = load(source, tmp_path)
    assert torch.equal(again.images, torch.from_numpy(source.all_readable()))
    assert list(again.problems) == [2, 9]
    assert len(blocks_of(source)) == max(5 - packed, 0)
    assert {p.suffix for p in tmp_path.iterdir()} == {".index", ".pixels"}


PACKING = """
import os, signal, sys, time
from pathlib import Path
from pixel_sources import Textures, blocks_of
from dimred.data import blocks
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels

blocks._IMAGES = 4
folder, expected = Path(sys.argv[1]), Textures(400, bad=(7, 101)).all_readable()

def packing():
    process = os.fork()  # nothing has made a thread yet
    if not process:
        source = Textures(400, bad=(7, 101), delay=0.002)
        loaded = load_pixels(source, Store.disk, folder, "")
        right = (loaded.images.numpy() == expected).all()
        os._exit(1 + len(blocks_of(source)) if right else 255)
    return process

def lines():
    files = list(folder.glob("packed-*.index"))
    return files[0].read_bytes().count(b"\\n") if files else 0

def reads(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) - 1

if sys.argv[2] == "killed":
    for least in (2, 20, 50):
        process = packing()
        while lines() < least:
            assert os.waitpid(process, os.WNOHANG) == (0, 0)
            time.sleep(0.001)
        os.kill(process, signal.SIGKILL)
        assert reads(process) == -signal.SIGKILL - 1
    packed = lines() - 1
    assert reads(packing()) == 100 - packed, packed
both = [packing(), packing()]
print(sorted(map(reads, both)))
"""


def packed_by(folder, how):
    done = scripted(PACKING, folder, how)
    return done.stdout.strip(), done.stderr


def test_killed_processes_leave_what_the_next_goes_on_with(tmp_path):
    reads, said = packed_by(tmp_path, "killed")
    assert reads == "[0, 0]"
    assert "are there" in said


def test_of_two_processes_at_once_one_packs_and_the_other_waits(tmp_path):
    reads, _ = packed_by(tmp_path, "at once")
    assert reads == "[0, 100]"


def test_without_locks_it_says_so(tmp_path, monkeypatch, capfd):
    def unsupported(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", unsupported)
    source = Textures(18)
    assert same(load(source, tmp_path), source)
    assert "this file system has no locks" in capfd.readouterr().err


def test_hard_links_of_a_copied_folder_are_not_written_to(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    source = Textures(18)
    begun(source, one, at=8)
    before = {}
    for file in one.iterdir():
        os.link(file, other / file.name)
        before[file] = file.read_bytes()
    assert same(load(source, other), source)
    assert {file: file.read_bytes() for file in one.iterdir()} == before
    assert same(load(source, one), source)
