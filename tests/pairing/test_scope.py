"""From some images of a set to the relations and targets among them."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch

from dimred.data.image_set import Factor, ImageSet, LabelSet
from dimred.errors import InputError
from dimred.pairing import (
    PairingScope,
    azimuth_and_elevation,
    neighborhood,
    neighborhood_and_transformation,
)
from dimred.pairing.labeled_options import ClassLabel

T = 3
POSITIONS = np.array([1, 2, 4, 5, 7, 8, 10])
SAMPLES = [i * T + t for i in POSITIONS for t in range(T)]
OF_IMAGES = np.array([0, 1, 2, 0, 1, 1, 2, 1, 0, 1, 0, 2])


def image_set(n=12, t=T, labels=True, factors=None):
    """n images in t transformations: sample i * t + s is image i in transformation s."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (n * t, 1, 4, 4), dtype=torch.uint8, generator=generator)
    values = OF_IMAGES[:n].repeat(t)
    return ImageSet(
        images=images,
        mean=(0.5,),
        std=(0.5,),
        is_test=np.zeros(n * t, dtype=np.bool_),
        split_name="",
        labels=LabelSet(values, ("zero", "one", "two")) if labels else None,
        index=np.arange(n * t),
        factors=factors or {},
    )


def scope(t=T, positions=POSITIONS, **known):
    return PairingScope(image_set(t=t, **known), t, positions, None)


def nearest(images, candidates, i, k):
    """Of the candidates, the k nearest to image i by float pixels."""
    pixels = images.double().flatten(1)
    others = [j for j in candidates if j != i]
    return sorted(others, key=lambda j: float((pixels[i] - pixels[j]).square().sum()))[:k]


def graph_of(relation, samples):
    """Positions of the neighbors of each position, for one sample an image."""
    whose = samples[:: relation.n_variants]
    return {
        int(whose[i]): [int(whose[j]) for j in row]
        for i, row in enumerate(relation.categories.co_sampled)
    }


@pytest.mark.parametrize("make", [neighborhood, neighborhood_and_transformation])
@pytest.mark.parametrize("within_class", [False, True])
def test_neighbors_are_those_of_the_untransformed_images_in_scope(make, within_class):
    over = scope(positions=POSITIONS if not within_class else np.arange(12))
    relation, samples = over.neighbors(2, within_class, make)
    first = over.positions * T
    assert samples.tolist() == [i * T + t for i in over.positions for t in range(T)]
    assert samples.dtype == torch.int64
    assert relation.n_variants == T
    assert relation.components == make(relation.categories, T).components
    labels = over.samples.labels.values
    assert graph_of(relation, samples) == {
        i: nearest(
            over.samples.images,
            [j for j in first if not within_class or labels[j] == labels[i]],
            i,
            2,
        )
        for i in first
    }


def test_samplewise_each_transformed_image_is_an_image_of_its_own():
    over = scope().samplewise()
    assert over.n_variants == 1
    assert over.positions.tolist() == SAMPLES
    relation, samples = over.neighbors(2, True, neighborhood)
    assert samples.tolist() == SAMPLES
    assert relation.n_variants == 1
    labels = over.samples.labels.values
    assert graph_of(relation, samples) == {
        i: nearest(over.samples.images, [j for j in SAMPLES if labels[j] == labels[i]], i, 2)
        for i in SAMPLES
    }


def test_neighbors_within_a_class_need_labels():
    over = scope(labels=False)
    with pytest.raises(InputError, match=r"pairing\.same_class"):
        over.neighbors(2, True, neighborhood)
    assert over.neighbors(2, False, neighborhood).samples.tolist() == SAMPLES


def test_a_small_class_in_scope_is_named():
    with pytest.raises(
        InputError, match=r"pairing\.k=2: class 'zero' has 1 training image.* leave the class out"
    ):
        scope(positions=np.array([0, 1, 4, 5, 7, 2, 6, 11])).neighbors(2, True, neighborhood)


def test_graphs_are_kept_in_the_folder_of_the_scope(tmp_path):
    over = PairingScope(image_set(), T, POSITIONS, tmp_path)
    over.neighbors(2, False, neighborhood)
    assert len(list(tmp_path.iterdir())) == 1


def test_classes_are_those_of_the_samples():
    over = scope()
    relation, samples = over.classes()
    assert samples.tolist() == SAMPLES
    labels = over.samples.labels.values
    for a, b in combinations(range(len(SAMPLES)), 2):
        expected = labels[SAMPLES[a]] == labels[SAMPLES[b]]
        assert relation.labels(torch.tensor(a), torch.tensor(b)).tolist() == [int(expected)]


def test_classes_need_labels():
    with pytest.raises(InputError, match="class_label"):
        scope(labels=False).classes()
    with pytest.raises(InputError, match="class_target"):
        scope(labels=False).class_targets()
    with pytest.raises(InputError, match=r"table with a column `classes`, .* dataset=voc2012"):
        scope().presence_targets()


