"""What an .npz may hold, and every way in which one cannot be used."""

import io
import os
import unicodedata
import zipfile

import numpy as np
import pytest
import torch

from dimred.data import free_memory
from dimred.data.image_set import channel_statistics
from dimred.data.npz import load_npz
from dimred.errors import InputError

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
GRAY[0, 0, :2] = 0, 255
COLOR = RNG.integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)


def load(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return load_npz(str(path))


def refusal(path):
    with pytest.raises(InputError) as error:
        load_npz(str(path))
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith("dataset.path=")
    assert path.name in message
    return message


def refused(tmp_path, **arrays):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays)
    return refusal(path)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (GRAY, GRAY[:, np.newaxis]),
        (GRAY[..., np.newaxis], GRAY[:, np.newaxis]),
        (GRAY[:, np.newaxis], GRAY[:, np.newaxis]),
        (COLOR, COLOR.transpose(0, 3, 1, 2)),
        (COLOR.transpose(0, 3, 1, 2), COLOR.transpose(0, 3, 1, 2)),
        (np.asfortranarray(COLOR), COLOR.transpose(0, 3, 1, 2)),
    ],
)
def test_every_layout_becomes_channels_first(tmp_path, array, expected):
    image_set = load(tmp_path, images=array)
    assert image_set.images.dtype == torch.uint8
    assert image_set.images.is_contiguous()
    assert np.array_equal(image_set.images.numpy(), expected)
    assert image_set.labels is None
    assert not image_set.is_test.any()
    assert image_set.split_name == ""
    assert np.array_equal(image_set.index, np.arange(6))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_floats_are_scaled_to_the_nearest_of_256_steps(tmp_path, dtype):
    values = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    image_set = load(tmp_path, images=(values / 255).astype(dtype))
    assert np.array_equal(image_set.images.squeeze(1).numpy(), values)


def test_compressed_files_and_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.savez_compressed(tmp_path / "mine.npz", images=GRAY, other=np.zeros(3))
    assert len(load_npz("~/mine.npz")) == 6


@pytest.mark.parametrize(
    ("labels", "names", "values"),
    [
        ([7, -1, 7, 12, 7, -1], ("-1", "7", "12"), [1, 0, 1, 2, 1, 0]),
        (np.array([3, 5, 3, 5, 3, 5], np.uint8), ("3", "5"), [0, 1, 0, 1, 0, 1]),
        (["b", "a", "b", "ü", "a", "a"], ("a", "b", "ü"), [1, 0, 1, 2, 0, 0]),
        (np.array(["b", "ä", "b", "b", "b", "b"]).astype("U3"), ("b", "ä"), [0, 1, 0, 0, 0, 0]),
        (np.array([b"b", b"a", b"b", b"b", b"b", b"b"]), ("a", "b"), [1, 0, 1, 1, 1, 1]),
        ([True, False, True, True, True, True], ("False", "True"), [1, 0, 1, 1, 1, 1]),
    ],
)
def test_labels_are_relabeled_from_zero_in_sorted_order(tmp_path, labels, names, values):
    found = load(tmp_path, images=GRAY, labels=labels).labels
    assert found.names == names
    assert found.values.dtype == np.int64
    assert found.values.tolist() == values


@pytest.mark.parametrize("labels", [[2, 0, 2, 0, 2, 2], ["x", "z", "x", "z", "x", "x"]])
def test_class_names_fix_the_classes_and_their_order(tmp_path, labels):
    found = load(tmp_path, images=GRAY, labels=labels, class_names=["z", "y", "x"]).labels
    assert found.names == ("z", "y", "x")
    assert found.values.tolist() == [2, 0, 2, 0, 2, 2]


@pytest.mark.parametrize(
    "split",
    [
        ["train", "test", "train", "train", "test", "train"],
        [b"train", b"test", b"train", b"train", b"test", b"train"],
        [False, True, False, False, True, False],
        [0, 1, 0, 0, 1, 0],
        np.array([0, 1, 0, 0, 1, 0], np.uint8),
    ],
)
def test_every_spelling_of_the_split(tmp_path, split):
    image_set = load(tmp_path, images=GRAY, split=split)
    assert image_set.is_test.dtype == np.bool_
    assert image_set.is_test.tolist() == [False, True, False, False, True, False]
    assert image_set.split_name == "split array, 4/2"
    train = GRAY[[0, 2, 3, 5]] / 255
    assert image_set.mean == pytest.approx((train.mean(),))
    assert image_set.std == pytest.approx((train.std(),))


