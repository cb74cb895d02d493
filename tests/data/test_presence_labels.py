"""The column of all classes that images show."""

from itertools import product

import numpy as np
import pytest
import torch

from dimred.data.image_set import ImageSet
from dimred.data.presence import Presence
from dimred.data.presence_labels import with_combinations


def combinations(names):
    """What each of the 2^K images of all combinations of K classes is called."""
    values = np.array(list(product([False, True], repeat=len(names))))
    n = len(values)
    images = ImageSet(
        images=torch.zeros(n, 1, 2, 2, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=np.zeros(n, bool),
        split_name="",
        labels=None,
        index=np.arange(n),
        presence=Presence(values, tuple(names)),
    )
    column = with_combinations(images).columns["classes"]
    return [column.names[value] for value in column.values]


def test_names_stand_as_they_are():
    assert combinations(["traffic light", "it's"]) == [
        *("none", "it's", "traffic light", "traffic light, it's")
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["none", "cat"],
        ["cat", "dog", "cat, dog"],
        ["cat,", "dog", "cat", ", dog"],
        ["none", "'none'", "\"'none'\"", ""],
        ["a", "'a, b'", "b", "a, b"],
    ],
)
def test_no_two_combinations_look_the_same(names):
    called = combinations(names)
    assert len(set(called)) == len(called) == 2 ** len(names)
    assert called[0] == "none"


def test_names_that_look_like_others_are_quoted():
    assert combinations(["none", "cat, dog"]) == [
        *("none", "'cat, dog'", "'none'", "'none', 'cat, dog'")
    ]
