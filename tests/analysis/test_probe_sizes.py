"""Images that a run's network cannot take are refused before a probe begins."""

from types import SimpleNamespace

import pytest
import torch

from dimred.analysis.probe_target import _check_shape
from dimred.errors import InputError
from dimred.models import ConvNetBackbone, Encoder


class FromEight(ConvNetBackbone):
    """A network that takes no side below 8."""

    def forward(self, images):
        if min(images.shape[-2:]) < 8:
            raise RuntimeError("Output size is too small\nmore")
        return super().forward(images)


@pytest.mark.parametrize(
    ("side", "scales", "tried"), [(8, (1.0,), ""), (7, (1.0,), "7x7"), (12, (1.0, 0.5), "6x6")]
)
def test_images_too_small_for_a_network_with_positions_are_refused(side, scales, tried):
    encoder = Encoder(FromEight(1, [3]), [0.5], [0.5], None, 2, scales=scales)
    config = SimpleNamespace(model=SimpleNamespace(name="mine"))
    run = SimpleNamespace(shape=(1, 16, 16), config=config, encoder=lambda: encoder)
    images = SimpleNamespace(images=torch.zeros(2, 1, side, side, dtype=torch.uint8))
    if not tried:
        _check_shape(run, images, "dataset=npz")
        return
    message = f"^dataset=npz: model=mine takes no images of {tried} .Output size is too small.$"
    with pytest.raises(InputError, match=message):
        _check_shape(run, images, "dataset=npz")
