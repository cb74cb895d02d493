"""The nets of DrLIM: sizes by Caffe's rules, the pooling, linearity, and Caffe's first weights."""

import math

import pytest
import torch
from torch import nn

from dimred.errors import InputError
from dimred.models import ConvNetBackbone, DrlimCnnBackbone, Encoder, LinearBackbone


def drlim_cnn(side=28, channels=1):
    return DrlimCnnBackbone(channels, (side, side), kernels=[5, 9], pool=9)


def encoder(backbone, hidden_dim=None, out_dim=3):
    return Encoder(backbone, [0.3], [0.2], hidden_dim=hidden_dim, out_dim=out_dim)


def images(n, side=28):
    return torch.rand(n, 1, side, side, generator=torch.Generator().manual_seed(0))


# drlim_cnn


@pytest.mark.parametrize("channels", [1, 3])
def test_drlim_cnn_makes_30_features_of_mnist(channels):
    """24x24 after the first convolution, 9x9 after a max-pool that rounds up, 1x1 at the end."""
    net = drlim_cnn(channels=channels)
    assert net.out_features == 30
    sizes, x = [], torch.rand(2, channels, 28, 28)
    for layer in net.layers:
        x = layer(x)
        sizes.append(tuple(x.shape[1:]))
    assert sizes[0] == (15, 24, 24)
    assert sizes[-3:] == [(15, 9, 9), (30, 1, 1), (30,)]
    shapes = [tuple(p.shape) for p in net.parameters()]
    assert shapes == [(15, channels, 5, 5), (15,), (30, 15, 9, 9), (30,)]


def test_drlim_cnn_has_no_nonlinearity_but_the_max_pool():
    """A maximum keeps order, so a constant added after the first convolution, however far below
    0, goes through the pool, and the second convolution is affine."""
    net = drlim_cnn().double()
    x = images(2).double()
    with torch.no_grad():
        before = net(x)
        net.layers[0].bias.sub_(100)
        after = net(x)
        passed_on = 100 * net.layers[-2].weight.sum((1, 2, 3))
    torch.testing.assert_close(after, before - passed_on)
    assert (before < 0).any()


