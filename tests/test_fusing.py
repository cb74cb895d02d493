"""Chains of small kernels give the same compiled, where a step asks for it and only there."""

import pytest
import torch
from contracts.losses import POSITIVE_PAIRS, each

from dimred.data.augmentation import BatchAugmentation, _apply
from dimred.data.augmentation_options import AugmentationOptions, Outside
from dimred.fusing import fusable, fusing
from dimred.losses import tsimcne_loss
from dimred.losses.infonce import _value_and_gradient
from dimred.pairing import PositivePairs

AFFINE = {"translate": 0.2, "rotate": 30, "zoom": (0.8, 1.2), "shear": 10, "noise": 0.1}
MORE = {
    **{"vertical_flip": 0.5, "quarter_turns": 0.5, "outside": Outside.border},
    **{"blur": 0.5, "erase": 0.5, "channel_drop": 0.3},
}


@pytest.fixture
def traces(monkeypatch):
    """Functions are traced as for compiling, whole and without compiling them; how often."""
    traced = []

    def backend(graph, inputs):
        traced.append(graph)
        return graph

    compiled = torch.compile
    monkeypatch.setattr(
        "torch.compile",
        lambda function, **options: compiled(function, fullgraph=True, backend=backend, **options),
    )
    for function in (_apply, _value_and_gradient):
        monkeypatch.setattr(function, "compiled", {})
    torch.compiler.reset()
    yield traced
    torch.compiler.reset()


def test_only_within_fusing_and_once_a_shape(traces):
    doubled = fusable(lambda x: x * 2)
    x = torch.arange(3.0)
    assert doubled(x).tolist() == [0, 2, 4]
    assert not traces
    for _ in range(2):
        with fusing("default"):
            assert doubled(x).tolist() == [0, 2, 4]
        assert len(traces) == 1
    with fusing("default"), fusing(None):
        doubled(torch.ones(7))
    assert len(traces) == 1
    with fusing("default"):
        doubled(torch.ones(7))
    assert len(traces) == 2


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(
    "settings", [{}, AFFINE, {"crop_scale": (1, 1), "crop_ratio": (1, 1)}, AFFINE | MORE]
)
def test_an_augmentation_is_one_graph_of_the_same_images(traces, settings, channels):
    augment = BatchAugmentation(AugmentationOptions(**settings))
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (9, channels, 8, 8), dtype=torch.uint8, generator=generator)
    for seed in range(3):
        plain = augment(images, generator.manual_seed(seed))
        with fusing("default"):
            fused = augment(images, generator.manual_seed(seed))
        torch.testing.assert_close(fused, plain, rtol=0, atol=1e-5)
    assert len(traces) == 1


@pytest.mark.parametrize("dims", [2, 128])
@each(POSITIVE_PAIRS)
def test_a_loss_is_one_graph_with_the_same_gradient(traces, case, dims):
    for seed in range(3):
        plain, fused = (value_and_gradient(case.loss, dims, seed, on) for on in (False, True))
        torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-7)
    assert len(traces) == 1


def test_a_loss_of_many_tiles_is_not_unrolled(traces, monkeypatch):
    monkeypatch.setattr("dimred.losses.infonce._GPU_TILE", 31)
    value_and_gradient(tsimcne_loss, 2, 0, fuses=True)
    assert not traces


def value_and_gradient(loss, dims, seed, fuses, device="cpu"):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(32, dims, generator=generator).to(device).requires_grad_()
    z = 5 * weights  # not a leaf, as the readout's is not
    with fusing("default" if fuses else None):
        value = loss(z, PositivePairs(torch.arange(32, device=device).roll(16)))
    value.backward()
    return value.detach(), weights.grad


@pytest.mark.gpu
def test_what_the_compiler_makes_is_the_same():
    device = "cuda"  # on a CPU nothing is fused
    images = torch.randint(0, 256, (4, 3, 6, 6), dtype=torch.uint8).to(device)
    augment = BatchAugmentation(AugmentationOptions(fill=0.5, **AFFINE))
    plain, fused = [], []
    for found, fuses in ((plain, False), (fused, True)):
        generator = torch.Generator(device).manual_seed(0)
        with fusing("default" if fuses else None):
            found.append(augment(images, generator))
        found += value_and_gradient(tsimcne_loss, 2, 0, fuses, device)
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-5)
