"""Tiles of a slide: those for testing share no pixel with those that are learned from."""

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def micrographs(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import micrographs

    return micrographs


def test_sides_lie_a_tile_apart(micrographs):
    sides = {top: micrographs.side_of(top) for top in range(2967 - micrographs.SIDE)}
    train, test = ([top for top, of in sides.items() if of == side] for side in ("train", "test"))
    assert min(len(train), len(test)) > 500
    tops = np.array(test)
    gaps = [np.abs(tops - top).min() - micrographs.SIDE for top in train]
    assert min(gaps) >= micrographs.SIDE


def test_tiles_are_of_one_kind_and_of_tissue(micrographs):
    side = micrographs.SIDE
    kinds = micrographs.outlined(2220, 2967)
    slide = np.full((2967, 2220, 3), 100, np.uint8)
    slide[:, 1000:] = 255  # glass
    found = list(micrographs.tiles(slide, kinds))
    assert {kind for _, _, kind in found} == {1, 2}  # there is keratin on the right only
    for top, left, kind in found:
        assert (kinds[top : top + side, left : left + side] == kind).mean() >= 0.8
        assert left < 1000 - 0.4 * side + 1
