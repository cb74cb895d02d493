"""HEIC and AVIF: read where a decoder is there, else named with how to get it."""

import sys

import numpy as np
import pytest
from PIL import Image, features
from test_image_folder import load, save

from dimred.data import image_opening
from dimred.data.image_decoding import decode

ORIENTATION = 0x0112


@pytest.fixture(autouse=True)
def look_again():
    """What is installed is found out once, and a test may change it."""
    image_opening._formats_of_heif.cache_clear()
    yield
    image_opening._formats_of_heif.cache_clear()


@pytest.fixture
def heif():
    """pillow-heif, which can write HEIC, and whose decoder is taken from Pillow again."""
    library = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    library.register_heif_opener()
    return library


def picture(mode="RGB"):
    """80x40 pixels: left red, right green above blue."""
    pixels = np.zeros((40, 80, 3), np.uint8)
    pixels[:, :40, 0] = pixels[:20, 40:, 1] = pixels[20:, 40:, 2] = 200
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("orientation", [None, 1, 3, 6, 8])
def test_a_photograph_of_a_phone_is_turned_once(heif, tmp_path, orientation):
    """Phones write the turn twice, as HEIF's own and in the EXIF data."""
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    for name in ("a.HEIC", "a.png"):
        picture().save(tmp_path / name, exif=exif.tobytes())
    size = (40, 20) if orientation in (6, 8) else (20, 40)
    of_phone, other = (decode(str(tmp_path / name), size) for name in ("a.HEIC", "a.png"))
    assert of_phone.kind == "HEIF RGB"
    assert not of_phone.several
    np.testing.assert_allclose(of_phone.pixels.astype(int), other.pixels, atol=40)  # it is lossy
    corners = of_phone.pixels[:, [2, 2, -2, -2], [2, -2, 2, -2]].astype(int)
    expected = other.pixels[:, [2, 2, -2, -2], [2, -2, 2, -2]]
    np.testing.assert_allclose(corners, expected, atol=4)


def test_a_folder_of_heic_is_read_gray_too(heif, tmp_path):
    picture("L").save(tmp_path / "a.heic")
    picture("L").save(tmp_path / "b.hif", format="HEIF")
    save(tmp_path / "c.png", picture("L"))
    images = load(tmp_path)
    assert images.unreadable == ()
    assert images.images.shape[1] == 1
    assert images.found.kinds == {"HEIF L": 2, "PNG L": 1}
    spread = images.images.float().std(dim=0)
    assert spread.max() < 4


def test_a_damaged_heic_is_left_out(heif, tmp_path):
    save(tmp_path / "b.png")
    picture().save(tmp_path / "a.heic")
    content = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[: len(content) // 2])
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    assert load(tmp_path).unreadable == ("a.heic", "c.heic")


def test_without_its_decoder_heic_is_named_with_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    save(tmp_path / "b.png")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (group,) = load(tmp_path).found.unreadable
    assert group.reason == (
        "HEIC is not read; pip install -e '.[heif]' in dimred's clone, or convert it with "
        "heif-convert or sips"
    )


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_that_begins_as_any_image_of_its_family_is_avif(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    path = tmp_path / "a.avif"
    picture().save(path)
    content = path.read_bytes()
    end = int.from_bytes(content[:4], "big")
    assert b"avif" in [content[at : at + 4] for at in range(16, end, 4)]  # as it is known by then
    path.write_bytes(content[:8] + b"mif1" + content[12:])
    assert decode(str(path), (20, 40)).kind == "AVIF RGB"
    path.write_bytes(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + content[end:])
    with pytest.raises(ValueError, match=r"HEIC is not read; pip install -e '.\[heif\]'"):
        decode(str(path), (20, 40))


def test_avif_is_read_by_pillow_where_it_can_and_turned_once(tmp_path, monkeypatch):
    if features.check("avif"):
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        picture().save(tmp_path / "a.avif", exif=exif)
        pixels = decode(str(tmp_path / "a.avif"), (40, 20)).pixels
        np.testing.assert_allclose(pixels[:, -2, -2].astype(int), [0, 200, 0], atol=4)
    image_opening._formats_of_heif.cache_clear()
    monkeypatch.setattr(features, "check", lambda feature: False)
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x18ftypavif\0\0\0\0")
    with pytest.raises(ValueError, match="AVIF is not read by this Pillow"):
        decode(str(tmp_path / "a.avif"), (8, 8))
