"""A pairing that does not keep to its protocol is refused in one line before training."""

from dataclasses import replace

import pytest
import torch

from dimred.errors import InputError
from dimred.pairing import LabeledPairs, PositivePairs, StepBatch, Targets, check_pairing

CPU = torch.device("cpu")
IMAGES = torch.zeros(20, 1, 4, 4, dtype=torch.uint8)
PARTNER = torch.arange(16).roll(8)
LABELED = LabeledPairs(
    torch.tensor([0, 1]), torch.tensor([2, 3]), torch.ones(2, 1).bool(), torch.ones(2, 1)
)


class Given:
    """A pairing that gives the same batch whatever it is asked for."""

    anchors = torch.arange(20)
    same_size = True

    def __init__(self, batch, shape=(1, 4, 4)):
        self.batch, self.shape = batch, shape

    def select(self, anchors, generator):
        return self.batch

    def views(self, images, generator, part=slice(None)):
        return torch.zeros(self.batch.rows, *self.shape)[part]


GOOD = StepBatch(torch.arange(8), 16, PositivePairs(PARTNER))


def check(pairing, batch_size=8):
    return check_pairing("mine", pairing, batch_size, IMAGES, CPU)


def test_a_sound_batch_is_returned():
    assert check(Given(GOOD)) is GOOD
    assert check(Given(replace(GOOD, pairs=LABELED))).pairs is LABELED


def test_fewer_anchors_than_a_batch_are_refused_with_a_way_out():
    with pytest.raises(
        InputError, match=r"^schedule\.batch_size=21: pairing=mine has 20 .* at most 20"
    ):
        check(Given(GOOD), batch_size=21)
    check(Given(GOOD), batch_size=20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": torch.arange(8.0)}, r"samples are float32 \(8,\); they must be int64"),
        ({"samples": torch.arange(0)}, "m above 0"),
        ({"samples": torch.arange(13, 21)}, "samples must be from 0 to 19"),
        ({"rows": 15}, "rows=15: must be a multiple of the 8 samples"),
        ({"pairs": PositivePairs(PARTNER[:-1])}, r"partner is int64 \(15,\)"),
        ({"pairs": PositivePairs(PARTNER + 8)}, "each a row"),
        ({"pairs": PositivePairs(torch.arange(16))}, "not of itself"),
        ({"pairs": PositivePairs(torch.arange(16).roll(1))}, "partner of its partner"),
        ({"pairs": replace(LABELED, left=torch.tensor([0]))}, "left and right"),
        ({"pairs": replace(LABELED, right=torch.tensor([2, 16]))}, "from 0 to 15"),
        ({"pairs": replace(LABELED, right=torch.tensor([0, 3]))}, "paired with itself"),
        ({"pairs": replace(LABELED, similar=torch.ones(2, 1))}, "must be bool"),
        ({"pairs": replace(LABELED, weight=torch.ones(2, 2))}, r"weight is float32 \(2, 2\)"),
        ({"pairs": replace(LABELED, weight=-torch.ones(2, 1))}, "at least 0"),
        ({"pairs": Targets(torch.zeros(8, 2))}, "one for each of 16 rows"),
    ],
)
def test_a_batch_that_is_not_sound_is_named(change, message):
    with pytest.raises(InputError, match=rf"^pairing=mine: .*{message}"):
        check(Given(replace(GOOD, **change)))


def test_views_must_be_one_for_each_row():
    pairing = Given(GOOD)
    pairing.views = lambda images, generator: torch.zeros(8, 1, 4, 4)
    with pytest.raises(InputError, match=r"views are float32 \(8, 1, 4, 4\).*\(16, 1, 4, 4\)"):
        check(pairing)


class Failing(Given):
    """A pairing whose methods raise or give what they should not."""

    def __init__(self, **methods):
        super().__init__(GOOD)
        vars(self).update(methods)


def fail(*_):
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"anchors": None}, r"anchors are NoneType; they must be int64 \(n,\)"),
        ({"anchors": torch.arange(20.0)}, r"anchors are float32 \(20,\)"),
        ({"same_size": None}, "same_size must be True or False"),
        ({"select": lambda anchors, generator: None}, "gives NoneType; it must be a StepBatch"),
        (
            {"select": fail},
            r"select\(\) fails .*KeyError: 'mine' \(test_pairing_check.py, line \d+\)",
        ),
        ({"views": lambda images, generator: None}, "views are NoneType"),
        (
            {"views": fail},
            r"views\(\) fails .*KeyError: 'mine' \(test_pairing_check.py, line \d+\)",
        ),
    ],
)
def test_a_pairing_that_fails_is_one_line(methods, message):
    with pytest.raises(InputError, match=rf"^pairing=mine: .*{message}") as refusal:
        check(Failing(**methods))
    assert "\n" not in str(refusal.value)


def test_an_error_in_a_pairing_of_dimred_is_a_bug_and_keeps_its_traceback():
    with pytest.raises(KeyError):
        check_pairing("mine", Failing(select=fail), 8, IMAGES, CPU, is_plugin=False)
