"""An image set that does not keep to its description is refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dimred.data.check import check_image_set
from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.data.presence import Boxes, Presence
from dimred.errors import InputError

GOOD = ImageSet(
    images=torch.zeros(4, 3, 5, 6, dtype=torch.uint8),
    mean=(0.5, 0.5, 0.5),
    std=(0.1, 0.1, 0.1),
    is_test=np.zeros(4, dtype=np.bool_),
    split_name="",
    labels=LabelSet(np.array([0, 1, 1, 0]), ("a", "b")),
    index=np.arange(4),
    extra_labels={"coarse": LabelSet(np.zeros(4, dtype=np.int64), ("all",))},
    factors={"angle": Factor(np.arange(4.0), "degrees", 360.0)},
    sources=("a", "b", "c", "d"),
)


def test_a_sound_set_passes():
    check_image_set("mine", GOOD)
    check_image_set("mine", replace(GOOD, labels=None, sources=None))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": GOOD.images.float()}, r"images are float32 \(4, 3, 5, 6\)"),
        ({"images": GOOD.images.repeat(1, 6, 1, 1)}, r"uint8 \(N, C, H, W\), C from 1 to 16"),
        ({"images": GOOD.images[0]}, r"\(3, 5, 6\)"),
        ({"is_test": np.zeros(4)}, r"is_test is float64 \(4,\)"),
        (
            {"is_unseen": np.zeros(4)},
            r"is_unseen is float64 \(4,\); it must be bool \(4,\) or None",
        ),
        ({"is_unseen": np.zeros(3, np.bool_)}, r"is_unseen is bool \(3,\)"),
        ({"index": np.arange(3)}, r"index is int64 \(3,\)"),
        ({"mean": (0.5,)}, r"mean=\(0.5,\).*must be 3 numbers"),
        ({"std": (0.1, 0.0, 0.1)}, "std above 0"),
        ({"labels": LabelSet(np.array([0, 2, 1, 0]), ("a", "b"))}, "labels: must be from 0 to 1"),
        ({"labels": LabelSet(np.array([0.0, 1, 1, 0]), ("a", "b"))}, "labels are float64"),
        ({"extra_labels": {"coarse": LabelSet(np.arange(3), ("a",) * 3)}}, "coarse are int64"),
        ({"factors": {"angle": Factor(np.array([0, 1, 2, np.nan]), "m")}}, "factor 'angle'"),
        ({"factors": {"angle": Factor(np.arange(4.0), "m", 0.0)}}, "period=0.0"),
        ({"images": GOOD.images[..., :0]}, r"\(4, 3, 5, 0\)"),
        ({"found": "files"}, "found is str"),
        ({"sources": ("a",)}, "1 file names for 4 images"),
    ],
)
def test_a_set_that_is_not_sound_is_named(change, message):
    with pytest.raises(InputError, match=f"^dataset=mine: .*{message}"):
        check_image_set("mine", replace(GOOD, **change))


SHOWN = Presence(np.array([[True, False], [False, False], [True, True], [False, True]]), ("a", "b"))
BOXES = Boxes(np.array([0, 2]), np.array([0, 1]), np.array([[0.0, 0, 6, 5], [1, 2, 3.5, 4]]))
SEVERAL = replace(GOOD, labels=None, presence=SHOWN, boxes=BOXES)


def test_sound_images_of_several_classes_pass():
    check_image_set("mine", SEVERAL)
    check_image_set("mine", replace(SEVERAL, boxes=None))


def moved(**values):
    """The boxes with other values at places in their arrays."""
    arrays = {key: array.copy() for key, array in vars(BOXES).items()}
    for key, (place, value) in values.items():
        arrays[key][place] = value
    return {"boxes": Boxes(**arrays)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": GOOD.labels}, "labels beside presence"),
        ({"presence": Presence(SHOWN.values[:3], SHOWN.names)}, r"bool \(3, 2\).*bool \(4, 2\)"),
        ({"presence": Presence(SHOWN.values.astype(int), SHOWN.names)}, "presence is int64"),
        ({"presence": Presence(SHOWN.values, ("a", "b", "c"))}, r"bool \(4, 3\), as the names"),
        ({"presence": Presence(SHOWN.values, ("a", "a"))}, "presence: has a class twice"),
        ({"presence": None}, "boxes without presence"),
        ({"boxes": Boxes(BOXES.image, BOXES.kind[:1], BOXES.corners)}, "kind of boxes is int64"),
        ({"boxes": Boxes(BOXES.image, BOXES.kind, BOXES.corners[:, :3])}, r"float64 \(2, 4\)"),
        (moved(image=(0, 4)), "images 0 to 3 and classes 0 to 1"),
        (moved(kind=(0, 2)), "images 0 to 3 and classes 0 to 1"),
        (moved(corners=((0, 2), 6.5)), r"box \[0.0, 0.0, 6.5, 5.0\].*the 6x5 pixels"),
        (moved(corners=((1, 3), 2.0)), r"box \[1.0, 2.0, 3.5, 2.0\]"),
        (moved(corners=((1, 0), np.nan)), "box"),
        (moved(kind=(0, 1)), "classes that their images do not show"),
    ],
)
def test_images_of_several_classes_that_are_not_sound_are_named(change, message):
    with pytest.raises(InputError, match=f"^dataset=mine: .*{message}"):
        check_image_set("mine", replace(SEVERAL, **change))
