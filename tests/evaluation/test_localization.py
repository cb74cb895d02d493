"""Points in boxes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dimred.data.presence import Boxes
from dimred.evaluation import center_points, have_boxes, inside_boxes


def naive(points, boxes, tolerance):
    inside = np.zeros(points.shape[:2], bool)
    for image, kind, corners in zip(boxes.image, boxes.kind, boxes.corners, strict=True):
        left, top, right, bottom = corners
        x, y = points[image, kind]
        if left - tolerance <= x < right + tolerance and top - tolerance <= y < bottom + tolerance:
            inside[image, kind] = True
    return inside


def drawn(seed, n=6, classes=3):
    """Points, and any number of boxes of each class in each image."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(0, 20))
    corner, extent = rng.integers(0, 12, (m, 2)), rng.integers(1, 8, (m, 2))
    corners = np.concatenate([corner, corner + extent], axis=1).astype(float)
    boxes = Boxes(rng.integers(0, n, m), rng.integers(0, classes, m), corners)
    return rng.integers(0, 17, (n, classes, 2)).astype(float), boxes


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 4))
def test_it_is_the_loop_over_boxes(seed, tolerance):
    points, boxes = drawn(seed)
    inside = inside_boxes(points, boxes, tolerance)
    assert inside.tolist() == naive(points, boxes, tolerance).tolist()
    assert (inside <= inside_boxes(points, boxes, tolerance + 1)).all()


def test_edges_tolerance_and_several_objects_of_a_class():
    corners = np.array([[2.0, 3.0, 6.0, 8.0], [10.0, 10.0, 12.0, 12.0], [0.0, 0.0, 9.0, 9.0]])
    boxes = Boxes(np.array([0, 0, 1]), np.array([1, 1, 0]), corners)

    def right(x, y, tolerance=0.0):
        return inside_boxes(np.full((2, 2, 2), (x, y), float), boxes, tolerance)[0].tolist()

    assert right(2, 3) == right(5.9, 7.9) == right(11, 10) == [False, True]
    assert right(6, 3) == right(2, 8) == right(1.9, 4) == [False, False]
    assert right(7.5, 4, 2.0) == [False, True]
    assert right(8, 4, 2.0) == [False, False]
    assert not inside_boxes(np.zeros((2, 2, 2)), boxes.take(np.array([], int)), 1).any()


def test_the_center_of_an_image_is_its_middle():
    assert center_points(2, 3, (8, 20)).tolist() == [[[10.0, 4.0]] * 3] * 2


def test_which_classes_have_boxes():
    boxes = Boxes(np.array([0, 0, 2]), np.array([1, 1, 0]), np.zeros((3, 4)))
    assert have_boxes(boxes, 3, 2).tolist() == [[False, True], [False, False], [True, False]]
