"""Whatever a measure does, the run goes on without it; a run keeps what it has measured."""

import math

import numpy as np
import pytest
from test_general import LAST_20, TWO_CLASSES, image_set, setting_of

from dimred.evaluation.measurement import Measurement
from dimred.measures.protocol import Arrays, Detail, Embedding, Measure, Picture, When
from dimred.run import measuring
from dimred.run.measuring import Measuring


def taken(monkeypatch, when, *results, arrays=("kept",), pictures=("drawn",)):
    """A measure that yields these, measured once; what was found."""

    class Mine(Measure):
        def measure(self, embedding):
            for result in results:
                if isinstance(result, Exception):
                    raise result
                yield result

    Mine.when, Mine.arrays, Mine.pictures = when, arrays, pictures
    monkeypatch.setattr(measuring, "measures_of", lambda config: {"mine": Mine()})
    monkeypatch.setattr(measuring, "registered", lambda group: {"mine": Mine})
    setting = setting_of(image_set(TWO_CLASSES, LAST_20), [3])
    points = np.zeros((60, 2), dtype=np.float32)
    it = Measuring(setting)
    embedding = Embedding(setting, points, points, None)
    found = it.measure(embedding) if when is When.every else it.finish(embedding)
    return it, found


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (Measurement(math.nan, "mine"), "mine is nan"),
        (Measurement(np.float32("inf"), "mine"), "mine is inf"),
        (Measurement("much", "mine"), "ValueError: could not convert"),
        (Measurement(1.0, "../mine"), "is no name"),
        (1.0, "it yields float"),
        (None, "it yields NoneType"),
        (Arrays("embedding", {"z": np.ones(3)}), "arrays 'embedding', which it does not declare"),
        (Arrays("kept", {"z": np.array([object()])}), "must hold numbers or texts"),
        (Picture("other", None), "pictures 'other', which it does not declare"),
        (Picture("drawn", None), "AttributeError"),
        (MemoryError("no memory"), "MemoryError: no memory"),
    ],
)
@pytest.mark.parametrize("when", When)
def test_what_cannot_be_kept_leaves_the_measure_out(monkeypatch, when, result, reason):
    it, found = taken(monkeypatch, when, Measurement(0.5, "half"), result)
    assert reason in it.left_out["mine"]
    assert found == ({} if when is When.every else measuring.EndResults({"mine": {}}))
    assert it.described == {}


@pytest.mark.parametrize("name", ["seconds", "loss.mine"])
def test_a_number_is_not_called_like_one_of_the_training(monkeypatch, name):
    it, found = taken(monkeypatch, When.every, Measurement(1.0, name))
    assert it.left_out["mine"] == f"number {name!r}: is of the training already"
    assert found == {}
    _, found = taken(monkeypatch, When.end, Measurement(1.0, name))
    assert found.found["mine"] == {name: 1.0}


def test_numbers_of_numpy_and_details_become_plain(monkeypatch):
    results = (Measurement(np.float32(0.5), "mine", "z", k=3), Detail("method", np.int64(3)))
    _, found = taken(monkeypatch, When.end, *results, Arrays("kept", {"a": [1, 2]}))
    assert found.found == {"mine": {"mine3_z": 0.5, "method": "3"}}
    assert type(found.found["mine"]["mine3_z"]) is float
    assert found.arrays["kept"]["a"].tolist() == [1, 2]


def test_two_measures_do_not_share_a_number(monkeypatch):
    it, _ = taken(monkeypatch, When.every, Measurement(1.0, "mine"))
    it._taken_by["number" + "theirs"] = "other"
    it._measures["mine"].measure = lambda embedding: iter([Measurement(1.0, "theirs")])
    assert it.measure(Embedding(it.setting, None, None, None)) == {}
    assert it.left_out["mine"] == "number 'theirs': is of other already"


def test_what_failed_is_measured_again_and_what_stepped_aside_is_not(monkeypatch):
    monkeypatch.setattr(measuring, "measured_alike", lambda config, values: True)
    it, _ = taken(monkeypatch, When.end, Measurement(1.0, "mine"))
    assert it.covers({"measures": {"taken": ["mine"], "left_out": {"mine": "too few"}}})
    assert not it.covers({"measures": {"taken": ["mine"], "failed": ["mine"]}})
    assert not it.covers({"measures": {"taken": []}})
