"""A configuration survives being written to config.yaml and read again."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from dimred.config.compose import composed
from dimred.config.saved import read_config
from dimred.errors import InputError


def written(config):
    return OmegaConf.to_yaml(OmegaConf.structured(config))


# Of every kind of dataset, pairing, loss and model one.
KINDS = (
    *("demo", "table1_row6", "drlim_mnist_shifts_naive", "generalized_norb"),
    *("generalized_digits_rotations", "regression_turntable", "lenet_mnist_classifier_shifts"),
)


def test_experiments_are_read_as_they_were_written():
    for name in KINDS:
        config = composed([f"experiment={name}"])
        assert read_config(written(config)) == config


@pytest.mark.parametrize("name", KINDS)
def test_nothing_else_needs_to_have_been_imported(name, tmp_path):
    """As a command on a finished run reads it, which composes nothing."""
    file = tmp_path / "config.yaml"
    file.write_text(written(composed([f"experiment={name}"])))
    code = "import sys; from dimred.config.saved import read_config; read_config(sys.stdin.read())"
    with file.open() as text:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=text, capture_output=True, check=False
        )
    assert done.returncode == 0, done.stderr


def test_the_loss_of_a_stage_is_read_too():
    config = composed(["experiment=demo", "+loss@schedule.stages.pretrain.loss=simclr"])
    again = read_config(written(config))
    assert again == config
    assert type(again.schedule.stages["pretrain"].loss) is type(
        config.schedule.stages["pretrain"].loss
    )


def test_keys_that_mean_nothing_any_more_are_passed_over():
    config = composed(["experiment=demo"])
    config.device.compile = False
    text = written(config)
    assert "  compile: false\n" in text
    before = text.replace("  compile: false\n", "  compile: false\n  cuda_graphs: false\n")
    assert read_config(before) == config


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("name: digits", "name: nodigits"),
        ("seed: 0", "seed: -1"),
        ("seed: 0", "sed: 0"),
        ("dataset:", "data:"),
        ("seed: 0", "seed: [1"),
        ("batch_size: 256", "batch_size: many"),
    ],
)
def test_what_is_no_configuration_is_refused(before, after):
    text = written(composed(["experiment=demo"]))
    assert before in text
    with pytest.raises(InputError, match="is no configuration of dimred"):
        read_config(text.replace(before, after, 1))


@pytest.mark.parametrize("key", ["output_dir: outputs", "  mean: null"])
def test_nothing_in_it_is_replaced_by_variables_of_the_environment(key):
    text = written(composed(["experiment=demo"]))
    assert f"{key}\n" in text
    name = key.partition(":")[0]
    with pytest.raises(InputError, match=rf"{name.strip()}=\$.oc.env:HOME.: must be a plain value"):
        read_config(text.replace(f"{key}\n", f"{name}: [x, '${{oc.env:HOME}}']\n", 1))


def test_a_text_that_is_no_mapping_is_refused():
    with pytest.raises(InputError, match="is no configuration of dimred"):
        read_config("3")
