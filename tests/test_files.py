"""Files: written whole or not at all, never through what lies in the way."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading

import pytest

from dimred.files import (
    is_shared,
    is_temporary,
    open_own,
    open_regular,
    replace_file,
    sweep,
    write_atomically,
)


def names(folder):
    """The files in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path):
    file = tmp_path / "a" / "b.txt"
    write_atomically(file, b"one")
    write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert names(file.parent) == ["b.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask


def test_a_name_of_the_greatest_length_can_be_written(tmp_path):
    file = tmp_path / ("x" * 255)
    write_atomically(file, b"1")
    assert file.read_bytes() == b"1"
    with pytest.raises(OSError, match="name too long"):
        write_atomically(tmp_path / ("x" * 256), b"1")
    assert names(tmp_path) == [file.name]


def test_a_link_is_written_through_and_stays(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("new")
    write_atomically(tmp_path / "link", b"1")
    write_atomically(tmp_path / "dangling", b"2")
    assert (tmp_path / "real").read_text() == "1"
    assert (tmp_path / "new").read_text() == "2"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "dangling").is_symlink()


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic links") as error:
        write_atomically(tmp_path / "loop", b"1")
    assert error.value.filename == str(tmp_path / "loop")


def test_a_pipe_is_written_to_and_stays(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"through")
    reader.join()
    assert read == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/stderr", "/proc/self/fd/1"])
def test_the_output_of_the_process_is_added_to(tmp_path, name):
    script = (
        "import sys; from pathlib import Path; from dimred.files import write_atomically;"
        f"print('first'); write_atomically(Path({name!r}), b'second\\n'); print('third')"
    )
    log = tmp_path / "log"
    log.write_text("before\n")
    with log.open("a") as file:
        subprocess.run([sys.executable, "-c", script], stdout=file, stderr=file, check=True)
    assert log.read_text() == "before\nfirst\nsecond\nthird\n"
    assert names(tmp_path) == ["log"]


@pytest.mark.parametrize("path", ["/", "folder", "file/below"])
def test_what_cannot_be_a_file_is_named(tmp_path, path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"directory|exists") as error:
        write_atomically(tmp_path / path, b"1")
    assert error.value.filename == str(tmp_path / path)
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize("failing", ["fsync", "flock"])
def test_a_failure_leaves_what_was_there(tmp_path, monkeypatch, failing):
    file = tmp_path / "a"
    file.write_text("old")

    def fails(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl if failing == "flock" else os, failing, fails)
    if failing == "flock":  # locks are for sweeping only
        write_atomically(file, b"new")
        assert file.read_text() == "new"
    else:
        with pytest.raises(OSError, match="Input/output") as error:
            write_atomically(file, b"new")
        assert error.value.filename == str(file)
        assert file.read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_an_interrupted_writer_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a", b"new")
    assert names(tmp_path) == []


def test_leftovers_are_swept_but_not_of_a_writer_that_lives(tmp_path):
    living, dead = (tmp_path / f".dimred-{digit * 16}.tmp" for digit in "ad")
    dead.write_text("")
    others = [".dimred-x.tmp", ".a.tmp", "b"]
    for name in others:
        (tmp_path / name).write_text("")
    outside = tmp_path / "outside"
    outside.write_text("")
    (tmp_path / f".dimred-{'b' * 16}.tmp").symlink_to(outside)
    with living.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        replace_file(tmp_path / "new", b"1")
        assert living.exists()
        assert not dead.exists()
        assert outside.exists()
        assert {*others, "new"} <= set(names(tmp_path))
    sweep(tmp_path)
    assert not living.exists()
    assert is_temporary(living.name)


def test_a_link_is_replaced_where_a_folder_may_be_of_a_stranger(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a").symlink_to("precious")
    replace_file(tmp_path / "a", b"1")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "a").read_text() == "1"
    assert not (tmp_path / "a").is_symlink()


def test_only_regular_files_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"1"
    for name in ("pipe", "../" + tmp_path.name, "/dev/zero", "nowhere"):
        with pytest.raises(OSError, match=r"regular|directory") as error:
            open_regular(tmp_path / name)
        assert error.value.filename == str(tmp_path / name)
    with pytest.raises(OSError, match="symbolic"):
        open_regular(tmp_path / "link", follow=False)


def test_a_file_to_be_changed_is_no_link_and_may_have_a_second_name(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "hard").hardlink_to(tmp_path / "precious")
    (tmp_path / "soft").symlink_to("precious")
    with pytest.raises(OSError, match="symbolic"):
        open_own(tmp_path / "soft", os.O_RDWR | os.O_CREAT)
    for name in ("hard", "new"):
        descriptor = open_own(tmp_path / name, os.O_RDWR | os.O_CREAT)
        assert is_shared(descriptor) == (name == "hard")
        os.close(descriptor)
