"""Measures of known factors, on maps whose answer is known."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.data.transformations import Transformation, TransformationKind, transformed
from dimred.evaluation import FactorMeasures

SHIFTS = [Transformation(TransformationKind.shift, float(s)) for s in (-6, -3, 3, 6)]
STRENGTHS = np.array([0.0, -6.0, -3.0, 3.0, 6.0])
TURNS = [Transformation(TransformationKind.rotation, float(d)) for d in (-30, 15)]


def named(measurements):
    """What was measured, by name."""
    return {one.name: one.value for one in measurements}


def image_set(n, is_test=(), labels=None, **known):
    """Images of no interest: only what is known of them is measured."""
    return ImageSet(
        images=torch.arange(n).to(torch.uint8).view(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous(),
        mean=(0.5,),
        std=(0.5,),
        is_test=np.isin(np.arange(n), list(is_test)),
        split_name="",
        labels=None if labels is None else LabelSet(np.array(labels, dtype=np.int64), ("a", "b")),
        index=np.arange(n, dtype=np.int64),
        **known,
    )


def turntable(n_elevations=3, n_azimuths=6, n_lightings=6, test_lightings=2):
    """All views, of which those in the first lightings are for testing: 3 x 6 x 2 of them."""
    views = np.array(list(product(range(n_elevations), range(n_azimuths), range(n_lightings))))
    elevation, azimuth, lighting = views.T
    return image_set(
        len(views),
        np.flatnonzero(lighting < test_lightings),
        factors={
            "elevation": Factor(30 + 5.0 * elevation, "degrees"),
            "azimuth": Factor(azimuth * (360.0 / n_azimuths), "degrees", period=360.0),
        },
        extra_labels={"lighting": LabelSet(lighting, tuple("abcdefghi"[:n_lightings]))},
    )


def cylinder(items, size=1.0):
    """Azimuth around, elevation up, no lighting."""
    angles = np.deg2rad(items.factors["azimuth"].values)
    height = (items.factors["elevation"].values - 30) / 5
    return np.stack([size * np.cos(angles), size * np.sin(angles), height], axis=1)


def shifted(n=30, labels=None, changes=SHIFTS):
    """n images, every third of them for testing, in all transformations."""
    return transformed(image_set(n, range(0, n, 3), labels), changes)


def ordered_by_shift(n=30, seed=0):
    """A place for each image, and within each shift a little of the image in dimension 3."""
    random = np.random.default_rng(seed)
    place = random.normal(size=(n, 2)).repeat(5, axis=0)
    height = np.tile(STRENGTHS, n) + random.uniform(-0.5, 0.5, 5 * n)
    return np.column_stack([place, height])


# The cylinder of a turntable


def test_a_perfect_cylinder():
    items = turntable()
    found = named(FactorMeasures(items, 1, [2, 1]).measure(cylinder(items)))
    assert found["circular_azimuth_z12"] == pytest.approx(1.0)
    assert found["spearman_elevation_z3"] == pytest.approx(1.0)
    assert found["order_elevation_z3"] == pytest.approx(1.0)
    for dim in ("z1", "z2"):
        assert found[f"spearman_elevation_{dim}"] == pytest.approx(0.0, abs=1e-9)
        assert found[f"order_elevation_{dim}"] == pytest.approx(0.0, abs=1e-9)
    # 12 of 15 neighbors are of the same azimuth, 24 of the same elevation.
    assert found["r2_azimuth_z12"] > 0.9
    assert found["r2_elevation_z3"] == pytest.approx(1.0)
    assert -0.5 < found["r2_azimuth_z3"] < 0.05
    assert -0.5 < found["r2_elevation_z12"] < 0.05
    for group in ("z12", "z3"):
        assert found[f"invariance_lighting_{group}"] == 0
    for factor, (own, other) in {"azimuth": ("z12", "z3"), "elevation": ("z3", "z12")}.items():
        assert found[f"invariance_{factor}_{own}"] == pytest.approx(1.0)
        assert found[f"invariance_{factor}_{other}"] == pytest.approx(0.0, abs=1e-12)
        assert found[f"transformed_r2_{factor}"] == pytest.approx(1.0, abs=1e-3)


def test_the_names_of_a_cylinders_measures():
    items = turntable()
    found = named(FactorMeasures(items, 1, [2, 1]).measure(cylinder(items)))
    expected = {"circular_azimuth_z12", "transformed_r2_azimuth", "transformed_r2_elevation"}
    for measure, dim in product(("spearman", "order"), (1, 2, 3)):
        expected.add(f"{measure}_elevation_z{dim}")
    for measure, factor, group in product(
        ("r2", "invariance"), ("azimuth", "elevation", "lighting"), ("z12", "z3")
    ):
        expected.add(f"{measure}_{factor}_{group}")
    assert set(found) == expected
    assert all(type(value) is float for value in found.values())


def test_an_order_that_ties_as_the_factor_does_is_no_more_than_perfect():
    """Ties on both sides give Spearman's 1, where distinct heights have sqrt(1 - 1/9)."""
    items = turntable()
    z = cylinder(items)
    tied = named(FactorMeasures(items, 1, [2, 1]).measure(z))
    assert tied["order_elevation_z3"] <= 1
    z[:, 2] += np.random.default_rng(0).uniform(-0.4, 0.4, len(z))
    distinct = named(FactorMeasures(items, 1, [2, 1]).measure(z))
    # 36 test items in 3 classes of 12.
    ceiling = math.sqrt((36**2 - 12**2) / (36**2 - 1))
    assert distinct["spearman_elevation_z3"] == pytest.approx(ceiling)
    assert distinct["order_elevation_z3"] == pytest.approx(1.0)


