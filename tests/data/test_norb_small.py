"""Small NORB from small files of its format; what is missing or damaged is named."""

import gzip
import struct

import numpy as np
import pytest
import torch

from dimred.data import norb_small
from dimred.data.image_set import channel_statistics
from dimred.data.norb_small import load_norb_small
from dimred.errors import InputError

TRAIN = "smallnorb-5x46789x9x18x6x2x96x96-training"
TEST = "smallnorb-5x01235x9x18x6x2x96x96-testing"
MAGIC = {"dat": 0x1E3D4C55, "cat": 0x1E3D4C54, "info": 0x1E3D4C54}
CATEGORIES = ("animal", "human", "airplane", "truck", "car")
# Category, instance, elevation, azimuth and lighting of every image pair.
PAIRS = {
    TRAIN: [(0, 4, 0, 0, 0), (2, 7, 8, 34, 5), (2, 9, 1, 2, 3), (4, 7, 4, 18, 1), (3, 6, 3, 6, 2)],
    TEST: [(2, 0, 2, 4, 4), (1, 5, 7, 20, 0), (2, 3, 5, 10, 2)],
}
ALL = np.array(PAIRS[TRAIN] + PAIRS[TEST])


def matrix(array, magic):
    """The bytes of a binary matrix: magic, number of sizes, at least three sizes, the values."""
    sizes = (*array.shape, 1, 1, 1)[: max(3, array.ndim)]
    return struct.pack(f"<{2 + len(sizes)}i", magic, array.ndim, *sizes) + array.tobytes()


def pixels(n, seed):
    return np.random.default_rng(seed).integers(0, 256, (n, 2, 96, 96), dtype=np.uint8)


