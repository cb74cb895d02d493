"""CUB-200-2011, Cars196 and Stanford Online Products from small files of their formats."""

import os

import numpy as np
import pytest
import torch
from class_split_files import (
    CAR_NAMES,
    CLASSES,
    SIDE,
    color,
    colors,
    cub_name,
    shrink,
    write_cars,
    write_cub,
    write_devkit,
    write_products,
)
from PIL import Image

from dimred.data import folder_source, image_paths
from dimred.data.check import check_image_set
from dimred.data.class_split_options import ClassSplitSet
from dimred.data.class_splits import CLASS_SPLITS
from dimred.data.image_set import channel_statistics
from dimred.errors import InputError

WRITERS = {
    "cub200": write_cub,
    "cars196": write_cars,
    "stanford_online_products": write_products,
}
NAMES = {
    "cub200": tuple(cub_name(i) for i in range(1, 5)),
    "cars196": CAR_NAMES,
    "stanford_online_products": ("bicycle 1", "mug 2", "bicycle 3", "mug 4"),
}
each_set = pytest.mark.parametrize("name", WRITERS)


PUBLISHED = dict(CLASS_SPLITS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name in WRITERS:
        shrink(monkeypatch, name)


def load(name, root, partial=False, **values):
    options = ClassSplitSet(name, root=str(root), image_size=SIDE, partial=partial, **values)
    return options.load(0)


def refusal(name, root, partial=False, **values):
    with pytest.raises(InputError) as error:
        load(name, root, partial, **values)
    assert "\n" not in str(error.value)
    return str(error.value)


def check_whole(name, images, paths):
    check_image_set(name, images)
    assert colors(images) == [color(i) for i in range(7)]
    assert images.labels.names == NAMES[name]
    assert images.labels.values.tolist() == [number - 1 for number in CLASSES]
    assert images.is_unseen.tolist() == [False] * 3 + [True] * 4
    assert images.sources == tuple(paths)
    assert images.index.tolist() == list(range(7))
    assert not images.is_test.any()
    assert images.split_name == ""
    assert images.unreadable == ()
    assert images.found.files == 7
    assert images.found.notes == ()
    learned = images.images[:3]
    assert (images.mean, images.std) == channel_statistics(learned, np.zeros(3, bool))
    assert images.mean != channel_statistics(images.images, np.zeros(7, bool))[0]


@pytest.mark.parametrize(
    ("name", "n_classes", "n_images"),
    [
        ("cub200", 200, 11_788),
        ("cars196", 196, 16_185),
        ("stanford_online_products", 22_634, 120_053),
    ],
)
def test_the_published_sides_sum_to_the_published_sets(name, n_classes, n_images):
    """Lin et al. 2018 (DVML), section 4.1, gives both."""
    assert sum(PUBLISHED[name].classes) == n_classes
    assert sum(PUBLISHED[name].images) == n_images


@each_set
def test_a_whole_set_is_read_in_the_order_of_its_list(tmp_path, name):
    paths = WRITERS[name](tmp_path)
    check_whole(name, load(name, tmp_path), paths)
    assert load(name, tmp_path, partial=True).fingerprint() == load(name, tmp_path).fingerprint()


@each_set
def test_the_root_may_be_the_folder_that_holds_the_sets(tmp_path, name, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for below in CLASS_SPLITS[name].folders:
        (tmp_path / below / below).mkdir(parents=True)
        paths = WRITERS[name](tmp_path / below / below)
        images = load(name, f"~/{below}")
        check_whole(name, images, [f"{below}/{path}" for path in paths])
        there = image_paths.image_paths(str(tmp_path / below), "root")
        assert set(images.sources) == set(there)


@pytest.mark.parametrize("labels", ["devkit/", ""])
def test_the_devkit_of_cars(tmp_path, labels):
    paths = write_devkit(tmp_path, labels=labels)
    assert paths == [f"cars_train/{i:05d}.jpg" for i in (1, 2, 3, 4)] + [
        f"cars_test/{i:05d}.jpg" for i in (1, 2, 3)
    ]
    check_whole("cars196", load("cars196", tmp_path), paths)


def test_of_two_layouts_of_cars_the_one_whose_images_are_there_is_read(tmp_path):
    write_cars(tmp_path)
    (tmp_path / "car_ims").rename(tmp_path / "elsewhere")
    paths = write_devkit(tmp_path)
    check_whole("cars196", load("cars196", tmp_path), paths)
    (tmp_path / "elsewhere").rename(tmp_path / "car_ims")
    assert load("cars196", tmp_path).sources[0] == "car_ims/000001.jpg"


def test_products_have_super_classes(tmp_path):
    write_products(tmp_path)
    superclass = load("stanford_online_products", tmp_path).extra_labels["superclass"]
    assert superclass.names == ("bicycle", "mug")
    assert superclass.values.tolist() == [0, 0, 1, 0, 1, 1, 1]


@each_set
@pytest.mark.parametrize(
    ("values", "kept", "unseen"),
    [
        ({"classes": ["0", "3"]}, [0, 1, 4, 5, 6], [False, False, True, True, True]),
        ({"classes": ["0", "1"]}, [0, 1, 2], None),
        ({"limit": 7}, range(7), [False] * 3 + [True] * 4),
    ],
)
def test_a_selection_is_made_before_files_are_read(
    tmp_path, monkeypatch, name, values, kept, unseen
):
    WRITERS[name](tmp_path)
    whole = load(name, tmp_path)
    opened = []
    decode = folder_source.decode

    def counted(path, size, reading, channels):
        opened.append(os.path.relpath(path, tmp_path))
        return decode(path, size, reading, channels)

    monkeypatch.setattr(folder_source, "decode", counted)
    images = load(name, tmp_path, **values)
    check_image_set(name, images)
    kept = list(kept)
    assert images.index.tolist() == kept
    assert colors(images) == [color(i) for i in kept]
    assert sorted(opened) == sorted(images.sources) == sorted(whole.sources[i] for i in kept)
    assert [images.labels.names[i] for i in images.labels.values] == [
        whole.labels.names[i] for i in whole.labels.values[kept]
    ]
    assert (images.is_unseen is None) == (unseen is None)
    if unseen is not None:
        assert images.is_unseen.tolist() == unseen
        learned = images.images[torch.from_numpy(~images.is_unseen)]
        assert images.mean == channel_statistics(learned, np.zeros(len(learned), bool))[0]


@pytest.mark.parametrize(("count", "numbers"), [(5, {1, 2, 4}), (3, {2, 4})])
def test_classes_without_an_image_are_dropped(tmp_path, count, numbers):
    """The classes have 2, 1, 1 and 3 images; a limit rounds their running sum down."""
    write_products(tmp_path)
    options = ClassSplitSet(
        "stanford_online_products", root=str(tmp_path), image_size=SIDE, limit=count
    )
    images = options.selected(0)
    superclass = images.extra_labels["superclass"]
    for labels in (images.labels, superclass):
        assert set(labels.values) == set(range(len(labels.names)))
    named = [images.labels.names[i] for i in images.labels.values]
    assert {int(name.split()[1]) for name in named} == numbers
    assert [superclass.names[i] for i in superclass.values] == [name.split()[0] for name in named]
    assert [int(source.partition("/")[2][:4]) - 1000 for source in images.sources] == [
        int(name.split()[1]) for name in named
    ]


def test_training_images_of_each_class_are_drawn(tmp_path, monkeypatch):
    shrink(monkeypatch, "cub200", images=(5, 4))
    write_cub(tmp_path, (1, 1, 1, 2, 2, 3, 3, 4, 4))
    images = load("cub200", tmp_path, train_per_class=2)
    assert images.labels.values.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert images.is_unseen.tolist() == [False] * 4 + [True] * 4


@each_set
def test_unseen_classes_alone_are_learned_from(tmp_path, name):
    WRITERS[name](tmp_path)
    images = load(name, tmp_path, classes=["2", "3"])
    assert images.is_unseen is None
    assert images.index.tolist() == [3, 4, 5, 6]
    assert (images.mean, images.std) == channel_statistics(images.images, images.is_test)
    title = CLASS_SPLITS[name].title
    assert images.found.notes == (
        f"all images are of classes that are unseen in {title}: learned from",
    )


@each_set
def test_unreadable_files_are_left_out_and_named(tmp_path, name):
    paths = WRITERS[name](tmp_path)
    (tmp_path / paths[2]).write_bytes(b"no image")
    (tmp_path / paths[4]).unlink()
    (tmp_path / paths[4]).mkdir()
    images = load(name, tmp_path)
    check_image_set(name, images)
    assert images.unreadable == (paths[2], paths[4])
    assert [(part.count, part.first) for part in images.found.unreadable] == [
        (1, (paths[2],)),
        (1, (paths[4],)),
    ]
    assert images.index.tolist() == [0, 1, 3, 5, 6]
    assert colors(images) == [color(i) for i in (0, 1, 3, 5, 6)]
    assert images.labels.names == tuple(NAMES[name][i] for i in (0, 2, 3))
    assert images.found.files == 7


def test_a_set_without_readable_images_is_refused(tmp_path):
    paths = write_cars(tmp_path)
    for path in paths:
        (tmp_path / path).write_bytes(b"no image")
    assert refusal("cars196", tmp_path) == (
        f"dataset.root={str(tmp_path)!r}: none of its 7 images can be read; the first, "
        f"{paths[0]!r}: not an image of a known format"
    )


def test_gray_images_become_color(tmp_path):
    paths = write_cub(tmp_path)
    for path in paths:
        Image.new("L", (9, 9), 77).save(tmp_path / path, "PNG")
    assert colors(load("cub200", tmp_path)) == [(77, 77, 77)] * 7


def test_the_largest_central_square_is_resized(tmp_path):
    paths = write_cub(tmp_path)
    picture = Image.new("RGB", (16, 4), (255, 0, 0))
    picture.paste((0, 0, 255), (6, 0, 10, 4))
    picture.save(tmp_path / paths[0], "PNG")
    assert colors(load("cub200", tmp_path))[0] == (0, 0, 255)
