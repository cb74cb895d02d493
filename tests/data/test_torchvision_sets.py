"""MNIST's kind from small IDX files; what is missing or damaged is named."""

import struct
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from dimred.data.torchvision_sets import load_torchvision
from dimred.errors import InputError

N_TRAIN, N_TEST = 12, 5


def refusal(*arguments):
    with pytest.raises(InputError) as error:
        load_torchvision(*arguments)
    message = str(error.value)
    assert "\n" not in message
    return message


def idx(array):
    """The bytes of an IDX file: two zeros, type (8 is uint8), axes, their sizes, the values."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_idx(root, folder):
    rng = np.random.default_rng(0)
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    written = []
    for prefix, n in (("train", N_TRAIN), ("t10k", N_TEST)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = rng.integers(0, 10, n, dtype=np.uint8)
        (raw / f"{prefix}-images-idx3-ubyte").write_bytes(idx(images))
        (raw / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))
        written.append((images, labels))
    return raw, written


@pytest.mark.parametrize(
    ("name", "folder", "names"),
    [("mnist", "MNIST", ("0", "1", "9")), ("fashion_mnist", "FashionMNIST", None)],
)
def test_idx_files_are_read_train_then_test(tmp_path, name, folder, names):
    _, written = write_idx(tmp_path, folder)
    image_set = load_torchvision(name, str(tmp_path), False)
    assert image_set.images.dtype == torch.uint8
    assert image_set.images.shape == (N_TRAIN + N_TEST, 1, 28, 28)
    expected = np.concatenate([images for images, _ in written])
    assert np.array_equal(image_set.images.squeeze(1).numpy(), expected)
    assert image_set.labels.values.dtype == np.int64
    assert np.array_equal(
        image_set.labels.values, np.concatenate([labels for _, labels in written])
    )
    assert image_set.is_test.tolist() == [False] * N_TRAIN + [True] * N_TEST
    assert image_set.split_name == "official 12/5"
    assert np.array_equal(image_set.index, np.arange(N_TRAIN + N_TEST))
    assert len(image_set.labels.names) == 10
    if names:
        assert (*image_set.labels.names[:2], image_set.labels.names[9]) == names
    else:
        assert image_set.labels.names[9] == "Ankle boot"


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write_idx(tmp_path / "data", "MNIST")
    assert len(load_torchvision("mnist", "~/data", False)) == N_TRAIN + N_TEST


def test_files_that_are_there_are_not_fetched_again(tmp_path, monkeypatch):
    write_idx(tmp_path, "MNIST")
    monkeypatch.delattr(datasets.MNIST, "download")
    load_torchvision("mnist", str(tmp_path), True)


@pytest.mark.parametrize(
    "error",
    [URLError("no\nnetwork"), RuntimeError("Error downloading:\nTried a mirror"), OSError()],
)
def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch, error):
    def fail(self):
        raise error

    monkeypatch.setattr(datasets.MNIST, "download", fail)
    message = refusal("mnist", str(tmp_path), True)
    assert message.startswith("dataset.download=true: mnist could not be fetched")
    assert str(tmp_path) in message
    assert message.rpartition(": ")[2]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mnist", "MNIST/raw/train-images-idx3-ubyte"),
        ("fashion_mnist", "FashionMNIST/raw/train-images-idx3-ubyte"),
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("cifar100", "cifar-100-python/train"),
    ],
)
def test_missing_files_are_named_with_what_to_do(tmp_path, name, file):
    message = refusal(name, str(tmp_path / "no such\nfolder"), False)
    for part in ("dataset.root=", "no such", file, "dataset.download=true", "dataset.root=FOLDER"):
        assert part in message


def test_a_single_missing_file_is_named(tmp_path):
    raw, _ = write_idx(tmp_path, "MNIST")
    (raw / "t10k-labels-idx1-ubyte").unlink()
    assert "MNIST/raw/t10k-labels-idx1-ubyte" in refusal("mnist", str(tmp_path), False)


DAMAGE = {
    "empty": lambda content: b"",
    "head": lambda content: content[:7],
    "cut": lambda content: content[: len(content) // 2],
    "longer": lambda content: content + b"\0",
    "packed": lambda content: b"\x1f\x8b\x08" + content,
    "other type": lambda content: content[:2] + b"\x0d" + content[3:],
    "other axes": lambda content: content[:3] + b"\x02" + content[4:],
    "text": lambda content: b"<html>404</html>",
    "no images": lambda content: content[:4] + bytes(4) + content[8:16],
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_damaged_idx_file_is_named(tmp_path, file, damage):
    raw, _ = write_idx(tmp_path, "MNIST")
    (raw / file).write_bytes(DAMAGE[damage]((raw / file).read_bytes()))
    message = refusal("mnist", str(tmp_path), False)
    assert str(raw / file) in message
    assert "delete it and set dataset.download=true" in message


@pytest.mark.parametrize(
    ("file", "array", "part"),
    [
        ("train-images-idx3-ubyte", np.zeros((N_TRAIN, 5, 6), np.uint8), "5x6, not 28x28"),
        ("t10k-labels-idx1-ubyte", np.zeros(N_TRAIN, np.uint8), "12 labels for 5 images"),
        ("train-labels-idx1-ubyte", np.full(N_TRAIN, 10, np.uint8), "label above 9"),
    ],
)
def test_idx_files_that_do_not_fit_are_named(tmp_path, file, array, part):
    raw, _ = write_idx(tmp_path, "MNIST")
    (raw / file).write_bytes(idx(array))
    message = refusal("mnist", str(tmp_path), False)
    assert file in message
    assert part in message


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    raw, _ = write_idx(tmp_path, "MNIST")

    def denied(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("torchvision.datasets.mnist.read_image_file", denied)
    message = refusal("mnist", str(tmp_path), False)
    assert str(raw / "train-images-idx3-ubyte") in message
    assert "Permission denied" in message


def test_an_unknown_set_is_refused_with_the_choices():
    message = refusal("cifar1000", "data", False)
    assert "dataset.name='cifar1000'" in message
    assert "mnist, fashion_mnist, cifar10, cifar100" in message
