"""Where positions are in the image: against what the gradient says a position sees, and on networks
that find a dot."""

import pytest
import torch
from torch import nn

from dimred.models import Backbone, ConvNetBackbone, Encoder, ResNet18Backbone
from dimred.models.encoder import max_pool
from dimred.models.positions import grid_of
from dimred.models.score_maps import ScoreMaps


class Layers(Backbone):
    has_positions = True

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.out_features = 1

    def positions(self, images):
        return self.layers(images)


def seen(backbone, channels, size, row, column):
    """The middle of all pixels that features at a position depend on, as (y, x)."""
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            # So that no dependence cancels and no activation saturates.
            nn.init.constant_(module.weight, 0.1 / module.weight[0].numel())
    image = torch.rand(1, channels, *size, requires_grad=True)
    backbone.eval().positions(image)[0, :, row, column].sum().backward()
    rows, columns = torch.nonzero(image.grad.abs().amax(dim=(0, 1)), as_tuple=True)
    return [float(of.min() + of.max() + 1) / 2 for of in (rows, columns)]


VALID = Layers(nn.Conv2d(1, 1, 5), nn.AvgPool2d(2), nn.Conv2d(1, 1, (3, 5), (1, 2), (0, 1)))
CASES = {
    "convnet": (ConvNetBackbone(1, [2, 3, 4]), 1, (64, 48), (8, 6)),
    "one block": (ConvNetBackbone(3, [2]), 3, (16, 16), (8, 6)),
    "resnet18, cifar": (ResNet18Backbone(3, cifar_stem=True), 3, (256, 256), (16, 15)),
    "without padding": (VALID, 1, (40, 48), (5, 4)),
    "dilated": (Layers(nn.Conv2d(1, 1, 3, stride=3, dilation=2, padding=1)), 1, (30, 31), (4, 5)),
}


@pytest.mark.parametrize(("backbone", "channels", "size", "position"), CASES.values(), ids=CASES)
def test_a_position_is_in_the_middle_of_what_it_sees(backbone, channels, size, position):
    grid = grid_of(backbone, channels, size)
    assert [grid.y[position[0]], grid.x[position[1]]] == seen(backbone, channels, size, *position)
    features = backbone.positions(torch.rand(1, channels, *size))
    assert features.shape[2:] == (len(grid.y), len(grid.x))
    assert grid.y[1] - grid.y[0] == grid.stride[0]


def begin_of(arch):
    """A network of timm up to a stride of 16, as more would see more than a small image."""
    timm = pytest.importorskip("timm")
    whole = timm.create_model(arch)
    return Layers(whole.conv_stem, whole.bn1, *whole.blocks[:4])


@pytest.mark.parametrize("arch", ["tf_efficientnet_lite0", "efficientnet_lite0"])
@pytest.mark.parametrize("size", [(256, 288), (257, 270)])
def test_a_network_may_pad_while_it_computes(arch, size):
    """Those of TensorFlow do, unequally on both sides, and their layers say that they do not."""
    backbone = begin_of(arch)
    grid = grid_of(backbone, 3, size)
    middle = len(grid.y) // 2, len(grid.x) // 2
    assert [grid.y[middle[0]], grid.x[middle[1]]] == seen(backbone, 3, size, *middle)
    assert 0 <= grid.y[0] < grid.y[-1] <= size[0]
    assert 0 <= grid.x[0] < grid.x[-1] <= size[1]


@pytest.mark.parametrize("size", [(23, 23), (24, 25)])
def test_a_pooling_that_rounds_up_has_no_more_padding_in_front(size):
    backbone = Layers(nn.Conv2d(1, 1, 3), nn.AvgPool2d(4, 3, padding=1, ceil_mode=True))
    grid = grid_of(backbone, 1, size)
    assert (grid.y[3], grid.x[3]) == tuple(seen(backbone, 1, size, 3, 3))


def test_positions_of_a_backbone_that_shrinks_by_other_means_are_spread_evenly():
    backbone = Layers(nn.Conv2d(1, 1, 3, padding=1), nn.AdaptiveAvgPool2d((2, 4)))
    grid = grid_of(backbone, 1, (12, 20))
    assert grid.y == (3.0, 9.0)
    assert grid.x == (2.5, 7.5, 12.5, 17.5)


def test_looking_changes_nothing():
    backbone = ConvNetBackbone(1, [2, 3]).train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    grid_of(backbone, 1, (8, 8))
    assert backbone.training
    assert all(value.equal(before[name]) for name, value in backbone.state_dict().items())


def dots(scales):
    """A network whose scores of two classes are the brightness and the darkness of a pixel."""
    backbone = Layers(nn.Conv2d(1, 1, 1, bias=False))
    encoder = Encoder(backbone, [0.0], [1.0], None, 2, max_pool, scales)
    nn.init.ones_(backbone.layers[0].weight)
    with torch.no_grad():
        encoder.readout.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        encoder.readout.bias.zero_()
    return encoder.eval()


@pytest.mark.parametrize("scales", [(1.0,), (0.5, 1.0, 2.0), (2.0,)])
def test_the_brightest_and_the_darkest_dot_are_found(scales):
    images = torch.full((3, 1, 24, 40), 0.5)
    places = [(3, 7), (0, 39), (23, 0)]
    for image, (row, column) in zip(images, places, strict=True):
        image[0, row, column] = 1
        image[0, 12, 20] = 0
    with torch.no_grad():
        encoder = dots(scales)
        maps = ScoreMaps(encoder, (24, 40))
        points, scale = maps.peaks(maps.of(images))
        z = encoder(images)[1]
        of_scales = maps.of(images)
    assert maps.stride == 1
    # The center of the pixel; twice enlarged, of one of its parts.
    for point, (row, column) in zip(points, places, strict=True):
        assert abs(point[0, 0] - (column + 0.5)) <= 0.25 * (2.0 in scales)
        assert abs(point[0, 1] - (row + 0.5)) <= 0.25 * (2.0 in scales)
        assert abs(point[1] - torch.tensor([20.5, 12.5])).max() <= 0.25 * (2.0 in scales)
    if 1.0 in scales:
        assert set(scale.flatten().tolist()) == {scales.index(1.0)}, "there the dot is brightest"
    # Z is the mean over scales of the highest scores.
    highest = torch.stack([max_pool(scores) for scores in of_scales])
    assert torch.allclose(z, highest.mean(0))
