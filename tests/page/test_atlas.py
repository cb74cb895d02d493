"""Thumbnails in sheets."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dimred.page import extended, make_atlas, picture_atlas, picture_side
from dimred.page.atlas import thumbnail_side


def pictures(count, channels, height, width, seed=0):
    """Smooth ones, as photographs are, with a mean of their own."""
    generator = torch.Generator().manual_seed(seed)
    rough = torch.rand(count, channels, 3, 3, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, (height, width), mode="bilinear")
    return (smooth * 255).byte()


def cell_of(atlas, row):
    """The pixels of a row's thumbnail, (height, width, 3), found as the page finds them."""
    sheet, place = divmod(int(atlas.slot[row]), atlas.per_sheet)
    with Image.open(io.BytesIO(atlas.sheets[sheet])) as image:
        pixels = np.asarray(image.convert("RGB"))
    top, left = (i * atlas.cell for i in divmod(place, atlas.columns))
    return pixels[top : top + atlas.height, left : left + atlas.width].astype(int)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (20, 30), (30, 7), (1, 1)])
def test_gray_images_are_kept_to_the_bit(shape):
    images = pictures(1500, 1, *shape)
    atlas = make_atlas(images, np.random.default_rng(0).normal(size=(1500, 2)))
    for row in (0, 1, 700, 1499):
        expected = images[row, 0].numpy()[:, :, None].repeat(3, axis=2)
        assert (cell_of(atlas, row) == expected).all()


def test_images_of_other_channels_are_made_pictures_of_once_they_are_small():
    images, seen = pictures(1500, 5, 12, 12), []

    def gray(thumbnails):
        seen.append(thumbnails.shape)
        return thumbnails[:, 3:4]

    atlas = make_atlas(images, np.zeros((1500, 1)), 6, gray)
    small = make_atlas(images[:, 3:4], np.zeros((1500, 1)), 6)
    assert (cell_of(atlas, 1499) == cell_of(small, 1499)).all()
    assert seen[1:] == [(1500, 5, 6, 6)]


@pytest.mark.parametrize("shape", [(32, 32), (24, 40)])
def test_colors_are_near_and_do_not_run_into_others(shape):
    images = torch.zeros(50, 3, *shape, dtype=torch.uint8)
    images[::2, 0] = 255  # red beside blue
    images[1::2, 2] = 255
    atlas = make_atlas(images, np.arange(50.0)[:, None])
    for row in (0, 1, 48, 49):
        away = np.abs(cell_of(atlas, row) - images[row].permute(1, 2, 0).numpy())
        assert away[1:-1, 1:-1].max() <= 12
        assert away.mean() <= 4


def test_large_images_are_made_small_in_proportion():
    images = pictures(10, 3, 300, 200)
    atlas = make_atlas(images, np.zeros((10, 2)))
    assert (atlas.height, atlas.width) == (64, 43)
    means = images.float().mean((2, 3)).numpy()
    for row in range(10):
        assert cell_of(atlas, row).mean(axis=(0, 1)) == pytest.approx(means[row], abs=4)
    assert make_atlas(images, np.zeros((10, 2)), side=30).height == 30


def test_what_is_near_on_the_map_shares_a_sheet():
    count = 4 * 32**2
    random = np.random.default_rng(0)
    places = random.permutation(np.stack(np.meshgrid(range(64), range(64)), -1).reshape(-1, 2))
    atlas = make_atlas(pictures(count, 1, 32, 32), places)
    assert len(atlas.sheets) == 4
    sheet = atlas.slot // atlas.per_sheet
    for corner in ((0, 0), (0, 63), (63, 0), (63, 63)):
        near = np.abs(places - corner).max(axis=1) < 20
        assert len(np.unique(sheet[near])) == 1


@given(st.integers(1, 70), st.integers(1, 3), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_every_image_has_a_cell_of_its_own(count, dims, longest, seed):
    places = np.random.default_rng(seed).integers(0, 3, (count, dims)).astype(float)
    images = torch.zeros(count, 1, longest, max(longest // 2, 1), dtype=torch.uint8)
    atlas = make_atlas(images, places)
    assert sorted(atlas.slot.tolist()) == list(range(count))
    assert atlas.cell >= max(atlas.height, atlas.width)
    assert len(atlas.sheets) == -(-count // atlas.per_sheet)


@pytest.mark.parametrize(
    ("count", "longest", "side"), [(60_000, 32, 32), (10_000, 96, 64), (100, 8, 8), (10**6, 32, 16)]
)
def test_thumbnails_are_as_large_as_a_page_allows(count, longest, side):
    assert thumbnail_side(count, longest) == side


def shown(atlas, row):
    """The part of a cell that is the row's picture."""
    width, height = map(int, atlas.size[row])
    sheet, place = divmod(int(atlas.slot[row]), atlas.per_sheet)
    with Image.open(io.BytesIO(atlas.sheets[sheet])) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    top, left = (i * atlas.cell for i in divmod(place, atlas.columns))
    return pixels[top : top + height, left : left + width]


def test_pictures_of_any_shape_are_whole_and_new_ones_follow():
    shapes = [(96, 40), (30, 96), (40, 60), (96, 96)] * 40
    images = [pictures(1, 1 + 2 * (i % 2), *shape, seed=i)[0] for i, shape in enumerate(shapes)]
    gone = {7}
    atlas = picture_atlas(
        lambda rows: [None if row in gone else images[row].numpy() for row in rows],
        np.random.default_rng(0).normal(size=(160, 2)),
        96,
    )
    new = extended(atlas, [None, pictures(1, 3, 50, 96)[0].numpy()])
    assert (len(new.slot), len(new.size), len(np.unique(new.slot))) == (162, 162, 162)
    assert new.sheets[: len(atlas.sheets)] == atlas.sheets
    for row in (0, 1, 2, 159):
        expected = images[row].expand(3, *shapes[row]).permute(1, 2, 0).numpy()
        assert np.abs(shown(new, row) - expected).mean() < 6
    assert shown(new, 7)[8:-8, 8:-8].std() < 3  # plain; its edges take on some of the neighbors
    assert shown(new, 161).shape == (50, 96, 3)


def test_pixel_thumbnails_can_be_followed_by_pictures():
    atlas = make_atlas(torch.zeros(5, 1, 8, 6, dtype=torch.uint8), np.zeros((5, 2)))
    new = extended(atlas, [np.full((3, 4, 8), 255, np.uint8)])
    assert new.size.tolist() == [[6, 8]] * 5 + [[8, 4]]
    assert shown(new, 5).min() > 245
    assert shown(new, 4).max() < 10


@pytest.mark.parametrize(
    ("count", "longest", "side"),
    [(1, 4000, 224), (200, 4000, 224), (2000, 4000, 112), (10_000, 4000, 96), (200, 50, 50)],
)
def test_pictures_are_larger_where_there_are_few(count, longest, side):
    assert picture_side(count, longest) == side
