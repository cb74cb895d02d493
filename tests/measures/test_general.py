"""What every map is measured by: splits, their names, chance, and the numbers by name."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.data.image_set import ImageSet, LabelSet
from dimred.evaluation import knn, neighborhood, neighbors
from dimred.evaluation.splits import Splits
from dimred.measures.knn import KnnAccuracy, KnnCurves
from dimred.measures.neighborhoods import Neighborhoods
from dimred.measures.protocol import Embedding, LeftOut, Setting
from dimred.run.measuring import Measuring
from dimred.training.compute import Compute


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


def setting_of(images, ks, random_test=None, device="cpu"):
    return Setting(
        config=SimpleNamespace(title="made", eval=SimpleNamespace(k=ks, random_test=random_test)),
        images=images,
        samples=images,
        resident=None,
        test=None,
        splits=Splits(images, random_test) if images.labels else None,
        compute=Compute(torch.device(device)),
    )


def numbers(kind, setting, h, z):
    """What a measure finds, by name."""
    measure = kind()
    assert measure.applies(setting)
    measure.prepare(setting)
    return {one.name: one.value for one in measure.measure(Embedding(setting, h, z, None))}


TWO_CLASSES = [0, 0, 1] * 20
LAST_20 = [False] * 40 + [True] * 20


def test_both_splits_are_named_and_their_accuracies_told_apart():
    setting = setting_of(image_set(TWO_CLASSES, LAST_20), [1, 3])
    assert setting.splits.names == {
        "official": "its own 40/20",
        "random": "random stratified 40/20, seed 0",
    }
    assert setting.splits.first == "official"
    rng = np.random.default_rng(0)
    h, z = rng.normal(size=(60, 5)), np.array(TWO_CLASSES)[:, None] * [9.0, 0.0]
    z += rng.normal(size=z.shape)
    found = numbers(KnnAccuracy, setting, h, z)
    assert set(found) == {
        f"knn{k}_{space}_{split}"
        for k in (1, 3)
        for space in "zh"
        for split in ("official", "random")
    }
    assert found["knn1_z_official"] == found["knn1_z_random"] == 1
    assert found["knn1_h_official"] < 0.9


def test_further_labelings_are_measured_in_z():
    images = image_set(np.arange(60) % 4, LAST_20)
    halves = LabelSet(images.labels.values // 2, ("low", "high"))
    setting = setting_of(replace(images, extra_labels={"superclass": halves}), [1])
    z = images.labels.values[:, None] // 2 * [5.0, 0.0]
    z += np.random.default_rng(0).normal(size=z.shape)
    found = numbers(KnnAccuracy, setting, z, z)
    # The map shows the halves and nothing of the classes within them.
    assert found["knn1_superclass_z_official"] == found["knn1_superclass_z_random"] == 1
    assert found["knn1_z_official"] < 0.9
    assert not any("superclass_h" in key for key in found)
    one = replace(images, extra_labels={"superclass": LabelSet(halves.values * 0, ("low",))})
    assert not any("superclass" in key for key in numbers(KnnAccuracy, setting_of(one, [1]), z, z))


@pytest.mark.parametrize("labels", [TWO_CLASSES, None])
def test_all_neighbors_are_searched_on_the_device_of_the_run(labels, monkeypatch):
    asked = []

    def nearest(train, query, k, device):
        asked.append(device)
        return neighbors.nearest_in_blocks(train, query, k, torch.device("cpu"))

    monkeypatch.setattr(knn, "nearest", nearest)
    monkeypatch.setattr(neighborhood, "nearest", nearest)
    images, points = image_set(labels, LAST_20), np.random.default_rng(0).normal(size=(60, 20))
    kind = KnnAccuracy if labels else Neighborhoods
    found = numbers(kind, setting_of(images, [3], device="cuda"), points, points[:, :2])
    if labels:
        embedding = Embedding(setting_of(images, [3], device="cuda"), points, points, None)
        assert [picture.name for picture in KnnCurves().measure(embedding)] == ["knn"]
    assert set(asked) == {torch.device("cuda")}
    monkeypatch.undo()
    assert found == numbers(kind, setting_of(images, [3]), points, points[:, :2])


def test_without_a_split_of_its_own_a_set_has_the_random_one():
    splits = Splits(image_set(TWO_CLASSES), None)
    assert list(splits.parts) == [splits.first] == ["random"]
    assert len(splits.parts["random"][1]) == 10


def test_a_set_of_test_images_only_has_no_split_of_its_own():
    assert list(Splits(image_set(TWO_CLASSES, [True] * 60), None).parts) == ["random"]


@pytest.mark.parametrize("n_classes", [60, 30])
def test_a_split_that_cannot_be_stratified_is_not_called_so(n_classes):
    splits = Splits(image_set(np.arange(60) % n_classes), None)
    assert splits.names["random"] == "random 50/10, seed 0"


def test_chance_is_that_of_the_largest_training_class_on_the_test_points():
    labels = [0] * 30 + [1] * 10 + [0] * 5 + [1] * 15
    assert Splits(image_set(labels, LAST_20), None).chance == 0.25


def test_chance_of_a_random_split_is_that_of_all_images_however_few_are_drawn():
    splits = Splits(image_set([0] * 4 + [1] * 2), None)
    assert splits.sizes == {"random": 1}
    assert splits.chance == pytest.approx(4 / 6)


def test_equally_large_training_classes_are_as_likely():
    labels = [0, 1, 2, 3] * 10 + [0] * 20  # the test images are all of one of the four
    assert Splits(image_set(labels, LAST_20), None).chance == 0.25


def unseen(labels, learned, is_test=None):
    images = image_set(labels, is_test)
    return replace(images, is_unseen=~np.isin(labels, learned))


def test_images_of_unseen_classes_are_a_split_of_their_own_and_the_first():
    splits = Splits(unseen([0, 1, 2] * 20, [0], LAST_20), None)
    assert list(splits.parts) == ["unseen", "official", "random"]
    train, test = splits.parts["unseen"]
    assert train.tolist() == [i for i in range(40) if i % 3]
    assert test.tolist() == [i for i in range(40, 60) if i % 3]
    assert splits.names["unseen"] == "classes not learned from, 26/14"
    # Others are of all images, as ever.
    assert len(splits.parts["official"][1]) == 20


@pytest.mark.parametrize("is_test", [None, [True] * 60, [False, True, True] * 20])
def test_where_the_split_leaves_no_unseen_image_on_one_side_they_are_split_at_random(is_test):
    images = unseen([0, 1, 2] * 20, [0], is_test)
    splits = Splits(images, None)
    train, test = splits.parts["unseen"]
    assert sorted([*train, *test]) == np.flatnonzero(images.is_unseen).tolist()
    assert (len(train), len(test)) == (34, 6)
    assert sorted(images.labels.values[test]) == [1, 1, 1, 2, 2, 2]
    assert all(map(np.array_equal, Splits(images, None).parts["unseen"], (train, test)))


def test_chance_among_unseen_classes_is_that_of_theirs():
    labels = [0] * 20 + [1] * 10 + [2] * 30
    assert Splits(unseen(labels, [0]), None).chance == pytest.approx(30 / 40)
    # Of few images drawn as tests, all unseen ones stand for them.
    few = Splits(unseen([0] * 10 + [1] * 4 + [2] * 2, [0]), None)
    assert few.sizes["unseen"] == 1
    assert few.chance == pytest.approx(4 / 6)


@pytest.mark.parametrize("count", [0, 1])
def test_of_too_few_unseen_images_there_is_no_split(count):
    images = replace(image_set(TWO_CLASSES), is_unseen=np.arange(60) < count)
    assert list(Splits(images, None).parts) == ["random"]


def test_without_labels_every_k_is_measured_and_chance_is_that_of_random_neighbors(monkeypatch):
    setting = setting_of(image_set(None), [5, 10])
    h = np.random.default_rng(0).normal(size=(60, 3))
    assert set(numbers(Neighborhoods, setting, h, h[:, :2])) == {
        "trustworthiness5_z",
        "overlap5_hz",
        "trustworthiness10_z",
        "overlap10_hz",
    }
    monkeypatch.setattr("dimred.run.measuring.measures_of", lambda config: {})
    measuring = Measuring(setting)
    assert measuring.headline == "trustworthiness5_z"
    assert measuring.chance == pytest.approx(5 / 59)
    maps = [np.random.default_rng(i).normal(size=(60, 2)) for i in range(1, 40)]
    setting = setting_of(image_set(None), [5])
    overlap = np.mean([numbers(Neighborhoods, setting, h, z)["overlap5_hz"] for z in maps])
    assert overlap == pytest.approx(measuring.chance, abs=0.02)


@pytest.mark.parametrize(
    ("labels", "is_test", "random_test", "most"),
    [(TWO_CLASSES, LAST_20, None, 40), (TWO_CLASSES, LAST_20, 50, 10), (None, None, None, 29)],
)
def test_more_neighbors_than_there_are_leave_the_measure_out(labels, is_test, random_test, most):
    images, kind = image_set(labels, is_test), KnnAccuracy if labels else Neighborhoods
    points = np.random.default_rng(0).normal(size=(60, 2))
    assert numbers(kind, setting_of(images, [most], random_test), points, points)
    with pytest.raises(LeftOut, match=rf"eval\.k=\[{most + 1}\]: must be at most {most} "):
        kind().prepare(setting_of(images, [most + 1], random_test))
