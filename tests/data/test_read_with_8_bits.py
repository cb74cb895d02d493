"""Images of which a reader does not keep all: further bits and further series are said."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_image_folder import load, save

from dimred.data.first_look import first_look
from dimred.data.own_options import Store

DEEP = np.random.default_rng(0).integers(0, 2**16, (64, 64, 3)).astype(np.uint16)


def notes(folder, **how):
    look = first_look(load(folder, **how))
    return look.notes, json.loads(json.dumps(look.as_json()))


def cmyk(path):
    ink = np.concatenate([DEEP, DEEP[..., :1]], axis=2)
    tifffile.imwrite(path, ink, photometric="separated")


def avif(path, bits):
    codecs = pytest.importorskip("imagecodecs", reason="the extra tiff is not installed")
    path.write_bytes(codecs.avif_encode(DEEP >> (16 - bits), bitspersample=bits))


def heic(path):
    library = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    library.from_bytes("RGB;16", (64, 64), DEEP.tobytes()).save(path)


def text_ppm(path, white):
    values = " ".join(map(str, (DEEP.ravel().astype(int) % (white + 1)).tolist()))
    path.write_text(f"P3 64 64 {white} {values}")


@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [
        ("a.tif", cmyk, "TIFF CMYK"),
        ("a.avif", lambda path: avif(path, 10), "AVIF RGB"),
        ("a.avif", lambda path: avif(path, 12), "AVIF RGB"),
        ("a.heic", heic, "HEIF RGB"),
        ("a.ppm", lambda path: text_ppm(path, 65535), "PPM RGB"),
    ],
)
@pytest.mark.parametrize("window", ["auto", [0, 255]])
def test_files_of_more_bits_are_said_from_the_disk_too(tmp_path, name, write, kind, window):
    folder = tmp_path / "images"
    save(folder / "b.png")
    save(folder / "c.png")
    write(folder / name)
    said, as_json = notes(folder, window=window)
    note = f"1 file of more than 8 bits ({kind}) is read with 8"
    assert note in said
    assert as_json["read_with_8_bits"] == {kind: 1}
    for _ in ("packed", "found"):
        there = {"store": Store.disk, "store_folder": tmp_path / "packs"}
        assert notes(folder, window=window, **there) == (said, as_json)


def test_several_kinds_are_counted(tmp_path):
    cmyk(tmp_path / "a.tif")
    for name in ("b.ppm", "c.ppm"):
        text_ppm(tmp_path / name, 1000)
    note = "3 files of more than 8 bits (2 PPM RGB, 1 TIFF CMYK) are read with 8"
    assert note in notes(tmp_path)[0]


def test_files_of_8_bits_are_not_said(tmp_path):
    ink = Image.fromarray(DEEP.astype(np.uint8)).convert("CMYK")
    for suffix in (".tif", ".jpg"):
        ink.save(tmp_path / f"a{suffix}")
    text_ppm(tmp_path / "a.ppm", 255)
    for name in ("b.png", "b.avif", "b.bmp", "b.gif", "b.webp", "b.ppm"):
        save(tmp_path / name)
    said, as_json = notes(tmp_path)
    assert not any("more than 8 bits" in note for note in said)
    assert as_json["read_with_8_bits"] == {}


@pytest.mark.parametrize("white", [65535, 4095])
def test_a_binary_ppm_of_16_bits_is_read_with_all(tmp_path, white):
    """To the values of the same in gray, which Pillow reads."""
    values = DEEP.astype(int) % (white + 1)
    (tmp_path / "color").mkdir()
    head = f"P6 # by a camera\n64 64\n{white}\n"
    (tmp_path / "color/a.ppm").write_bytes(head.encode() + values.astype(">u2").tobytes())
    images = load(tmp_path / "color", size=64, window=[1000, 1255])
    assert images.found.kinds == {"PPM RGB": 1}
    assert images.found.read_with_8_bits == {}
    assert list(load(tmp_path / "color").window.by_type) == [f"uint{white.bit_length()}"]
    for channel in range(3):
        folder = tmp_path / f"gray{channel}"
        folder.mkdir()
        pixels = values[..., channel].astype(">u2").tobytes()
        (folder / "a.pgm").write_bytes(f"P5 64 64 {white} ".encode() + pixels)
        gray = load(folder, size=64, window=[1000, 1255])
        assert np.array_equal(gray.images[:, 0], images.images[:, channel])
        assert len(np.unique(gray.images)) > 2


def test_a_short_ppm_of_16_bits_is_left_out(tmp_path):
    save(tmp_path / "b.png")
    content = b"P6 64 64 65535\n" + DEEP.astype(">u2").tobytes()
    (tmp_path / "a.ppm").write_bytes(content[:-1])
    assert load(tmp_path).unreadable == ("a.ppm",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_further_series_of_a_tiff_are_said_and_levels_of_a_pyramid_are_not(tmp_path, dtype):
    pixels = DEEP[..., 0].astype(dtype)
    for folder, second in (("series", pixels[:20, :30]), ("pyramid", pixels[::2, ::2])):
        (tmp_path / folder).mkdir()
        with tifffile.TiffWriter(tmp_path / folder / "a.tif") as file:
            file.write(pixels, metadata=None)
            file.write(second, metadata=None, subfiletype=int(folder == "pyramid"))
    (tmp_path / "subifds").mkdir()
    with tifffile.TiffWriter(tmp_path / "subifds/a.tif") as file:
        file.write(pixels, subifds=1)
        file.write(pixels[::2, ::2], subfiletype=1)
    note = "1 image is from TIFFs with further series of images, which are not read"
    for folder, count in (("series", 1), ("pyramid", 0), ("subifds", 0)):
        said, as_json = notes(tmp_path / folder)
        assert (note in said) == bool(count)
        assert (as_json["further_series"], as_json["several_frames"]) == (count, 0)


@pytest.mark.parametrize("cut", [8, 20, 60, 100, 150])
def test_broken_tiffs_are_left_out_in_words(tmp_path, cut):
    save(tmp_path / "b.png")
    tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[:cut])
    (tmp_path / "c.tif").write_bytes(b"II*\0nothing")
    assert load(tmp_path).unreadable == ("a.tif", "c.tif")
    for group in load(tmp_path).found.unreadable:
        assert "damaged" in group.reason


def test_a_mixed_folder_names_each_kind_that_it_leaves_out(tmp_path):
    def stack(name, channels):
        of = DEEP[..., :1].repeat(channels, 2).transpose(2, 0, 1)
        options = {"photometric": "minisblack", "planarconfig": "separate"}
        tifffile.imwrite(tmp_path / name, of, **(options if channels > 1 else {}))

    for i in range(5):
        stack(f"five{i}.tif", 5)
    for channels in (1, 2, 4, 20):
        stack(f"other{channels}.tif", channels)
    save(tmp_path / "rgb.png")
    said = {group.first[0]: group.reason for group in load(tmp_path).found.unreadable}
    assert said == {
        "other1.tif": "is gray, where most have 5 channels",
        "other2.tif": "has 2 channels, where most have 5",
        "other4.tif": "has 4 channels, where most have 5",
        "other20.tif": "has 20 channels; at most 16 are read",
        "rgb.png": "is in color, where most have 5 channels",
    }
