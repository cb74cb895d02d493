"""The contrastive loss on listed pairs against the losses that are trained with, and a loop."""

import numpy as np
import pytest
import torch

from dimred.evaluation import PairLosses
from dimred.losses import HingeForm, drlim_loss
from dimred.pairing.pairs import LabeledPairs

N, P = 12, 40


def named(measurements):
    """What was measured, by name."""
    return {one.name: one.value for one in measurements}


def pairs(components=1, seed=0):
    """Pairs of 12 rows; of more than one component, some are not compared in the last."""
    random = np.random.default_rng(seed)
    left = random.integers(0, N, P)
    weight = np.full((P, components), 1 / P)
    if components > 1:
        weight[random.random(P) < 0.3, -1] = 0
    return LabeledPairs(
        left=torch.from_numpy(left),
        right=torch.from_numpy((left + random.integers(1, N, P)) % N),
        similar=torch.from_numpy(random.random((P, components)) < 0.5),
        weight=torch.from_numpy(weight),
    )


def points(dim=3, seed=1):
    return np.random.default_rng(seed).normal(size=(N, dim))


def naive(z, listed, groups, margins, form):
    """A loop over pairs and groups: the loss of each group."""
    losses, start = [], 0
    for g, (size, margin) in enumerate(zip(groups, margins, strict=True)):
        total = 0.0
        for p in range(len(listed.left)):
            a, b = z[listed.left[p]], z[listed.right[p]]
            squared = sum((a[d] - b[d]) ** 2 for d in range(start, start + size))
            if listed.similar[p, g]:
                cost = squared
            elif form == "legacy_caffe":
                cost = max(0.0, margin - squared)
            else:
                cost = max(0.0, margin - squared**0.5) ** 2
            total += float(listed.weight[p, g]) * cost / 2
        losses.append(total)
        start += size
    return losses


@pytest.mark.parametrize("form", HingeForm)
def test_one_component_over_all_dimensions_is_drlims_loss(form):
    listed, z = pairs(), points()
    found = named(PairLosses("contrast", listed, ["similarity"], None, [2.0]).measure(z))
    assert set(found) == {"contrast_squared_hinge", "contrast_legacy_caffe"}
    assert all(type(value) is float for value in found.values())
    expected = float(drlim_loss(torch.from_numpy(z), listed, 2.0, form))
    assert found[f"contrast_{form.value}"] == pytest.approx(expected, rel=1e-12)
    (loop,) = naive(z, listed, [3], [2.0], form.value)
    assert found[f"contrast_{form.value}"] == pytest.approx(loop, rel=1e-9)


def test_the_two_forms_differ():
    found = named(
        PairLosses("contrast", pairs(), ["similarity"], None, [1.0]).measure(points() / 4)
    )
    assert found["contrast_squared_hinge"] < 0.9 * found["contrast_legacy_caffe"]


@pytest.mark.parametrize("form", ["squared_hinge", "legacy_caffe"])
def test_each_component_is_measured_on_its_dimensions_and_the_sum_of_both(form):
    listed, z = pairs(components=2), points()
    names = ["neighborhood", "transformation"]
    found = named(PairLosses("contrast", listed, names, [2, 1], [1.5, 3.0]).measure(z))
    losses = naive(z, listed, [2, 1], [1.5, 3.0], form)
    assert losses[0] != pytest.approx(losses[1], rel=0.01)
    for name, loss in zip(names, losses, strict=True):
        assert found[f"contrast_{form}_{name}"] == pytest.approx(loss, rel=1e-9)
    assert found[f"contrast_{form}"] == pytest.approx(sum(losses), rel=1e-9)
    assert len(found) == 6


@pytest.mark.parametrize("form", ["squared_hinge", "legacy_caffe"])
def test_dimensions_after_the_groups_are_left_out(form):
    listed, z = pairs(), points(5)
    measures = PairLosses("drlim", listed, ["similarity"], [2], [1.0])
    found = named(measures.measure(z))
    (loop,) = naive(z[:, :2], listed, [2], [1.0], form)
    assert found[f"drlim_{form}"] == pytest.approx(loop, rel=1e-9)
    elsewhere = z.copy()
    elsewhere[:, 2:] += points(3, seed=9)
    assert named(measures.measure(elsewhere)) == found
    elsewhere[:, 1] += points(1, seed=9)[:, 0]
    assert named(measures.measure(elsewhere)) != found


def test_pairs_of_the_same_point_and_far_ones_by_hand():
    """A similar pair at distance 0 costs 0, a dissimilar one m^2 / 2 or m / 2; far ones nothing."""
    listed = LabeledPairs(
        left=torch.tensor([0, 0, 0]),
        right=torch.tensor([1, 1, 2]),
        similar=torch.tensor([[True], [False], [False]]),
        weight=torch.full((3, 1), 1 / 3),
    )
    z = np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 9.0]])
    found = named(PairLosses("contrast", listed, ["similarity"], [2], [3.0]).measure(z))
    assert found["contrast_squared_hinge"] == pytest.approx(9 / 2 / 3)
    assert found["contrast_legacy_caffe"] == pytest.approx(3 / 2 / 3)


def test_float32_points_in_any_layout_are_computed_in_float64():
    listed, z = pairs(), points().astype(np.float32)
    measures = PairLosses("contrast", listed, ["similarity"], None, [2.0])
    found = named(measures.measure(z))
    assert named(measures.measure(np.asfortranarray(z))) == found
    assert named(measures.measure(z.astype(np.float64))) == found
    (loop,) = naive(z.astype(np.float64), listed, [3], [2.0], "squared_hinge")
    assert found["contrast_squared_hinge"] == pytest.approx(loop, rel=1e-9)
