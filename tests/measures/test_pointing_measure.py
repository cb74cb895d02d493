"""The pointing game: whether what moves Z when hidden is on the objects."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from dimred.data.image_set import ImageSet
from dimred.data.options import FitOn
from dimred.data.presence import Boxes, Presence
from dimred.measures.pointing import Pointing
from dimred.measures.protocol import Detail, Embedding, LeftOut, Setting
from dimred.training.compute import Compute

N, SIDE = 40, 16


class Brightest(nn.Module):
    """Looks at the brightest pixel only."""

    mean = torch.zeros(1, 1, 1)

    def forward(self, images):
        z = images.flatten(1).amax(1, keepdim=True)
        return z, z


class Corner(Brightest):
    """Looks at the upper left pixel only."""

    def forward(self, images):
        return images[:, 0, 0, :1], images[:, 0, 0, :1]


def images_of(rng, boxed=N):
    """Faint noise with a bright pixel in the middle of a box of 5x5, away from the corner."""
    pixels = rng.integers(0, 100, (N, 1, SIDE, SIDE), dtype=np.uint8)
    low = rng.integers(5, SIDE - 5, (N, 2))
    for i, (x, y) in enumerate(low):
        pixels[i, 0, y + 2, x + 2] = 255
    boxes = Boxes(np.arange(boxed), np.zeros(boxed, int), np.c_[low, low + 5][:boxed].astype(float))
    index = np.arange(N)
    return ImageSet(
        images=torch.from_numpy(pixels),
        mean=(0.2,),
        std=(1.0,),
        is_test=index >= N // 2,
        split_name="",
        labels=None,
        index=index,
        presence=Presence(np.ones((N, 1), bool), ("thing",)),
        boxes=boxes,
    )


def embedding_of(images, encoder, untrained=None, fit_on=FitOn.train):
    setting = Setting(
        config=SimpleNamespace(
            eval=SimpleNamespace(batch_size=7, references=True),
            dataset=SimpleNamespace(fit_on=fit_on),
        ),
        images=images,
        samples=images,
        resident=None,
        test=None,
        splits=None,
        compute=Compute(torch.device("cpu")),
        new_encoder=untrained and (lambda out_dim: untrained),
    )
    z = np.zeros((N, 1), np.float32)
    return Embedding(setting, z, z, encoder)


def found(measure, embedding):
    assert measure.applies(embedding.setting)
    measure.prepare(embedding.setting)
    results = list(measure.measure(embedding))
    numbers = {one.name: one.value for one in results if not isinstance(one, Detail)}
    (detail,) = (one.value for one in results if isinstance(one, Detail))
    return numbers, detail


def test_a_network_that_looks_at_objects_points_at_them_and_one_that_does_not_does_not():
    images = images_of(np.random.default_rng(0))
    numbers, detail = found(Pointing(pointing=True), embedding_of(images, Brightest(), Corner()))
    # Of the squares of 4 pixels the first that holds the pixel has its center within 2 of it.
    assert numbers == {
        "pointing_z": 1.0,
        "pointing_untrained_z": 0.0,
        "pointing_pixels": 1.0,
        "pointing_area": pytest.approx(25 / 256),
    }
    assert detail == "20 test images; hidden by squares of 4 pixels of the mean color"


def test_a_fill_that_a_network_takes_for_an_object_moves_it_anywhere():
    images = images_of(np.random.default_rng(0))
    white, detail = found(
        Pointing(pointing=True, pointing_fill=1.0), embedding_of(images, Brightest())
    )
    assert white["pointing_z"] == 0.0, "white hides nothing, and the first square is in the corner"
    assert "pointing_untrained_z" not in white
    assert white["pointing_pixels"] < 0.5, "and changes the dark ground most"
    assert detail.endswith("of value 1")


def test_it_says_that_test_images_were_learned_from():
    images = images_of(np.random.default_rng(0))
    embedding = embedding_of(images, Brightest(), fit_on=FitOn.all)
    _, detail = found(Pointing(pointing=True), embedding)
    assert detail.startswith("20 test images, which were learned from; hidden by ")


def test_it_is_for_images_with_boxes_and_off_by_default():
    images = images_of(np.random.default_rng(0), boxed=N // 2)
    setting = embedding_of(images, Brightest()).setting
    assert not Pointing().applies(setting)
    with pytest.raises(LeftOut, match="none of the held-out images"):
        Pointing(pointing=True).prepare(setting)


def test_the_line_names_what_was_measured():
    results = {"images": "20 test images", "pointing_z": 0.5, "pointing_area": 0.125}
    (line, of) = Pointing.lines(results)
    assert line == "points on objects     in Z 0.500, area of the boxes 0.125"
    assert of.strip() == "20 test images"
    assert Pointing.lines({}) == []