@pytest.mark.parametrize("split", [["train"] * 6, ["test"] * 6])
def test_a_split_with_one_side_is_none(tmp_path, split):
    image_set = load(tmp_path, images=GRAY, split=split)
    assert not image_set.is_test.any()
    assert image_set.split_name == ""


def test_statistics_are_of_each_channel_and_never_zero():
    images = np.stack([np.full((4, 3, 3), 255), np.zeros((4, 3, 3)), GRAY[:4, :3, :3]], axis=1)
    images = torch.from_numpy(images.astype(np.uint8))
    mean, std = channel_statistics(images, np.zeros(4, dtype=bool))
    assert mean == pytest.approx((1, 0, GRAY[:4, :3, :3].mean() / 255))
    assert std == pytest.approx((1e-3, 1e-3, GRAY[:4, :3, :3].std() / 255))


@pytest.mark.parametrize(
    ("array", "part"),
    [
        (GRAY.astype(np.int64), "int64"),
        (GRAY.astype(np.complex64), "complex64"),
        (GRAY.astype(str), "<U"),
        (GRAY.astype(np.int8), "int8"),
        (np.where(GRAY > 100, np.nan, 0.5), "NaN"),
        (np.where(GRAY > 100, np.inf, 0.5), "infinite"),
        (np.zeros((0, 4, 4), np.uint8), "(0, 4, 4)"),
        (np.zeros((4, 0, 4, 3), np.uint8), "(4, 0, 4, 3)"),
        (np.uint8(3), "()"),
        (GRAY[0], "(5, 4)"),
        (COLOR[np.newaxis], "(1, 6, 5, 4, 3)"),
        (np.zeros((2, 8, 8, 4), np.uint8), "(2, 8, 8, 4)"),
        (np.zeros((2, 3, 8, 3), np.uint8), "which axis is the channel"),
        (np.zeros((2, 1, 8, 3), np.uint8), "which axis is the channel"),
    ],
)
def test_images_that_cannot_be_used(tmp_path, array, part):
    message = refused(tmp_path, images=array)
    assert "'images'" in message
    assert part in message


@pytest.mark.parametrize(
    ("arrays", "parts"),
    [
        ({"labels": [1, 2, 3]}, ["'labels'", "(3,)", "(6,)"]),
        ({"labels": [[1]] * 6}, ["'labels'", "(6, 1)", "(6,)"]),
        ({"labels": [0.5] * 6}, ["'labels'", "float64", "integers or strings"]),
        ({"labels": [b"\xff"] * 6}, ["'labels'", "UTF-8"]),
        ({"split": ["train"] * 5}, ["'split'", "(5,)", "(6,)"]),
        ({"split": ["train"] * 5 + ["val\n"]}, ["'split'", "'val\\n'", "'train' or 'test'"]),
        ({"split": [0, 1, 0, 1, 0, 2]}, ["'split'", " 2;", "1 for test"]),
        ({"split": [0.0] * 6}, ["'split'", "0.0"]),
        ({"class_names": ["a"]}, ["'class_names'", "'labels'"]),
        ({"labels": [0] * 6, "class_names": [1]}, ["'class_names'", "strings"]),
        ({"labels": [0] * 6, "class_names": [["a"]]}, ["'class_names'", "one row"]),
        ({"labels": [0] * 6, "class_names": ["a", "a"]}, ["'class_names'", "twice"]),
        ({"labels": [0, 1, 2] * 2, "class_names": ["a", "b"]}, ["'labels'", " 2;", "0 to 1"]),
        ({"labels": [0, -1, 1] * 2, "class_names": ["a", "b"]}, ["'labels'", " -1;", "0 to 1"]),
        ({"labels": ["a", "c"] * 3, "class_names": ["a", "b"]}, ["'labels'", "'c'"]),
    ],
)
def test_other_arrays_that_cannot_be_used(tmp_path, arrays, parts):
    message = refused(tmp_path, images=GRAY, **arrays)
    for part in parts:
        assert part in message


def test_a_missing_array_is_named_with_those_there_are(tmp_path):
    assert "no array 'images'; the arrays are 'X', 'y'" in refused(tmp_path, X=GRAY, y=[1])
    assert "the arrays are none" in refused(tmp_path)


def test_python_objects_are_not_unpickled(tmp_path):
    labels = np.array(["a", 1, None] * 2, dtype=object)
    assert "'labels'" in refused(tmp_path, images=GRAY, labels=labels)