def test_lighting_that_moves_the_map_shows():
    items = turntable()
    z = cylinder(items)
    z[:, 2] += 10 * items.extra_labels["lighting"].values
    found = named(FactorMeasures(items, 1, [2, 1]).measure(z))
    assert found["invariance_lighting_z12"] == 0
    # Test lightings 0 and 1: variance 25 about their mean, 2/3 of the elevation.
    assert found["invariance_lighting_z3"] == pytest.approx(25 / (25 + 2 / 3))
    assert found["invariance_elevation_z3"] == pytest.approx(2 / 3 / (25 + 2 / 3))


def test_a_shuffled_map_knows_nothing():
    random = np.random.default_rng(0)
    items = replace(turntable(9, 18, 6), is_test=random.permutation(972) < 312)
    z = cylinder(items)[random.permutation(972)]
    # Neighbors that are equally near would be taken in the order of the items, which is known.
    z += random.normal(0, 1e-3, z.shape)
    found = named(FactorMeasures(items, 1, [2, 1]).measure(z))
    views = np.array(list(product(range(9), range(18), range(6))))[items.is_test]
    for name, value in found.items():
        if name.startswith("invariance"):
            column = ("elevation", "azimuth", "lighting").index(name.split("_")[1])
            n_groups = len(np.unique(np.delete(views, column, axis=1), axis=0))
            assert value == pytest.approx((312 - n_groups) / 311, abs=0.1), name
        elif name.startswith("circular"):
            assert value < 0.05, name
        elif name.startswith(("spearman", "order")):
            assert value < 0.2, name
        else:
            assert abs(value) < 0.2, name


def test_one_group_of_three_dimensions_has_every_plane():
    items = turntable()
    measures = FactorMeasures(items, 1, None)
    found = named(measures.measure(cylinder(items)[:, [0, 2, 1]]))
    circular = {name: value for name, value in found.items() if name.startswith("circular")}
    assert set(circular) == {f"circular_azimuth_{plane}" for plane in ("z12", "z13", "z23")}
    assert circular["circular_azimuth_z13"] == pytest.approx(1.0)
    assert max(circular["circular_azimuth_z12"], circular["circular_azimuth_z23"]) < 0.2
    assert {name for name in found if name.startswith("r2")} == {
        f"r2_{factor}_z123" for factor in ("azimuth", "elevation", "lighting")
    }
    # The same measures can be taken of maps of other dimensions.
    flat = named(measures.measure(cylinder(items)[:, :2]))
    assert flat["circular_azimuth_z12"] == pytest.approx(1.0)
    assert "r2_azimuth_z12" in flat


