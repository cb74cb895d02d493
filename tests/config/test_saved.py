"""A configuration survives being written to config.yaml and read again."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from dimred.config.compose import composed
from dimred.config.saved import config_text, read_config
from dimred.errors import InputError


def written(config):
    return config_text(config)


# Of every kind of dataset, pairing, loss and model one.
KINDS = (
    *("demo", "table1_row6", "drlim_mnist_shifts_naive", "generalized_norb"),
    *("generalized_digits_rotations", "regression_turntable", "lenet_mnist_classifier_shifts"),
)


def test_experiments_are_read_as_they_were_written():
    for name in KINDS:
        config = composed([f"experiment={name}"])
        assert read_config(written(config)) == config
        assert written(config) == OmegaConf.to_yaml(OmegaConf.structured(config))  # as ever


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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "${oc.env:HOME}",
            "weird ${y}",
            "a${b",
            "\\${x}",
            "\\\\${x}",
            "a\\",
            "${",
            "$",
            "1_0",
            "1e3",
        ),
        *("null", "true", " x ", "日本", "a\nb", "a: b #c", "'", '"', "caf\udce9"),
    ],
)
def test_every_text_is_read_as_it_was_written_and_nothing_in_it_is_replaced(text):
    config = composed(["experiment=demo"])
    config.output_dir = config.name = text
    config.dataset.classes = [text, "x"]
    assert read_config(written(config)) == config


def test_texts_are_not_replaced_by_numbers_either():
    text = written(composed(["experiment=demo"]))
    with pytest.raises(InputError, match="is no configuration of dimred"):
        read_config(text.replace("seed: 0\n", "seed: ${oc.env:UID}\n", 1))


@pytest.mark.parametrize("bomb", ["a: &a [*a]", "a: " + "[" * 100_000])
def test_a_text_of_a_stranger_takes_no_time(bomb):
    with pytest.raises(InputError, match="is no configuration of dimred"):
        read_config(f"{written(composed(['experiment=demo']))}{bomb}\n")


def test_a_text_that_is_no_mapping_is_refused():
    with pytest.raises(InputError, match="is no configuration of dimred"):
        read_config("3")
