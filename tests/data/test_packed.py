"""Images in a packed file: the same bytes as from memory, whatever happens while it is made."""

import errno
import os
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from pixel_sources import Textures, blocks_of

from dimred.data import blocks, packed_folder, pixels
from dimred.data.mapped import is_mapped
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.errors import InputError

TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 4)


def load(source, folder, store=Store.disk):
    return load_pixels(source, store, folder, "dataset.image_size=8")


def plain(about):
    return about and [tuple(one)[1:] for one in about]  # without pixels


def same(loaded, source):
    expected = load(source, None, Store.memory)
    return (
        torch.equal(loaded.images, expected.images)
        and loaded.problems == expected.problems
        and plain(loaded.about) == plain(expected.about)
    )


def only(folder, suffix):
    (file,) = folder.glob(f"packed-*.{suffix}")
    return file


def refusal(source, folder, store=Store.disk):
    with pytest.raises(InputError) as error:
        load(source, folder, store)
    message = str(error.value)
    assert "\n" not in message
    return message


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
    said = capfd.readouterr().err.splitlines()
    assert said[-1].startswith("packing 18 images into ")
    if store == "pixels":
        assert said[0] == f"{file} is damaged; the images are packed again"
    else:
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


class Stopped(Exception):
    """In place of SIGKILL: nothing after it happens."""


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
    done = subprocess.run(
        [sys.executable, "-c", PACKING, str(folder), how],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def lines_of(folder):
    files = list(folder.glob("packed-*.index"))
    return files[0].read_bytes().count(b"\n") if files else 0


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
    source, stopping = Textures(18), Textures(18)

    def stop(first, stop):
        if first >= 8:
            raise Stopped
        return source.read(first, stop)

    stopping.read = stop
    with pytest.raises(Stopped):
        load(stopping, one)
    before = {}
    for file in one.iterdir():
        os.link(file, other / file.name)
        before[file] = file.read_bytes()
    assert same(load(source, other), source)
    assert {file: file.read_bytes() for file in one.iterdir()} == before
    assert same(load(source, one), source)


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
