"""A finished run's encoder as ONNX."""

import shutil

import numpy as np
import pytest
import torch
from command import SMOKE, dimred, refused

from dimred import load_run
from dimred.analysis import onnx as onnx_export
from dimred.models import (
    ConvNetBackbone,
    DrlimCnnBackbone,
    Encoder,
    LeNetBackbone,
    LinearBackbone,
    ResNet18Backbone,
)

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


pytestmark = pytest.mark.usefixtures("no_figures_here")


@pytest.fixture(scope="module")
def cwd(tmp_path_factory):
    """A run on arrays of images in color that are not square."""
    folder = tmp_path_factory.mktemp("export")
    images = np.random.default_rng(0).integers(0, 256, (70, 10, 12, 3), dtype=np.uint8)
    np.savez(folder / "mine.npz", images=images)
    words = ["dataset=npz", "dataset.path=mine.npz", "dataset.limit=null", "eval.every=0"]
    dimred(folder, *SMOKE, *words, "eval.k=[5]", "run_dir=run")
    return folder


def test_onnx_runtime_gives_what_pytorch_gives(cwd):
    out, err = dimred(cwd, "export", "run")
    assert err == ""
    assert out.splitlines()[0] == "images: uint8 (N, 3, 10, 12) -> h (N, 16), z (N, 2), float32"
    assert "on 70 of its images: h " in out
    assert out.splitlines()[2:] == ["run/encoder.onnx"]
    (file,) = [path for path in (cwd / "run").iterdir() if "onnx" in path.name]
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
        ("images", "tensor(uint8)", [3, 10, 12])
    ]
    with np.load(cwd / "mine.npz") as arrays:
        images = arrays["images"].transpose(0, 3, 1, 2)
    with np.load(cwd / "run/embedding.npz") as arrays:
        z = arrays["z"]
    for n in (1, 2, 70):
        found = session.run(["h", "z"], {"images": images[:n]})
        assert found[0].shape == (n, 16)
        assert np.abs(found[1] - z[:n]).max() < 1e-5


def test_without_its_images_random_ones_are_taken(cwd, tmp_path):
    shutil.copytree(cwd / "run", tmp_path / "run")
    out, _ = dimred(tmp_path, "export", "run", "--out", "deeper/a.onnx")
    assert "on 256 random images" in out
    assert (tmp_path / "deeper/a.onnx").stat().st_size > 10_000
    assert "missing.npz" in refused(tmp_path, "export", "run", "--root", "missing.npz")
    out, _ = dimred(tmp_path, "export", "run", "--root", str(cwd / "mine.npz"))
    assert "on 70 of its images" in out


def test_a_file_that_computes_something_else_is_not_written(cwd, tmp_path, monkeypatch):
    right = onnx_export.to_onnx

    def wrong(model, shape):
        with torch.no_grad():
            model.encoder.readout.bias += 1e-3
        content = right(model, shape)
        with torch.no_grad():
            model.encoder.readout.bias -= 1e-3
        return content

    monkeypatch.setattr(onnx_export, "to_onnx", wrong)
    line = refused(cwd, "export", "run", "--out", str(tmp_path / "a.onnx"))
    assert "differs from PyTorch by more than 0.0001 of the largest value (h " in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("backbone", "shape"),
    [
        (lambda: ConvNetBackbone(1, [4, 8]), (1, 7, 9)),
        (lambda: LeNetBackbone(1, (19, 22)), (1, 19, 22)),
        (lambda: DrlimCnnBackbone(1, (28, 28), [5, 9], 9), (1, 28, 28)),
        (lambda: DrlimCnnBackbone(1, (8, 9), [3, 2], 1), (1, 8, 9)),
        (lambda: LinearBackbone(1, (5, 6), 20), (1, 5, 6)),
        (lambda: ResNet18Backbone(3, cifar_stem=False), (3, 64, 64)),
        (lambda: ConvNetBackbone(5, [4, 8]), (5, 7, 9)),
        (lambda: LinearBackbone(16, (5, 6), 20), (16, 5, 6)),
    ],
    ids=[
        *("convnet", "lenet", "drlim_cnn", "drlim_cnn, odd", "linear", "resnet18"),
        *("convnet, 5 channels", "linear, 16 channels"),
    ],
)
def test_every_network_can_be_exported(backbone, shape):
    """Pooling at the edge is what ONNX may understand otherwise."""
    torch.manual_seed(0)
    channels = shape[0]
    encoder = Encoder(backbone(), [0.4] * channels, [0.2] * channels, None, 2)
    model = onnx_export.FromPixels(encoder).eval()
    images = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    differences = onnx_export.check(model, onnx_export.to_onnx(model, shape), images)
    assert max(differences.values()) < 1e-5


@pytest.mark.parametrize("part", ["h", "z"])
def test_a_file_that_gives_no_numbers_is_not_written(cwd, tmp_path, monkeypatch, part):
    differences = {"h": 1e-7, "z": 1e-7, part: float("nan")}
    monkeypatch.setattr(onnx_export, "check", lambda *_: differences)
    line = refused(tmp_path, "export", str(cwd / "run"), "--out", "x.onnx")
    assert "not written" in line
    assert not (tmp_path / "x.onnx").exists()


def test_nonsense_differs():
    a = np.ones((2, 2), np.float32)
    assert np.isnan(onnx_export._difference(a, a * np.nan))
    assert onnx_export._difference(a, a[:1]) == np.inf
    assert onnx_export._difference(2 * a, a) == 0.5


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ([], "outputs: holds no finished run"),
        (["nowhere"], "nowhere: holds no finished run"),
        (["run", "--out", "run"], "--out run: must name a file"),
        (["run", "--opset", "18"], "--opset"),
    ],
)
def test_bad_words_are_refused_by_name(cwd, words, named):
    assert named in refused(cwd, "export", *words)


def test_packages_that_are_missing_are_named(cwd, monkeypatch):
    monkeypatch.setattr(onnx_export, "_PACKAGES", ("onnx", "onnx_of_no_such_name"))
    line = refused(cwd, "export", "run")
    assert "needs onnx_of_no_such_name; run pip install -e '.[onnx]' in dimred's clone" in line


def test_the_encoder_needs_no_images(cwd, tmp_path):
    shutil.copytree(cwd / "run", tmp_path / "run")
    encoder = load_run(tmp_path / "run").encoder()
    assert encoder.mean.shape == (3, 1, 1)
    assert encoder.out_dim == 2
