"""CUB-200-2011, Cars196 and Stanford Online Products of which images, classes or lists are missing:
refused, or taken and said."""

import pytest
from class_split_files import (
    CLASSES,
    color,
    colors,
    shrink,
    write_cub,
    write_devkit,
    write_products,
)
from test_class_split_images import NAMES, WRITERS, each_set, load, refusal

from dimred.data.check import check_image_set
from dimred.data.class_split_options import ClassSplitSet
from dimred.data.class_splits import CLASS_SPLITS
from dimred.data.first_look import first_look
from dimred.errors import InputError


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name in WRITERS:
        shrink(monkeypatch, name)


@each_set
def test_a_partial_set_is_refused_or_said(tmp_path, name, monkeypatch):
    paths = WRITERS[name](tmp_path)
    for i in (2, 5):
        (tmp_path / paths[i]).unlink()
    message = refusal(name, tmp_path)
    assert message == (
        f"dataset.root={str(tmp_path)!r}: 2 of the 7 images listed are missing, {paths[2]!r} "
        "first; dataset.partial=true takes what is there"
    )
    images = load(name, tmp_path, partial=True)
    check_image_set(name, images)
    assert images.index.tolist() == [0, 1, 3, 4, 6]
    assert colors(images) == [color(i) for i in (0, 1, 3, 4, 6)]
    assert images.is_unseen.tolist() == [False] * 2 + [True] * 3
    assert images.labels.names == tuple(NAMES[name][i] for i in (0, 2, 3))
    assert images.labels.values.tolist() == [0, 0, 1, 2, 2]
    assert images.found.files == 5
    note = (
        f"{CLASS_SPLITS[name].title} is not whole (dataset.partial=true): 2 of 3 images and 1 of 2 "
        "classes that are learned and 3 of 4 images and 2 of 2 classes that are unseen are there; "
        f"2 listed files are missing, {paths[2]!r} first"
    )
    assert images.found.notes == (note,)
    assert f"note: {note}" in first_look(images).lines()
    # A class keeps its index, whether or not there are images of it.
    assert load(name, tmp_path, partial=True, classes=["0", "3"]).index.tolist() == [0, 1, 4, 6]


@each_set
def test_folders_that_are_missing_lack_their_images(tmp_path, name):
    paths = WRITERS[name](tmp_path)
    for path in paths:
        (tmp_path / path).unlink()
    for folder in {(tmp_path / path).parent for path in paths}:
        folder.rmdir()
    for partial in (False, True):
        message = refusal(name, tmp_path, partial)
        assert message.endswith(f"7 of the 7 images listed are missing, {paths[0]!r} first")


