"""Arrays in files: read where they lie, in blocks, or whole where that is not possible."""

import zipfile

import numpy as np
import pytest

from dimred.data import array_file
from dimred.data.array_file import ArrayFile
from dimred.data.npz import load_npz
from dimred.data.own_options import Npz, Store
from dimred.data.stored_array import StoredArray, checksum
from dimred.errors import InputError

RNG = np.random.default_rng(0)
WIDE = RNG.integers(0, 4096, (700, 9, 11, 3)).astype(np.uint16)


def images_of(path):
    return ArrayFile(str(path), "x", ("images",)).images


def saved(path, images, how=np.savez):
    """A file of `images` in one of the ways that NumPy saves them."""
    if path.suffix == ".npy":
        np.save(path, images)
    else:
        how(path, images=images)
    return path


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("array", [WIDE, WIDE[..., 0].astype(">f4"), WIDE.astype(np.uint8)])
def test_rows_of_uncompressed_arrays_are_read_from_the_file(tmp_path, name, array):
    found = images_of(saved(tmp_path / name, array))
    assert isinstance(found, StoredArray)
    assert (found.shape, found.dtype, len(found)) == (array.shape, array.dtype, 700)
    for rows in (slice(0, 700), slice(3, 4), slice(690, 900), slice(5, 5), slice(None)):
        assert np.array_equal(found[rows], array[rows])


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_in_other_orders_they_are_read_whole(tmp_path, name):
    array = np.asfortranarray(WIDE)
    found = images_of(saved(tmp_path / name, array))
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, array)
    assert isinstance(images_of(saved(tmp_path / "b.npz", WIDE, np.savez_compressed)), np.ndarray)


@pytest.mark.parametrize("how", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("store", [Store.memory, Store.disk])
def test_the_same_images_however_they_are_saved_and_kept(tmp_path, how, store):
    first = load_npz(str(saved(tmp_path / "a.npy", WIDE)))
    for array in (WIDE, np.asfortranarray(WIDE)):
        path = str(saved(tmp_path / "b.npz", array, how))
        found = load_npz(path, store=store, folder=tmp_path / "packed")
        assert found.fingerprint() == first.fingerprint()
        assert (found.mean, found.std, found.window) == (first.mean, first.std, first.window)


def test_a_large_array_is_never_read_whole(tmp_path, monkeypatch):
    """Neither for its window nor for its bytes."""
    path, sizes = saved(tmp_path / "a.npz", WIDE), []
    read = StoredArray.__getitem__

    def counted(self, rows):
        found = read(self, rows)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(StoredArray, "__getitem__", counted)
    load_npz(str(path))
    assert sum(sizes) == 2 * 700  # each is sampled, and converted
    assert max(sizes) <= 256


def test_an_npy_file_holds_images_alone(tmp_path):
    found = load_npz(str(saved(tmp_path / "a.npy", WIDE.astype(np.uint8))))
    assert np.array_equal(found.images.numpy(), WIDE.astype(np.uint8).transpose(0, 3, 1, 2))
    assert found.labels is None
    assert not found.is_test.any()
    assert found.window is None


def test_the_suffix_does_not_matter(tmp_path):
    path = saved(tmp_path / "a.npy", WIDE)
    path.rename(tmp_path / "a.npz")
    assert load_npz(str(tmp_path / "a.npz")).images.shape == (700, 3, 9, 11)


@pytest.mark.parametrize("shape", [(), (5,), (5, 5), (0, 5, 5), (1, 2, 3, 4, 5)])
def test_an_npy_file_of_another_shape_is_refused(tmp_path, shape):
    path = saved(tmp_path / "a.npy", np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=r"^dataset.path=.*array 'images' has shape \("):
        load_npz(str(path))


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, name):
    path = saved(tmp_path / name, WIDE)
    found = images_of(path)
    saved(path, WIDE[:600])
    with pytest.raises(InputError, match=r"^x: has changed while it was read$"):
        found[0:700]
    path.unlink()
    with pytest.raises(InputError, match=r"^x: No such file or directory$"):
        found[0:700]


def test_a_file_replaced_while_it_is_opened_is_not_read_with_the_layout_of_the_old(
    tmp_path, monkeypatch
):
    path = saved(tmp_path / "a.npz", WIDE)

    def replaced(*of):
        found = checksum(*of)
        saved(tmp_path / "new.npz", WIDE[:, ::-1]).rename(path)
        return found

    monkeypatch.setattr(array_file, "checksum", replaced)
    with pytest.raises(InputError, match=r": has changed while it was read$"):
        load_npz(str(path))


def test_a_member_that_is_not_where_the_archive_says_is_refused(tmp_path):
    path = saved(tmp_path / "a.npz", WIDE)
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("images.npy").header_offset
    content = bytearray(path.read_bytes())
    content[offset + 28 : offset + 30] = b"\xff\xff"  # the length of what stands before
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^dataset.path=.*'images' is "):
        load_npz(str(path))


def test_the_options_reach_the_reader(tmp_path):
    path = str(saved(tmp_path / "a.npy", WIDE))
    options = Npz(name="npz", path=path, window=[0, 4095], store=Store.disk)
    found = options.read(0)
    assert found.window.as_json() == {"any": [[0.0, 4095.0]]}
    assert np.array_equal(
        found.images.numpy(), np.rint(WIDE.transpose(0, 3, 1, 2) * (255 / 4095.0))
    )
    for window in ("log", [5, 1]):
        with pytest.raises(InputError, match=r"^dataset.window="):
            Npz(name="npz", path=path, window=window).check_place()