def write(folder, pairs=PAIRS, packed=False):
    """Write the six files; return the pixels (n, 2, 96, 96) of both parts."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for seed, (part, rows) in enumerate(pairs.items()):
        table = np.array(rows, dtype="<i4").reshape(-1, 5)
        written.append(pixels(len(rows), seed))
        for kind, array in (("dat", written[-1]), ("cat", table[:, 0]), ("info", table[:, 1:])):
            content = matrix(array, MAGIC[kind])
            path = folder / f"{part}-{kind}.mat"
            if packed:
                path = path.with_name(f"{path.name}.gz")
                content = gzip.compress(content)
            path.write_bytes(content)
    return np.concatenate(written)


def load(root, category=None, instance=None, camera=None, n_test=None, seed=0):
    return load_norb_small(str(root), category, instance, camera, n_test, seed)


def refusal(root, **choices):
    with pytest.raises(InputError) as error:
        load(root, **choices)
    message = str(error.value)
    assert "\n" not in message
    return message


def named(labels):
    return [labels.names[value] for value in labels.values]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("block", [128, 2])
def test_everything_written_is_read(tmp_path, monkeypatch, packed, block):
    monkeypatch.setattr(norb_small, "_BLOCK", block)
    written = write(tmp_path, packed=packed)
    images = load(tmp_path)
    assert images.images.dtype == torch.uint8
    assert images.images.shape == (16, 1, 96, 96)
    assert np.array_equal(images.images.numpy(), written.reshape(16, 1, 96, 96))
    assert images.index.tolist() == list(range(16))
    assert images.index.dtype == np.int64
    assert images.is_test.tolist() == [False] * 10 + [True] * 6
    assert images.split_name == "official 10/6"
    assert images.labels.names == CATEGORIES
    category, instance, elevation, azimuth, lighting = np.repeat(ALL, 2, axis=0).T
    assert images.labels.values.tolist() == category.tolist()
    assert set(images.extra_labels) == {"category", "instance", "camera", "lighting"}
    for labels in images.extra_labels.values():
        assert labels.values.dtype == np.int64
    assert named(images.extra_labels["category"]) == [CATEGORIES[i] for i in category]
    assert named(images.extra_labels["instance"]) == [str(i) for i in instance]
    assert named(images.extra_labels["camera"]) == ["left", "right"] * 8
    assert named(images.extra_labels["lighting"]) == [str(i) for i in lighting]
    assert set(images.factors) == {"elevation", "azimuth"}
    for factor in images.factors.values():
        assert factor.values.dtype == np.float64
        assert factor.unit == "degrees"
    assert images.factors["elevation"].values.tolist() == (30 + 5 * elevation).tolist()
    assert images.factors["elevation"].period is None
    assert images.factors["azimuth"].values.tolist() == (10 * azimuth).tolist()
    assert images.factors["azimuth"].period == 360
    assert (images.mean, images.std) == channel_statistics(images.images[:10], np.zeros(10, bool))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({"category": "airplane"}, [2, 3, 4, 5, 10, 11, 14, 15]),
        ({"instance": 7}, [2, 3, 6, 7]),
        ({"camera": 0}, [0, 2, 4, 6, 8, 10, 12, 14]),
        ({"camera": 1}, [1, 3, 5, 7, 9, 11, 13, 15]),
        ({"category": "airplane", "instance": 0, "camera": 1}, [11]),
        ({"category": "animal", "instance": 4}, [0, 1]),
    ],
)
def test_a_selection_keeps_what_belongs_together(tmp_path, packed, choices, expected):
    written = write(tmp_path, packed=packed)
    images = load(tmp_path, **choices)
    assert images.index.tolist() == expected
    assert np.array_equal(images.images[:, 0].numpy(), written.reshape(16, 96, 96)[expected])
    category, instance, elevation, azimuth, lighting = np.repeat(ALL, 2, axis=0)[expected].T
    extra = images.extra_labels
    assert named(extra["category"]) == [CATEGORIES[i] for i in category]
    assert named(extra["instance"]) == [str(i) for i in instance]
    assert named(extra["camera"]) == [("left", "right")[i % 2] for i in expected]
    assert named(extra["lighting"]) == [str(i) for i in lighting]
    assert images.factors["elevation"].values.tolist() == (30 + 5 * elevation).tolist()
    assert images.factors["azimuth"].values.tolist() == (10 * azimuth).tolist()
    for labels in extra.values():
        assert set(labels.names) == set(named(labels))


def test_a_single_category_gives_no_labels(tmp_path):
    write(tmp_path)
    assert load(tmp_path, category="airplane").labels is None
    labels = load(tmp_path, instance=7).labels
    assert labels.names == ("airplane", "car")
    assert labels.values.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(("instance", "n"), [(7, 4), (5, 2)])
def test_a_selection_on_one_side_of_the_split_has_none(tmp_path, instance, n):
    write(tmp_path)
    images = load(tmp_path, instance=instance)
    assert images.is_test.tolist() == [False] * n
    assert images.split_name == ""
    assert (images.mean, images.std) == channel_statistics(images.images, images.is_test)


def test_a_random_split_is_drawn_by_the_seed(tmp_path):
    write(tmp_path)
    images = load(tmp_path, n_test=6, seed=3)
    assert images.is_test.sum() == 6
    assert images.split_name == "random 10/6, seed 3"
    assert images.index.tolist() == list(range(16))
    assert np.array_equal(images.is_test, load(tmp_path, n_test=6, seed=3).is_test)
    drawn = [tuple(load(tmp_path, n_test=6, seed=seed).is_test) for seed in range(5)]
    assert len(set(drawn)) == 5
    train = images.images[torch.from_numpy(~images.is_test)]
    assert (images.mean, images.std) == channel_statistics(train, np.zeros(10, bool))


def test_the_bounds_of_n_test(tmp_path):
    write(tmp_path)
    images = load(tmp_path, n_test=0)
    assert not images.is_test.any()
    assert images.split_name == ""
    images = load(tmp_path, category="airplane", camera=0, n_test=3)
    assert images.split_name == "random 1/3, seed 0"
    for n_test in (-1, 4):
        message = refusal(tmp_path, category="airplane", camera=0, n_test=n_test)
        assert message.startswith(f"dataset.n_test={n_test}: must be from 0 to 3")


def test_large_numbers_are_grouped_in_the_split_name():
    is_test, name = norb_small._split(np.arange(2500) >= 1200, None, 0)
    assert (is_test.sum(), name) == (1300, "official 1,200/1,300")


def test_the_unpacked_file_wins(tmp_path):
    write(tmp_path)
    for part in PAIRS:
        for kind in MAGIC:
            (tmp_path / f"{part}-{kind}.mat.gz").write_bytes(b"not read")
    assert len(load(tmp_path)) == 16


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "norb")
    assert len(load("~/norb")) == 16


@pytest.mark.parametrize("kind", MAGIC)
@pytest.mark.parametrize("part", PAIRS)
def test_a_missing_file_is_named_with_what_to_do(tmp_path, part, kind):
    root = tmp_path / "two\nlines"
    write(root)
    (root / f"{part}-{kind}.mat").unlink()
    message = refusal(root)
    assert message.startswith(f"dataset.root={str(root)!r}: no {part}-{kind}.mat or ")
    assert "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/" in message
    assert "dataset.root=FOLDER" in message


def test_a_missing_folder_is_named(tmp_path):
    assert f"{TRAIN}-dat.mat" in refusal(tmp_path / "nowhere")


DAMAGE = {
    "empty": (lambda content: b"", "is truncated"),
    "head": (lambda content: content[:10], "is truncated"),
    "cut": (lambda content: content[:-1], "is truncated"),
    "longer": (lambda content: content + b"\0", "is longer than the 5 image pairs"),
    "text": (lambda content: b"<html>404</html>", "begins with 0x6d74683c; must be 0x1e3d4c5"),
    "other type": (
        lambda content: struct.pack("<i", 0x1E3D4C51) + content[4:],
        "begins with 0x1e3d4c51; must be 0x1e3d4c5",
    ),
    "big-endian": (
        lambda content: content[3::-1] + content[4:],
        "3d1e; must be 0x1e3d4c5",
    ),
    "dimensions": (
        lambda content: content[:4] + struct.pack("<i", 3) + content[8:],
        "has 3 dimensions; must have ",
    ),
    "no images": (
        lambda content: content[:8] + bytes(4) + content[12:],
        "has shape (0,",
    ),
    "too many": (
        lambda content: content[:8] + struct.pack("<i", 24301) + content[12:],
        "N from 1 to 24300",
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", MAGIC)
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named(tmp_path, damage, kind, packed):
    write(tmp_path)
    path = tmp_path / f"{TRAIN}-{kind}.mat"
    change, problem = DAMAGE[damage]
    content = change(path.read_bytes())
    if packed:
        path.unlink()
        path = path.with_name(f"{path.name}.gz")
        content = gzip.compress(content)
    path.write_bytes(content)
    message = refusal(tmp_path)
    assert message.startswith(repr(str(path)))
    assert problem in message
    assert "fetch it again" in message


@pytest.mark.parametrize(
    ("kind", "expected"), [("dat", 0x1E3D4C55), ("cat", 0x1E3D4C54), ("info", 0x1E3D4C54)]
)
def test_each_file_needs_its_own_type(tmp_path, kind, expected):
    write(tmp_path)
    other = 0x1E3D4C54 + 0x1E3D4C55 - expected
    path = tmp_path / f"{TEST}-{kind}.mat"
    path.write_bytes(struct.pack("<i", other) + path.read_bytes()[4:])
    message = refusal(tmp_path)
    assert f"{TEST}-{kind}.mat' begins with {other:#x}; must be {expected:#x}" in message


@pytest.mark.parametrize(
    ("kind", "array", "allowed"),
    [
        ("dat", np.zeros((5, 1, 96, 96), np.uint8), "(N, 2, 96, 96)"),
        ("dat", np.zeros((5, 2, 96, 108), np.uint8), "(N, 2, 96, 96)"),
        ("info", np.zeros((5, 10), "<i4"), "(N, 4)"),
    ],
)
def test_another_shape_is_refused(tmp_path, kind, array, allowed):
    write(tmp_path)
    path = tmp_path / f"{TRAIN}-{kind}.mat"
    path.write_bytes(matrix(array, MAGIC[kind]))
    message = refusal(tmp_path)
    assert f"{path.name}' has shape {array.shape}; must be {allowed}" in message


@pytest.mark.parametrize(
    ("kind", "array"),
    [
        ("dat", np.zeros((4, 2, 96, 96), np.uint8)),
        ("info", np.zeros((4, 4), "<i4")),
    ],
)
def test_files_of_different_counts_are_refused(tmp_path, kind, array):
    write(tmp_path)
    (tmp_path / f"{TRAIN}-{kind}.mat").write_bytes(matrix(array, MAGIC[kind]))
    message = refusal(tmp_path)
    assert f"{TRAIN}-{kind}.mat' is of 4 image pairs, but {TRAIN}-cat.mat of 5" in message


@pytest.mark.parametrize(
    ("column", "value", "kind", "problem"),
    [
        (0, 5, "cat", "the category 5; must be one of 0, 1, 2, 3, 4;"),
        (0, -1, "cat", "the category -1;"),
        (1, 10, "info", "the instance 10;"),
        (2, 9, "info", "the elevation 9;"),
        (3, 3, "info", "the azimuth 3; must be one of 0, 2, 4,"),
        (3, 36, "info", "the azimuth 36;"),
        (4, 6, "info", "the lighting 6; must be one of 0, 1, 2, 3, 4, 5;"),
    ],
)
def test_a_value_outside_its_range_is_named(tmp_path, column, value, kind, problem):
    rows = [list(row) for row in PAIRS[TEST]]
    rows[1][column] = value
    write(tmp_path, {**PAIRS, TEST: rows})
    message = refusal(tmp_path)
    assert f"{TEST}-{kind}.mat' gives image pair 1 {problem}" in message


def flipped(content, place):
    changed = bytearray(content)
    changed[place] ^= 0xFF
    return bytes(changed)


PACKED_DAMAGE = {
    "cut": lambda content: content[: len(content) // 2],
    "no end": lambda content: content[:-8],
    "checksum": lambda content: flipped(content, -8),
    "stream": lambda content: content[:10] + b"\xff" * (len(content) - 10),
    "not packed": gzip.decompress,
    "garbage after": lambda content: content + b"garbage",
}


@pytest.mark.parametrize("kind", MAGIC)
@pytest.mark.parametrize("damage", PACKED_DAMAGE)
def test_a_damaged_gzip_file_is_named(tmp_path, damage, kind):
    write(tmp_path, packed=True)
    path = tmp_path / f"{TEST}-{kind}.mat.gz"
    path.write_bytes(PACKED_DAMAGE[damage](path.read_bytes()))
    message = refusal(tmp_path)
    assert message.startswith(f"{str(path)!r} is damaged or not a whole gzip file")


def test_a_file_that_cannot_be_opened_is_named(tmp_path, monkeypatch):
    write(tmp_path)

    def denied(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("dimred.data.norb_small.open_regular", denied)
    message = refusal(tmp_path)
    assert f"{TRAIN}-cat.mat' cannot be read: Permission denied" in message


@pytest.mark.parametrize(
    ("choices", "start"),
    [
        (
            {"category": "plane"},
            "dataset.category='plane': must be one of animal, human, airplane, truck, car,",
        ),
        ({"instance": 10}, "dataset.instance=10: must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,"),
        ({"instance": -1}, "dataset.instance=-1: must be one of 0, "),
        ({"camera": 2}, "dataset.camera=2: must be one of 0, 1,"),
    ],
)
def test_an_unknown_choice_is_refused(tmp_path, choices, start):
    assert refusal(tmp_path / "nowhere", **choices).startswith(start)


def test_a_selection_without_images_is_refused(tmp_path):
    write(tmp_path)
    message = refusal(tmp_path, category="car", instance=0, camera=1)
    assert "dataset.category=car, dataset.instance=0, dataset.camera=1: no image" in message
    assert str(tmp_path) in message
    assert "dataset.instance=2, dataset.camera=null" in refusal(tmp_path, instance=2)


def test_images_of_a_part_without_selected_ones_are_not_read(tmp_path):
    write(tmp_path)
    path = tmp_path / f"{TEST}-dat.mat"
    path.write_bytes(path.read_bytes()[:24])
    assert len(load(tmp_path, instance=7)) == 4
    assert path.name in refusal(tmp_path)
