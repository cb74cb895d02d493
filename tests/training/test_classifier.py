"""A classifier trained on few images."""

import math

import numpy as np
import pytest
import torch

from dimred.data.resident import ResidentImages
from dimred.models import Encoder
from dimred.models.backbones import ConvNetBackbone
from dimred.training.classifier import Budget, training
from dimred.training.compute import Compute

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "expected"), [(2, 30), (64, 30), (129, 30), (150, 30), (6_400, 500)])
def test_a_budget_is_of_whole_passes_and_at_least_five(n, expected):
    budget = Budget(30, 0.001)
    per_epoch = n // min(n, 64)
    assert budget.total(n) == expected
    assert budget.epochs(n) == max(math.ceil(30 / per_epoch), 5)


def bars(n, seed=0):
    """Vertical and horizontal bars in turn, on noise."""
    images = np.random.default_rng(seed).integers(0, 120, (n, 1, 8, 8))
    places = np.random.default_rng(seed + 1).integers(0, 8, n)
    for i, place in enumerate(places):
        images[(i, 0, slice(None), place) if i % 2 else (i, 0, place)] = 255
    return torch.from_numpy(images.astype(np.uint8)), np.arange(n) % 2


def encoder(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(ConvNetBackbone(1, [8, 16]), [0.3], [0.3], None, 2)


def trained(steps=60, n=20, seed=0, rows=None):
    images, classes = bars(n)
    rows = np.arange(n) if rows is None else rows
    net, resident, budget = encoder(), ResidentImages(images, CPU, 0.5), Budget(steps, 0.01)
    fit = training(net, resident, rows, classes[rows], budget, Compute(CPU), seed)
    return net, sum(1 for _ in fit)


def test_it_learns_and_takes_the_steps_of_its_budget():
    net, taken = trained()
    assert taken == 60
    images, classes = bars(200, seed=7)
    with torch.no_grad():
        z = net.eval()(images.float() / 255)[1]
    assert (z.argmax(1).numpy() == classes).mean() > 0.9


def test_all_weights_are_trained_and_equal_seeds_give_equal_weights():
    before = dict(encoder().named_parameters())
    first, second = dict(trained()[0].named_parameters()), trained()[0]
    assert all(not torch.equal(before[name], p) for name, p in first.items())
    for name, p in second.named_parameters():
        assert torch.equal(first[name], p)


def test_the_learning_rate_does_not_depend_on_the_size_of_the_batch():
    # AdamW's first step is of the learning rate in every weight whose gradient is not tiny.
    steps = []
    for n in (4, 64):
        images, classes = bars(n)
        net = encoder()
        resident = ResidentImages(images, CPU, 0.5)
        before = net.readout.weight.detach().clone()
        next(
            training(
                net,
                resident,
                np.arange(len(resident)),
                classes,
                Budget(1_000, 0.01),
                Compute(CPU),
                0,
            )
        )
        steps.append((net.readout.weight.detach() - before).abs().median().item())
    assert steps == pytest.approx([0.01, 0.01], rel=0.01)


def test_images_without_a_label_have_no_part():
    images, classes = bars(20)
    rows = np.array([7, 2, 13, 18, 5, 0])
    of_rows, _ = trained(20, rows=rows)
    alone, resident = encoder(), ResidentImages(images[rows], CPU, 0.5)
    budget = Budget(20, 0.01)
    for _ in training(alone, resident, np.arange(6), classes[rows], budget, Compute(CPU), 0):
        pass
    for name, p in of_rows.named_parameters():
        assert torch.equal(dict(alone.named_parameters())[name], p)