def test_many_dimensions_have_short_names_and_no_planes():
    items = turntable()
    z = np.random.default_rng(0).normal(size=(len(items), 20))
    found = named(FactorMeasures(items, 1, None).measure(z))
    assert "r2_azimuth_z1-20" in found
    singly = ("circular", "spearman", "order", "transformed")
    assert not any(name.startswith(singly) for name in found)


# Transformations


def test_a_map_ordered_by_shift():
    found = named(FactorMeasures(shifted(), 5, [2, 1]).measure(ordered_by_shift()))
    # 50 test items, 10 of each shift; in the limit of many sqrt(1 - 1/25).
    ceiling = math.sqrt((50**2 - 10**2) / (50**2 - 1))
    assert found["spearman_shift_z3"] == pytest.approx(ceiling)
    assert found["spearman_shift_z3"] == pytest.approx(math.sqrt(1 - 1 / 25), abs=1e-3)
    assert found["order_shift_z3"] == pytest.approx(1.0)
    assert found["spearman_shift_z1"] == pytest.approx(0.0, abs=1e-9)
    assert found["r2_shift_z3"] > 0.98
    assert found["r2_shift_z12"] < 0.05
    assert found["invariance_shift_z12"] == 0
    assert found["invariance_shift_z3"] > 0.98
    assert found["transformed_r2_shift"] > 0.95
    assert not any("transformation" in name or name.startswith("knn") for name in found)


def test_a_shift_that_follows_from_nothing_is_not_predicted():
    """Wherever the shifted images land, each in a place of its own."""
    z = np.random.default_rng(0).normal(size=(5 * 300, 3))
    found = named(FactorMeasures(shifted(300), 5, [2, 1]).measure(z))
    assert found["transformed_r2_shift"] < 0.05
    assert found["r2_shift_z3"] < 0.05
    assert found["order_shift_z3"] < 0.15
    assert found["invariance_shift_z12"] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("changes", [[*SHIFTS[1:3], *TURNS], [*TURNS, *SHIFTS[1:3]]])
def test_of_two_kinds_each_has_measures_of_its_own(changes):
    """Dimension 1 holds the shift, 2 the rotation, 3 the image."""
    items = shifted(60, changes=changes)
    shift, rotation = (items.factors[kind].values for kind in ("shift", "rotation"))
    z = np.column_stack([shift, rotation, np.arange(60).repeat(5) * 1.0])
    found = named(FactorMeasures(items, 5, [1, 1, 1]).measure(z))
    for number, kind in enumerate(("shift", "rotation"), start=1):
        own, other = f"z{number}", f"z{3 - number}"
        assert found[f"order_{kind}_{own}"] == pytest.approx(1.0)
        assert found[f"r2_{kind}_{own}"] == pytest.approx(1.0)
        # Only items that differ in nothing else say what this kind does.
        assert found[f"invariance_{kind}_{other}"] == 0
        assert found[f"invariance_{kind}_z3"] == 0
        assert found[f"transformed_r2_{kind}"] == pytest.approx(1.0, abs=1e-3)
    # The untransformed and two shifts: 3^2 + 3^2 of the shift's variance are within them.
    assert found["invariance_shift_z1"] == pytest.approx(1.0)
    # (0, -30, 15): within 1050 of 1125 - 5 * 3^2.
    assert found["invariance_rotation_z2"] == pytest.approx(1050 / 1080)


