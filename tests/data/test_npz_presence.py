"""Several labels an image in an .npz: a matrix, the names of its columns, and boxes."""

import re

import numpy as np
import pytest

from dimred.data.first_look import first_look
from dimred.data.own_options import Npz
from dimred.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
MATRIX = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1]])
BOXES = np.array([[2, 1, 0, 0, 2, 3], [0, 0, 1.5, 1, 4, 5], [2, 0, 3, 4, 4, 5]])
NAMES = ["ant", "bee", "fly"]


def load(tmp_path, **arrays):
    np.savez(tmp_path / "mine.npz", images=IMAGES, **arrays)
    return Npz(path=str(tmp_path / "mine.npz")).load(0)


def refused(tmp_path, **arrays):
    with pytest.raises(InputError) as caught:
        load(tmp_path, **arrays)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("dataset.path=")
    return line


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32])
def test_a_matrix_says_which_classes_each_image_shows(tmp_path, kind):
    images = load(tmp_path, labels=MATRIX.astype(kind), class_names=NAMES)
    assert images.labels is None
    assert images.presence.names == tuple(NAMES)
    assert images.presence.values.dtype == np.bool_
    assert np.array_equal(images.presence.values, MATRIX)
    assert images.boxes is None
    assert first_look(images).notes[0] == (
        "several labels an image, of 3 classes: 'ant', 'bee', 'fly'; 1.2 classes an image on "
        "average, 2 at most; 1 of 6 images show none"
    )


def test_columns_without_names_are_called_by_their_positions(tmp_path):
    assert load(tmp_path, labels=MATRIX).presence.names == ("0", "1", "2")


def test_boxes_are_those_of_their_images(tmp_path):
    images = load(tmp_path, labels=MATRIX, boxes=BOXES)
    assert images.boxes.image.tolist() == [2, 0, 2]
    assert images.boxes.kind.tolist() == [1, 0, 0]
    assert np.array_equal(images.boxes.corners, BOXES[:, 2:])
    part = images.take(np.array([2, 1]))
    assert part.boxes.image.tolist() == [0, 0]
    assert np.array_equal(part.boxes.corners, BOXES[[0, 2], 2:])


def test_the_fingerprint_knows_of_them(tmp_path):
    prints = {
        load(tmp_path, **arrays).fingerprint()
        for arrays in (
            {},
            {"labels": MATRIX},
            {"labels": MATRIX, "class_names": NAMES},
            {"labels": 1 - MATRIX},
            {"labels": MATRIX, "boxes": BOXES},
            {"labels": MATRIX, "boxes": BOXES[:2]},
        )
    }
    assert len(prints) == 6


def test_no_boxes_are_an_empty_array(tmp_path):
    assert len(load(tmp_path, labels=MATRIX, boxes=np.zeros((0, 6))).boxes.image) == 0


def test_classes_in_no_test_image_are_said(tmp_path):
    images = load(tmp_path, labels=MATRIX, class_names=NAMES, split=[0, 0, 0, 0, 0, 1])
    assert "2 of 3 classes are in no test image: 'ant', 'bee'" in first_look(images).notes


def with_row(row):
    return {"labels": MATRIX, "class_names": NAMES, "boxes": np.vstack([BOXES, row])}


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"labels": MATRIX * 2}, "array 'labels' has 2; as a matrix it must hold bool, or 0 and 1"),
        ({"labels": np.where(MATRIX, 1, np.nan)}, "array 'labels' has nan"),
        ({"labels": MATRIX.astype(str)}, "array 'labels' is <U"),
        (
            {"labels": MATRIX[:, :1]},
            "array 'labels' has shape (6, 1); 6 images need (6,), or (6, K), K at least 2",
        ),
        ({"labels": MATRIX[:5]}, "array 'labels' has shape (5, 3); 6 images need (6,)"),
        ({"labels": MATRIX[..., None]}, "array 'labels' has shape (6, 3, 1)"),
        ({"labels": MATRIX, "class_names": NAMES[:2]}, "2 names for the 3 columns of 'labels'"),
        ({"labels": MATRIX, "class_names": ["a", "b", "a"]}, "has a name twice"),
        ({"boxes": BOXES}, "array 'boxes' without 'labels' as a matrix"),
        ({"labels": [0, 1] * 3, "boxes": BOXES}, "array 'boxes' without 'labels' as a matrix"),
        ({"labels": MATRIX, "boxes": BOXES[:, :5]}, "float64 (3, 5); must be numbers (M, 6)"),
        ({"labels": MATRIX, "boxes": BOXES.astype(str)}, "must be numbers (M, 6)"),
        (with_row([6, 0, 0, 0, 1, 1]), "row 3: image 6; must be a position from 0 to 5"),
        (with_row([0.5, 0, 0, 0, 1, 1]), "row 3: image 0.5; must be a position"),
        (with_row([0, -1, 0, 0, 1, 1]), "row 3: class -1; must be a position from 0 to 2"),
        (with_row([0, 0, 2, 0, 2, 1]), "row 3: 2, 0, 2, 1; must be left < right"),
        (with_row([0, 0, 0, 0, 1, 6]), "from 0 to 4 across and to 5 down"),
        (with_row([0, 0, 0, 0, 1, np.nan]), "row 3: 0, 0, 1, nan"),
        (with_row([0, 1, 0, 0, 1, 1]), "row 3: a box of class 'bee', which image 0 does not show"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, arrays, said):
    assert re.search(re.escape(said), refused(tmp_path, **arrays))
