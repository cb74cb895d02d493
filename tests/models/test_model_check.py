"""A network that does not keep to its contract is refused in one line before training."""

from dataclasses import dataclass

import pytest
import torch

from dimred.errors import InputError
from dimred.models import Backbone, Encoder, ModelOptions
from dimred.models.check import build_backbone, check_encoder
from dimred.options.origin import Origin

IMAGES = torch.zeros(5, 1, 4, 4, dtype=torch.uint8)


class Mine(Backbone):
    """Flattens the images, and applies a function."""

    def __init__(self, change, out_features=16):
        super().__init__()
        self.change, self.out_features = change, out_features

    def forward(self, images):
        return self.change(images.flatten(1))


def check(backbone, **plugin):
    check_encoder("mine", Encoder(backbone, [0.0], [1.0], None, 2), IMAGES, **plugin)


def fail(h):
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("backbone", "message"),
    [
        (Mine(lambda h: h, out_features=12), r"returns float32 \(5, 16\) for 5 .*\(5, 12\)"),
        (Mine(lambda h: h[0]), r"returns float32 \(16,\)"),
        (Mine(lambda h: h.long()), r"returns int64 \(5, 16\)"),
        (Mine(lambda h: None), "returns NoneType"),
        (Mine(lambda h: h / 0), "not finite"),
        (Mine(fail), r"fails on a trial batch: KeyError: 'mine' \(test_model_check.py, line \d+\)"),
    ],
)
def test_a_network_that_is_not_sound_is_named(backbone, message):
    with pytest.raises(InputError, match=f"^model=mine: .*{message}") as refusal:
        check(backbone)
    assert "\n" not in str(refusal.value)


def test_a_sound_network_passes_and_keeps_training():
    backbone = Mine(lambda h: h)
    check(backbone)
    assert backbone.training


def test_an_error_in_a_network_of_dimred_is_a_bug_and_keeps_its_traceback():
    with pytest.raises(KeyError):
        check(Mine(fail), is_plugin=False)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: None, "gives NoneType; it must be a torch.nn.Module"),
        (lambda: torch.nn.Identity(), "out_features is None"),
        (lambda: Mine(fail, out_features=2.5), "out_features is 2.5"),
        (lambda: fail(0), r"backbone\(\) fails: KeyError: 'mine' \(test_model_check.py, line"),
    ],
)
def test_a_backbone_must_be_a_module_of_known_width(made, message):
    @dataclass
    class Options(ModelOptions):
        origin = Origin("mine.py", None, None)

        def backbone(self, channels, image_size):
            return made()

    with pytest.raises(InputError, match=f"^model=mine: .*{message}"):
        build_backbone(Options(name="mine"), 1, (4, 4))
