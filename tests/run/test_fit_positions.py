"""Which images a map is learned from."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.data.image_set import ImageSet
from dimred.data.options import FitOn
from dimred.errors import InputError
from dimred.run.inputs import fit_positions


def positions(fit_on, is_test, is_unseen=None):
    n = len(is_test)
    images = ImageSet(
        images=torch.zeros(n, 1, 2, 2, dtype=torch.uint8),
        mean=(0.5,),
        std=(0.5,),
        is_test=np.array(is_test, dtype=bool),
        split_name="",
        labels=None,
        index=np.arange(n),
        is_unseen=None if is_unseen is None else np.array(is_unseen, dtype=bool),
    )
    options = SimpleNamespace(name="mine", fit_on=fit_on, fit_classes=["a"])
    return fit_positions(SimpleNamespace(dataset=options), images).tolist()


@pytest.mark.parametrize(
    ("fit_on", "is_unseen", "expected"),
    [
        (FitOn.all, None, [0, 1, 2, 3]),
        (FitOn.train, None, [0, 1]),
        (FitOn.all, [0, 1, 0, 1], [0, 2]),
        (FitOn.train, [0, 1, 0, 1], [0]),
    ],
)
def test_neither_unseen_classes_nor_held_out_images_are_learned_from(fit_on, is_unseen, expected):
    assert positions(fit_on, [0, 0, 1, 1], is_unseen) == expected


def test_without_a_split_there_are_no_training_images():
    with pytest.raises(InputError, match=r"^dataset\.fit_on=train: these images of mine have no"):
        positions(FitOn.train, [0, 0], [0, 1])


def test_classes_without_training_images_cannot_be_learned_from():
    line = r"^dataset\.fit_classes=\['a'\]: these classes have no training images here"
    with pytest.raises(InputError, match=line):
        positions(FitOn.train, [0, 0, 1], [1, 1, 0])
