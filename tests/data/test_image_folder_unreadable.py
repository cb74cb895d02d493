"""Folders of images: files that cannot be read, and those that only seem so."""

import errno
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile
from test_image_folder import SIZE, load, refusal, save

from dimred.data import folder_source
from dimred.data.first_look import first_look
from dimred.data.own_options import Store


def big_png(path, side):
    """A PNG that claims to be of side x side pixels."""
    save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)


def damage(path, kind):
    """Write a file at `path` that cannot be read."""
    if kind == "bomb":
        big_png(path, 100_000)
        return
    if kind == "float":
        save(path.with_suffix(".tif"), Image.new("F", (SIZE, SIZE), 5)).rename(path)
        return
    if kind == "int32":
        save(path.with_suffix(".tif"), Image.new("I", (SIZE, SIZE), 1 << 20)).rename(path)
        return
    if kind == "eps":  # would be read by another program
        save(path.with_suffix(".eps")).rename(path)
        return
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
    content = save(path, noise).read_bytes()
    new = {"empty": b"", "text": b"<html>404</html>", "head": content[:40]}
    path.write_bytes(new.get(kind, content[: len(content) * 2 // 3]))


KINDS = [
    *((kind, suffix) for kind in ("empty", "text", "head", "cut") for suffix in (".jpg", ".png")),
    *(("cut", suffix) for suffix in (".gif", ".bmp", ".tif", ".webp", ".ppm")),
    *((kind, ".png") for kind in ("bomb", "float", "int32", "eps")),
]


@pytest.mark.parametrize(("kind", "suffix"), KINDS)
def test_an_unreadable_file_is_left_out_and_listed(tmp_path, kind, suffix):
    save(tmp_path / "cat/a.png")
    save(tmp_path / "cat/z.png")
    damage(tmp_path / f"cat/m{suffix}", kind)
    image_set = load(tmp_path, window="type")
    assert image_set.sources == ("cat/a.png", "cat/z.png")
    assert image_set.unreadable == (f"cat/m{suffix}",)
    assert image_set.images[:, :, 0, 0].tolist() == [[200, 100, 50]] * 2
    message = refusal(tmp_path, strict=True, window="type")
    assert f"'cat/m{suffix}' cannot be read: " in message
    assert "dataset.strict=false" in message


def test_a_class_of_unreadable_files_alone_is_said(tmp_path):
    save(tmp_path / "a/1.png")
    for name in ("b/1.tga", "c/1.png", "c/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"broken")
    (note,) = load(tmp_path).found.notes
    assert note == "folders without readable images are no classes: b/ (.tga), c/ (2 unreadable)"


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".mpo"])
def test_files_of_several_pages_or_frames_are_said(tmp_path, suffix):
    frames = [Image.new("RGB", (SIZE, SIZE), color) for color in ("red", "blue")]
    save(tmp_path / f"1{suffix}", frames[0], save_all=True, append_images=frames[1:])
    save(tmp_path / f"2{suffix}")
    look = first_look(load(tmp_path))
    note = "1 file has several images or frames; the first of each is read"
    assert (note in look.notes) == (suffix != ".mpo")  # whose others are previews


def test_strict_reads_a_sound_folder(tmp_path):
    save(tmp_path / "a.png")
    assert load(tmp_path, strict=True).fingerprint() == load(tmp_path).fingerprint()


def test_a_large_photograph_is_no_bomb(tmp_path, monkeypatch):
    """Pillow warns from MAX_IMAGE_PIXELS on, and refuses from twice that on."""
    save(tmp_path / "a.png", Image.new("RGB", (30, 30)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    assert load(tmp_path).unreadable == ()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    assert "decompression bomb" in refusal(tmp_path)


def test_an_error_without_words_has_a_reason(tmp_path, monkeypatch):
    def fail(self):
        raise EOFError

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    save(tmp_path / "a.tif")
    assert "EOFError" in refusal(tmp_path)


def open_files():
    return OSError(errno.EMFILE, "Too many open files", "b.png")


@pytest.mark.parametrize("error", [MemoryError, open_files])
@pytest.mark.parametrize("reads", ["header_of", "decode"])
@pytest.mark.parametrize("store", [Store.memory, Store.disk])
def test_a_fault_of_the_machine_leaves_no_file_out(tmp_path, monkeypatch, error, reads, store):
    for name in "abc":
        save(tmp_path / f"{name}.png")

    def fail(path, *arguments):
        if Path(path).name == "b.png":
            raise error()
        return whole(path, *arguments)

    whole = getattr(folder_source, reads)
    monkeypatch.setattr(folder_source, reads, fail)
    with pytest.raises(type(error()), match=r"b\.png"):
        load(tmp_path, store=store, store_folder=tmp_path / "packs")
    monkeypatch.undo()
    sound = load(tmp_path, store=store, store_folder=tmp_path / "packs")
    assert sound.unreadable == ()
    assert len(sound) == 3


def test_a_folder_without_a_readable_image_is_refused_with_the_first_reason(tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "a\n.jpg").write_bytes(b"nothing")
    message = refusal(tmp_path)
    assert f"dataset.root='{tmp_path}'" in message
    assert "none of its 2 images" in message
    assert "'a\\n.jpg': not an image of a known format" in message


def test_a_size_that_memory_does_not_hold_is_refused(tmp_path):
    save(tmp_path / "a.png")
    message = refusal(tmp_path, size=10**7)
    assert "dataset.image_size=10000000" in message
    assert "GiB" in message
