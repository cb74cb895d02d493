"""Old words are refused with the new ones, and what was written under them is read."""

import json

import pytest
import yaml

from dimred.config import identity_fields
from dimred.config.compose import composed
from dimred.config.renamed import KEYS, VALUES, current_config, current_identity, current_overrides
from dimred.config.saved import read_config
from dimred.errors import InputError

NEW = "dataset=digits pairing=augmentation pairing.grayscale=0.3 schedule=angel2015 loss=tsimcne"


@pytest.mark.parametrize(
    ("word", "now"),
    [
        *((f"{old}=1", new) for old, new in KEYS.items()),
        *((f"{k}={old}", f"{k}={new}") for k, v in VALUES.items() for old, new in v.items()),
        ("+pairing.greyscale=1", "pairing.grayscale"),
    ],
)
def test_an_old_word_is_refused_with_the_new_one(word, now):
    with pytest.raises(InputError, match=f"is called {now} now"):
        composed([word])


def test_the_new_words_are_known():
    for key in KEYS.values():
        choice = ["pairing=knn", "loss=drlim"] if key.endswith("per_step") else []
        composed([*choice, f"{key}=2" if choice else f"{key}=0.5"])
    assert composed(["schedule=angel2015"]).schedule.name == "angel2015"


def test_a_configuration_of_before_is_read_as_that_of_now():
    config = composed(NEW.split())
    from omegaconf import OmegaConf

    now = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    before = json.loads(json.dumps(now))
    before["pairing"]["greyscale"] = before["pairing"].pop("grayscale")
    before["schedule"]["name"] = "thesis"
    before["device"]["cuda_graphs"] = False
    assert current_config(before) == now
    assert identity_fields(read_config(yaml.safe_dump(before))) == identity_fields(config)


def test_an_identity_of_before_is_that_of_now():
    now = {"pairing.grayscale": 0.2, "schedule.name": "angel2015", "seed": 1}
    before = {
        **{"pairing.greyscale": 0.2, "schedule.name": "thesis", "seed": 1},
        **{"device.cuda_graphs": False, "eval.k": [15]},
    }
    assert current_identity({"config": before, "data": "x"}) == {"config": now, "data": "x"}


def test_a_command_of_before_can_be_typed_now():
    before = ["experiment=thesis_mnist_drlim", "pairing.items_per_step=9", "seed=0,1", "--flag"]
    now = ["experiment=angel2015_mnist_drlim", "pairing.samples_per_step=9", "seed=0,1", "--flag"]
    assert current_overrides(before) == now