def test_a_folder_that_is_a_file_lacks_its_images(tmp_path):
    write_cub(tmp_path)
    (tmp_path / "images").rename(tmp_path / "other")
    (tmp_path / "images").touch()
    assert "7 of the 7 images listed are missing" in refusal("cub200", tmp_path)


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
    paths = write_cub(tmp_path)

    def denied(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("dimred.data.class_split_images.os.scandir", denied)
    folder = str((tmp_path / paths[0]).parent)
    assert refusal("cub200", tmp_path) == f"{folder!r} cannot be read: Permission denied"


def shorter(text, dropped):
    return "".join(line for i, line in enumerate(text.splitlines(True)) if i not in dropped)


@pytest.mark.parametrize(
    ("dropped", "kept", "problem"),
    [
        ([0], range(1, 7), "2 images of classes 1 to 2 are listed, but CUB-200-2011 has 3"),
        ([6], range(6), "3 images of classes 3 to 4 are listed, but CUB-200-2011 has 4"),
    ],
)
def test_lists_of_fewer_images_are_partial_too(tmp_path, dropped, kept, problem):
    write_cub(tmp_path)
    (tmp_path / "images.txt").write_text(shorter((tmp_path / "images.txt").read_text(), dropped))
    labels = tmp_path / "image_class_labels.txt"
    assert refusal("cub200", tmp_path) == (
        f"{str(labels)!r}: 1 of its images, {11 + dropped[0]} first, are not in images.txt; "
        "dataset.partial=true takes what is there"
    )
    images = load("cub200", tmp_path, partial=True)
    assert colors(images) == [color(i) for i in kept]
    assert "listed files are missing" not in images.found.notes[0]
    labels.write_text(shorter(labels.read_text(), [6 - i for i in dropped]))
    file = str(tmp_path / "images.txt")
    assert refusal("cub200", tmp_path) == (
        f"{file!r}: {problem}; dataset.partial=true takes what is there"
    )
    again = load("cub200", tmp_path, partial=True)
    assert again.fingerprint() == images.fingerprint()


@each_set
@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({"images": (2, 4)}, "3 images of classes 1 to 2 are listed, but {} has 2"),
        ({"images": (3, 3)}, "4 images of classes 3 to 4 are listed, but {} has 3"),
        (
            {"images": (4, 4)},
            "3 images of classes 1 to 2 are listed, but {} has 4; dataset.partial=true",
        ),
        (
            {"images": (3, 5)},
            "4 images of classes 3 to 4 are listed, but {} has 5; dataset.partial=true",
        ),
    ],
)
def test_other_numbers_of_images_are_refused(tmp_path, monkeypatch, name, counts, problem):
    shrink(monkeypatch, name, **counts)
    WRITERS[name](tmp_path)
    message = refusal(name, tmp_path)
    assert problem.format(CLASS_SPLITS[name].title) in message
    file = {"cub200": "images.txt", "cars196": "cars_annos.mat"}.get(
        name, "Ebay_train.txt" if "1 to 2" in problem else "Ebay_test.txt"
    )
    assert message.startswith(repr(str(tmp_path / file)))
    if "partial" in problem:
        assert len(load(name, tmp_path, partial=True)) == 7
    else:
        assert "partial" not in message
        assert refusal(name, tmp_path, partial=True) == message


@each_set
def test_a_class_without_a_listed_image_is_missing(tmp_path, name):
    WRITERS[name](tmp_path, (1, 1, 1, 3, 4, 4, 4))
    title = CLASS_SPLITS[name].title
    assert f"1 classes with images are listed, but {title} has 2; " in refusal(name, tmp_path)
    images = load(name, tmp_path, partial=True)
    assert images.labels.names == tuple(NAMES[name][i] for i in (0, 2, 3))
    assert "3 of 3 images and 1 of 2 classes that are learned" in images.found.notes[0]


@pytest.mark.parametrize("side", ["train", "test"])
def test_lists_without_images_are_refused(tmp_path, side):
    write_products(tmp_path, CLASSES[:3] if side == "test" else CLASSES[3:])
    assert f"Ebay_{side}.txt': 0 images" in refusal("stanford_online_products", tmp_path)
    only = load("stanford_online_products", tmp_path, partial=True)
    assert only.is_unseen is None
    write_products(tmp_path, ())
    message = refusal("stanford_online_products", tmp_path, partial=True)
    assert message == f"{str(tmp_path / 'Ebay_train.txt')!r}: lists no image"


@each_set
def test_missing_lists_are_named_before_anything_is_read(tmp_path, name):
    title, lists = CLASS_SPLITS[name].title, CLASS_SPLITS[name].layouts[0].lists
    below = CLASS_SPLITS[name].folders[0]
    options = ClassSplitSet(name, root=str(tmp_path))
    with pytest.raises(InputError) as error:
        options.check_place()
    message = str(error.value)
    folders = " or ".join(CLASS_SPLITS[name].folders)
    assert message.startswith(
        f"dataset.root={str(tmp_path)!r}: no {lists[0]} of {title} there, nor in a folder {folders}"
    )
    assert CLASS_SPLITS[name].source in message
    assert "dataset.root=FOLDER" in message
    assert refusal(name, tmp_path) == message
    WRITERS[name](tmp_path / below)
    options.check_place()
    (tmp_path / below / lists[-1]).unlink()
    if len(lists) > 1:
        assert f"no {below}/{lists[-1]} of {title} there; fetch it" in refusal(name, tmp_path)


def test_a_devkit_without_the_classes_of_test_says_so(tmp_path):
    write_devkit(tmp_path)
    file = tmp_path / "devkit" / "cars_test_annos_withlabels.mat"
    file.rename(file.with_name("cars_test_annos.mat"))
    assert "no devkit/cars_test_annos_withlabels.mat of Cars196" in refusal("cars196", tmp_path)
