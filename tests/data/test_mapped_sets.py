"""Image sets in a packed file: the same as in memory, without copies of all of it."""

import hashlib
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pixel_sources import Textures

from dimred.data import free_memory, image_set, resident
from dimred.data.image_set import ImageSet, channel_statistics, rows_of
from dimred.data.mapped import is_mapped
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.data.resident import ResidentImages
from dimred.data.transformations import Transformation, TransformationKind, transformed
from dimred.errors import InputError
from dimred.pairing.neighbors import neighbor_graph

N = 50
CPU = torch.device("cpu")
SOURCE = Textures(N, (2, 3, 5))


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    return load_pixels(SOURCE, Store.disk, tmp_path_factory.mktemp("cache"), "").images


@pytest.fixture
def both(packed):
    """The same set in memory and in a file."""
    in_memory = torch.from_numpy(SOURCE.all_readable())
    whole = ImageSet(
        images=in_memory,
        mean=(0.5,) * 2,
        std=(0.2,) * 2,
        is_test=np.arange(N) >= 40,
        split_name="",
        labels=None,
        index=np.arange(N),
    )
    return whole, replace(whole, images=packed)


def without_memory(monkeypatch, free=0):
    monkeypatch.setattr(free_memory, "free_memory", lambda: free)


@pytest.mark.parametrize("size", [1, 7, N, 64])
@pytest.mark.parametrize("read", [1, 100, 2**24])
def test_batches_from_a_file_are_those_from_memory(monkeypatch, packed, size, read):
    monkeypatch.setattr(resident, "_READ", read)
    positions = torch.randint(N, (93,), generator=torch.Generator().manual_seed(0))
    images = ResidentImages(packed, CPU, 0.5)
    assert not images.on_device
    batches = list(images.batches(positions.split(size)))
    expected = [packed[batch] for batch in positions.split(size)]
    assert len(batches) == len(expected)
    assert all(map(torch.equal, batches, expected))


def test_reading_ahead_is_bounded_and_ends_with_its_reader(monkeypatch, packed):
    monkeypatch.setattr(resident, "_READ", 1)
    taken = []

    def parts():
        for i in range(1000):
            taken.append(i)
            yield torch.tensor([i % N])

    batches = ResidentImages(packed, CPU, 0.5).batches(parts())
    first = next(batches)
    assert torch.equal(first[0], packed[0])
    assert len(taken) == resident._READERS
    batches.close()
    assert len(taken) == resident._READERS
    assert not any(thread.name.startswith("ThreadPool") for thread in threading.enumerate())


def test_what_goes_wrong_while_reading_ahead_is_raised(monkeypatch, packed):
    monkeypatch.setattr(resident, "_READ", 1)
    images = ResidentImages(packed, CPU, 0.5)
    with pytest.raises(IndexError):
        list(images.batches([torch.tensor([3]), torch.tensor([N])]))

    def failing():
        yield torch.tensor([3])
        raise InputError("pairing: cannot select")

    with pytest.raises(InputError, match="cannot select"):
        list(images.batches(failing()))


@given(rows=st.lists(st.integers(0, N - 1), max_size=N), count=st.integers(0, N))
def test_rows_are_copied_only_where_they_must_be(packed, rows, count):
    in_memory = torch.from_numpy(SOURCE.all_readable())
    for positions in (np.array(rows, dtype=np.int64), np.arange(count), np.arange(count, N)):
        taken = rows_of(packed, positions)
        assert torch.equal(taken, in_memory[torch.from_numpy(positions)])
        assert torch.equal(rows_of(in_memory, positions), taken)
        if len(positions) and np.all(np.diff(positions) == 1):
            assert is_mapped(taken)


def test_all_rows_in_memory_are_no_copy_and_some_are(both):
    whole, _ = both
    assert whole.take(np.arange(N)).images.data_ptr() == whole.images.data_ptr()
    assert whole.take(np.arange(40)).images.data_ptr() != whole.images.data_ptr()


def test_a_copy_that_does_not_fit_is_refused(monkeypatch, both):
    without_memory(monkeypatch)
    whole, mapped = both
    assert len(whole.take(np.array([3, 1]))) == 2
    with pytest.raises(InputError) as error:
        mapped.take(np.array([3, 1]))
    message = str(error.value)
    assert message.startswith("dataset.store=disk: 2 of 50 packed images need ")
    assert "\n" not in message


@pytest.mark.parametrize("size", [1, 100, 2**24])
def test_fingerprints_and_statistics_are_the_same(monkeypatch, both, size):
    expected = both[0].fingerprint(), channel_statistics(both[0].images, both[0].is_test)
    monkeypatch.setattr(image_set, "_BYTES_AT_A_TIME", size)
    for images in both:
        found = images.fingerprint(), channel_statistics(images.images, images.is_test)
        assert found == expected


def test_fingerprints_are_those_of_earlier_versions(both):
    images = both[1]
    digest = hashlib.sha256(repr((N, 2, 3, 5)).encode() + SOURCE.all_readable().tobytes())
    digest.update(images.is_test.tobytes())
    assert images.fingerprint() == digest.hexdigest()


def test_variants_and_neighbors_of_a_file_need_memory(monkeypatch, both):
    whole, mapped = both
    change = [Transformation(TransformationKind.shift, 1.0)]
    assert torch.equal(transformed(whole, change).images, transformed(mapped, change).images)
    graphs = [neighbor_graph(images.images, 3, None, (), None) for images in both]
    assert np.array_equal(*graphs)
    without_memory(monkeypatch)
    with pytest.raises(InputError, match=r"^pairing\.transformations: 50 images in 2 variants"):
        transformed(mapped, change)
    with pytest.raises(InputError, match=r"^pairing\.k=3: the pixels of 50 images to search"):
        neighbor_graph(mapped.images, 3, None, (), None)
