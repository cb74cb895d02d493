"""Folders of images whose layout would mislead: refused, or read as it is meant and said."""

import os
import re
import shlex
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_image_folder import load, refusal, save

from dimred.data import folder_source, image_paths
from dimred.data.first_look import first_look
from dimred.data.folder_layout import side_of
from dimred.data.image_decoding import Decoded
from dimred.data.own_options import ImageFolder
from dimred.data.reading import Header
from dimred.data.selection import select_classes
from dimred.errors import InputError


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A function that makes files below a folder, which is returned. Images are not decoded."""

    def decoded(path, size):
        return np.zeros((1, *size), np.uint8), "PNG L", (8, 8), "", False, 1, False

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        return tmp_path

    def decode(path, size, reading, channels):
        return Decoded(*decoded(path, size))

    monkeypatch.setattr(folder_source, "decode", decode)
    monkeypatch.setattr(folder_source, "header_of", lambda path, reading: Header(1, False, "uint8"))
    return make


def notes(root):
    return " | ".join(load(root).found.notes)


@pytest.mark.parametrize(
    ("name", "side"),
    [
        *((name, "train") for name in ("Training", "Train_Set", "train2017", "imagesTrain")),
        *((name, "test") for name in ("testing", "Test Images", "test-set", "TESTING_DATA")),
        *((name, "other") for name in ("val", "Valid", "validation", "dev", "eval_images")),
        *((name, None) for name in ("cats", "images", "tests", "attest", "2017", "devil", "日本")),
    ],
)
def test_folders_called_like_a_side_of_a_split(name, side):
    assert side_of(name) == side


@pytest.mark.parametrize(
    ("sides", "split"),
    [
        (["train", "validation"], True),
        (["training", "val"], True),
        (["test", "dev"], True),
        (["test", "control"], False),
        (["train", "plane", "car"], False),
        (["train", "validation", "validation2"], True),
    ],
)
def test_the_advice_to_rename_a_folder_works_when_typed(files, sides, split):
    root = files(*(f"{side}/{c}/1.png" for side in sides for c in "ab"))
    old, new = re.search(r"(\w+)/(?: is a class, rename it)? to (\w+)/", refusal(root)).groups()
    (root / old).rename(root / new)
    if len(sides) == 3 and split:
        assert f"beside the split folders train/, {new}/; put those of" in refusal(root)
        (root / sides[2]).rename(root.with_name("elsewhere"))
    assert load(root).is_test.any() == split


@pytest.mark.parametrize(
    ("train", "test"), [("training", "testing"), ("Train_Set", "test"), ("train", "Test Images")]
)
@pytest.mark.parametrize("inside", ["{}/1.png", "1{}.png"])
def test_a_split_under_other_names_is_read_as_one_and_said(files, train, test, inside):
    root = files(*(f"{side}/{inside.format(c)}" for side in (train, test) for c in "ab"))
    images = load(root)
    assert images.is_test.tolist() == [False, False, True, True]
    assert (images.labels is None) == (inside == "1{}.png")
    assert images.labels is None or images.labels.names == ("a", "b")
    assert f"{train}/ and {test}/ are read as the train and the test split" in notes(root)
    assert images.split_name == f"{train}/ and {test}/ folders, 2/2".lower()


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["training/a/1.png", "validation/a/1.png"], ["lies beside the split folder training/;"]),
        (["train/1.png", "val/1.png", "test/1.png"], ["val/1.png", "/train"]),
        (["train2017/1.png", "val2017/1.png"], ["val2017/", "/train2017"]),
        (["training/a/1.png", "testing/a/1.png", "b/1.png"], ["'b/1.png' lies beside"]),
        (
            ["train/a/1.png", "training/a/1.png", "test/a/1.png"],
            ["train/, training/", "one folder"],
        ),
    ],
)
def test_a_split_of_more_than_two_sides_is_refused(files, names, parts):
    message = refusal(files(*names))
    for part in parts:
        assert part in message


@pytest.mark.parametrize("wrapper", ["", "photos/"])
@pytest.mark.parametrize("inside", ["a/1.png", "x/a/1.png"])
def test_the_advice_for_a_third_side_works_when_typed(files, wrapper, inside):
    root = files(*(f"{wrapper}{side}/{inside}" for side in ("train", "val", "test")))
    message = refusal(root)
    typed = shlex.split(message.partition("from one folder, ")[2])[0]
    assert len(load(typed.removeprefix("dataset.root="))) == 1


def test_beside_a_flat_side_the_labeled_one_is_advised(files):
    root = files("train/a/1.png", "train/b/1.png", "test/1.png")
    typed = shlex.split(refusal(root).partition("from one folder, ")[2])[0]
    assert load(typed.removeprefix("dataset.root=")).labels.names == ("a", "b")
    assert "put every image into" in refusal(files("train/2.png"))


def test_one_side_alone_is_read_as_the_folder(files):
    root = files("val/a/1.png", "val/b/1.png")
    assert load(root).labels.names == ("a", "b")
    assert "val/ holds all images and is read as the folder" in notes(root)
    (root / "val").rename(root / "train")
    assert "train/ holds all images and is read as the folder" in notes(root)


def test_a_class_that_is_called_like_a_side_is_a_class_and_said(files):
    root = files("training/1.png", "match/1.png")
    assert load(root).labels.names == ("match", "training")
    assert "training/ is called like a side of a split, but is read as a class" in notes(root)


@pytest.mark.parametrize(
    ("names", "inner"),
    [
        (["photos/a/1.png", "photos/b/1.png"], "photos"),
        (["my photos/train/a/1.png", "my photos/test/a/1.png"], "my photos"),
        (["x/y/a/1.png", "x/y/b/z/1.png"], "x/y"),
        (["train/x/a/1.png", "train/x/b/1.png"], "train/x"),
        (["train/train/a/1.png", "train/train/b/1.png"], "train/train"),
        (["x/train/a/1.png", "x/train/b/1.png"], "x/train"),
    ],
)
def test_a_wrapper_is_refused_and_the_advice_works_when_typed(files, names, inner):
    root = files(*names)
    message = refusal(root)
    key, _, typed = shlex.split(message.partition("; give ")[2])[0].partition("=")
    assert (key, Path(typed)) == ("dataset.root", root / inner)
    assert len(load(typed)) == len(names)


@pytest.mark.parametrize(("wrapped", "plain"), [("train", "test"), ("test", "train")])
def test_a_wrapper_in_one_side_of_a_split_is_refused_and_the_advice_works(files, wrapped, plain):
    root = files(*(f"{side}/{c}/1.png" for side in (f"{wrapped}/images", plain) for c in "ab"))
    message = refusal(root)
    assert f"all images of {wrapped}/ lie in {wrapped}/images/" in message
    assert f"move them up into {wrapped}/" in message
    for folder in (root / wrapped / "images").iterdir():
        folder.rename(root / wrapped / folder.name)
    (root / wrapped / "images").rmdir()
    assert load(root).labels.names == ("a", "b")


def test_a_side_of_one_class_with_folders_in_it_is_read(files):
    root = files("train/a/x/1.png", "train/a/y/1.png", "test/A/1.png", "test/b/1.png")
    assert len(load(root)) == 4


def test_a_split_that_shares_no_class_is_said(files):
    root = files("train/a/1.png", "train/b/1.png", "test/unknown/1.png")
    assert any("1 of 3 classes have test images" in note for note in first_look(load(root)).notes)


def test_a_wrapper_in_each_side_of_a_split_is_refused(files):
    names = (f"{side}/photos/{c}/1.png" for side in ("train", "test") for c in "ab")
    message = refusal(files(*names))
    assert "train/photos/ and test/photos/" in message
    assert "move them up into train/, test/" in message


def test_an_ordinary_folder_has_one_line(tmp_path):
    random = np.random.default_rng(0)
    for i, side in enumerate(("train", "test") * 4):
        path = tmp_path / side / "ab"[i // 2 % 2] / f"{i}.{'jpg' if i < 4 else 'png'}"
        save(path, Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)))
    for name in (".DS_Store", "train/.DS_Store", "train/a/.DS_Store", "train/a/broken.jpg"):
        (tmp_path / name).write_bytes(b"broken")
    (line,) = first_look(load(tmp_path)).lines()
    assert line.startswith("first look: 4 training and 4 test images")


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["a/1.png", "a/2.png"], "a/"),
        (["a/1.png", "a/b/2.png"], "a/"),
        (["2024/may/1.png", "2024/may/2.png"], "2024/may/"),
        (["train/a/1.png"], "train/a/"),
        (["train/a/1.png", "test/a/1.png"], "train/a/ and test/a/"),
        (["train/a/b/1.png", "train/a/b/2.png", "test/a/1.png"], "train/a/b/ and test/a/"),
        (["a/1.png", "b/1.tga"], "a/"),
    ],
)
def test_one_folder_that_holds_all_images_is_no_class_and_said_once(files, names, folder):
    images = load(files(*names))
    assert images.labels is None
    assert images.is_test.any() == any(name.startswith("test") for name in names)
    lines = first_look(images).lines()
    assert sum(f"all images are in {folder}: taken as unlabeled" in line for line in lines) == 1
    assert not any("class" in line for line in lines if "no classes" not in line)


def test_names_of_folders_do_not_break_a_line(files):
    assert "a\\nb/" in refusal(files("a\nb/x/1.png", "a\nb/y/1.png"))
    lines = first_look(load(files("x/c/1.png", "x/c\n/1.b\nc") / "x")).lines()
    assert not any("\n" in line for line in lines)


def test_folders_in_classes_are_said_to_be_none(files):
    root = files("2019/cat/1.png", "2020/cat/1.png", "2020/dog/1.png")
    assert load(root).labels.names == ("2019", "2020")
    assert (
        "the classes are 2019/, 2020/; the folders in them, cat/, dog/, are not classes"
        in notes(root)
    )
    root = files("x/cat/train/1.png", "x/dog/test/1.png") / "x"
    assert "are not classes, and no split" in notes(root)


NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def test_two_unicode_spellings_are_one_class_and_said(files):
    root = files(f"train/{NFC}/1.png", f"test/{NFD}/1.png", "train/thé/1.png", "test/thé/1.png")
    images = load(root)
    assert images.labels.names == (NFC, "thé")
    assert images.labels.values.tolist() == [0, 1, 0, 1]
    assert f"two Unicode spellings of a name are one class: '{NFC}'" in notes(root)


def test_a_name_of_one_spelling_stays_and_is_found_in_the_other(files):
    images = load(files(f"{NFD}/1.png", "b/1.png"))
    assert images.labels.names == ("b", NFD)
    assert select_classes(images, [NFC]).labels.names == (NFD,)


def test_names_that_differ_in_case_only_are_said(files):
    root = files("train/Cat/1.png", "test/cat/1.png")
    assert load(root).labels.names == ("Cat", "cat")
    assert "differ only in case, width or spaces: 'Cat', 'cat'" in notes(root)


@pytest.mark.parametrize(
    "folder", ["@eaDir/1.png", "#recycle", "$RECYCLE.BIN/S-1-5", "System Volume Information"]
)
def test_folders_of_file_servers_and_systems_are_passed_over_and_said(files, folder):
    root = files("a/1.png", "b/1.png", f"a/{folder}/THUMB.jpg", f"{folder}/x.png")
    images = load(root)
    assert images.sources == ("a/1.png", "b/1.png")
    assert f"2 images in {folder.split('/')[0]}/" in " ".join(first_look(images).lines())
    assert len(load(root / folder)) == 1  # named by itself, it is read


def test_a_system_folder_that_may_not_be_listed_does_not_matter(files, monkeypatch):
    scan = os.scandir

    def denied(path):
        if "lost+found" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", denied)
    assert len(load(files("a/1.png", "lost+found/1.png"))) == 1


@pytest.mark.parametrize("name", ["thumbs", "recycled", "Recycler", "temporary items"])
def test_words_are_classes(files, name):
    assert load(files(f"{name}/1.png", "a/1.png")).labels.names == tuple(sorted((name, "a")))


def test_a_system_folder_in_the_place_of_a_class_is_said(files):
    note = "folders of the system are no classes: @eaDir/"
    assert note in notes(files("a/1.png", "b/1.png", "@eaDir/1.png"))


def test_a_system_folder_elsewhere_is_counted_only(files):
    sides = (f"{side}/{c}/1.png" for side in ("train", "test") for c in "ab")
    assert notes(files(*sides, "train/a/@eaDir/1.png", "@eaDir/1.png")) == ""


def test_files_that_are_not_read_are_counted_and_their_class_is_named(files):
    root = files(
        "a/1.png",
        "b/1.tga",
        "b/2.TGA",
        "b/c/3.dng",
        "a/notes.txt",
        "LICENSE",
        ".x",
        ".y/1.png",
        "._1.png",
    )
    images = load(root)
    assert images.found.other_files == {".tga": 2, ".dng": 1, ".txt": 1, "": 1}
    assert images.found.hidden == 2
    assert "folders without readable images are no classes: b/ (.dng, .tga)" in notes(root)
    assert (
        "passed over: 2 .tga, 1 without suffix, 1 .dng, 1 .txt, 2 hidden"
        in first_look(images).lines()
    )
    assert "there are 2 .tga" in refusal(root / "b")


@pytest.mark.parametrize("root", ["/", "//", "/proc", "/proc/self/task", "/sys", "/dev", "up"])
def test_the_root_of_the_file_system_and_the_kernel_are_refused(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    Path("up").symlink_to("/")
    message = refusal(root)
    assert "root of the file system" in message or "holds no images" in message


def test_links_to_folders_above_the_root_and_the_kernel_are_ignored(files):
    root = files("a/1.png", "b/1.png")
    (root / "a/top").symlink_to("/")
    (root / "a/above").symlink_to(root.parent)
    (root / "a/kernel").symlink_to("/proc")
    (root / "a/itself.png").symlink_to(root / "a/itself.png")
    images = load(root)
    assert images.sources == ("a/1.png", "b/1.png")
    assert "passed over: 4 links back or out" in first_look(images).lines()


def test_links_that_multiply_are_refused(files, monkeypatch):
    monkeypatch.setattr(image_paths, "_MAX_VISITS", 20)
    root = files("1/1.png")
    for number in range(1, 20):
        (root / f"{number}").mkdir(exist_ok=True)
        for link in "ab":
            (root / f"{number}/{link}").symlink_to(root / f"{number + 1}")
    (root / "20").mkdir()
    assert "more than 20 ways" in refusal(root)


def test_pipes_and_devices_are_unreadable(tmp_path):
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    (group,) = (images := load(tmp_path)).found.unreadable[:1]
    assert images.unreadable == ("b.png", "c.png")
    assert group.reason == "is a named pipe; must be a regular file"


def test_more_files_than_before_are_found_without_listing_all(files, monkeypatch):
    options = ImageFolder(root=str(files(*(f"{i}.png" for i in range(6)))))
    assert not options.has_more_files(6)
    assert options.has_more_files(5)
    with pytest.raises(InputError, match="No such file"):
        ImageFolder(root=str(files() / "gone")).has_more_files(1)
