"""Digits on larger images: what they show and where, by which draws, and what is kept."""

import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from dimred.data import canvases
from dimred.data.canvas_options import Canvases, DigitSource
from dimred.data.check import check_image_set
from dimred.data.digits import load_digits
from dimred.data.image_set import LabelSet
from dimred.data.presence_labels import NONE
from dimred.errors import InputError

SMALL = {"n_train": 40, "n_test": 15, "root": None}


def read(**further):
    return Canvases(**SMALL | further).read(seed=0)


def refusal(**further):
    with pytest.raises(InputError) as caught:
        read(**further)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def boxes_by_image(images):
    """Of each image the class and corners of its objects, as whole numbers."""
    boxes = images.boxes
    assert np.array_equal(boxes.corners, boxes.corners.round())
    rows = zip(boxes.image, boxes.kind, boxes.corners.astype(int).tolist(), strict=True)
    found = [[] for _ in range(len(images))]
    for image, kind, corners in rows:
        found[image].append((int(kind), tuple(corners)))
    return found


@pytest.fixture(scope="module")
def planted():
    """Digits each of which is of one gray level of its own, but for a faint frame, so that a pixel
    says whose it is: 200 training and 55 test digits."""
    n = 255
    images = np.full((n, 8, 8), 0, np.uint8)
    levels = np.arange(1, n + 1)
    heights, widths = 3 + levels % 6, 3 + levels % 5
    for image, level, height, width in zip(images, levels, heights, widths, strict=True):
        image[:height, :width] = level // 4  # below 0.3 of the digit
        image[1 : height - 1, 1 : width - 1] = level
    digits = load_digits().take(np.arange(n))
    return replace(
        digits,
        images=torch.from_numpy(images).unsqueeze(1),
        is_test=levels > 200,
        labels=LabelSet(levels % 10, digits.labels.names),
    )


