import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.evaluation.spread import class_spread


def naive(points, classes):
    """By loops over classes and over pairs of them, in float64."""
    points = points.astype(float)
    means = {c: points[classes == c].mean(axis=0) for c in set(classes.tolist())}
    variances = []
    for c, mean in means.items():
        own = points[classes == c]
        if len(own) > 1:
            squares = [float(((point - mean) ** 2).sum()) for point in own]
            variances.append(sum(squares) / (len(own) - 1))
    names = list(means)
    distances = [
        float(((means[a] - means[b]) ** 2).sum()) for i, a in enumerate(names) for b in names[:i]
    ]
    return (np.mean(variances) / np.mean(distances)) ** 0.5


def test_it_is_as_counted_by_hand():
    # Means 1 and 12, variances 2 and 8.
    points, classes = np.array([[0.0], [2], [10], [14]]), np.array([3, 3, 5, 5])
    assert class_spread(points, classes) == pytest.approx((5 / 121) ** 0.5, abs=1e-15)
    # A class of one point widens the distances: 11, 19 and 8.
    points, classes = np.append(points, [[20.0]], axis=0), np.append(classes, 4)
    expected = (5 / ((121 + 361 + 64) / 3)) ** 0.5
    assert class_spread(points, classes) == pytest.approx(expected, abs=1e-15)


@st.composite
def clouds(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, dims = draw(st.integers(4, 40)), draw(st.integers(1, 12))
    classes = rng.integers(0, draw(st.integers(2, 6)), n)
    classes[:3] = [0, 0, 1]
    return rng.normal(size=(n, dims)) + classes[:, None], classes, rng


@given(clouds())
def test_it_is_the_loops_over_classes_and_pairs(cloud):
    points, classes, _ = cloud
    assert class_spread(points, classes) == pytest.approx(naive(points, classes), rel=1e-9)


@given(clouds(), st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_moving_turning_scaling_and_renumbering_change_nothing(cloud, scale, shift):
    points, classes, rng = cloud
    turn, _ = np.linalg.qr(rng.normal(size=(points.shape[1],) * 2))
    order = rng.permutation(len(points))
    other = class_spread((scale * points @ turn + shift)[order], 7 - 2 * classes[order])
    assert other == pytest.approx(class_spread(points, classes), rel=1e-6)


def test_it_grows_with_the_spread_and_falls_with_the_distance():
    rng = np.random.default_rng(0)
    classes = np.arange(5_000) % 5
    centers, noise = rng.normal(size=(5, 30)), rng.normal(size=(5_000, 30))
    base = class_spread(centers[classes] + 0.1 * noise, classes)
    assert class_spread(centers[classes] + 0.2 * noise, classes) == pytest.approx(
        2 * base, rel=0.01
    )
    assert class_spread(2 * centers[classes] + 0.1 * noise, classes) == pytest.approx(
        base / 2, rel=0.01
    )


@pytest.mark.parametrize(
    ("points", "classes", "message"),
    [
        (np.eye(3), [0, 0], "3 points with 2 classes"),
        (np.eye(3), [0, 0, 0], "one class has no distance"),
        (np.eye(3), [0, 1, 2], "no class has two points"),
        (np.full((3, 2), 0.1), [0, 0, 1], "the means of all classes coincide"),
        (np.array([[0.0], [np.inf], [1]]), [0, 0, 1], "must be finite"),
        (np.array([[0.0], [np.nan], [1]]), [0, 0, 1], "must be finite"),
    ],
)
def test_what_has_no_spread_is_refused(points, classes, message):
    with pytest.raises(ValueError, match=message):
        class_spread(points, np.array(classes))
