"""A map judged as a metric: on which images, in which spaces, and what is said at the end."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_general import image_set, setting_of

from dimred.data.options import FitOn
from dimred.evaluation import (
    agreement,
    class_retrieval,
    class_spread,
    kmeans_clusters,
    unit_vectors,
)
from dimred.evaluation.measurement import Measurement
from dimred.measures import retrieval as module
from dimred.measures.protocol import Detail, Embedding, LeftOut
from dimred.measures.retrieval import RetrievalOfClasses

CLASSES = np.tile(np.arange(4), 30)
TEST = np.arange(120) >= 60
UNSEEN = CLASSES >= 2


def setting(classes=CLASSES, is_test=TEST, unseen=None, fit_on=FitOn.train, references=False):
    images = replace(image_set(classes, is_test), is_unseen=unseen)
    images.images[:] = torch.randint(0, 256, images.images.shape, dtype=torch.uint8)
    made = setting_of(images, [3])
    made.config.eval.references = references
    made.config.dataset = SimpleNamespace(fit_on=fit_on)
    return made


def embedding(of, dims=8, seed=0):
    rng, n = np.random.default_rng(seed), len(of.images)
    h = rng.normal(size=(n, 12)).astype(np.float32)
    z = (rng.normal(size=(n, dims)) + 0.6 * rng.normal(size=(99, dims))[CLASSES[:n]]).astype("f4")
    return Embedding(of, h, z, None)


def found(of, made=None, **options):
    """Numbers and details of the measure, by name."""
    measure = RetrievalOfClasses(retrieval=True, **options)
    assert measure.applies(of)
    measure.prepare(of)
    numbers, details = {}, {}
    for one in measure.measure(made or embedding(of)):
        if isinstance(one, Measurement):
            assert one.name not in numbers
            numbers[one.name] = one.value
        else:
            assert isinstance(one, Detail)
            details[one.key] = one.value
    return numbers, details


@pytest.mark.parametrize(
    ("unseen", "is_test", "fit_on", "measured"),
    [
        (UNSEEN, TEST, FitOn.train, UNSEEN & TEST),
        (UNSEEN, TEST, FitOn.all, UNSEEN),
        (UNSEEN, TEST & ~UNSEEN, FitOn.train, UNSEEN),
        (UNSEEN, TEST & False, FitOn.all, UNSEEN),
        (None, TEST, FitOn.train, TEST),
        (None, TEST, FitOn.all, TEST),
        (None, TEST & False, FitOn.all, TEST | True),
        (UNSEEN & False, TEST, FitOn.train, TEST),
    ],
)
def test_measured_are_unseen_classes_and_of_these_the_test_images_where_train_is_learned(
    unseen, is_test, fit_on, measured
):
    positions = setting(is_test=is_test, unseen=unseen, fit_on=fit_on).measured
    assert positions.dtype == np.int64
    assert positions.tolist() == np.flatnonzero(measured).tolist()


def test_the_numbers_are_those_of_the_measured_images_alone():
    of = setting(unseen=UNSEEN)
    made, rows = embedding(of), np.flatnonzero(UNSEEN & TEST)
    numbers, details = found(of, made, recall=[1, 5])
    for space, points in (("z", made.z), ("h", made.h)):
        points, classes = unit_vectors(points[rows]), CLASSES[rows]
        expected = class_retrieval(points, classes, [1, 5])
        assert numbers[f"recall1_{space}"] == expected.recall[1]
        assert numbers[f"recall5_{space}"] == expected.recall[5]
        assert numbers[f"map_at_r_{space}"] == expected.map_at_r
        assert numbers[f"spread_{space}"] == class_spread(points, classes)
        clusters, text = kmeans_clusters(points, 2)
        of_clusters = {name: numbers[f"{name}_{space}"] for name in ("nmi", "ami", "f1")}
        assert of_clusters == vars(agreement(classes, clusters))
        assert details[f"clusters_{space}"] == text
    assert numbers["map_at_r_z"] != numbers["map_at_r_h"]
    # Whatever the other images are, nothing changes.
    changed = replace(made, samples_z=np.where(np.isin(np.arange(120), rows)[:, None], made.z, 0))
    others, _ = found(of, changed, recall=[1, 5])
    assert {k: v for k, v in others.items() if "learned" not in k} == {
        k: v for k, v in numbers.items() if "learned" not in k
    }


def test_test_images_of_learned_classes_stand_beside_where_they_were_held_out():
    of = setting(unseen=UNSEEN)
    made, rows = embedding(of), np.flatnonzero(~UNSEEN & TEST)
    numbers, details = found(of, made)
    expected = class_retrieval(unit_vectors(made.z[rows]), CLASSES[rows], [1])
    assert numbers["recall1_z_learned"] == expected.recall[1]
    assert numbers["map_at_r_h_learned"] == pytest.approx(
        class_retrieval(unit_vectors(made.h[rows]), CLASSES[rows], [1]).map_at_r
    )
    assert details["images"] == "30 test images of 2 classes that were not learned from"
    for other in (setting(unseen=UNSEEN, fit_on=FitOn.all), setting()):
        numbers, details = found(other)
        assert not any("learned" in name for name in numbers)
        assert "no_learned" not in details


def test_where_no_class_is_unseen_it_is_as_where_all_are_learned_from():
    assert found(setting(unseen=UNSEEN & False)) == found(setting())


@pytest.mark.parametrize("kept", [[0], []])
def test_too_few_images_of_learned_classes_are_said(kept):
    rows = np.flatnonzero(UNSEEN | ~TEST | np.isin(CLASSES, kept))
    of = setting(CLASSES[rows], TEST[rows], UNSEEN[rows])
    numbers, details = found(of)
    assert not any("learned" in name for name in numbers)
    assert details["no_learned"].endswith(f"{15 * len(kept)} test images are too few")


@pytest.mark.parametrize(
    ("is_test", "fit_on", "text"),
    [
        (TEST, FitOn.train, "60 test images of 4 classes"),
        (TEST, FitOn.all, "60 test images of 4 classes, which were learned from"),
        (TEST & False, FitOn.all, "120 images of 4 classes, which were learned from"),
    ],
)
def test_it_says_whether_the_images_were_learned_from(is_test, fit_on, text):
    assert found(setting(is_test=is_test, fit_on=fit_on))[1]["images"] == text


def test_a_map_to_look_at_keeps_its_distances_unless_told_otherwise():
    of = setting()
    made = embedding(of, dims=2)
    plain, unit = made.z[TEST], unit_vectors(made.z[TEST])
    expected = [class_retrieval(z, CLASSES[TEST], [1]).map_at_r for z in (plain, unit)]
    options = (None, False, True)
    by_option = [found(of, made, unit_length=option)[0] for option in options]
    assert [one["map_at_r_z"] for one in by_option] == [expected[0], expected[0], expected[1]]
    of_h = [one["map_at_r_h"] for one in by_option]
    assert of_h[0] == of_h[2] != of_h[1]


def test_raw_pixels_are_a_reference_up_to_a_size_that_is_said(monkeypatch):
    of = setting(references=True)
    numbers, details = found(of)
    pixels = of.images.images.flatten(1).numpy()[TEST]
    expected = class_retrieval(unit_vectors(pixels), CLASSES[TEST], [1])
    assert numbers["recall1_pixels"] == expected.recall[1]
    assert numbers["map_at_r_pixels"] == pytest.approx(expected.map_at_r, abs=1e-9)
    assert "no_pixels" not in details
    monkeypatch.setattr(module, "MAX_PIXEL_VALUES", 60 * 16 - 1)
    numbers, details = found(of)
    assert not any("pixels" in name for name in numbers)
    assert details["no_pixels"] == "no raw pixels: the images have more than 959 values"
    assert "no_pixels" not in found(setting())[1]


def test_a_map_in_one_point_is_at_chance_and_its_spread_is_said_to_be_missing():
    of = setting()
    made = embedding(of)
    collapsed = replace(made, samples_z=np.ones_like(made.z))
    numbers, details = found(of, collapsed)
    assert numbers["recall1_z"] == pytest.approx(0.25, abs=0.15)
    assert numbers["nmi_z"] == numbers["ami_z"] == 0
    assert "spread_z" not in numbers
    assert details["no_spread_z"] == "no spread in z: the means of all classes coincide"
    assert "spread_h" in numbers


def test_images_alone_in_their_class_are_counted():
    classes = CLASSES.copy()
    classes[-3:] = [4, 5, 6]
    _, details = found(setting(classes))
    assert details["alone"].endswith("not asked for others: 3")
    assert "alone" not in found(setting())[1]


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (setting(CLASSES * 0), "the 60 images to measure are all of one class"),
        (setting(np.arange(120)), "the 60 images to measure are each of another class"),
        (setting(unseen=CLASSES == 3), "the 15 images to measure are all of one class"),
        (setting(None, TEST[:60]), "the images have no labels"),
        (
            setting(CLASSES[:68], TEST[:68]),
            r"eval.recall=\[1, 2, 4, 8\]: must be at most 7 with 8 ",
        ),
    ],
)
def test_it_is_left_out_with_a_reason(of, reason):
    with pytest.raises(LeftOut, match=reason):
        RetrievalOfClasses(retrieval=True).prepare(of)


def test_it_is_off_unless_asked_for_and_wants_a_number_of_neighbors():
    assert not RetrievalOfClasses().applies(setting())
    assert list(RetrievalOfClasses().problems()) == []
    (line,) = RetrievalOfClasses(recall=[]).problems()
    assert line.startswith("eval.recall=[]: ")


def test_at_the_end_spaces_are_columns_and_what_is_missing_is_said():
    results = {
        "images": "60 test images of 4 classes",
        "recall1_z": 0.5,
        "map_at_r_z": 0.25,
        "clusters_z": "K-means",
        "recall1_untrained_z": 0.125,
        "no_pixels": "no raw pixels: too many",
        "recall1_z_learned": 0.75,
    }
    assert RetrievalOfClasses.lines(results) == [
        "retrieval among       60 test images of 4 classes",
        "                                z  untrained z",
        "Recall@1                   0.5000       0.1250",
        "MAP@R                      0.2500",
        "Recall@1, learned classes  0.7500",
        "  no raw pixels: too many",
    ]
    assert RetrievalOfClasses.lines({}) == []
