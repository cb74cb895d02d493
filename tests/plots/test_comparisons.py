"""Figures of several runs: what is averaged, turned and shown."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.image_set import LabelSet
from dimred.plots.comparisons import (
    aligned,
    eigenvalues,
    norms_figure,
    panels_figure,
)

RANDOM = np.random.default_rng(0)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.booleans())
def test_a_turned_and_mirrored_map_is_turned_back(seed, d, mirrored):
    random = np.random.default_rng(seed)
    z = random.normal(size=(50, d)) * np.arange(1, d + 1)
    turn, _ = np.linalg.qr(random.normal(size=(d, d)))
    if mirrored:
        turn[:, 0] *= -1
    found = aligned(z @ turn + random.normal(size=d), z)
    np.testing.assert_allclose(found, z - z.mean(axis=0), atol=1e-8)


def test_aligning_changes_no_distance():
    z, reference = RANDOM.normal(size=(30, 2)), RANDOM.normal(size=(30, 2))
    found = aligned(z, reference)
    np.testing.assert_allclose(
        np.linalg.norm(found[:, None] - found, axis=2), np.linalg.norm(z[:, None] - z, axis=2)
    )


def test_maps_as_large_as_float32_holds_are_aligned():
    z = np.array([[3e38, 3e38], [3e38, -3e38], [2e38, 0]], dtype=np.float32)
    assert aligned(z, z) == pytest.approx((z - z.astype(float).mean(axis=0)), rel=1e-6, abs=1e31)


def test_eigenvalues_are_shares_largest_first():
    z = RANDOM.normal(size=(4000, 3)) * [1.0, 3.0, 2.0] + 7
    np.testing.assert_allclose(eigenvalues(z), np.array([9, 4, 1]) / 14, atol=0.02)
    assert eigenvalues(z).sum() == pytest.approx(1)
    assert (eigenvalues(np.ones((5, 2))) == 0).all()


def test_maps_of_more_dimensions_share_the_axes_of_the_first():
    z = RANDOM.normal(size=(200, 3)) * [3.0, 2.0, 1.0]
    other = z * [1.0, 1.6, 1.0]  # whose own first component is the second of z
    maps = [("first", z), ("second", other)]

    def spreads(shared):
        figure = panels_figure(maps, None, shared_axes=shared)
        offsets = figure.axes[1].collections[0].get_offsets()
        return np.abs(np.corrcoef(offsets.T, other[np.random.default_rng(0).permutation(200)].T))

    assert spreads(True)[0, 2] > 0.99
    assert spreads(False)[0, 3] > 0.99


def test_panels_are_named_and_have_one_legend():
    z = RANDOM.normal(size=(40, 2))
    labels = LabelSet(np.arange(40) % 3, ("x", "y", "z"))
    figure = panels_figure([(f"map {i}", z) for i in range(5)], labels)
    assert [axes.get_title() for axes in figure.axes] == [f"map {i}" for i in range(5)]
    legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    assert [text.get_text() for text in legends[0].get_texts()] == ["x", "y", "z"]
    assert len(legends) == 1
    with pytest.raises(ValueError, match="no maps of two or more dimensions"):
        panels_figure([("line", z[:, :1])], None)


def test_boxes_are_the_quartiles_of_each_class():
    lengths = np.concatenate([np.arange(101.0), np.full(50, 7.0)])
    labels = LabelSet(np.repeat([0, 2], [101, 50]), ("a", "none", "c"))
    figure = norms_figure([("run", lengths)], labels)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "c"]
    box = axes.patches[0].get_path().vertices
    assert (box[:, 1].min(), box[:, 1].max()) == (25, 75)
