"""What every dataset must be, held for all that need no download."""

from functools import partial

import numpy as np
import pytest
import torch
from class_split_files import write_cars, write_cub, write_products
from PIL import Image

from dimred.data.check import check_image_set
from dimred.errors import InputError
from dimred.options.registry import registered

# Read from files that others publish: tests/data has small ones of their formats.
PUBLISHED = {"mnist", "fashion_mnist", "cifar10", "cifar100", "norb_small"}


def npz(folder):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(folder / "mine.npz", images=images, labels=np.arange(40) % 4)
    return {"path": str(folder / "mine.npz")}


def image_folder(folder):
    rng = np.random.default_rng(0)
    for name in ("ants", "bees"):
        (folder / name).mkdir()
        for i in range(8):
            pixels = rng.integers(0, 256, (9, 11, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return {"root": str(folder), "image_size": 8}


def turntable(folder):
    """With its rendered images planted: to render them takes long."""
    images = np.zeros((972, 96, 96), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(972), 256)
    np.savez(folder / "turntable-v1.npz", images=images)
    return {"root": str(folder)}


def digits(folder):
    return {}


def canvases(folder):
    return {"root": str(folder), "n_train": 30, "n_test": 12}


def class_split(write):
    """Of a small set in the format of one that is split by class."""

    def made(folder):
        write(folder, [1] * 5 + [2] * 5 + [190] * 5)
        return {"root": str(folder), "image_size": 8, "partial": True}

    return made


# From a folder to options of the dataset whose files are made there.
DATASETS = {
    "canvases": canvases,
    "digits": digits,
    "image_folder": image_folder,
    "npz": npz,
    "turntable": turntable,
    "cub200": class_split(partial(write_cub, names=(1, 2, 190))),
    "cars196": class_split(partial(write_cars, names=[f"car {i}" for i in range(196)])),
    "stanford_online_products": class_split(
        lambda folder, classes: write_products(
            folder, [11_319 if i == 190 else i for i in classes], 2
        )
    ),
}


@pytest.fixture(scope="module", params=DATASETS)
def dataset(request, tmp_path_factory):
    """A function from further options to the options of a dataset."""
    values = DATASETS[request.param](tmp_path_factory.mktemp(request.param))
    kind, name = registered("dataset")[request.param], request.param
    return lambda **further: kind(name, **values, **further)


def test_all_datasets_are_here():
    ours = {name for name, kind in registered("dataset").items() if kind.origin is None}
    assert set(DATASETS) == ours - PUBLISHED


def test_its_images_are_sound_and_the_same_for_the_same_seed(dataset):
    images = dataset().load(3)
    check_image_set("mine", images)
    assert len(images) > 0
    assert dataset().load(3).fingerprint() == images.fingerprint()


def same_image(images, whole):
    """Each image, and its label, is that of the same index in the whole set."""
    return torch.equal(images.images, whole.images[torch.from_numpy(images.index)]) and (
        images.labels is None
        or [images.labels.names[i] for i in images.labels.values]
        == [whole.labels.names[i] for i in whole.labels.values[images.index]]
    )


def test_a_limit_keeps_some_images_as_they_are(dataset):
    images, whole = dataset(limit=12).load(0), dataset().load(0)
    assert len(images) == 12
    assert len(set(images.index)) == 12
    assert same_image(images, whole)


def test_classes_keep_all_images_of_theirs(dataset):
    whole = dataset().load(0)
    if whole.labels is None:
        with pytest.raises(InputError, match="classes"):
            dataset(classes=["1"]).load(0)
        return
    names = whole.labels.names[:2]
    images = dataset(classes=list(names)).load(0)
    assert same_image(images, whole)
    assert images.labels.names == names
    assert len(images) == np.sum(whole.labels.values < 2)
    one = dataset(classes=[names[1]]).load(0)  # a class alone says nothing
    assert one.labels is None
    assert one.found.notes[-1] == f"all images are of one class, {names[1]!r}: taken as unlabeled"
    assert len(one) == np.sum(whole.labels.values == 1)
