"""The exact split of the products of two images into positions."""

import pytest
import torch

from dimred.errors import InputError
from dimred.models import ConvNetBackbone, Encoder, LeNetBackbone, ResNet18Backbone
from dimred.models.encoder import average_pool, max_pool
from dimred.models.splitting import shared, split


def encoder_of(backbone, hidden=None, pool=None, scales=(1.0,)):
    encoder = Encoder(backbone, [0.3], [0.5], hidden, 3, pool, scales).eval()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as if trained
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 2)
    return encoder


@pytest.mark.parametrize(
    ("hidden", "pool", "space"),
    [
        (None, None, "Z"),
        (None, average_pool, "Z"),
        ([7, 5], average_pool, "Z"),
        (7, None, "H"),
        (None, max_pool, "H"),
    ],
)
@pytest.mark.parametrize("backbone", ["convnet", "resnet18"])
def test_terms_have_the_embedding_as_their_mean_and_products_as_their_sums(
    backbone, hidden, pool, space
):
    torch.manual_seed(0)
    net = ConvNetBackbone(1, [4, 6]) if backbone == "convnet" else ResNet18Backbone(1, True)
    encoder, images = encoder_of(net, hidden, pool), torch.rand(3, 1, 12, 10)
    terms = split(encoder, images)
    with torch.no_grad():
        whole = dict(zip("HZ", encoder(images), strict=True))[space]
    assert terms.space == space
    torch.testing.assert_close(terms.whole, whole, atol=1e-5, rtol=1e-5)
    for j in range(3):
        maps = shared(terms.values, terms.whole[j])
        torch.testing.assert_close(maps.sum((1, 2)), whole @ whole[j], atol=1e-5, rtol=1e-5)
        naive = terms.values[1, :, 0, 1] @ whole[j] / maps[0].numel()
        torch.testing.assert_close(maps[1, 0, 1], naive, atol=1e-5, rtol=1e-5)


def test_what_has_no_exact_split_is_refused():
    images = torch.rand(2, 1, 28, 28)
    with pytest.raises(InputError, match="no mean over positions"):
        split(encoder_of(LeNetBackbone(1, (28, 28))), images)
    with pytest.raises(InputError, match="test_scales"):
        split(encoder_of(ConvNetBackbone(1, [4]), scales=(1.0, 0.5)), images)