def test_classes_of_one_image_each_are_refused():
    """No two images are similar, so that the loss would have no meaning."""
    each_its_own = scope(t=1, positions=np.array([0, 1, 2]))
    with pytest.raises(InputError, match=r"pairing=class_label: no two .* are similar by class"):
        ClassLabel(name="class_label").build(each_its_own, 2, torch.device("cpu"))


def test_class_targets():
    over = scope()
    samples, classes, count = over.class_targets()
    assert samples.tolist() == SAMPLES
    assert classes.dtype == torch.int64
    assert classes.tolist() == [over.samples.labels.values[sample] for sample in SAMPLES]
    assert count == 3


def angles(n=12):
    """Factors of n samples: azimuths all around, elevations, and a shift in pixels."""
    random = np.random.default_rng(0)
    return {
        "azimuth": Factor(random.choice([0.0, 20, 40, 90, 180, 340], n), "degrees", 360.0),
        "elevation": Factor(random.choice([30.0, 35, 40, 70], n), "degrees"),
        "shift": Factor(np.r_[-6.0, 3, random.uniform(-6, 3, n - 2)], "pixels"),
    }


def test_viewpoints_are_those_of_the_images_in_scope():
    """The angles in between that only other images have do not count."""
    azimuth = np.array([0.0, 20, 40, 60, 80, 100, 340])
    elevation = np.array([30.0, 35, 40, 45, 50, 55, 30])
    factors = {
        "azimuth": Factor(azimuth, "degrees", 360.0),
        "elevation": Factor(elevation, "degrees"),
    }
    positions = np.array([0, 2, 3, 5])
    over = PairingScope(image_set(7, 1, factors=factors), 1, positions, None)
    relation, samples = over.viewpoints(azimuth_and_elevation)
    assert samples.tolist() == positions.tolist()
    assert relation.components == ("azimuth", "elevation")
    left, right = torch.triu_indices(4, 4, 1)
    expected = {
        (0, 2): [1, 1],
        (0, 3): [0, 0],
        (0, 5): [1, 0],
        (2, 3): [1, 1],
        (2, 5): [0, 0],
        (3, 5): [1, 1],
    }
    found = zip(samples[left].tolist(), samples[right].tolist(), strict=True)
    assert dict(zip(found, relation.labels(left, right).tolist(), strict=True)) == expected


@pytest.mark.parametrize("missing", ["azimuth", "elevation"])
def test_viewpoints_need_both_angles(missing):
    factors = angles()
    del factors[missing]
    with pytest.raises(InputError, match="azimuth and elevation"):
        scope(t=1, factors=factors).viewpoints(azimuth_and_elevation)


def test_factor_targets():
    """An angle all around is a point of the circle, others go from -1 to 1 over the whole set."""
    factors = angles(12 * T)
    over = scope(factors=factors)
    samples, targets = over.factor_targets(["elevation", "azimuth", "class", "shift"])
    assert samples.tolist() == SAMPLES
    assert [target.dtype for target in targets] == [torch.float32] * 4
    elevation, azimuth, classes, shift = (target.tolist() for target in targets)
    for row, sample in enumerate(SAMPLES):
        turn = math.radians(factors["azimuth"].values[sample])
        assert azimuth[row] == pytest.approx([math.cos(turn), math.sin(turn)], abs=1e-6)
        raised = (factors["elevation"].values[sample] - 50) / 20
        assert elevation[row] == pytest.approx([raised], abs=1e-6)
        moved = (factors["shift"].values[sample] + 1.5) / 4.5
        assert shift[row] == pytest.approx([moved], abs=1e-6)
        label = over.samples.labels.values[sample]
        assert classes[row] == [float(label == other) for other in range(3)]


def test_a_period_is_that_of_the_factor():
    factors = {"hour": Factor(np.arange(12.0), "hours", 24.0)}
    targets = scope(t=1, factors=factors).factor_targets(["hour"])[1][0]
    turns = POSITIONS * math.pi / 12
    expected = np.stack((np.cos(turns), np.sin(turns)), axis=1)
    np.testing.assert_allclose(targets.numpy(), expected, atol=1e-6)


def test_a_factor_that_does_not_vary_has_finite_targets():
    factors = {"elevation": Factor(np.full(12, 30.0), "degrees")}
    targets = scope(t=1, factors=factors).factor_targets(["elevation"])[1][0]
    assert targets.abs().max() <= 1


def test_an_unknown_factor_is_named_with_those_that_are_known():
    over = scope(t=1, factors=angles())
    with pytest.raises(InputError, match=r"'hue' .* class, azimuth, elevation, shift$"):
        over.factor_targets(["azimuth", "hue"])
    with pytest.raises(InputError, match=r"'class' .* their factors are none$"):
        scope(labels=False).factor_targets(["class"])
