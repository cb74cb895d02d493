"""Batches are the same wherever the images are kept."""

import pytest
import torch

from dimred.data import resident
from dimred.data.resident import ResidentImages

IMAGES = torch.arange(50 * 12, dtype=torch.int64).remainder(251).to(torch.uint8).view(50, 1, 3, 4)
POSITIONS = torch.randperm(50, generator=torch.Generator().manual_seed(0))[:43]


@pytest.mark.parametrize("size", [1, 7, 43, 64])
@pytest.mark.parametrize("chunk", [1, 200, 2**28])
def test_chunks_from_the_host_are_the_batches_from_the_device(monkeypatch, size, chunk):
    monkeypatch.setattr(resident, "_CHUNK", chunk)
    # Without a GPU there is nothing to pin memory for.
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    images = ResidentImages(IMAGES, torch.device("cpu"), 0.5)
    kept = list(images.batches(POSITIONS.split(size)))
    images.on_device = False
    copied = list(images.batches(POSITIONS.split(size)))
    expected = [IMAGES[batch] for batch in POSITIONS.split(size)]
    for batches in (kept, copied):
        assert len(batches) == len(expected)
        assert all(map(torch.equal, batches, expected))


@pytest.mark.gpu
def test_images_that_do_not_fit_stay_on_the_host():
    device = torch.device("cuda")
    fits, too_large = (ResidentImages(IMAGES, device, fraction) for fraction in (0.5, 0.0))
    assert fits.on_device
    assert not too_large.on_device
    for one, other in zip(
        fits.batches(POSITIONS.to(device).split(7)),
        too_large.batches(POSITIONS.to(device).split(7)),
        strict=True,
    ):
        assert one.device.type == other.device.type == "cuda"
        assert torch.equal(one, other)
