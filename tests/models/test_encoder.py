"""Networks: shapes, stems, the normalization inside, and new readouts."""

import pytest
import torch
from torch import nn

from dimred.errors import InputError
from dimred.models import ConvNetBackbone, Encoder, LeNetBackbone, ResNet18Backbone


def encoder(backbone, channels, out_dim=2):
    return Encoder(backbone, [0.4] * channels, [0.2] * channels, hidden_dim=16, out_dim=out_dim)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("build", "size", "h_dim"),
    [
        (lambda c: ConvNetBackbone(c, [4, 8, 12]), 8, 12),
        (lambda c: LeNetBackbone(c, (28, 28)), 28, 500),
        (lambda c: ResNet18Backbone(c, cifar_stem=True), 32, 512),
        (lambda c: ResNet18Backbone(c, cifar_stem=False), 64, 512),
    ],
    ids=["convnet", "lenet", "resnet18", "resnet18-imagenet"],
)
def test_gray_and_color_images_give_h_and_z(channels, build, size, h_dim):
    h, z = encoder(build(channels), channels)(torch.rand(3, channels, size, size))
    assert h.shape == (3, h_dim)
    assert z.shape == (3, 2)


def test_the_cifar_stem_keeps_the_resolution_and_the_ordinary_one_does_not():
    cifar, ordinary = ResNet18Backbone(3, cifar_stem=True), ResNet18Backbone(3, cifar_stem=False)
    image = torch.rand(1, 3, 64, 64)
    for backbone, side in ((cifar, 64), (ordinary, 16)):
        net = backbone.net
        stem = net.maxpool(net.relu(net.bn1(net.conv1(image))))
        assert stem.shape[-1] == side


def test_resnet18_costs_what_the_paper_counts():
    """1.11 GFLOP forward for a 32x32 image with the CIFAR stem, two for a multiply-add."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        ResNet18Backbone(3, cifar_stem=True)(torch.rand(1, 3, 32, 32))
    assert counter.get_total_flops() == pytest.approx(1.11e9, rel=0.01)


def test_lenet_is_caffes():
    """conv 20 @ 5x5, pool, conv 50 @ 5x5, pool: 800 features of a 28x28 image into 500."""
    shapes = [tuple(p.shape) for p in LeNetBackbone(1, (28, 28)).parameters()]
    assert shapes == [(20, 1, 5, 5), (20,), (50, 20, 5, 5), (50,), (500, 800), (500,)]


def test_lenet_refuses_images_that_its_convolutions_do_not_fit():
    with pytest.raises(InputError, match="8x8"):
        LeNetBackbone(1, (8, 8))


def test_the_head_is_hidden_relu_readout_without_batch_norm():
    net = encoder(ConvNetBackbone(1, [4]), 1, out_dim=3)
    h, z = net.eval()(torch.rand(5, 1, 8, 8))
    torch.testing.assert_close(z, net.readout(torch.relu(net.hidden(h))))
    head = [m for n, m in net.named_modules() if n and not n.startswith("backbone")]
    assert not any(isinstance(module, nn.BatchNorm1d) for module in head)


def test_the_encoder_normalizes_and_its_weights_say_how():
    net = encoder(ConvNetBackbone(3, [4]), 3).eval()
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(net(images)[0], net.backbone((images - 0.4) / 0.2))
    assert {"mean", "std"} <= set(net.state_dict())


def test_a_new_readout_is_normal_and_leaves_the_rest():
    net = encoder(ConvNetBackbone(1, [4]), 1, out_dim=128)
    before = {n: p.clone() for n, p in net.named_parameters() if not n.startswith("readout")}
    net.new_readout(500, normal=True)
    assert net.out_dim == 500
    assert float(net.readout.weight.detach().std()) == pytest.approx(1, abs=0.03)
    assert all(torch.equal(before[n], p) for n, p in net.named_parameters() if n in before)
    net.new_readout(2, normal=False)
    assert float(net.readout.weight.detach().abs().max()) <= 1 / 16**0.5
