"""Networks that begin with trained weights: all of the backbone, or a refusal that says why."""

import hashlib
import re
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from dimred.errors import InputError
from dimred.models.check import build_encoder
from dimred.models.options import ConvNet, InitHead, ResNet18, Torchvision
from dimred.models.pretrained import begin_with, source_of

SHAPE = (1, 8, 8)
SMALL = ConvNet(name="convnet", widths=[4, 6], hidden_dim=5)


def encoder(options=SMALL, shape=SHAPE, mean=0.3, std=0.7, out_dim=2, seed=0):
    torch.manual_seed(seed)
    return build_encoder(options, shape, [mean] * shape[0], [std] * shape[0], out_dim)


def saved_run(folder, **how):
    """A folder with the weights of an encoder, and the encoder."""
    trained = encoder(seed=1, **how)
    safetensors.torch.save_file(trained.state_dict(), folder / "weights.safetensors")
    return trained


def refusal(options, here):
    with pytest.raises(InputError) as error:
        begin_with(options, here)
    assert "\n" not in str(error.value)
    return str(error.value)


def of_run(folder, **changes):
    return replace(SMALL, init_from=str(folder), **changes)


def test_without_an_option_nothing_happens():
    here, same = encoder(), encoder()
    assert source_of(SMALL) is None
    assert begin_with(SMALL, here) is None
    torch.testing.assert_close(here.state_dict(), same.state_dict(), rtol=0, atol=0)


def test_the_backbone_of_a_run_is_taken_and_the_head_is_new(tmp_path):
    trained, here, untouched = saved_run(tmp_path), encoder(), encoder()
    begun = begin_with(of_run(tmp_path), here)
    images = torch.rand(3, *SHAPE)
    torch.testing.assert_close(here.eval()(images)[0], trained.eval()(images)[0], rtol=0, atol=0)
    assert begun.new == ("hidden", "readout")
    assert len(begun.left_out) == 4
    for name in ("hidden.weight", "readout.bias"):
        assert torch.equal(here.state_dict()[name], untouched.state_dict()[name])


def test_the_source_says_what_it_is_and_is_a_data_file(tmp_path):
    saved_run(tmp_path)
    options = of_run(tmp_path)
    source, file = source_of(options), tmp_path / "weights.safetensors"
    assert (source.key, source.value) == ("model.init_from", str(tmp_path))
    assert source.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert options.data_files() == [file]
    assert SMALL.data_files() == []


@pytest.mark.parametrize(
    ("here", "new"),
    [({}, ()), ({"out_dim": 3}, ("readout",)), ({"hidden_dim": 7}, ("hidden", "readout"))],
)
def test_a_kept_head_is_kept_where_its_shapes_are_the_same(tmp_path, here, new):
    trained = saved_run(tmp_path)
    width = here.pop("hidden_dim", 5)
    options = of_run(tmp_path, init_head=InitHead.kept, hidden_dim=width)
    net = encoder(options, **here)
    begun = begin_with(options, net)
    assert begun.new == new
    for name, tensor in trained.state_dict().items():
        if not name.startswith(new or "nothing"):
            assert torch.equal(net.state_dict()[name], tensor), name


def test_another_mean_is_refused_with_what_to_set(tmp_path):
    saved_run(tmp_path, mean=0.4855)
    line = refusal(of_run(tmp_path), encoder())
    assert line.endswith("set dataset.mean=[0.4855] dataset.std=[0.7]")
    begin_with(of_run(tmp_path), encoder(mean=0.48555))


def test_other_channels_are_refused(tmp_path):
    saved_run(tmp_path, shape=(3, 8, 8))
    assert "images with 3 channels; these have 1" in refusal(of_run(tmp_path), encoder())


def test_another_network_is_refused_by_its_first_tensors(tmp_path):
    saved_run(tmp_path)
    wide = of_run(tmp_path, widths=[8, 6])
    line = refusal(wide, encoder(wide))
    assert "layers.0.weight is (4, 1, 3, 3) there, (8, 1, 3, 3) here" in line
    assert "set model, model.widths as there" in line
    deep = of_run(tmp_path, widths=[4, 6, 6])
    assert "layers.12.weight is not in the file" in refusal(deep, encoder(deep))
    shallow = of_run(tmp_path, widths=[4])
    assert "is only in the file" in refusal(shallow, encoder(shallow))


