"""Whether a point of each image is on an object: the pointing game (Zhang et al. 2016, Top-down
neural attention by excitation backprop, section 4.2), here for points that know no class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dimred.data.presence import Boxes
from dimred.evaluation.localization import inside_boxes


def on_objects(points: NDArray[np.float64], boxes: Boxes) -> NDArray[np.bool_]:
    """Whether each point is in a box of its image, (n,).

    points: float64 (n, 2), x and y in pixels of the image. boxes: of the n images.
    """
    kinds = int(boxes.kind.max(initial=-1)) + 1
    each = np.broadcast_to(points[:, None], (len(points), kinds, 2))
    return np.asarray(inside_boxes(each, boxes, 0.0).any(axis=1))


def covered(boxes: Boxes, n: int, size: tuple[int, int]) -> NDArray[np.float64]:
    """The share of the area of each of n images of `size` (height, width) that boxes cover, (n,):
    what a random point hits."""
    height, width = size
    inside = np.zeros((n, height, width), np.bool_)
    for image, (left, top, right, bottom) in zip(boxes.image, boxes.corners, strict=True):
        rows, columns = slice(round(top), round(bottom)), slice(round(left), round(right))
        inside[image, rows, columns] = True
    return np.asarray(inside.mean(axis=(1, 2)))
