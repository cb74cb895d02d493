"""The rendered airplane on a turntable: what the images show, their split and their cache."""

import os

import numpy as np
import pytest
import torch

from dimred.data import turntable
from dimred.data.image_set import channel_statistics
from dimred.data.turntable import load_turntable, render_turntable
from dimred.errors import InputError

ELEVATIONS, AZIMUTHS, LIGHTINGS = 9, 18, 6
# Gray levels of the images of each lighting. Raise the version in the file's name with these.
MEAN = (178.8, 136.6, 191.5, 115.9, 208.3, 136.3)
DEVIATION = (38.3, 28.9, 38.3, 29.4, 40.4, 29.5)


@pytest.fixture(scope="module")
def rendered():
    return render_turntable()


@pytest.fixture(scope="module")
def grid(rendered):
    """float64 (9, 18, 6, 96, 96)."""
    return rendered.reshape(ELEVATIONS, AZIMUTHS, LIGHTINGS, 96, 96).astype(np.float64)


@pytest.fixture
def counted(rendered, monkeypatch):
    """The number of renderings, each of which takes no time."""
    calls = []

    def render():
        calls.append(1)
        return rendered.copy()

    monkeypatch.setattr(turntable, "render_turntable", render)
    return calls


def difference(a, b):
    """Mean absolute difference of images in gray levels."""
    return np.abs(a - b).mean(axis=(-2, -1))


def cache(folder):
    return folder / "turntable-v1.npz"


def test_the_images_are_those_of_this_version(rendered, grid):
    assert rendered.dtype == np.uint8
    assert rendered.shape == (972, 96, 96)
    assert grid.mean(axis=(0, 1, 3, 4)) == pytest.approx(MEAN, abs=1)
    assert grid.std(axis=(0, 1, 3, 4)) == pytest.approx(DEVIATION, abs=1)


def test_rendering_is_repeatable(rendered):
    assert np.array_equal(render_turntable(), rendered)


def test_each_image_shows_the_whole_airplane_before_an_even_table(grid):
    ends = [grid[..., 0, :], grid[..., -1, :], grid[..., :, 0], grid[..., :, -1]]
    border = np.concatenate(ends, axis=-1)
    assert np.ptp(border, axis=-1).max() <= 2
    assert grid.max() < 255
    table = border.mean(axis=-1)[..., None, None]
    share = (np.abs(grid - table) > 5).mean(axis=(-2, -1))
    assert share.min() > 0.1
    assert share.max() < 0.5


