"""PASCAL VOC 2012 from its files: what images show and where, once they are made smaller."""

import numpy as np
import pytest
from PIL import Image
from voc_files import thing, write_voc

from dimred.data.check import check_image_set
from dimred.data.voc import VOC_CLASSES
from dimred.data.voc_options import Voc2012
from dimred.errors import InputError

DOG, PERSON = VOC_CLASSES.index("dog"), VOC_CLASSES.index("person")


@pytest.fixture
def place(tmp_path):
    return write_voc(tmp_path)


def load(place, image_size=20, **further):
    return Voc2012(root=str(place.parents[1]), image_size=image_size, **further).load(0)


def refusal(place):
    with pytest.raises(InputError) as caught:
        load(place)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_train_and_val_are_training_and_test(place):
    images = load(place)
    check_image_set("voc2012", images)
    assert images.is_test.tolist() == [False] * 9 + [True] * 6
    assert images.split_name == "VOC's train and val, 9/6"
    assert images.sources[10] == "VOCdevkit/VOC2012/JPEGImages/2008_000010.jpg"
    assert images.labels is None
    assert len(images.presence.names) == 20


def test_difficult_objects_are_left_out_and_it_is_said(place):
    images = load(place)
    shown = images.presence.values
    assert shown[:, DOG].all()
    assert np.flatnonzero(shown[:, PERSON]).tolist() == [1, 5, 9, 13]
    assert shown.sum() == 15 + 4
    assert images.found.notes == ("3 objects that are marked as difficult are left out",)


def test_images_are_made_smaller_and_lie_in_the_middle(place):
    images = load(place)
    assert images.images.shape == (15, 3, 20, 20)
    assert not images.images[:, :, [0, 1, 17, 18, 19]].any()
    with Image.open(place / "JPEGImages" / "2008_000004.jpg") as picture:
        mean = np.asarray(picture).mean((0, 1))
    inside = images.images[4, :, 2:17].double().mean((1, 2)).numpy()
    assert inside == pytest.approx(mean, abs=2)


def test_smaller_images_are_not_enlarged(place):
    images = load(place, 64).images[4]
    with Image.open(place / "JPEGImages" / "2008_000004.jpg") as picture:
        pixels = np.asarray(picture).transpose(2, 0, 1)
    assert np.array_equal(images[:, 17:47, 12:52], pixels)
    images[:, 17:47, 12:52] = 0
    assert not images.any()


@pytest.mark.parametrize(
    ("image_size", "scale", "left", "top"), [(20, 0.5, 0, 2), (40, 1, 0, 5), (64, 1, 12, 17)]
)
def test_boxes_shrink_and_move_with_their_images(place, image_size, scale, left, top):
    """They count pixels from 1, the last one included."""
    boxes = load(place, image_size).boxes

    def moved(*corners):
        return [at * scale + by for at, by in zip(corners, [left, top] * 2, strict=True)]

    assert boxes.corners[boxes.kind == DOG].tolist() == [moved(0, 0, 20, 30)] * 15
    assert boxes.corners[boxes.kind == PERSON].tolist() == [moved(20, 10, 40, 20)] * 4
    assert boxes.image[boxes.kind == PERSON].tolist() == [1, 5, 9, 13]


def test_a_limit_reads_the_chosen_files_only(place):
    chosen = load(place, limit=5)
    for i in set(range(15)) - set(chosen.index.tolist()):
        (place / "JPEGImages" / f"2008_{i:06d}.jpg").unlink()
    assert load(place, limit=5).fingerprint() == chosen.fingerprint()
    assert len(chosen) == 5
    with pytest.raises(InputError, match="is missing or cannot be read"):
        load(place)


def with_annotation(text):
    def damage(place):
        (place / "Annotations" / "2008_000003.xml").write_text(text)

    return damage


SIZE = "<size><width>40</width><height>30</height></size>"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda place: (place / "ImageSets/Main/val.txt").unlink(), "val.txt': No such file"),
        (
            lambda place: place.rename(place.parent / "VOC2007"),
            "no VOCdevkit/VOC2012 there; unpack",
        ),
        (lambda place: (place / "Annotations/2008_000003.xml").unlink(), "No such file"),
        (with_annotation("<annotation>"), "2008_000003.xml': is no annotation of VOC"),
        (with_annotation("<annotation></annotation>"), "no size/width"),
        (with_annotation(f"<a>{SIZE}{thing('dug', 1, 1, 2, 2)}</a>"), "is no annotation of VOC"),
        (with_annotation(f"<a>{SIZE}{thing('dog', 3, 1, 2, 2)}</a>"), "a box without an area"),
        (with_annotation(f"<a>{SIZE.replace('30', '20')}</a>"), "of another size than its annot"),
        (
            lambda place: (place / "JPEGImages/2008_000003.jpg").write_bytes(b"\xff\xd8\xff"),
            "2008_000003.jpg': is missing or cannot be read",
        ),
    ],
)
def test_what_cannot_be_used_is_named(place, damage, said):
    damage(place)
    assert said in refusal(place)
