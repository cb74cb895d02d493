"""Words and users' own YAML become a configuration."""

import warnings
from dataclasses import dataclass

import pytest

from dimred.config.compose import composed, hydra_overrides
from dimred.errors import InputError
from dimred.losses.options import SimCLR
from dimred.options import register
from dimred.options.registry import forget


@pytest.fixture
def folder(tmp_path):
    """Writes a YAML file of a user's folder, and composes with it."""

    def compose(name, text, *words):
        file = tmp_path / name
        file.parent.mkdir()
        file.write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return composed(words, str(tmp_path))

    return compose


def test_yaml_of_a_new_name_takes_the_options_of_a_choice(folder):
    text = "defaults: [/schema/loss/simclr@_here_, _self_]\ntemperature: 0.2\n"
    loss = folder("loss/cold.yaml", text, "loss=cold").loss
    assert (loss.name, loss.temperature) == ("simclr", 0.2)


def test_yaml_of_the_name_of_a_choice_sets_its_options(folder):
    loss = folder("loss/simclr.yaml", "temperature: 0.2\n", "loss=simclr").loss
    assert (loss.name, loss.temperature) == ("simclr", 0.2)


def test_yaml_with_the_former_name_of_a_schema_still_works(folder):
    text = "defaults: [/schema/dataset/torchvision@_here_, _self_]\nname: cifar10\nlimit: 30\n"
    dataset = folder("dataset/few.yaml", text, "dataset=few").dataset
    assert (dataset.name, dataset.limit) == ("cifar10", 30)


@pytest.mark.parametrize(
    "key",
    [
        *("dataset.root", "+dataset.path", "output_dir", "run_dir", "name"),
        "schedule.stages.a.loss.margin",
    ],
)
def test_paths_are_quoted_for_hydra_and_nothing_else(key):
    (word,) = hydra_overrides([f"{key}=a=b, (c)'d\\"], None)
    if key.endswith("margin"):
        assert word == f"{key}=a=b, (c)'d\\"
    else:
        assert word == f"{key}='a=b, (c)\\'d\\\\'"


def test_a_home_folder_is_expanded_in_each_value_of_a_sweep(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert hydra_overrides(["dataset.root=~/a,~/b"], None, sweep=True) == [
        "dataset.root='/home/me/a','/home/me/b'"
    ]
    assert hydra_overrides(["dataset.root=~/a,~/b"], None) == ["dataset.root='/home/me/a,~/b'"]


def test_a_value_that_options_refuse_themselves_is_one_line():
    @register("loss", "picky")
    @dataclass
    class Picky(SimCLR):
        """Checks its values itself."""

        def __post_init__(self):
            if self.temperature == 2:
                raise ValueError("loss.temperature=2: is not for me")

    try:
        with pytest.raises(InputError, match=r"^loss\.temperature=2: is not for me$"):
            composed(["loss=picky", "loss.temperature=2"])
    finally:
        forget(__name__)
