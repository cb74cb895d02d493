"""What runs whose Z are scores of classes are measured by."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_general import image_set, setting_of
from torch import nn

from dimred.data.options import FitOn
from dimred.data.presence import Boxes, Presence
from dimred.data.resident import ResidentImages
from dimred.evaluation import average_precision
from dimred.measures.neighborhoods import Neighborhoods
from dimred.measures.presence import EachClass, PresenceOfClasses, parts_for
from dimred.measures.protocol import Detail, Embedding, LeftOut
from dimred.models import Backbone, Encoder
from dimred.models.backbones import mean_over_positions
from dimred.models.encoder import max_pool
from dimred.run.measuring import Measuring

N, HEIGHT, WIDTH, CLASSES = 40, 12, 20, 2
NAMES = ("bright", "less bright")


class Pixels(Backbone):
    """Every second pixel is a position; its feature is its brightness."""

    has_positions, out_features = True, 1

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 1, 1, stride=2, bias=False)
        nn.init.ones_(self.layer.weight)

    def forward(self, images):
        return mean_over_positions(self.positions(images))

    def positions(self, images):
        return self.layer(images)


def encoder(pool=max_pool):
    """The score of the first class is brightness, that of the second its difference from 0.5, so
    that it is seldom right."""
    made = Encoder(Pixels(), [0.0], [1.0], None, CLASSES, pool)
    with torch.no_grad():
        made.readout.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        made.readout.bias.copy_(torch.tensor([0.0, 0.5]))
    return made.eval()


def made(boxes=True, tolerance=0.5, pool=max_pool):
    """Images with a dot each, brighter where the first class is shown, which is at the dot in the
    even ones and elsewhere in the others."""
    rng = np.random.default_rng(0)
    images = replace(image_set(np.zeros(N, int), np.arange(N) >= N // 2), labels=None)
    pixels = np.zeros((N, 1, HEIGHT, WIDTH), np.uint8)
    dots = rng.integers(0, [HEIGHT // 2, WIDTH // 2], (N, 2)) * 2
    shown = rng.random((N, CLASSES)) < 0.5
    for pixel, (row, column), of in zip(pixels, dots, shown, strict=True):
        pixel[0, row, column] = rng.integers(90, 200) + 55 * of[0]
    image = np.flatnonzero(shown[:, 0])
    corners = np.concatenate([dots[image, ::-1], dots[image, ::-1] + 1], axis=1).astype(float)
    corners[image % 2 == 1] += 5  # away from the dot
    images = replace(
        images,
        images=torch.from_numpy(pixels),
        presence=Presence(shown, NAMES),
        boxes=Boxes(image, np.zeros(len(image), int), corners) if boxes else None,
    )
    setting = setting_of(images, [3])
    setting.config.scores_presence = True
    setting.config.dataset = SimpleNamespace(fit_on=FitOn.train)
    setting.config.eval.batch_size, setting.config.eval.location_tolerance = 7, tolerance
    resident = ResidentImages(images.images, torch.device("cpu"), 0.5)
    setting = replace(setting, resident=resident)
    net = encoder(pool)
    with torch.no_grad():
        h, z = net(images.images.float() / 255)
    return Embedding(setting, h.numpy(), z.numpy(), net)


def found(kind, embedding):
    measure = kind()
    assert measure.applies(embedding.setting)
    measure.prepare(embedding.setting)
    results = list(measure.measure(embedding))
    return {it.key if isinstance(it, Detail) else it.name: it.value for it in results}


def test_they_are_of_held_out_images_and_the_means_over_classes():
    embedding = made()
    shown = embedding.setting.images.presence.values[N // 2 :]
    scores = embedding.z[N // 2 :]
    of_class = [average_precision(scores[:, k], shown[:, k]) for k in range(CLASSES)]
    # The dot is in the box in every second image; the second class has no boxes and is not judged.
    right = shown[:, 0] & (np.arange(N // 2, N) % 2 == 0)
    located = average_precision(scores[:, 0], right, shown[:, 0].sum())
    assert 0 < located < of_class[0]
    means = found(PresenceOfClasses, embedding)
    assert means["mean_ap"] == pytest.approx(np.mean(of_class))
    assert means["mean_location_ap"] == pytest.approx(located)
    each = found(EachClass, embedding)
    assert each["ap_bright"] == pytest.approx(of_class[0])
    assert each["ap_less_bright"] == pytest.approx(of_class[1]), "a name with a blank would be none"
    assert each["name_less_bright"] == "less bright"
    assert "name_bright" not in each
    assert each["location_ap_bright"] == pytest.approx(located)
    assert "location_ap_less_bright" not in each
    assert each["shown_bright"] == shown[:, 0].sum()
    assert each["located"] == pytest.approx(right.sum() / shown[:, 0].sum())
    assert each["images"] == (
        "20 test images; a point is right in a box of its class or within 1 pixels; "
        f"{shown[:, 0].sum()} of {shown.sum()} classes shown have a box"
    )
    lines = EachClass.lines(each)
    assert [line.split("  ")[0] for line in lines[2:]] == ["bright", "less bright", "located"]
    assert lines[1].split() == ["class", "images", "AP", "location", "AP", "center", "AP"]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (["traffic light", "person", "a-b.c_d", "Ärger"], ["traffic_light", "person", "a-b.c_d"]),
        (["a b", "a/b", "a_b", "a_b2"], ["a_b3", "a_b4", "a_b", "a_b2"]),
        (["?", "!!", "_"], ["_2", "_3", "_"]),
    ],
)
def test_numbers_of_classes_have_names_of_their_own(names, parts):
    made = parts_for(names)
    assert made[: len(parts)] == parts
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"\w[\w.-]*", f"ap_{part}") for part in made)


def with_boxes(embedding, image, corners):
    """The same with boxes of the first class only."""
    boxes = Boxes(image, np.zeros(len(image), int), np.array(corners, float).reshape(-1, 4))
    setting = embedding.setting
    return replace(embedding, setting=replace(setting, images=replace(setting.images, boxes=boxes)))


def test_the_center_of_the_image_has_the_scores_of_the_network():
    embedding = made(tolerance=0.0)
    image = np.flatnonzero(embedding.setting.images.presence.values[:, 0])
    x, y = WIDTH / 2, HEIGHT / 2
    middle, elsewhere = ([a - 0.25, b - 0.25, a + 0.25, b + 0.25] for a, b in ((x, y), (y, x)))
    embedding = with_boxes(embedding, image, [elsewhere if i % 3 else middle for i in image])
    shown, scores = (
        of[N // 2 :, 0] for of in (embedding.setting.images.presence.values, embedding.z)
    )
    right = shown & (np.arange(N // 2, N) % 3 == 0)
    expected = average_precision(scores, right, shown.sum())
    assert 0 < expected < average_precision(scores, shown)
    assert found(PresenceOfClasses, embedding)["mean_center_ap"] == pytest.approx(expected)


def test_images_that_show_a_class_without_a_box_do_not_count_for_its_points():
    embedding = made()
    boxes = embedding.setting.images.boxes
    half = boxes.image % 4 < 2  # one of these is right
    embedding = with_boxes(embedding, boxes.image[half], boxes.corners[half])
    rows = np.arange(N // 2, N)
    shown, scores = embedding.setting.images.presence.values[rows], embedding.z[rows, 0]
    judged = ~shown[:, 0] | (rows % 4 < 2)
    right = (shown[:, 0] & (rows % 2 == 0))[judged]
    each = found(EachClass, embedding)
    expected = average_precision(scores[judged], right, shown[judged, 0].sum())
    assert each["location_ap_bright"] == pytest.approx(expected)
    assert each["located"] == right.sum() / shown[judged, 0].sum()
    assert each["images"].endswith(
        f"; {shown[judged, 0].sum()} of {shown.sum()} classes shown have a box"
    )
    everything = found(EachClass, made())
    assert each["ap_bright"] == everything["ap_bright"], "that a class is shown is known"


def test_without_any_box_there_is_no_location_and_it_is_said():
    embedding = with_boxes(made(), np.empty(0, int), [])
    shown = embedding.setting.images.presence.values[N // 2 :].sum()
    assert set(found(PresenceOfClasses, embedding)) == {"mean_ap"}
    each = found(EachClass, embedding)
    assert "located" not in each
    assert each["images"] == f"20 test images; 0 of {shown} classes shown have a box"


@pytest.mark.parametrize(("boxes", "pool"), [(False, max_pool), (True, None)])
def test_without_boxes_or_scores_of_positions_there_is_no_location(boxes, pool):
    embedding = made(boxes, pool=pool)
    assert set(found(PresenceOfClasses, embedding)) == {"mean_ap"}
    each = found(EachClass, embedding)
    assert "located" not in each
    assert each["images"] == "20 test images"


def test_it_says_whether_the_images_were_learned_from():
    embedding = made(boxes=False)
    numbers = found(EachClass, embedding)
    embedding.setting.config.dataset.fit_on = FitOn.all
    learned = found(EachClass, embedding)
    assert learned["images"] == "20 test images, which were learned from"
    assert learned.keys() == numbers.keys()
    embedding.setting.images.is_test[:] = False
    assert found(EachClass, embedding)["images"] == "40 images, which were learned from"


def test_a_class_that_no_test_image_shows_has_no_part_in_the_mean():
    embedding = made()
    embedding.setting.images.presence.values[N // 2 :, 1] = False
    each = found(EachClass, embedding)
    assert each["shown_less_bright"] == 0
    assert "ap_less_bright" not in each
    assert found(PresenceOfClasses, embedding)["mean_ap"] == pytest.approx(each["ap_bright"])
    embedding.setting.images.presence.values[N // 2 :] = False
    for kind in (PresenceOfClasses, EachClass):
        with pytest.raises(LeftOut, match="no class is in any of the images to measure"):
            kind().prepare(embedding.setting)


def test_the_headline_is_the_mean_and_no_neighborhood_is_measured():
    setting = made().setting
    assert not Neighborhoods().applies(setting)
    measuring = Measuring.__new__(Measuring)
    measuring.setting = setting
    assert measuring.headline == "mean_ap"
    assert measuring.headline_label == "mean AP"
    assert measuring.chance == setting.images.presence.values[N // 2 :].mean()