def test_every_azimuth_differs_from_every_other(grid):
    for turn in range(1, AZIMUTHS // 2 + 1):
        assert difference(grid, np.roll(grid, turn, axis=1)).min() > 4
    opposite = difference(grid, np.roll(grid, AZIMUTHS // 2, axis=1))
    assert opposite.min() > 6


def test_no_view_is_the_mirror_image_of_another(grid):
    # The airplane is symmetric, the lightings but one are not.
    mirrored = np.flip(np.roll(np.flip(grid, axis=1), 10, axis=1), axis=-1)  # of 180 - azimuth
    apart = difference(grid, mirrored).min(axis=(0, 1))
    assert apart[4] < 0.1
    assert np.delete(apart, 4).min() > 0.5


def test_neighboring_views_are_the_most_alike(grid):
    """Distances in pixels keep the cycle of azimuths and the order of elevations."""
    steps = [difference(grid, np.roll(grid, k, axis=1)).mean() for k in (1, 2)]
    assert steps[0] < steps[1]
    climbs = [difference(grid[k:], grid[:-k]).mean() for k in (1, 2, 4, 8)]
    assert climbs == sorted(climbs)


def test_a_higher_camera_sees_more_of_the_wings(grid):
    darker = grid[:, :, 4] < grid[:, :, 4, :1, :1] - 40
    rows = darker.any(axis=-1).sum(axis=-1)
    assert np.all(rows[-1] > rows[0])


def test_lightings_differ_in_brightness_and_direction(grid):
    means = grid.mean(axis=(0, 1, 3, 4))
    assert np.argmax(means) == 4
    assert np.argmin(means) == 3
    assert np.ptp(means) > 60
    # In proportion to the table's brightness, so that only the direction is left.
    relative = 100 * grid / grid[..., :1, :1]
    for i in range(LIGHTINGS):
        for j in range(i):
            assert difference(relative[:, :, i], relative[:, :, j]).mean() > 1


def test_shadows_fall_away_from_the_lamp(grid):
    nose_on = grid[4, [4, 5, 13, 14]]  # symmetric views together
    left, right = (nose_on[..., half].mean(axis=(0, 2, 3)) for half in (slice(48), slice(48, None)))
    assert left[0] > right[0] + 1  # a lamp on the left
    assert right[1] > left[1] + 1


def test_the_set_has_its_factors_and_lightings(tmp_path, rendered, counted):
    image_set = load_turntable(str(tmp_path), 312, 0)
    assert image_set.images.dtype == torch.uint8
    assert image_set.images.shape == (972, 1, 96, 96)
    assert np.array_equal(image_set.images.squeeze(1).numpy(), rendered)
    assert image_set.labels is None
    assert np.array_equal(image_set.index, np.arange(972))
    lighting = image_set.extra_labels["lighting"]
    assert lighting.names == ("0", "1", "2", "3", "4", "5")
    assert lighting.values.dtype == np.int64
    elevation, azimuth = image_set.factors["elevation"], image_set.factors["azimuth"]
    assert (elevation.unit, elevation.period) == ("degrees", None)
    assert (azimuth.unit, azimuth.period) == ("degrees", 360.0)
    position = 3 * AZIMUTHS * LIGHTINGS + 5 * LIGHTINGS + 2
    assert elevation.values[position] == 45
    assert azimuth.values[position] == 100
    assert lighting.values[position] == 2
    causes = np.stack([elevation.values, azimuth.values, lighting.values], axis=1)
    assert len(np.unique(causes, axis=0)) == 972
    assert np.array_equal(np.unique(elevation.values), np.arange(30, 71, 5))
    assert np.array_equal(np.unique(azimuth.values), np.arange(0, 360, 20))
    expected = channel_statistics(image_set.images, image_set.is_test)
    assert (image_set.mean, image_set.std) == expected


def test_the_split_is_drawn_by_the_seed(tmp_path, counted):
    first, again, other = (load_turntable(str(tmp_path), 312, seed) for seed in (0, 0, 1))
    assert first.is_test.sum() == other.is_test.sum() == 312
    assert first.split_name == "random 660/312, seed 0"
    assert np.array_equal(first.is_test, again.is_test)
    assert first.fingerprint() == again.fingerprint()
    assert not np.array_equal(first.is_test, other.is_test)


@pytest.mark.parametrize("n_test", [0, 971])
def test_the_ends_of_n_test(tmp_path, counted, n_test):
    image_set = load_turntable(str(tmp_path), n_test, 0)
    assert image_set.is_test.sum() == n_test
    assert bool(image_set.split_name) == bool(n_test)


@pytest.mark.parametrize("n_test", [-1, 972])
def test_an_n_test_out_of_range_is_refused(tmp_path, counted, n_test):
    with pytest.raises(InputError, match=rf"^dataset.n_test={n_test}: must be from 0 to 971$"):
        load_turntable(str(tmp_path), n_test, 0)
    assert not counted


def test_the_images_are_rendered_once_and_kept(tmp_path, counted, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    first = load_turntable("~/new/folder", 0, 0)
    assert cache(tmp_path / "new" / "folder").is_file()
    assert torch.equal(load_turntable("~/new/folder", 0, 0).images, first.images)
    assert len(counted) == 1


def test_images_kept_earlier_are_used(tmp_path, counted):
    kept = np.full((972, 96, 96), 7, dtype=np.uint8)
    np.savez(cache(tmp_path), images=kept)
    assert load_turntable(str(tmp_path), 0, 0).images.eq(7).all()
    assert not counted


def plant_half_a_file(path, images):
    np.savez_compressed(path, images=images)
    os.truncate(path, path.stat().st_size // 2)


def plant_a_flipped_bit(path, images):
    np.savez(path, images=images)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def plant_a_bare_array(path, images):
    with path.open("wb") as file:
        np.save(file, images)


DAMAGES = {
    "empty": lambda path, images: path.write_bytes(b""),
    "text": lambda path, images: path.write_text("no archive"),
    "half": plant_half_a_file,
    "bit": plant_a_flipped_bit,
    "bare array": plant_a_bare_array,
    "other name": lambda path, images: np.savez(path, pixels=images),
    "other shape": lambda path, images: np.savez(path, images=images[:5]),
    "other dtype": lambda path, images: np.savez(path, images=images.astype(np.int16)),
    "objects": lambda path, images: np.savez(path, images=np.array([{}], dtype=object)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_or_foreign_file_is_replaced(tmp_path, rendered, counted, damage):
    damage(cache(tmp_path), np.zeros_like(rendered))
    image_set = load_turntable(str(tmp_path), 0, 0)
    assert np.array_equal(image_set.images.squeeze(1).numpy(), rendered)
    with np.load(cache(tmp_path)) as content:
        assert np.array_equal(content["images"], rendered)
    assert [path.name for path in tmp_path.iterdir()] == [cache(tmp_path).name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path, rendered, counted):
    tmp_path.chmod(0o500)
    try:
        image_set = load_turntable(str(tmp_path), 0, 0)
    finally:
        tmp_path.chmod(0o700)
    assert np.array_equal(image_set.images.squeeze(1).numpy(), rendered)
    assert not list(tmp_path.iterdir())


def test_a_root_that_is_a_file_is_no_obstacle(tmp_path, rendered, counted):
    file = tmp_path / "file"
    file.write_text("")
    image_set = load_turntable(str(file), 0, 0)
    assert np.array_equal(image_set.images.squeeze(1).numpy(), rendered)