def test_moves_of_one_kind_are_between_items_alike_in_the_other():
    """Where rotated images land at random, shifts are still predicted."""
    items = shifted(60, changes=[*SHIFTS, *TURNS])
    random = np.random.default_rng(0)
    place = random.normal(size=(60, 2)).repeat(7, axis=0)
    z = np.column_stack([place, items.factors["shift"].values])
    turned = items.factors["rotation"].values != 0
    z[turned] = 5 * random.normal(size=(turned.sum(), 3))
    found = named(FactorMeasures(items, 7, [2, 1]).measure(z))
    assert found["transformed_r2_shift"] == pytest.approx(1.0, abs=1e-3)
    assert found["transformed_r2_rotation"] < 0.5


def test_factors_of_the_images_are_told_from_those_of_transformations():
    """A turntable whose images are also shifted: azimuth and lighting are not what shifts do."""
    items = transformed(turntable(), SHIFTS[1:3])
    z = np.column_stack([cylinder(items), items.factors["shift"].values])
    found = named(FactorMeasures(items, 3, [2, 1, 1]).measure(z))
    groups = {"azimuth": "z12", "elevation": "z3", "shift": "z4", "lighting": None}
    for factor, own in groups.items():
        for group in ("z12", "z3", "z4"):
            expected = 1.0 if group == own else 0.0
            value = found[f"invariance_{factor}_{group}"]
            assert value == pytest.approx(expected, abs=1e-12), (factor, group)
    for factor in ("azimuth", "elevation", "shift"):
        assert found[f"transformed_r2_{factor}"] == pytest.approx(1.0, abs=1e-3)


def test_labels_of_images_without_factors_of_their_own_have_no_invariance():
    """Images of one superclass differ by more than what is known of them."""
    images = image_set(
        30, range(0, 30, 3), extra_labels={"superclass": LabelSet(np.arange(30) % 2, ("x", "y"))}
    )
    items = transformed(images, SHIFTS)
    found = named(FactorMeasures(items, 5, [2, 1]).measure(ordered_by_shift()))
    assert found["invariance_shift_z12"] == 0
    assert "r2_superclass_z12" in found
    assert not any(name.startswith("invariance_superclass") for name in found)


# What is measured on what


def test_only_test_items_are_correlated():
    items, z = shifted(), ordered_by_shift()
    measures = FactorMeasures(items, 5, [2, 1])
    before = named(measures.measure(z))
    random = np.random.default_rng(1)
    training, test = np.flatnonzero(~items.is_test), np.flatnonzero(items.is_test)
    names = ("spearman_shift_z3", "order_shift_z3", "invariance_shift_z3")

    changed = z.copy()
    changed[training] = random.normal(size=(len(training), 3))
    after = named(measures.measure(changed))
    assert [after[name] for name in names] == [before[name] for name in names]
    assert after["r2_shift_z3"] < before["r2_shift_z3"] - 0.5

    changed = z.copy()
    changed[test] = random.normal(size=(len(test), 3))
    after = named(measures.measure(changed))
    for name in names:
        assert after[name] < before[name] - 0.1, name


@pytest.mark.parametrize("all_test", [False, True])
def test_without_a_split_a_random_sixth_of_the_images_is_held_out(all_test):
    items = transformed(image_set(60, range(60) if all_test else ()), SHIFTS)
    first, again = (FactorMeasures(items, 5, None) for _ in range(2))
    held_out = first.test.reshape(-1, 5)
    assert len(held_out) == 10
    # Whole images, all transformations of each.
    assert np.array_equal(held_out, held_out[:, :1] + np.arange(5))
    assert np.all(held_out[:, 0] % 5 == 0)
    assert np.ptp(held_out[:, 0]) > 50
    assert sorted([*first.train, *first.test]) == list(range(300))
    assert np.array_equal(first.test, again.test)


def test_a_sixth_of_few_images_is_at_least_one():
    measures = FactorMeasures(transformed(image_set(3), SHIFTS), 5, [2, 1])
    assert (len(measures.train), len(measures.test)) == (10, 5)
    found = named(measures.measure(ordered_by_shift(3)))
    assert found["order_shift_z3"] == pytest.approx(1.0)


