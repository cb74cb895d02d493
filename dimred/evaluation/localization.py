"""Localization by a point: whether it is in an object (Oquab et al. 2015, section 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.data.presence import Boxes

Points = NDArray[np.float64]


def inside_boxes(points: Points, boxes: Boxes, tolerance: float) -> NDArray[np.bool_]:
    """Whether the point of each class in each image is in one of its boxes there, (n, K).

    The extent of an object is of no account beyond that, and there is one point for a class,
    however many objects of it the image shows.

    points: float64 (n, K, 2), x and y in pixels of the image. boxes: of the n images.
    tolerance: pixels by which boxes are larger on every side.
    """
    inside = np.zeros(points.shape[:2], np.bool_)
    x, y = points[boxes.image, boxes.kind].T
    left, top, right, bottom = boxes.corners.T
    within = (left - tolerance <= x) & (x < right + tolerance)
    within &= (top - tolerance <= y) & (y < bottom + tolerance)
    inside[boxes.image[within], boxes.kind[within]] = True
    return inside


def have_boxes(boxes: Boxes, n: int, classes: int) -> NDArray[np.bool_]:
    """Whether each class has a box in each of n images, (n, classes)."""
    boxed = np.zeros((n, classes), np.bool_)
    boxed[boxes.image, boxes.kind] = True
    return boxed


def center_points(n: int, classes: int, size: tuple[int, int]) -> Points:
    """The center of n images of `size` (height, width), for each class: (n, classes, 2)."""
    height, width = size
    return np.broadcast_to(np.array([width / 2, height / 2]), (n, classes, 2))
