"""Objects in images stay with their images when some of these are taken."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.presence import Boxes, Presence, are_inside


@given(
    image=st.lists(st.integers(0, 7), max_size=20),
    positions=st.lists(st.integers(0, 7), max_size=12),
)
def test_boxes_of_taken_images_are_those_of_a_loop(image, positions):
    """Some images are taken twice, in any order; boxes come in any order too."""
    m = len(image)
    corners = np.arange(4.0 * m).reshape(m, 4)
    boxes = Boxes(np.array(image, np.int64), np.arange(m) % 3, corners)
    taken = boxes.take(np.array(positions, np.int64))
    expected = [
        (new, row) for new, old in enumerate(positions) for row in range(m) if image[row] == old
    ]
    assert taken.image.dtype == taken.kind.dtype == np.int64
    assert taken.image.tolist() == [new for new, _ in expected]
    rows = [row for _, row in expected]
    assert taken.kind.tolist() == boxes.kind[rows].tolist()
    assert taken.corners.shape == (len(rows), 4)
    assert np.array_equal(taken.corners, corners[rows])


def test_presence_of_taken_images():
    presence = Presence(np.eye(3, dtype=bool), ("a", "b", "c"))
    taken = presence.take(np.array([2, 0, 2]))
    assert taken.names == ("a", "b", "c")
    assert taken.values.argmax(1).tolist() == [2, 0, 2]


def test_a_box_is_inside_up_to_the_last_edge():
    corners = [[0, 0, 6, 5], [0, 0, 6.5, 5], [0, 0, 6, 5.5], [-0.5, 0, 1, 1], [0, -1, 1, 1]]
    corners += [[2, 2, 2, 3], [3, 2, 2, 3], [2, 3, 3, 2], [0, 0, np.nan, 1], [5.5, 4.5, 6, 5]]
    inside = are_inside(np.array(corners, float), (5, 6))
    assert inside.tolist() == [True] + [False] * 8 + [True]
