"""TIFFs of many pages: opened seldom, and all of their pages there or left out with a reason."""

import os

import numpy as np
import pytest
import tifffile
from test_image_folder import SIZE, load, save

from dimred.data import image_open
from dimred.data.image_decoding import decode, header_of, resized_values
from dimred.data.reading import Reading

PAGES = Reading(pages="images")
STACK = np.random.default_rng(0).integers(1, 60_000, (6, 32, 32)).astype(np.uint16)


def values(path):
    return resized_values(str(path), (32, 32), PAGES).values[0]


@pytest.fixture
def opened(monkeypatch):
    """The times that a TIFF was opened, by two threads at most."""
    times = []

    class Counted(tifffile.TiffFile):
        def __init__(self, *args, **kwargs):
            times.append(1)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr("dimred.data.tiff.TiffFile", Counted)
    return times


def test_pages_of_a_file_are_read_by_a_few_openings(tmp_path, opened):
    stack = np.arange(600, dtype=np.uint16).repeat(64).reshape(600, 8, 8)
    tifffile.imwrite(tmp_path / "a.tif", stack, metadata=None)
    images = load(tmp_path, pages="images", window=[0, 600])
    assert images.images[:, 0, 0, 0].tolist() == np.rint(np.arange(600) * 255 / 600).tolist()
    assert len(opened) <= 4  # twice for headers, once by each thread for pixels
    opened.clear()
    load(tmp_path, pages="images")
    assert len(opened) <= 6  # and once by each for the window


def test_a_page_of_a_file_that_was_replaced_is_read_anew(tmp_path):
    path = tmp_path / "a.tif"
    for number in range(2):
        tifffile.imwrite(tmp_path / "b.tif", STACK + number, metadata=None)
        (tmp_path / "b.tif").replace(path)
        assert np.array_equal(values(f"{path}[2]"), STACK[2] + number)
        assert np.array_equal(values(f"{path}[1]"), STACK[1] + number)
    image_open.close_last()
    assert image_open._last.kept is None


@pytest.mark.parametrize("shape", ["ZYX", "CYX"])
def test_a_stack_behind_one_page_has_all_pages(tmp_path, shape):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, truncate=True, photometric="minisblack", metadata={"axes": shape})
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    pages = [f"{path}[{page}]" for page in range(6)] if shape == "ZYX" else [path]
    found = [resized_values(str(page), (32, 32), PAGES).values for page in pages]
    assert np.array_equal(np.concatenate(found), STACK)
    joined = resized_values(str(path), (32, 32), Reading(pages="channels")).values
    assert np.array_equal(joined, STACK)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="claims more pixels than the file holds"):
        header_of(str(path), PAGES)


OME = (
    '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="8" '
    'SizeY="8" SizeC="1" SizeZ="{}" SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
    '<TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
)


@pytest.mark.parametrize(
    "text",
    [
        '{"shape": [100000000, 8, 8], "truncated": true}',
        '{"shape": [100000000, 8, 8]}',
        OME.format(10**9),
        OME.format(1000),
    ],
)
@pytest.mark.parametrize("pages", ["images", "channels", None])
def test_pages_that_are_only_said_are_not_believed(tmp_path, text, pages):
    save(tmp_path / "b.png")
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint16), description=text.encode(), metadata=None)
    images = load(tmp_path, pages=pages)
    assert images.unreadable == ("a.tif",)
    assert "claims more pixels than the file holds" in images.found.unreadable[0].reason


@pytest.mark.parametrize("way", ["no bytes", "fewer strips"])
def test_strips_that_later_pages_lack_are_no_black(tmp_path, way):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK, compression="zlib", rowsperstrip=8, metadata=None)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = [file.pages[3].tags[name] for name in ("StripByteCounts", "StripOffsets")]
    for tag in tags:
        if way == "fewer strips":
            content[tag.offset + 4 : tag.offset + 8] = (2).to_bytes(4, "little")
    if way == "no bytes":
        size = tags[0].dataformat and {3: 2, 4: 4, 16: 8}[tags[0].dtype]
        content[tags[0].valueoffset : tags[0].valueoffset + size] = bytes(size)
    path.write_bytes(content)
    images = load(tmp_path, pages="images")
    assert images.unreadable == ("a.tif[3]",)
    reason = "lacks some of its strips" if way == "no bytes" else "claims more pixels"
    assert images.found.unreadable[0].reason.startswith(reason)
    with pytest.raises(ValueError, match=reason):
        decode(str(path), (8, 8), Reading(pages="channels"))


def test_pages_count_by_content_whatever_the_name_is(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", STACK)
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    save(tmp_path / "b.png")
    sources = load(tmp_path, pages="images").sources
    assert sources == (*(f"a.png[{page}]" for page in range(6)), "b.png")


def volume(path):
    """Tiles that have values of several pages."""
    tifffile.imwrite(path, STACK[:4], tile=(2, 16, 16), volumetric=True, photometric="minisblack")


def test_a_volume_of_tiles_has_pages(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    volume(path)
    assert header_of(str(path), PAGES).pages == 4
    for page in range(4):
        assert np.array_equal(values(f"{path}[{page}]"), STACK[page])
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 600)  # four pages have 4096 pixels
    image_open.close_last()
    with pytest.raises(ValueError, match="could be a decompression bomb"):
        decode(f"{path}[0]", (SIZE, SIZE), PAGES)
