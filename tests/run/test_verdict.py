"""The verdict says of a map what its numbers say, and no more than their errors allow."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.run.evidence import evidence_of
from dimred.run.verdict import (
    FAIR,
    GOOD,
    POOR,
    UNKNOWN,
    Difference,
    Evidence,
    Training,
    compared,
    verdict,
    with_more_time,
)

DEMO = Training({"pretrain": 100, "readout": 5, "finetune": 200}, 1.0, ("pretrain", "finetune"))
ORDER = {POOR: 0, UNKNOWN: 1, FAIR: 1, GOOD: 2}
shares = st.floats(0, 1)


def judged(labeled=True, training=DEMO, images=1666, errors=None, **spaces):
    errors = dict.fromkeys(spaces, 0.01) if errors is None else errors
    return verdict(Evidence(labeled, 15, images, spaces, errors), training)


def test_a_map_that_is_worse_than_raw_pixels_says_so_and_to_train_longer():
    it = judged(z=0.223, h=0.25, chance=0.1, pixels=0.277, pca2=0.13, untrained_z=0.14)
    assert it.word == POOR
    assert it.text == (
        "Worse than raw pixels, better than PCA in 2-D: knn15 0.223 of 1,666 test images, chance "
        "0.100, raw pixels 0.277, PCA in 2-D 0.130, Z before training 0.140"
    )
    assert it.advice == "train longer: schedule.epochs_scale=5 (about 1,525 epochs instead of 305)"
    assert it.numbers["error_pixels"] == 0.01
    assert it.numbers["pixels"] == 0.277


@pytest.mark.parametrize(
    ("spaces", "word", "finding"),
    [
        (
            {"z": 0.99, "pixels": 0.98, "pca2": 0.6, "chance": 0.1},
            GOOD,
            "about as good as raw pixels, better than PCA",
        ),
        ({"z": 0.75, "pixels": 0.40, "pca2": 0.6, "chance": 0.1}, GOOD, "better than raw pixels"),
        ({"z": 0.35, "pixels": 0.28, "pca2": 0.2, "chance": 0.1}, FAIR, "better than raw pixels"),
        ({"z": 0.92, "pixels": 0.98, "pca2": 0.6, "chance": 0.1}, FAIR, "worse than raw pixels"),
        ({"z": 0.60, "pixels": 0.45, "pca2": 0.64, "chance": 0.1}, POOR, "worse than PCA in 2-D"),
        ({"z": 0.11, "pixels": 0.28, "chance": 0.1}, POOR, "no better than chance"),
        ({"z": 0.30, "pixels": 0.28, "untrained_z": 0.29}, POOR, "no better than before training"),
        ({"z": 0.80, "chance": 0.1}, GOOD, "better than chance"),
        ({"z": 0.80}, GOOD, "better than chance"),
    ],
)
def test_the_word_follows_from_what_the_map_is_compared_with(spaces, word, finding):
    it = judged(**spaces)
    assert it.word == word
    assert finding.lower() in it.text.partition(": ")[0].lower()
    assert (it.advice is None) == (word == GOOD)


def test_what_is_not_known_comes_without_advice():
    it = judged(labeled=False, z=0.33, pixels=0.23, pca2=0.06, untrained_z=0.04)
    assert (it.word, it.advice) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("spaces", "word", "finding"),
    [
        ({"z": 0.61, "pixels": 0.2, "pca2": 0.03, "untrained_z": 0.02}, GOOD, "most images are"),
        ({"z": 0.33, "pixels": 0.23, "pca2": 0.06, "untrained_z": 0.04}, UNKNOWN, "only labels"),
        ({"z": 0.61, "pixels": 0.4, "pca2": 0.1, "untrained_z": 0.1}, UNKNOWN, "only labels"),
        ({"z": 0.75, "pixels": 0.68, "pca2": 0.57, "untrained_z": 0.2}, UNKNOWN, "too easy"),
        ({"z": 0.07, "pixels": 0.24, "pca2": 0.06, "untrained_z": 0.03}, POOR, "PCA in 2-D"),
        ({"z": 0.04, "pixels": 0.24, "pca2": 0.01, "untrained_z": 0.03}, POOR, "before training"),
        ({"z": 0.01, "chance": 0.01}, POOR, "no better than chance"),
    ],
)
def test_without_labels_what_is_between_poor_and_good_is_not_known(spaces, word, finding):
    it = judged(labeled=False, **spaces)
    assert it.word == word
    assert finding.lower() in it.text.partition(": ")[0].lower()
    assert "have their other view among the 15 nearest in Z (2-D)" in it.text


def test_without_a_measured_error_that_of_the_share_itself_is_taken():
    errors = {"chance": math.sqrt(0.1 * 0.9 / 100)}
    for z in (0.15, 0.17):
        known = judged(images=100, z=z, chance=0.1, errors=errors)
        assert judged(images=100, z=z, chance=0.1, errors={}) == known
        assert ("No better" in known.text) == (z == 0.15)


def test_advice_starts_from_the_run_as_it_was():
    spaces = {"z": 0.2, "chance": 0.1, "pixels": 0.5}
    short = Training({"pretrain": 10, "finetune": 20}, 0.1, ("pretrain", "finetune"))
    assert judged(training=short, **spaces).advice == (
        "train longer: schedule.epochs_scale=0.5 (about 150 epochs instead of 30)"
    )
    assert judged(training=short, h=0.6, **spaces).advice == (
        "H knows more (0.600); train the last stage longer: schedule.stages.finetune.epochs=1000"
    )
    long = Training({"one": 1000}, 2.0, ("one",))
    assert judged(training=long, h=0.6, **spaces).advice is None  # what would help is not known


def test_few_test_images_are_not_taken_for_a_map_that_has_learned_nothing():
    """Of 33 test images 11 more are right than before training, and 5 fewer."""
    errors = {"untrained_z": math.sqrt(16) / 33, "pixels": math.sqrt(16) / 33, "chance": 0.05}
    few = {"images": 33, "errors": errors, "pixels": 0.3, "chance": 0.1}
    it = judged(z=0.61, untrained_z=0.39, **few)
    assert it.word == UNKNOWN
    assert it.text.startswith("Too few test images to tell it from before training: knn15 0.61")
    assert it.advice is None
    assert judged(z=0.45, untrained_z=0.39, **few).word == POOR


@given(shares, shares, st.floats(0, 0.5))
def test_a_difference_is_called_one_only_beyond_two_errors_and_both_ways_alike(a, b, error):
    difference = compared(a, b, error)
    assert compared(b, a, error) == -difference
    if difference is Difference.better:
        assert a - b > 2 * error
        assert a > b
    if difference is Difference.none_found and error == 0:
        assert a == b


@given(
    st.booleans(),
    shares,
    shares,
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("h", "chance", "pixels", "pca2", "untrained_z"), shares)
    ),
    st.floats(0, 0.2),
)
def test_a_better_map_never_has_a_worse_word(labeled, one, other, spaces, error):
    low, high = sorted((one, other))
    errors = dict.fromkeys(spaces, error)
    worse, better = (judged(labeled, errors=errors, z=z, **spaces) for z in (low, high))
    assert ORDER[worse.word] <= ORDER[better.word]


@given(
    st.booleans(),
    shares,
    st.fixed_dictionaries({"pixels": shares, "pca2": shares}),
    st.floats(0, 0.2),
)
def test_what_is_below_a_reference_is_never_called_better_than_it(labeled, z, spaces, error):
    it = judged(labeled, errors=dict.fromkeys(spaces, error), z=z, **spaces)
    finding = it.text.partition(": ")[0].lower()
    for name, space in (("raw pixels", "pixels"), ("PCA in 2-D", "pca2")):
        if z <= spaces[space]:
            assert not (finding.startswith("better than") and name.lower() in finding)
    if z < min(spaces.values()) - 2 * error:
        assert it.word != GOOD


def test_a_run_that_was_planned_for_a_budget_is_advised_a_larger_one():
    longer = "train longer: schedule.epochs_scale=5 (about 1,525 epochs instead of 305)"
    last = "H knows more (0.6); train the last stage longer: schedule.stages.finetune.epochs=1000"
    assert with_more_time(longer, 10, 8.0) == "train longer: budget_minutes=50 instead of 10"
    assert with_more_time(last, 0.5, 2.0) == (
        "H knows more (0.6); train longer: budget_minutes=1 instead of 0.5"
    )
    assert with_more_time(last, 10, 1.0) == last  # a larger one makes no more epochs


def test_it_rests_on_retrieval_where_classes_are_unseen_and_it_was_asked_for():
    """With what the measure found; by kNN where all classes are learned from."""
    found = {
        "recall1_z": 0.9, "recall1_h": 0.95, "recall1_pixels": 0.97, "recall1_chance": 0.2,
        "recall1_untrained_z": 0.7, "queries": 5000.0, "error1_z-pixels": 0.004,
        "error1_z-untrained_z": 0.005,
    }  # fmt: skip
    for has_unseen, text in (
        (
            True,
            "Worse than raw pixels: Recall@1 0.900 of 5,000 images of classes not learned from, "
            "chance 0.200, raw pixels 0.970, Z before training 0.700",
        ),
        (False, "Better than chance: knn15 0.30 of 1 test images, chance 0.10"),
    ):
        setting = SimpleNamespace(
            ks=[15],
            images=SimpleNamespace(has_unseen=has_unseen),
            splits=SimpleNamespace(first="official", chance=0.1, parts={"official": ([0], [1])}),
        )
        row = {"knn15_z_official": 0.3, "error15_z-chance_official": 0.01}
        evidence = evidence_of(setting, 64, row, {"retrieval": found})
        evidence = replace(evidence, errors={"chance": 0.01, **evidence.errors})
        assert verdict(evidence, DEMO).text == text
        assert evidence.errors.get("pixels") == (0.004 if has_unseen else None)


def test_it_says_where_the_test_images_are_of_unseen_classes():
    spaces = {"z": 0.9, "chance": 0.2, "pixels": 0.8}
    it = verdict(Evidence(True, 15, 149, spaces, dict.fromkeys(spaces, 0.01), unseen=True), DEMO)
    assert it.word == GOOD
    assert it.text == (
        "Better than raw pixels: knn15 0.90 of 149 test images of classes not learned from, chance "
        "0.20, raw pixels 0.80"
    )