def test_boxes_hold_the_digits_that_are_said_to_be_there():
    """Without clutter all else is black, and each digit is one of the data in its box."""
    images = read(clutter=0, counts=[1, 3], size=30)
    check_image_set("canvases", images)
    digits = load_digits()
    known = {}
    for i, digit in enumerate(digits.images[:, 0].numpy()):
        rows, columns = np.nonzero(digit > 0.3 * int(digit.max()))
        part = digit[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        key = (part.shape, part.tobytes(), bool(digits.is_test[i]))
        known.setdefault(key, set()).add(int(digits.labels.values[i]))
    for i, objects in enumerate(boxes_by_image(images)):
        pixels = images.images[i, 0].numpy().copy()
        for kind, (left, top, right, bottom) in objects:
            part = pixels[top:bottom, left:right]
            assert kind in known[part.shape, part.tobytes(), bool(images.is_test[i])]
            pixels[top:bottom, left:right] = 0
        assert not pixels.any()
        shown = {kind for kind, _ in objects}
        assert set(np.flatnonzero(images.presence.values[i])) == shown


def test_no_two_digits_overlap_and_all_numbers_occur():
    images = read(counts=[0, 3], n_train=120, size=20)
    counts = set()
    for objects in boxes_by_image(images):
        taken = np.zeros((20, 20), int)
        for _, (left, top, right, bottom) in objects:
            taken[top:bottom, left:right] += 1
        assert taken.max() <= 1
        counts.add(len(objects))
    assert counts == {0, 1, 2, 3}


def test_digits_of_the_test_split_are_on_test_canvases_only(planted, monkeypatch):
    """Clutter too is of the own side."""
    monkeypatch.setattr(canvases, "_digits", lambda *_: planted)
    images = read(counts=[1, 2], clutter=3)
    train, test = (np.unique(images.images[images.is_test == of_test]) for of_test in (0, 1))
    assert len(train) > 20
    assert train.max() <= 200
    frames = 255 // 4
    assert np.sum(test > frames) > 10
    assert test[test > frames].min() > 200


def test_the_box_is_of_the_pixels_above_a_share_of_the_brightest(planted, monkeypatch):
    monkeypatch.setattr(canvases, "_digits", lambda *_: planted)
    images = read(counts=[1, 1], clutter=0)
    for i, ((kind, (left, top, right, bottom)),) in enumerate(boxes_by_image(images)):
        part = images.images[i, 0, top:bottom, left:right]
        assert len(part.unique()) == 1
        assert int(part[0, 0]) % 10 == kind


def test_sizes_vary_within_their_range():
    plain = read(clutter=0, counts=[1, 1])
    varied = read(clutter=0, counts=[1, 1], digit_sizes=[2.0, 3.0], size=40, n_train=150)

    def heights(images):
        return images.boxes.corners[:, 3] - images.boxes.corners[:, 1]

    assert set(heights(plain)) == {8.0}
    assert heights(varied).min() >= 14
    assert heights(varied).max() <= 24
    assert len(np.unique(heights(varied))) > 5
    check_image_set("canvases", varied)


def test_clutter_is_of_pieces_and_has_no_boxes():
    images = read(counts=[0, 0], clutter=5)
    assert not images.presence.values.any()
    assert not len(images.boxes.image)
    lit = (images.images > 0).flatten(1).sum(1)
    assert lit.min() > 0
    assert lit.max() <= 5 * 3 * 3
    check_image_set("canvases", images)
    assert not read(counts=[0, 0], clutter=0).images.any()


def test_the_seed_of_the_canvases_is_their_own():
    first, same = read(), Canvases(**SMALL).read(seed=5)
    assert first.fingerprint() == same.fingerprint()
    assert first.fingerprint() != read(canvas_seed=1).fingerprint()


def test_more_canvases_begin_with_the_same():
    few, many = read(), read(n_train=60, n_test=20)
    assert torch.equal(few.images[:40], many.images[:40])
    assert torch.equal(few.images[40:], many.images[60:75])
    assert few.split_name == "canvases of other digits 40/15"
    assert read(n_test=0).split_name == ""


def test_the_mean_is_that_of_the_training_canvases():
    images = read()
    train = images.images[:40].double() / 255
    assert images.mean == pytest.approx((float(train.mean()),))
    assert images.std == pytest.approx((float(train.std(correction=0)),))


def test_canvases_are_made_once_and_kept(tmp_path, monkeypatch):
    calls = []
    made = canvases._made
    monkeypatch.setattr(canvases, "_made", lambda *args: calls.append(1) or made(*args))
    first = read(root=str(tmp_path))
    assert len(calls) == 2
    assert read(root=str(tmp_path)).fingerprint() == first.fingerprint()
    assert len(calls) == 2
    assert read(root=str(tmp_path), clutter=1).fingerprint() != first.fingerprint()
    assert len(calls) == 4
    assert len(list((tmp_path / ".dimred-cache").iterdir())) == 2


def test_a_damaged_file_is_made_anew(tmp_path):
    first = read(root=str(tmp_path))
    (file,) = (tmp_path / ".dimred-cache").iterdir()
    whole = file.read_bytes()
    os.truncate(file, len(whole) // 2)
    assert read(root=str(tmp_path)).fingerprint() == first.fingerprint()
    assert file.read_bytes() == whole


def test_looking_at_a_run_writes_nothing(tmp_path):
    options = Canvases(**SMALL | {"root": str(tmp_path)})
    assert options.read_only().read(0).fingerprint() == read().fingerprint()
    assert not list(tmp_path.iterdir())
    options.read(0)
    assert list(tmp_path.iterdir())


def test_combinations_of_classes_are_a_column():
    images = Canvases(**SMALL).load(0)
    column = images.columns["classes"]
    for shown, value in zip(images.presence.values, column.values, strict=True):
        assert column.names[value] == (", ".join(map(str, np.flatnonzero(shown))) or NONE)
    assert column.names[0] == NONE
    assert list(column.names[1:4]) == ["0", "1", "2"]
    many = Canvases(**SMALL | {"counts": [4, 6], "size": 60, "n_train": 200}).load(0)
    assert "classes" not in many.columns


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ({"counts": [2]}, "dataset.counts=[2]: must be two numbers, the smaller first"),
        ({"counts": [2, 1]}, "dataset.counts=[2, 1]: must be two numbers"),
        ({"digit_sizes": [1.4, 0.7]}, "dataset.digit_sizes=[1.4, 0.7]: must be two numbers"),
        (
            {"counts": [9, 9]},
            "dataset.counts=[9, 9]: 9 digits do not fit on a canvas of 24x24 without overlap; set "
            "dataset.size larger",
        ),
        ({"digit_sizes": [4.0, 4.0], "counts": [1, 1]}, "1 digits do not fit on a canvas of 24x24"),
        ({"source": DigitSource.mnist}, "dataset.root=null: dataset.source=mnist needs the folder"),
        ({"source": DigitSource.mnist, "root": "/nowhere/at/all"}, "no such folder"),
    ],
)
def test_what_cannot_be_made_is_refused(further, said):
    assert said in refusal(**further)


def test_mnist_that_is_not_there_is_named(tmp_path):
    assert "mnist" in refusal(source=DigitSource.mnist, root=str(tmp_path))


@pytest.mark.parametrize("key", ["classes", "fit_classes", "train_per_class"])
def test_no_image_is_chosen_by_its_class(key):
    value = 5 if key == "train_per_class" else ["3"]
    with pytest.raises(InputError, match=rf"^dataset.{key}=.*; set dataset.{key}=null$"):
        Canvases(**SMALL | {key: value}).load(0)


def test_a_limit_keeps_what_is_known_of_each():
    whole, part = Canvases(**SMALL).load(0), Canvases(**SMALL, limit=20).load(0)
    assert 4 <= part.is_test.sum() <= 7
    assert np.array_equal(part.presence.values, whole.presence.values[part.index])
    of_whole = boxes_by_image(whole)
    assert boxes_by_image(part) == [of_whole[i] for i in part.index]
