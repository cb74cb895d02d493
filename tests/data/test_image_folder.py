"""Folders of images: layout, names and order."""

import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from dimred.data import blocks, folder_source
from dimred.data.folder_pixels import HowRead
from dimred.data.image_folder import load_image_folder
from dimred.data.own_options import ImageFolder
from dimred.errors import InputError

SIZE = 8


def load(root, size=SIZE, strict=False, **how):
    return load_image_folder(str(root), size, strict, how=HowRead(**how))


def refusal(root, size=SIZE, strict=False, **how):
    with pytest.raises(InputError) as error:
        load(root, size, strict, **how)
    message = str(error.value)
    assert "\n" not in message
    return message


def save(path, image=None, **options):
    """Write an image, by default a plain one; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image or Image.new("RGB", (SIZE, SIZE), (200, 100, 50))
    image.save(path, **options)
    return path


def test_a_flat_folder_has_neither_labels_nor_a_split(tmp_path):
    for name in ("b.png", "a.jpg", "c.GIF"):
        save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "archive.png.zip").write_text("no image")
    image_set = load(tmp_path)
    assert image_set.sources == ("a.jpg", "b.png", "c.GIF")
    assert image_set.labels is None
    assert image_set.is_test.tolist() == [False] * 3
    assert image_set.split_name == ""
    assert image_set.images.dtype == torch.uint8
    assert image_set.images.shape == (3, 3, SIZE, SIZE)
    assert image_set.index.tolist() == [0, 1, 2]


def test_class_folders_give_labels_however_deep(tmp_path):
    for name in ("dog/1.png", "cat/x/y/2.png", "cat/1.png", "cat-fish/1.png", "empty/readme.md"):
        path = tmp_path / name
        if path.suffix == ".md":
            path.parent.mkdir()
            path.write_text("no image")
        else:
            save(path)
    image_set = load(tmp_path)
    assert image_set.sources == ("cat/1.png", "cat/x/y/2.png", "cat-fish/1.png", "dog/1.png")
    assert image_set.labels.names == ("cat", "cat-fish", "dog")
    assert image_set.labels.values.tolist() == [0, 0, 1, 2]
    assert image_set.labels.values.dtype == np.int64


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "TEST")])
def test_train_and_test_folders_give_the_split(tmp_path, train, test):
    names = (f"{train}/cat/1.png", f"{train}/dog/1.png", f"{train}/dog/2.png", f"{test}/ant/1.png")
    for name in names:
        save(tmp_path / name)
    image_set = load(tmp_path)
    assert image_set.sources == names
    assert image_set.is_test.tolist() == [False, False, False, True]
    assert image_set.labels.names == ("ant", "cat", "dog")
    assert image_set.labels.values.tolist() == [1, 2, 2, 0]
    assert image_set.split_name == "train/ and test/ folders, 3/1"


def test_a_split_without_classes_has_no_labels(tmp_path):
    save(tmp_path / "train/1.png")
    save(tmp_path / "test/1.png")
    image_set = load(tmp_path)
    assert image_set.labels is None
    assert image_set.is_test.tolist() == [False, True]


@pytest.mark.parametrize("only", ["train", "test"])
def test_one_split_folder_alone_is_no_split(tmp_path, only):
    save(tmp_path / only / "cat/1.png")
    save(tmp_path / only / "dog/1.png")
    image_set = load(tmp_path)
    assert not image_set.is_test.any()
    assert image_set.split_name == ""
    assert image_set.labels.names == ("cat", "dog")


def test_a_split_whose_test_images_are_all_unreadable_is_none(tmp_path):
    save(tmp_path / "train/1.png")
    (tmp_path / "test").mkdir()
    (tmp_path / "test/1.png").write_bytes(b"")
    image_set = load(tmp_path)
    assert image_set.split_name == ""
    assert image_set.unreadable == ("test/1.png",)


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["a.png", "cats/b.png"], ["'a.png'", "'cats/b.png'", "or none"]),
        (["train/cat/a.png", "test/b.png"], ["'test/b.png'", "'train/cat/a.png'"]),
        (["train/a.png", "b.png"], ["'b.png' lies beside", "put all images inside train/"]),
        (["train/cat/a.png", "val/cat/b.png"], ["'val/cat/b.png' lies beside"]),
        (["train/a.png", "car/b.png", "bus/\n.png"], ["'bus/\\n.png' lies beside"]),
    ],
)
def test_an_ambiguous_layout_is_refused(tmp_path, names, parts):
    for name in names:
        save(tmp_path / name)
    message = refusal(tmp_path)
    assert f"dataset.root='{tmp_path}'" in message
    for part in parts:
        assert part in message


def test_hidden_files_and_folders_are_ignored(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / ".thumbnails/a.png")
    (tmp_path / "._a.png").write_bytes(b"metadata of macOS")
    image_set = load(tmp_path)
    assert image_set.sources == ("a.png",)
    assert image_set.unreadable == ()


def test_links_are_followed_and_loops_ignored(tmp_path):
    elsewhere = save(tmp_path / "elsewhere/dog/1.png").parent
    root = tmp_path / "root"
    save(root / "cat/1.png")
    (root / "dog").symlink_to(elsewhere)
    (root / "cat/up").symlink_to(root)
    (root / "cat/self").symlink_to(root / "cat/self")
    (root / "cat/self.png").symlink_to(root / "cat/self.png")
    (root / "cat/linked.png").symlink_to(elsewhere / "1.png")
    (root / "cat/gone.png").symlink_to(tmp_path / "nowhere.png")
    image_set = load(root)
    assert image_set.sources == ("cat/1.png", "cat/linked.png", "dog/1.png")
    assert image_set.unreadable == ("cat/gone.png",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_not_waited_for(tmp_path):
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    assert load(tmp_path).sources == ("a.png",)


def test_names_of_every_kind(tmp_path):
    folder = "Käse & <b> $x$"
    names = [f"{folder}/ß 日本.png", f"{folder}/$HOME;'\".png", f"{folder}/line\nbreak.JPG"]
    for name in (*names, "a/1.png"):
        save(tmp_path / name)
    image_set = load(tmp_path)
    assert image_set.sources == tuple(sorted((*names, "a/1.png")))
    assert image_set.labels.names == tuple(sorted((folder, "a")))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8_become_text(tmp_path):
    save(tmp_path / "caf\xe9/a.png")
    save(tmp_path / "a/a.png")
    os.rename(tmp_path / "café", os.fsencode(tmp_path) + b"/caf\xe9")  # noqa: PTH104
    with open(os.fsencode(tmp_path) + b"/caf\xe9/\xff.png", "wb"):  # noqa: PTH123
        pass
    image_set = load(tmp_path)
    assert image_set.sources == ("a/a.png", "caf\\xe9/a.png")
    assert image_set.unreadable == ("caf\\xe9/\\xff.png",)
    assert image_set.labels.names == ("a", "caf\\xe9")


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    save(tmp_path / "photos/a.png")
    assert len(load("~/photos")) == 1


def test_a_folder_without_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no image")
    message = refusal(tmp_path)
    assert f"dataset.root='{tmp_path}'" in message
    assert ".jpg .jpeg" in message


def test_what_is_no_folder_is_refused(tmp_path):
    assert "dataset.root='no\\nwhere'" in refusal("no\nwhere")
    assert "No such file" in refusal("nowhere")
    assert "Not a directory" in refusal(save(tmp_path / "a.png"))


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    save(tmp_path / "cat/a.png")
    scan = os.scandir

    def denied(path):
        if path.name == "cat":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    message = refusal(tmp_path)
    assert "'cat/'" in message
    assert "Permission denied" in message


def test_mean_and_std_are_those_of_the_training_images(tmp_path):
    for name, color in (("train/a", (0, 51, 255)), ("train/b", (255, 51, 0)), ("test/c", "white")):
        save(tmp_path / f"{name}.png", Image.new("RGB", (SIZE, SIZE), color))
    image_set = load(tmp_path)
    assert image_set.mean == pytest.approx((0.5, 0.2, 0.5))
    assert image_set.std == pytest.approx((0.5, 1e-3, 0.5))


def test_more_images_than_a_thread_takes_at_a_time_stay_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_IMAGES", 4)
    monkeypatch.setattr(folder_source, "_CHUNK", 4)
    for number in range(30):
        save(tmp_path / f"{number:02d}.png", Image.new("L", (4, 4), number))
    for number in (3, 17):
        (tmp_path / f"{number:02d}.png").write_bytes(b"no image")
    image_set = load(tmp_path, size=4)
    expected = [number for number in range(30) if number not in (3, 17)]
    assert image_set.images[:, 0, 0, 0].tolist() == expected
    assert image_set.sources == tuple(f"{number:02d}.png" for number in expected)
    assert image_set.index.tolist() == expected
    assert image_set.unreadable == ("03.png", "17.png")
    assert load(tmp_path, size=4).fingerprint() == image_set.fingerprint()
    assert "'03.png'" in refusal(tmp_path, size=4, strict=True)


def test_only_selected_files_are_opened(tmp_path):
    """The files of the other class are no images, which would be refused."""
    for number in range(6):
        save(tmp_path / "cats" / f"{number}.png", Image.new("L", (8, 8), 40 * number))
        (tmp_path / "dogs").mkdir(exist_ok=True)
        (tmp_path / "dogs" / f"{number}.png").write_text("no image")
    options = ImageFolder(root=str(tmp_path), image_size=8, strict=True, classes=["cats"], limit=4)
    images = options.load(seed=0)
    assert len(images) == 4
    assert all(source.startswith("cats/") for source in images.sources)
    assert images.unreadable == ()
    everything = [f"cats/{number}.png" for number in range(6)]
    assert list(images.sources) == [everything[i] for i in images.index]
    assert images.images[:, 0, 0, 0].tolist() == [40 * i for i in images.index]
