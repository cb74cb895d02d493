"""Points on objects, by the boxes of the objects."""

import numpy as np

from dimred.data.presence import Boxes
from dimred.evaluation.pointing import covered, on_objects

BOXES = Boxes(
    image=np.array([0, 2, 2]),
    kind=np.array([1, 0, 4]),
    corners=np.array([[1, 2, 4, 6], [0, 0, 2, 2], [1, 1, 3, 3]], float),
)


def test_a_point_is_on_an_object_of_whatever_class_of_its_own_image():
    inside = np.array([[1, 2], [1, 2], [2.5, 2.5]], float)
    assert on_objects(inside, BOXES).tolist() == [True, False, True]
    beside = np.array([[4, 2], [0, 0], [2.5, 0.5]], float)
    assert on_objects(beside, BOXES).tolist() == [False, False, False]


def test_no_image_has_a_box():
    none = Boxes(np.empty(0, int), np.empty(0, int), np.empty((0, 4)))
    assert on_objects(np.zeros((2, 2)), none).tolist() == [False, False]
    assert covered(none, 2, (4, 4)).tolist() == [0, 0]


def test_what_boxes_cover_is_counted_once():
    assert covered(BOXES, 3, (10, 5)).tolist() == [12 / 50, 0, 7 / 50]


def test_random_points_are_on_objects_as_often_as_these_cover_the_area():
    rng = np.random.default_rng(0)
    image = np.arange(20_000)
    low = rng.integers(0, 5, (20_000, 2))
    corners = np.concatenate((low, low + rng.integers(1, 6, (20_000, 2))), axis=1)
    boxes = Boxes(image, np.zeros(20_000, int), corners.astype(float))
    hits = on_objects(rng.uniform(0, 10, (20_000, 2)), boxes).mean()
    assert abs(hits - covered(boxes, 20_000, (10, 10)).mean()) < 0.01