def test_what_is_refused_leaves_the_network_as_it_was(tmp_path):
    saved_run(tmp_path)
    deep = of_run(tmp_path, widths=[4, 6, 6])
    here, same = encoder(deep), encoder(deep)
    refusal(deep, here)
    torch.testing.assert_close(here.state_dict(), same.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
def test_published_weights_of_torchvision_fit_its_resnet(tmp_path, nested):
    from torchvision.models import resnet18

    torch.manual_seed(1)
    published = resnet18()
    content = {**published.state_dict()}
    file = tmp_path / "resnet18.pth"
    torch.save({nested: content, "epoch": 3} if nested else content, file)
    options = ResNet18(name="resnet18", weights=str(file))
    here = encoder(options, shape=(3, 64, 64))
    begun = begin_with(options, here)
    assert begun.left_out == ("fc.weight", "fc.bias")
    published.fc = torch.nn.Identity()
    images = torch.rand(2, 3, 64, 64)
    expected = published.eval()((images - 0.3) / 0.7)
    torch.testing.assert_close(here.eval()(images)[0], expected)
    gray = encoder(options, shape=(1, 64, 64))
    assert "conv1.weight is (64, 3, 7, 7) there, (64, 1, 7, 7) here" in refusal(options, gray)
    kept = replace(options, init_head=InitHead.kept)
    assert "holds no head" in refusal(kept, here)


def test_weights_without_counts_of_batches_fit(tmp_path):
    trained = encoder(seed=1)
    state = {k: v for k, v in trained.backbone.state_dict().items() if "num_batches" not in k}
    torch.save(state, tmp_path / "old.pt")
    here = encoder()
    begin_with(replace(SMALL, weights=str(tmp_path / "old.pt")), here)
    assert torch.equal(here.backbone.layers[0].weight, trained.backbone.layers[0].weight)


def test_files_that_hold_no_weights_are_refused(tmp_path):
    cases = {
        "text.pth": b"no weights",
        "number.pth": b"0.5\n",
        "text.safetensors": b"no weights",
        "empty.pth": b"",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        line = refusal(replace(SMALL, weights=str(tmp_path / name)), encoder())
        assert line.startswith(f"model.weights={tmp_path / name}: ")
        assert f"{name}: holds no weights (" in line
        assert "index" not in line
    torch.save([1, 2], tmp_path / "list.pth")
    assert "must be a state_dict" in refusal(
        replace(SMALL, weights=str(tmp_path / "list.pth")), encoder()
    )
    torch.save({"model": {"a": torch.tensor(torch.nan)}}, tmp_path / "nan.pth")
    assert "not finite" in refusal(replace(SMALL, weights=str(tmp_path / "nan.pth")), encoder())


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save(encoder(), tmp_path / "whole.pth")  # a pickled module
    line = refusal(replace(SMALL, weights=str(tmp_path / "whole.pth")), encoder())
    assert "holds no weights" in line


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "is no file" in refusal(of_run(tmp_path), encoder())
    assert "is no file" in refusal(replace(SMALL, weights=str(tmp_path)), encoder())


def test_two_sources_are_refused_though_a_plug_in_has_problems_of_its_own(tmp_path):
    both = replace(SMALL, init_from=str(tmp_path), weights="a.pt")
    message = f"^model.weights=a.pt: not beside model.init_from={tmp_path}$"
    with pytest.raises(InputError, match=message):
        source_of(both)


def test_a_kept_head_needs_a_source():
    assert any(
        "init_head=kept" in line for line in replace(SMALL, init_head=InitHead.kept).problems()
    )


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder where torchvision keeps weights, with those of a ResNet-18."""
    from torchvision.models import ResNet18_Weights, resnet18

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.manual_seed(1)
    file = tmp_path / "checkpoints" / ResNet18_Weights.IMAGENET1K_V1.url.rpartition("/")[2]
    torch.save(resnet18().state_dict(), file)
    return file


OF_IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.mark.parametrize("name", ["resnet18", "ResNet18_Weights.IMAGENET1K_V1"])
def test_weights_that_torchvision_keeps_are_found_by_their_name(hub, name):
    options = Torchvision(name="torchvision", arch="resnet18", weights=f"torchvision:{name}")
    source = source_of(options)
    assert (source.file, source.what) == (hub, "torchvision's ResNet18_Weights.IMAGENET1K_V1")
    here = build_encoder(options, (3, 32, 32), **OF_IMAGENET, out_dim=2)
    begin_with(options, here)
    assert torch.equal(here.backbone.net.conv1.weight, torch.load(hub)["conv1.weight"])
    line = refusal(options, encoder(options, shape=(3, 32, 32)))
    assert line.endswith("set dataset.mean=[0.485,0.456,0.406] dataset.std=[0.229,0.224,0.225]")
    assert "images with 3 channels" in refusal(options, encoder(options, shape=(1, 32, 32)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet34", r"resnet34-\w+.pth is no file; .* fetches it"),
        ("ResNet18_Weights.V7", "has no weights of that name; must be"),
        ("resnet19", "has no weights of that name; must be"),
        ("Nothing.At.All", "has no weights of that name; must be"),
    ],
)
def test_weights_that_torchvision_does_not_keep_are_refused(hub, name, message):
    with pytest.raises(
        InputError, match=f"^model.weights=torchvision:{name}: .*{message}"
    ) as error:
        source_of(Torchvision(name="torchvision", weights=f"torchvision:{name}"))
    assert "\n" not in str(error.value)


def test_names_of_old_files_of_densenets_are_understood(tmp_path):
    options = Torchvision(name="torchvision", arch="densenet121", weights=str(tmp_path / "old.pth"))
    trained = encoder(options, shape=(3, 32, 32), seed=1).backbone.net.state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", k): v
        for k, v in trained.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    here = encoder(options, shape=(3, 32, 32))
    begin_with(options, here)
    torch.testing.assert_close(here.backbone.net.state_dict(), trained, rtol=0, atol=0)
