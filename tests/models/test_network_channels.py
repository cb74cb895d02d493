"""Every network takes 1 to 16 channels and large images: built, trained a step."""

import pytest
import torch

from dimred.models.check import build_encoder, check_encoder
from dimred.options.registry import registered

MODELS = {
    "convnet": ({"widths": [4, 8]}, 8),
    "resnet18": ({}, 16),
    "lenet": ({}, 16),
    "drlim_cnn": ({"kernels": [3, 3], "pool": 3}, 12),
    "linear_20_3": ({}, 8),
    "torchvision": ({"arch": "squeezenet1_1"}, 32),
    "timm": ({"arch": "test_resnet"}, 16),
}


def built(name, channels, side, **options):
    torch.manual_seed(0)
    means = [0.3 + 0.02 * i for i in range(channels)]
    options = registered("model")[name](name=name, **options)
    return build_encoder(options, (channels, side, side), means, [0.2] * channels, 2)


def random_images(channels, side, count=4):
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, side, side)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def test_all_networks_are_here():
    assert MODELS.keys() == registered("model").keys()


@pytest.mark.parametrize("channels", [1, 5, 16])
@pytest.mark.parametrize("name", MODELS)
def test_a_step_learns_from_every_channel(name, channels):
    if name == "timm":
        pytest.importorskip("timm")
    options, side = MODELS[name]
    encoder = built(name, channels, side, **options)
    images = random_images(channels, side)
    check_encoder(name, encoder, images)
    encoder.train()
    pixels = (images / 255).requires_grad_()
    _, z = encoder(pixels)
    before = [parameter.clone() for parameter in encoder.parameters()]
    z.square().sum().backward()
    of_channels = pixels.grad.abs().sum((0, 2, 3))
    assert len(of_channels) == channels
    assert (of_channels > 0).all()
    torch.optim.SGD(encoder.parameters(), lr=0.01).step()
    assert not torch.equal(before[0], next(encoder.parameters()))
    assert encoder.eval()(images / 255)[1].isfinite().all()


@pytest.mark.parametrize("side", [64, 128, 224])
@pytest.mark.parametrize("name", ["convnet", "resnet18"])
def test_large_images_take_a_step(name, side):
    encoder = built(name, 5, side, **({"widths": [4, 8]} if name == "convnet" else {}))
    _, z = encoder.train()(random_images(5, side, 2) / 255)
    z.square().sum().backward()
    for parameter in encoder.parameters():
        assert parameter.grad.isfinite().all()