def npz_bytes():
    file = io.BytesIO()
    np.savez(file, images=GRAY)
    return file.getvalue()


def npy_bytes(*objects):
    file = io.BytesIO()
    np.save(file, np.array(objects, dtype=object) if objects else GRAY)
    return file.getvalue()


def flipped():
    content = bytearray(npz_bytes())
    content[200] ^= 1
    return bytes(content)


def zip_of(member):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(member, b"hello")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "neither an .npz nor an .npy file"),
        (b"hello", "neither an .npz nor an .npy file"),
        (b"PK\x03\x04hello", "neither an .npz nor an .npy file"),
        (npz_bytes()[:150], "neither an .npz nor an .npy file"),
        (npy_bytes()[:100], "'images' is damaged"),
        (npy_bytes()[:140], "the file holds 12 bytes of it instead of 120"),
        (npy_bytes(1, 2), "'images' is damaged"),
        (flipped(), "'images' is damaged"),
        (zip_of("images"), "'images' is no array"),
        (zip_of("word/document.xml"), "no array 'images'"),
    ],
)
def test_a_file_that_is_no_whole_npz_is_refused(tmp_path, content, part):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    assert part in refusal(path)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "nowhere.npz")
    (tmp_path / "folder.npz").mkdir()
    assert "directory" in refusal(tmp_path / "folder.npz")


def claiming(path, name, shape, dtype="|u1", data=bytes(8)):
    """Write an .npz whose array `name` claims a shape and type that it may not hold."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, header)
    arrays = {} if name == "images" else {"images": GRAY}
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.npy", file.getvalue() + data)
    return path


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "part"),
    [
        ("images", (2**40, 8, 8), "|u1", "claims the shape (1099511627776, 8, 8)"),
        ("images", (2**62, 2**62), "<f8", "holds 8 bytes of it"),
        ("images", (-1, 8, 8), "|u1", "damaged"),
        ("images", (3, 3), "|u1", "claims the shape (3, 3)"),
        ("labels", (2**40,), "<i8", "has shape (1099511627776,); 6 images need (6,)"),
        ("split", (2**31, 2), "|b1", "6 images need (6,)"),
        ("class_names", (2**40,), "<U8", "claims the shape"),
        ("labels", (6,), "<U268435456", "claims the shape"),
    ],
)
def test_an_array_that_claims_more_than_there_is_is_refused(tmp_path, name, shape, dtype, part):
    path = claiming(tmp_path / "mine.npz", name, shape, dtype)
    assert part in refusal(path)


def test_an_array_that_memory_does_not_hold_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "mine.npz", images=np.zeros((9, 9, 9), np.uint8))
    monkeypatch.setattr(free_memory, "free_memory", lambda: 728)
    message = refusal(tmp_path / "mine.npz")
    assert "array 'images' of shape (9, 9, 9) need 0.1 MiB of memory" in message

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(free_memory, "free_memory", lambda: 2**40)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", fail)
    assert "array 'images' needs more memory than there is" in refusal(tmp_path / "mine.npz")


def test_images_that_memory_does_not_hold_as_bytes_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "mine.npz", images=GRAY.astype(np.uint16))
    monkeypatch.setattr(free_memory, "free_memory", lambda: 100)
    assert "6 images of 1x5x4 bytes" in refusal(tmp_path / "mine.npz")


def test_a_pipe_or_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    assert "is a named pipe; must be a regular file" in refusal(tmp_path / "pipe.npz")
    assert "is a device" in refusal(tmp_path / "zero.npz")


NFC, NFD = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


def test_two_unicode_spellings_are_one_class(tmp_path):
    image_set = load(tmp_path, images=GRAY, labels=[NFD, "a", NFC, "thé", NFD, "a"])
    assert image_set.labels.names == ("a", NFC, "thé")
    assert image_set.labels.values.tolist() == [1, 0, 1, 2, 1, 0]
    assert "one class" in image_set.found.notes[0]
    labels = load(tmp_path, images=GRAY, labels=[NFD, NFC] * 3, class_names=["a", NFC]).labels
    assert labels.values.tolist() == [1] * 6
    assert "twice" in refused(tmp_path, images=GRAY, labels=[0] * 6, class_names=[NFC, NFD])
    assert load(tmp_path, images=GRAY, labels=[NFD] * 6).labels.names == (NFD,)
