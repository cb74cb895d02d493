"""The first look at an image set."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_image_set_check import GOOD

from dimred.data.first_look import first_look
from dimred.data.found import Found, grouped, reasons
from dimred.data.image_set import LabelSet
from dimred.data.selection import without_meaningless_labels
from dimred.data.window import Window

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 1, 4, 5), dtype=np.uint8))
PLAIN = replace(
    GOOD,
    images=PIXELS,
    mean=(0.5,),
    std=(0.1,),
    is_test=np.arange(8) >= 6,
    labels=LabelSet(np.arange(8) % 2, ("a", "b")),
    index=np.arange(8),
)


def notes(**changes):
    return list(first_look(replace(PLAIN, **changes)).notes)


def test_an_ordinary_set_is_one_line():
    look = first_look(PLAIN)
    low, high = int(PIXELS.min()), int(PIXELS.max())
    assert look.lines() == [
        f"first look: 6 training and 2 test images, 5x4 pixels, gray; pixel values {low} to {high}"
    ]
    assert json.loads(json.dumps(look.as_json()))["levels"] == [low, high]


def test_all_blocks_are_looked_at(monkeypatch):
    images = replace(PLAIN, window=Window({"uint16": ((0.0, 65535.0),)}))
    at_once = first_look(images)
    monkeypatch.setattr("dimred.data.image_set._BYTES_AT_A_TIME", 3 * 4 * 5)  # three images
    in_parts = first_look(images)
    assert in_parts.kept == at_once.kept == (len(PIXELS.unique()),)
    assert (in_parts.levels, in_parts.constant) == (at_once.levels, at_once.constant)


@pytest.mark.parametrize(("is_rgb", "word"), [(True, "color"), (False, "3 channels")])
def test_three_channels_are_called_color_where_they_are(is_rgb, word):
    pixels = PIXELS.expand(8, 3, 4, 5)
    images = replace(PLAIN, images=pixels, mean=(0.5,) * 3, std=(0.1,) * 3, is_rgb=is_rgb)
    assert f"5x4 pixels, {word}; pixel values" in first_look(images).lines()[0]


def test_the_fingerprint_does_not_know_what_was_found():
    assert replace(PLAIN, found=Found(files=3)).fingerprint() == PLAIN.fingerprint()


@pytest.mark.parametrize(("copies", "said"), [(3, False), (4, True), (7, True)])
def test_copies_are_counted_and_half_of_them_said(copies, said):
    pixels = PIXELS.clone()
    pixels[:copies] = pixels[7]
    images = replace(PLAIN, images=pixels, is_test=np.zeros(8, dtype=bool))
    assert first_look(images).copies == copies
    line = (
        f"{copies} of 8 images are exact copies of others, so that accuracies are too high: copies "
        "lie on both sides of the random split"
    )
    assert (line in first_look(images).notes) == said
    assert (line.split(",")[0] in first_look(replace(images, labels=None)).notes) == said


def test_test_images_among_the_training_images_are_said():
    pixels = PIXELS.clone()
    pixels[7] = pixels[0]
    assert any(
        note.startswith("1 of 2 test images are exact copies") for note in notes(images=pixels)
    )


def test_copies_in_two_classes_are_said():
    pixels = PIXELS.clone()
    pixels[[1, 4]] = pixels[[2, 5]]
    assert notes(images=pixels) == ["2 images stand in two classes, such as 'b' and 'a'"]
    pixels[4] = 0
    assert notes(images=pixels)[-1].startswith("1 image stands in two classes")


def test_constant_and_blank_images_are_said():
    pixels = PIXELS.clone()
    pixels[2] = 9
    assert notes(images=pixels) == ["1 of 8 images have one color throughout"]
    color = torch.tensor([20, 255, 255], dtype=torch.uint8).view(3, 1, 1)
    assert first_look(replace(PLAIN, images=color.repeat(8, 1, 4, 5))).constant == 8
    assert notes(images=torch.zeros_like(PIXELS))[0] == "all images are blank: every pixel is 0"


def test_images_without_contrast_are_said():
    assert "pixels are from 0 to 1 only" in notes(images=PIXELS % 2)[0]
    window = Window({"uint16": ((0.0, 65535.0),)})
    (note,) = notes(images=PIXELS % 2, window=window)  # one note for one fact
    assert note.startswith("2 of 256 levels are left; where the files have more")


@pytest.mark.parametrize(
    ("values", "names", "said"),
    [
        ([1] * 8, "ab", "all images are of one class, 'b': taken as unlabeled"),
        (range(8), "abcdefgh", "no two images are of one class: taken as unlabeled"),
    ],
)
def test_labels_that_say_nothing_are_dropped_and_said_once(values, names, said):
    labels = LabelSet(np.array(values, dtype=np.int64), tuple(names))
    images = without_meaningless_labels(replace(PLAIN, labels=labels, found=Found(notes=("x",))))
    assert images.labels is None
    assert list(first_look(images).notes) == ["x", said]


def test_labels_that_say_something_are_kept():
    assert without_meaningless_labels(PLAIN) is PLAIN
    few = replace(PLAIN, labels=LabelSet(np.array([0, 0, 1, 2, 3, 4, 5, 6]), tuple("abcdefg")))
    assert without_meaningless_labels(few) is few


def test_test_images_of_one_class_and_classes_of_one_image_are_said():
    labels = LabelSet(np.array([0, 0, 0, 1, 1, 1, 1, 1]), ("a", "b"))
    assert notes(labels=labels) == [
        "all test images are of one class, 'b', so that accuracies on the split say little"
    ]
    labels = LabelSet(np.array([0, 0, 0, 1, 1, 1, 1, 2]), ("a", "b", "c"))
    (note,) = notes(labels=labels, is_test=np.zeros(8, dtype=bool))
    assert note == "1 of 3 classes have one image, for which accuracies say nothing: 'c'"


def test_classes_without_training_images_are_said():
    labels = LabelSet(np.array([0, 1, 0, 1, 0, 1, 2, 0]), ("a", "b", "c"))
    (note,) = notes(labels=labels)
    assert note.startswith("1 of 3 classes have test images (1) but no training images")
    assert note.endswith(": 'c'")


def test_each_number_of_channels_is_a_reason_of_its_own():
    said = [f"has {n} channels; at most 16 are read" for n in (17, 20, 20)]
    groups = grouped(dict(zip("abc", said, strict=True)))
    assert [(group.reason, group.count) for group in groups] == [(said[1], 2), (said[0], 1)]


@pytest.mark.parametrize(
    ("by_type", "kept", "line"),
    [
        ({"any": [[100, 500]]}, [256], "values as 100 to 500; 256 levels"),
        (
            {"uint16": [[67.908, 2978.23]] * 2},
            [254, 254],
            "uint16 as 67.91 to 2978 in each channel; 254 levels in each channel",
        ),
        (
            {"uint16": [[0, 65535]], "float32": [[-3.07531e-6, 1], [0.5000001, 0.5000002]]},
            [254, 3],
            "uint16 as 0 to 65535 in each channel; float32 as -3.075e-06 to 1, 0.5000001 to "
            "0.5000002; 254, 3 levels",
        ),
        ({"int32": [[2147480000, 2147480001]]}, [2], "int32 as 2147480000 to 2147480001; 2 levels"),
    ],
)
def test_a_window_is_said_in_short(by_type, kept, line):
    window = Window.from_json(by_type, "window")
    looked = replace(first_look(PLAIN), window=window, kept=tuple(kept), shape=(len(kept), 5, 4))
    (look, said) = looked.lines()
    assert said == f"window: {line}"
    assert "pixel values" not in look  # which are those of the window


def test_reasons_that_differ_in_numbers_only_are_one():
    groups = grouped({"a": "3x12 pixels", "b": "15x1 pixels", "c": "bad"})
    assert [(group.reason, group.count) for group in groups] == [("3x12 pixels", 2), ("bad", 1)]
    assert reasons(groups) == "3x12 pixels (2, 'a' first); bad (1, 'c')"
    many = grouped({str(i): "x" * (i + 1) for i in range(15)})
    assert (len(many), many[-1].reason, many[-1].count) == (11, "other reasons", 5)
    assert reasons(many).endswith("; and 7 for other reasons")
