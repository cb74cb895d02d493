"""Damaged TIFF, .npy and .npz files, cut off or with other bits: read, or left out in one line."""

import io
import resource

import numpy as np
import pytest
import tifffile

from dimred.data.image_decoding import decode, header_of, reason_of
from dimred.data.npz import load_npz
from dimred.data.reading import Reading
from dimred.errors import InputError

VALUES = np.random.default_rng(0).integers(0, 4096, (5, 24, 40)).astype(np.uint16)
LAST = np.ascontiguousarray(VALUES.transpose(1, 2, 0))
READING = Reading(pages="channels")
TIMES = 25
MOST = 2**26  # bytes of memory for an image of 10 KB


def tiff(values, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    return file.getvalue()


def numpy_file(save, *arrays, **named):
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


IMAGES = {
    "ome": lambda: tiff(VALUES, ome=True, metadata={"axes": "CYX"}),
    "planar": lambda: tiff(VALUES, photometric="minisblack", planarconfig="separate"),
    "interleaved": lambda: tiff(LAST, photometric="minisblack", planarconfig="contig"),
    "compressed": lambda: tiff(LAST[..., :3], photometric="rgb", compression="zlib"),
    "big": lambda: tiff(VALUES, bigtiff=True, photometric="minisblack"),
    "npy": lambda: numpy_file(np.save, VALUES),
}
ARRAYS = {
    "a.npy": lambda: numpy_file(np.save, VALUES),
    "a.npz": lambda: numpy_file(np.savez, images=VALUES, split=[0, 0, 0, 1, 1]),
    "b.npz": lambda: numpy_file(np.savez_compressed, images=VALUES, labels=np.arange(5)),
}


def damaged(content, rng):
    """The content cut off, or with a few bits or bytes changed, half of them where headers are."""
    if rng.random() < 0.3:
        return content[: rng.integers(len(content))]
    changed = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        ends = rng.integers(-600, 600) % len(changed)
        at = int(ends if rng.random() < 0.5 else rng.integers(len(changed)))
        if rng.random() < 0.7:
            changed[at] ^= 1 << int(rng.integers(8))
        else:
            changed[at : at + 4] = b"\xff" * len(changed[at : at + 4])
    return bytes(changed)


def peak():
    """The most memory that this process had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.fixture
def memory():
    """What is read takes no more memory than files of that size may."""
    for kind in ("ome", "compressed"):  # so that modules are imported
        tifffile.imread(io.BytesIO(IMAGES[kind]()))
    before = peak()
    yield
    assert peak() - before < MOST


@pytest.mark.parametrize("kind", IMAGES)
def test_a_damaged_image_is_read_or_has_a_reason(tmp_path, memory, kind):
    rng, content = np.random.default_rng(1), IMAGES[kind]()
    path = tmp_path / "a.tif"
    read = 0
    for _ in range(TIMES):
        path.write_bytes(damaged(content, rng))
        try:
            header_of(str(path), READING)
            pixels = decode(str(path), (8, 8), READING).pixels
            assert pixels.shape[1:] == (8, 8)
            read += 1
        except Exception as error:
            reason = reason_of(error, str(path))
            assert reason
            assert "\n" not in reason
    assert read < TIMES


@pytest.mark.parametrize("name", ARRAYS)
def test_a_damaged_file_of_arrays_is_read_or_refused(tmp_path, memory, name):
    rng, content = np.random.default_rng(1), ARRAYS[name]()
    refused = []
    for _ in range(TIMES):
        (tmp_path / name).write_bytes(damaged(content, rng))
        try:
            assert load_npz(str(tmp_path / name)).images.dtype.itemsize == 1
        except InputError as error:
            refused.append(str(error))
    assert refused
    assert not any("\n" in message for message in refused)


@pytest.mark.parametrize(
    ("options", "tag", "value", "reason"),
    [
        ({"planarconfig": "separate"}, 277, 9, "claims more pixels than the file holds"),
        ({"compression": "zlib"}, 279, 2**31, "claims more pixels than the file holds"),
    ],
)
def test_a_tiff_that_claims_more_than_it_holds_has_a_reason(tmp_path, options, tag, value, reason):
    """tifffile makes black of strips that are missing."""
    values = VALUES if "planarconfig" in options else VALUES[0]
    content = bytearray(tiff(values, photometric="minisblack", **options))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        found = file.pages[0].tags[tag]
    start, size = found.valueoffset, {3: 2, 4: 4}[found.dtype]
    content[start : start + size] = value.to_bytes(size, "little")
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(Exception, match=reason):
        decode(str(path), (8, 8), READING)


def test_a_tile_far_larger_than_its_file_takes_no_memory(tmp_path, memory):
    content = bytearray(tiff(VALUES[0], compression="zlib", tile=(16, 16)))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        offsets = [file.pages[0].tags[tag].valueoffset for tag in (322, 323)]
    for offset in offsets:
        content[offset : offset + 2] = (2**16 - 16).to_bytes(2, "little")
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ValueError, match="could be a decompression bomb"):
        decode(str(tmp_path / "a.tif"), (8, 8), READING)


def test_a_reason_is_of_one_short_line():
    assert reason_of(ValueError("a\nb"), "a.png") == "a b"
    assert reason_of(ValueError(), "a.png") == "ValueError"
    assert len(reason_of(ValueError(tuple(range(1000))), "a.png")) < 400
