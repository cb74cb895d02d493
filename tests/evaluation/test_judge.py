"""What a map is judged by: splits, their names, chance, and the names of the measures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dimred.data.image_set import ImageSet, LabelSet
from dimred.evaluation import Judge, knn, neighbourhood, neighbours


def image_set(labels, is_test=None):
    labels = None if labels is None else np.array(labels)
    n = 60 if labels is None else len(labels)
    is_test = np.zeros(n, dtype=bool) if is_test is None else np.array(is_test)
    return ImageSet(
        images=torch.zeros(n, 1, 4, 4, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=is_test,
        split_name="its own 40/20" if is_test.any() else "",
        labels=None
        if labels is None
        else LabelSet(labels, tuple(map(str, range(labels.max() + 1)))),
        index=np.arange(n),
    )


TWO_CLASSES = [0, 0, 1] * 20
LAST_20 = [False] * 40 + [True] * 20


def test_both_splits_are_named_and_their_accuracies_told_apart():
    judge = Judge(image_set(TWO_CLASSES, LAST_20), [1, 3], None)
    assert judge.split_names == {
        "official": "its own 40/20",
        "random": "random stratified 40/20, seed 0",
    }
    rng = np.random.default_rng(0)
    h, z = rng.normal(size=(60, 5)), np.array(TWO_CLASSES)[:, None] * [9.0, 0.0]
    z += rng.normal(size=z.shape)
    found = judge.measure(h, z)
    assert set(found) == {
        f"knn{k}_{space}_{split}"
        for k in (1, 3)
        for space in "zh"
        for split in ("official", "random")
    }
    assert found["knn1_z_official"] == found["knn1_z_random"] == 1
    assert found["knn1_h_official"] < 0.9
    assert judge.headline == "knn1_z_official"


def test_further_labellings_are_measured_in_z():
    images = image_set(np.arange(60) % 4, LAST_20)
    halves = LabelSet(images.labels.values // 2, ("low", "high"))
    judge = Judge(replace(images, extra_labels={"superclass": halves}), [1], None)
    z = images.labels.values[:, None] // 2 * [5.0, 0.0]
    z += np.random.default_rng(0).normal(size=z.shape)
    found = judge.measure(z, z)
    # The map shows the halves and nothing of the classes within them.
    assert found["knn1_superclass_z_official"] == found["knn1_superclass_z_random"] == 1
    assert found["knn1_z_official"] < 0.9
    assert not any("superclass_h" in key for key in found)


@pytest.mark.parametrize("labels", [TWO_CLASSES, None])
def test_all_neighbours_are_searched_on_the_device_that_is_asked_for(labels, monkeypatch):
    asked = []

    def nearest(train, query, k, device):
        asked.append(device)
        return neighbours.nearest_in_blocks(train, query, k, torch.device("cpu"))

    monkeypatch.setattr(knn, "nearest", nearest)
    monkeypatch.setattr(neighbourhood, "nearest", nearest)
    images, points = image_set(labels, LAST_20), np.random.default_rng(0).normal(size=(60, 20))
    judge = Judge(images, [3], None, torch.device("cuda"))
    found = judge.measure(points, points[:, :2])
    if labels:
        judge.curve(points, "random")
    assert set(asked) == {torch.device("cuda")}
    monkeypatch.undo()
    assert found == Judge(images, [3], None).measure(points, points[:, :2])


def test_without_a_split_of_its_own_a_set_has_the_random_one():
    judge = Judge(image_set(TWO_CLASSES), [1], None)
    assert list(judge.splits) == ["random"]
    assert judge.headline == "knn1_z_random"
    assert len(judge.splits["random"][1]) == 10


def test_a_set_of_test_images_only_has_no_split_of_its_own():
    judge = Judge(image_set(TWO_CLASSES, [True] * 60), [1], None)
    assert list(judge.splits) == ["random"]


@pytest.mark.parametrize("n_classes", [60, 30])
def test_a_split_that_cannot_be_stratified_is_not_called_so(n_classes):
    judge = Judge(image_set(np.arange(60) % n_classes), [1], None)
    assert judge.split_names["random"] == "random 50/10, seed 0"


def test_chance_is_that_of_the_largest_training_class_on_the_test_points():
    labels = [0] * 30 + [1] * 10 + [0] * 5 + [1] * 15
    assert Judge(image_set(labels, LAST_20), [1], None).chance == 0.25


def test_without_labels_every_k_is_measured_and_chance_is_that_of_random_neighbours():
    judge = Judge(image_set(None), [5, 10], None)
    h = np.random.default_rng(0).normal(size=(60, 3))
    found = judge.measure(h, h[:, :2])
    assert set(found) == {
        "trustworthiness5_z",
        "overlap5_hz",
        "trustworthiness10_z",
        "overlap10_hz",
    }
    assert judge.headline == "trustworthiness5_z"
    assert judge.chance == pytest.approx(5 / 59)
    noise = [
        Judge(image_set(None), [5], None).measure(h, np.random.default_rng(i).normal(size=(60, 2)))
        for i in range(1, 40)
    ]
    overlap = np.mean([values["overlap5_hz"] for values in noise])
    assert overlap == pytest.approx(judge.chance, abs=0.02)


@pytest.mark.parametrize(
    ("labels", "is_test", "random_test", "expected"),
    [(TWO_CLASSES, LAST_20, None, 40), (TWO_CLASSES, LAST_20, 50, 10), (None, None, None, 29)],
)
def test_the_largest_k(labels, is_test, random_test, expected):
    judge = Judge(image_set(labels, is_test), [1], random_test)
    assert judge.max_k == expected
    judge.ks = [expected]
    points = np.random.default_rng(0).normal(size=(60, 2))
    judge.measure(points, points)
    judge.ks = [expected + 1]
    with pytest.raises(ValueError, match="k = "):
        judge.measure(points, points)
