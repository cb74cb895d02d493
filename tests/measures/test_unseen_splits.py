"""What is measured where some classes are not learned from."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.options import FitOn
from dimred.evaluation.splits import Splits
from dimred.measures.errors import ClassifierErrors
from dimred.measures.knn import KnnAccuracy
from dimred.measures.protocol import Embedding, LeftOut, Setting
from dimred.run.class_split import class_split_part, unseen_note, with_unseen_named
from dimred.run_folder.names import class_split_text
from dimred.training.compute import Compute

LABELS = np.repeat([0, 1, 2, 3], [30, 30, 40, 20])
"""Of which the last two are not learned from."""


def image_set(is_test=None, labels=LABELS, names=("ants", "bees", "cats", "dogs")):
    n = len(labels)
    return ImageSet(
        images=torch.zeros(n, 1, 2, 2, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=np.zeros(n, bool) if is_test is None else is_test,
        split_name="",
        labels=LabelSet(labels, names),
        index=np.arange(n),
        is_unseen=labels >= 2,
    )


def setting_of(images, fit_on=FitOn.all, classifies=True):
    config = SimpleNamespace(
        eval=SimpleNamespace(k=[1], random_test=None),
        dataset=SimpleNamespace(fit_on=fit_on),
        classifies=classifies,
    )
    splits = Splits(images, None)
    compute = Compute(torch.device("cpu"))
    return Setting(config, images, images, None, None, splits, compute)


def test_chance_is_that_of_the_classes_not_learned_from():
    # Drawn at random: of all of their images, the largest class has 40 of 60.
    assert Splits(image_set(), None).chance == pytest.approx(40 / 60)
    # As the set is split: class 2 is the largest in training, and has 1 of 11 test images.
    is_test = np.zeros(120, bool)
    is_test[:50] = True  # all of another class than what is measured
    is_test[60] = is_test[100:110] = True
    splits = Splits(image_set(is_test), None)
    assert splits.chance == pytest.approx(1 / 11)
    # Without classes that are not learned from, as ever: class 2 has 1 of 61 test images.
    assert Splits(replace(image_set(is_test), is_unseen=None), None).chance == pytest.approx(1 / 61)


def test_a_single_unseen_class_has_no_split_of_its_own():
    """Of which all accuracies would be 1, and so would chance."""
    images = image_set(labels=LABELS.clip(max=2), is_test=np.arange(120) % 5 == 0)
    assert list(Splits(images, None).parts) == ["official", "random"]
    assert list(Splits(image_set(), None).parts) == ["unseen", "random"]


def test_the_headline_is_measured_among_images_of_unseen_classes():
    # Z keeps the unseen classes apart, and lays each upon one that is learned from.
    setting = setting_of(image_set(np.arange(120) % 5 == 0))
    z = (LABELS % 2)[:, None] * [9.0, 0.0] + np.random.default_rng(0).normal(size=(120, 2))
    measure = KnnAccuracy()
    measure.prepare(setting)
    found = {one.name: one.value for one in measure.measure(Embedding(setting, z, z, None))}
    assert found["knn1_z_unseen"] == 1
    assert found["knn1_z_official"] < 0.8


def test_a_classifier_is_judged_by_the_classes_that_it_learned():
    images = image_set(np.arange(120) % 2 == 0)
    logits = np.eye(4)[LABELS]
    logits[LABELS >= 2] = np.eye(4)[0]  # what it cannot know
    logits[0] = np.eye(4)[1]  # one of the 30 test images of what it learned
    setting = setting_of(images, FitOn.train)
    (error,) = ClassifierErrors().measure(Embedding(setting, logits, logits, None))
    assert (error.name, error.value) == ("test_error", pytest.approx(1 / 30))
    only_unseen = replace(images, is_test=images.is_test & (LABELS >= 2))
    with pytest.raises(LeftOut, match="no test image is of a class that was learned from"):
        list(
            ClassifierErrors().measure(
                Embedding(setting_of(only_unseen, FitOn.train), logits, logits, None)
            )
        )


def test_numbers_of_classes_and_images():
    is_test = np.arange(120) % 2 == 0
    part = class_split_part(setting_of(image_set(is_test), FitOn.train))["class_split"]
    assert part == {
        "learned": {"classes": 2, "images": 60},
        "unseen": {"classes": 2, "images": 60, "measured": 30},
    }
    assert class_split_text(part, 30) == (
        "learned from 2 classes (30 images), measured on 2 classes never seen (30 of 60 images)"
    )
    part = class_split_part(setting_of(image_set(is_test)))["class_split"]
    assert class_split_text(part, 60) == (
        "learned from 2 classes (60 images), measured on 2 classes never seen (60 images)"
    )
    assert "2 classes never seen by this training (60 " in class_split_text(part, 60, begun=True)
    assert class_split_part(setting_of(replace(image_set(), is_unseen=None))) == {}


def test_figures_say_which_classes_are_unseen():
    images = image_set(names=("ants", "bees", "c" * 30, "dogs"))
    assert with_unseen_named(images).names == (
        "ants",
        "bees",
        f"{'c' * 14}… (unseen)",
        "dogs (unseen)",
    )
    assert unseen_note(images) == ", 2 of 4 classes not learned from"
    learned = replace(images, is_unseen=None)
    assert with_unseen_named(learned) is images.labels
    assert unseen_note(learned) == ""
    # Of too many for a legend, names stand on the map, where there is no room.
    many = image_set(labels=np.arange(120) % 40, names=tuple(map(str, range(40))))
    assert with_unseen_named(many) is many.labels