def pooled_with_gradient(pool, x, weights):
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    y = pool(x)
    (y * weights).sum().backward()
    return y.detach(), x.grad


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("case", ["random", "ties", "regions", "constant"])
@pytest.mark.parametrize("side", [24, 25, 9])
def test_the_pool_by_rows_and_columns_is_the_square_one_in_value_and_gradient(
    side, case, memory_format
):
    net = drlim_cnn()
    separable = nn.Sequential(*(m for m in net.layers if isinstance(m, nn.MaxPool2d)))
    assert len(separable) == 2
    generator = torch.Generator().manual_seed(side)
    x = torch.rand(2, 15, side, side, generator=generator)
    if case == "ties":
        x = (x * 3).floor()
    elif case == "regions":
        x[:, :, : side // 2, 3:] = 2.0
        x[:, :, side // 2 :, : side // 3] = 2.0
    elif case == "constant":
        x = torch.ones_like(x)
    x = x.to(memory_format=memory_format)
    square = nn.MaxPool2d(9, stride=2, ceil_mode=True)
    # Whole numbers add up to the same in any order.
    weights = torch.randint(-50, 50, square(x).shape, generator=generator).float()
    y, gradient = pooled_with_gradient(separable, x, weights)
    expected, expected_gradient = pooled_with_gradient(square, x, weights)
    assert torch.equal(y, expected)
    assert torch.equal(gradient, expected_gradient)
    assert gradient.any()


@pytest.mark.parametrize("size", [(27, 27), (27, 40), (40, 27), (8, 8), (1, 1)])
def test_images_too_small_for_drlim_cnn_are_refused_with_what_to_change(size):
    with pytest.raises(InputError) as error:
        DrlimCnnBackbone(1, size, [5, 9], 9)
    message = str(error.value)
    assert "\n" not in message
    for part in (f"{size[0]}x{size[1]}", "model.kernels=[5, 9]", "model.pool=9"):
        assert part in message


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("pool", [1, 2, 3, 4])
@pytest.mark.parametrize("second", [1, 2, 3, 4])
def test_every_size_works_or_is_refused_and_all_above_the_smallest_work(first, pool, second):
    worked = []
    for side in range(1, 16):
        try:
            net = DrlimCnnBackbone(1, (side, side + 1), [first, second], pool)
        except InputError:
            worked.append(False)
        else:
            worked.append(True)
            assert net(torch.rand(1, 1, side, side + 1)).shape == (1, net.out_features)
    smallest = worked.index(True)
    assert all(worked[smallest:])
    # One pixel less: PyTorch itself finds no room.
    side = smallest
    layers = nn.Sequential(
        nn.Conv2d(1, 1, first),
        nn.MaxPool2d(pool, stride=2, ceil_mode=True),
        nn.Conv2d(1, 1, second),
    )
    layers(torch.rand(1, 1, side + 1, side + 2))
    if side >= first + pool - 1:
        with pytest.raises(RuntimeError):
            layers(torch.rand(1, 1, side, side + 1))


def test_images_larger_than_mnists_give_more_features():
    assert drlim_cnn(28).out_features == 30
    assert drlim_cnn(30).out_features == 30 * 4
    assert DrlimCnnBackbone(1, (28, 30), [5, 9], 9).out_features == 30 * 2


# linear_20_3 and the linear head


def test_linear_20_3_is_affine_from_pixels_to_z():
    """Superposition: images whose weights add up to 1 give Z with the same weights."""
    net = encoder(LinearBackbone(1, (8, 10), 20))
    assert [tuple(p.shape) for p in net.parameters()] == [(20, 80), (20,), (3, 20), (3,)]
    x = torch.rand(3, 1, 8, 10, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([2.5, -3.0, 1.5])
    h, z = net(x)
    mixed_h, mixed_z = net(torch.einsum("i,ichw->chw", weights, x)[None])
    torch.testing.assert_close(mixed_h[0], weights @ h, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mixed_z[0], weights @ z, rtol=1e-4, atol=1e-4)
    assert (z[0] - z[1]).abs().max() > 1e-2


def test_linear_20_3_takes_color_images():
    net = LinearBackbone(3, (4, 5), 7)
    assert net(torch.rand(2, 3, 4, 5)).shape == (2, net.out_features) == (2, 7)


def test_a_head_without_hidden_layer_is_one_linear_layer_of_h():
    net = encoder(ConvNetBackbone(1, [4]), hidden_dim=None).eval()
    assert net.hidden is None
    assert tuple(net.readout.weight.shape) == (3, 4)
    h, z = net(images(5, 8))
    torch.testing.assert_close(z, h @ net.readout.weight.T + net.readout.bias)
    assert not any(name.startswith("hidden") for name, _ in net.named_parameters())


def test_a_head_without_hidden_layer_is_not_rectified():
    """Negative H pass: Z is linear in H, through 0 where the bias is 0."""
    net = encoder(LinearBackbone(1, (8, 8), 20))
    with torch.no_grad():
        net.readout.bias.zero_()
    h, z = net(images(6, 8))
    assert (h < 0).any()
    torch.testing.assert_close(z, h @ net.readout.weight.T)


# init_xavier


@pytest.mark.parametrize(
    ("build", "fans"),
    [
        (lambda: encoder(drlim_cnn()), [25, 15 * 81, 30]),
        (lambda: encoder(LinearBackbone(1, (28, 28), 20), hidden_dim=16), [784, 20, 16]),
    ],
    ids=["drlim_cnn", "linear_20_3"],
)
def test_xavier_weights_fill_the_range_of_caffes_filler(build, fans):
    net = build()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(100.0)
    torch.manual_seed(0)
    net.init_xavier()
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == len(fans)
    for layer, fan in zip(layers, fans, strict=True):
        bound = math.sqrt(3 / fan)
        weight = layer.weight.detach()
        n = weight.numel()
        assert float(weight.abs().max()) <= bound
        # The largest and smallest of n draws come within about 1/n of the ends.
        assert float(weight.max()) > bound * (1 - 20 / n)
        assert float(weight.min()) < -bound * (1 - 20 / n)
        assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=3 / math.sqrt(n))
        assert not layer.bias.any()


def test_xavier_draws_by_the_global_seed_and_leaves_norms_and_normalization():
    nets = [encoder(ConvNetBackbone(1, [4, 8]), hidden_dim=16) for _ in range(3)]
    for net, seed in zip(nets, (1, 1, 2), strict=True):
        torch.manual_seed(seed)
        net.init_xavier()
    a, b, c = (net.readout.weight for net in nets)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    for module in nets[0].modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.equal(module.weight, torch.ones_like(module.weight))
    assert nets[0].mean.flatten().tolist() == pytest.approx([0.3])
