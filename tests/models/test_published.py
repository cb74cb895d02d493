"""Classifiers of torchvision and timm as backbones: what they compute, and what they say of it."""

import copy

import pytest
import torch
from torch.nn.functional import linear

from dimred.errors import InputError
from dimred.models import PublishedBackbone, libraries
from dimred.models.check import build_encoder
from dimred.models.options import Timm, Torchvision
from dimred.models.pretrained import begin_with

# Library, network, side of images, and whether H is a mean over positions.
SMALL = [
    ("torchvision", "resnet18", 32, True),
    ("torchvision", "squeezenet1_1", 32, True),
    ("torchvision", "densenet121", 32, True),
    ("torchvision", "mobilenet_v2", 32, True),
    ("torchvision", "shufflenet_v2_x0_5", 32, True),
    ("torchvision", "regnet_x_400mf", 32, True),
    ("torchvision", "mobilenet_v3_small", 32, False),  # a layer between mean and classifier
    ("torchvision", "alexnet", 64, False),
    ("timm", "test_resnet", 16, True),
    ("timm", "test_efficientnet", 16, True),
    ("timm", "test_convnext", 32, False),  # a normalization between mean and classifier
    ("timm", "test_vit", 160, False),
]
OPTIONS = {"torchvision": Torchvision, "timm": Timm}


def built(library, arch, side=32, channels=3):
    torch.manual_seed(0)
    return PublishedBackbone(library, arch, channels, (side, side))


def whole(library, arch):
    """The library's own network, with statistics that are not those of a new one."""
    torch.manual_seed(1)
    if library == "timm":
        timm = pytest.importorskip("timm")
        net = timm.create_model(arch)
    else:
        from torchvision.models import get_model

        net = get_model(arch, weights=None)
    for name, buffer in net.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return net.eval()


@pytest.mark.parametrize(("library", "arch", "side", "has_positions"), SMALL)
def test_a_network_is_the_librarys_without_its_last_layer(
    library, arch, side, has_positions, tmp_path
):
    net, images = whole(library, arch), torch.rand(2, 3, side, side)
    torch.save(net.state_dict(), tmp_path / "net.pth")
    options = OPTIONS[library](name=library, arch=arch, weights=str(tmp_path / "net.pth"))
    encoder = build_encoder(options, (3, side, side), [0.0] * 3, [1.0] * 3, 2).eval()
    begun = begin_with(options, encoder)
    backbone = encoder.backbone
    with torch.no_grad():
        h, expected = encoder(images)[0], net(images)
        if has_positions:
            maps = backbone.positions(images)
            assert maps.shape[:2] == (2, backbone.out_features)
            torch.testing.assert_close(maps.mean((2, 3)), h)
    assert h.shape == (2, backbone.out_features)
    assert backbone.has_positions is has_positions
    if arch != "squeezenet1_1":  # which classifies before it averages
        weight, bias = (net.state_dict()[name] for name in begun.left_out)
        torch.testing.assert_close(linear(h, weight, bias), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("library", "arch", "side", "has_positions"), SMALL)
def test_its_blocks_hold_all_that_it_has(library, arch, side, has_positions):
    backbone = built(library, arch, side)
    blocks = backbone.blocks()
    held = [id(parameter) for block in blocks for parameter in block.parameters()]
    assert sorted(held) == sorted(map(id, backbone.parameters()))
    statistics = {id(buffer) for block in blocks for buffer in block.buffers()}
    assert {id(b) for name, b in backbone.named_buffers() if "running" in name} <= statistics
    assert len(blocks) >= 5


def test_blocks_are_those_that_one_would_count():
    blocks = built("torchvision", "resnet18").blocks()
    assert [len(list(block.parameters())) for block in blocks] == [3, 12, 15, 15, 15]
    assert len(built("torchvision", "mobilenet_v2").blocks()) == 19
    with_positions = built("timm", "test_vit", 160).blocks()[0]
    assert any(parameter.shape[:2] == (1, 101) for parameter in with_positions.parameters())


@pytest.mark.parametrize(
    ("arch", "draws"), [("resnet18", False), ("mobilenet_v2", False), ("mobilenet_v3_small", True)]
)
def test_it_says_whether_it_draws(arch, draws):
    backbone = built("torchvision", arch, 64).train()
    before = torch.random.get_rng_state()
    backbone(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert backbone.draws is draws
    assert torch.equal(before, torch.random.get_rng_state()) is not draws


@pytest.mark.parametrize("library", ["torchvision", "timm"])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_channels_get_a_first_convolution_of_their_own(library, channels):
    arch = "resnet18" if library == "torchvision" else "test_resnet"
    backbone = built(library, arch, 16, channels).eval()
    first = next(iter(backbone.parameters()))
    assert first.shape[1] == channels
    assert backbone(torch.rand(2, channels, 16, 16)).isfinite().all()


def test_images_of_several_sizes_have_positions():
    backbone = built("timm", "test_resnet", 16).eval()
    assert backbone.positions(torch.rand(1, 3, 64, 96)).shape[2:] == (2, 3)


def test_building_draws_the_same_numbers_whether_or_not_it_was_tried_before():
    first = built("timm", "test_resnet", 24).state_dict()
    again = built("timm", "test_resnet", 24).state_dict()
    torch.testing.assert_close(first, again, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("library", "arch"), [("torchvision", "regnet_x_400mf"), ("timm", "test_efficientnet")]
)
def test_it_is_built_without_memory(library, arch):
    with torch.device("meta"):
        empty = PublishedBackbone(library, arch, 3, (32, 32))
    assert all(tensor.is_meta for tensor in empty.state_dict().values())
    full = built(library, arch)
    assert empty.has_positions == full.has_positions
    assert {k: v.shape for k, v in empty.state_dict().items()} == {
        k: v.shape for k, v in full.state_dict().items()
    }


def test_a_copy_is_a_network_of_its_own():
    backbone = built("timm", "test_resnet", 16).eval()
    images = torch.rand(1, 3, 16, 16)
    before = backbone(images)
    copied = copy.deepcopy(backbone)
    for parameter in copied.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(backbone(images), before, rtol=0, atol=0)
    assert not copied(images).any()


@pytest.mark.parametrize(
    ("library", "arch", "side", "message"),
    [
        ("torchvision", "alexnet", 16, "alexnet: takes no images of 16x16 pixels"),
        ("torchvision", "vit_b_32", 16, "takes no images of 16x16 pixels .Wrong image height"),
        (
            "torchvision",
            "resnet17",
            32,
            "no image classifier of torchvision; did you mean .*=resnet1",
        ),
        ("torchvision", "fasterrcnn_resnet50_fpn", 32, "no image classifier of torchvision"),
        ("torchvision", "mnasnet0_5", 32, "cannot be read from .safetensors"),
        ("timm", "resnet18x", 32, "no image classifier of timm; did you mean .*=resnet18"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(library, arch, side, message):
    with pytest.raises(InputError, match=f"^model.arch={arch}: .*") as refusal:
        built(library, arch, side)
    assert "\n" not in str(refusal.value)
    assert refusal.match(message)


def test_without_timm_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"model=timm: needs timm; pip install -e '\.\[timm\]'"):
        built("timm", "test_resnet", 17)