def test_the_sets_own_split_is_kept():
    items = shifted(9)
    measures = FactorMeasures(items, 5, None)
    assert np.array_equal(measures.test, np.flatnonzero(items.is_test))
    assert np.array_equal(measures.train, np.flatnonzero(~items.is_test))


# Classes


def test_the_class_is_told_from_untransformed_images_of_each_group():
    n = 90
    labels = np.arange(n) // 3 % 2
    items = shifted(n, labels)
    z = ordered_by_shift(n)
    z[:, 0] += 50 * labels.repeat(5)
    measures = FactorMeasures(items, 5, [2, 1])
    found = named(measures.measure(z))
    assert found["knn15_class_z12"] == 1.0
    assert 0.2 < found["knn15_class_z3"] < 0.8
    # Nothing of it comes from the transformed images.
    z[np.arange(len(z)) % 5 != 0] = np.random.default_rng(0).normal(size=(4 * n, 3))
    assert named(measures.measure(z))["knn15_class_z12"] == 1.0
    z[::5] = np.random.default_rng(0).normal(size=(n, 3))
    assert named(measures.measure(z))["knn15_class_z12"] < 0.9


def test_few_training_images_are_fewer_neighbors():
    items = shifted(12, [0, 1] * 6)
    found = named(FactorMeasures(items, 5, None).measure(ordered_by_shift(12)))
    assert {name for name in found if name.startswith("knn")} == {"knn8_class_z123"}


# Collapsed maps


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_collapsed_map_has_finite_measures_and_none_that_praise_it(value):
    items = turntable()
    z = np.full((len(items), 3), value, dtype=np.float32)
    found = named(FactorMeasures(items, 1, [2, 1]).measure(z))
    assert set(found) == set(named(FactorMeasures(items, 1, [2, 1]).measure(cylinder(items))))
    for name, number in found.items():
        assert math.isfinite(number), name
        if name.startswith("invariance"):
            assert number == 1, name
        else:
            assert number <= 0.05, name


def test_one_collapsed_group_leaves_the_other():
    items = shifted()
    z = ordered_by_shift()
    z[:, :2] = 0.3
    found = named(FactorMeasures(items, 5, [2, 1]).measure(z))
    assert all(math.isfinite(number) for number in found.values())
    assert found["order_shift_z3"] == pytest.approx(1.0)
    assert found["spearman_shift_z1"] == found["order_shift_z1"] == 0
    assert found["invariance_shift_z12"] == 1


def test_other_lightings_of_a_view_do_not_tell_the_lighting_of_an_image():
    """Split by image, the nearest training points of an invariant map would be all lightings but
    the right one, and R^2 far below what no knowledge gives."""
    items = turntable(9, 18)
    items = replace(items, is_test=np.random.default_rng(1).random(len(items)) < 1 / 3)
    views = np.unique(
        np.stack([items.factors[name].values for name in ("azimuth", "elevation")], axis=1),
        axis=0,
        return_inverse=True,
    )[1]
    random = np.random.default_rng(0)
    places = random.normal(size=(views.max() + 1, 2))
    invariant = places[views] + 1e-6 * random.normal(size=(len(items), 2))
    found = named(FactorMeasures(items, 1, None).measure(invariant))
    assert -0.08 < found["r2_lighting_z12"] < 0.02
    assert abs(found["invariance_lighting_z12"]) < 1e-6
    lighting = items.extra_labels["lighting"].values
    offset = invariant + 10.0 * lighting[:, None]
    told = named(FactorMeasures(items, 1, None).measure(offset))
    assert told["r2_lighting_z12"] > 0.9


def test_where_no_split_has_both_sides_there_is_no_r2_and_no_nan():
    items = replace(shifted(), labels=None)
    measures = FactorMeasures(items, 5, [2, 1])
    measures.train = measures.train[:0]
    measures.moves = dict.fromkeys(measures.moves)
    found = named(measures.measure(ordered_by_shift()))
    assert found
    assert not any(name.startswith("r2") for name in found)
    assert np.isfinite(list(found.values())).all()
