"""What the values of a file are: stored, not inverted or spread; transparency and padding apart."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_image_folder import load, refusal, save

from dimred.data.channels import Channels
from dimred.data.image_decoding import decode, header_of, resized_values
from dimred.data.reading import Reading
from dimred.data.window import Window

RNG = np.random.default_rng(0)
DIM = RNG.integers(100, 501, (16, 16)).astype(np.uint16)
AS_BYTES = np.rint(DIM / 2).astype(int)  # 0 to 510


def window(low, high):
    return Reading(Window({"any": ((float(low), float(high)),)}))


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "f2", "f4"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("white_is_zero", [True, False])
def test_the_window_is_of_stored_values(tmp_path, dtype, compression, order, white_is_zero):
    path = tmp_path / "a.tif"
    kind = "miniswhite" if white_is_zero else "minisblack"
    options = {"photometric": kind, "compression": compression, "byteorder": order}
    tifffile.imwrite(path, DIM.astype(dtype), **options)
    pixels = decode(str(path), (16, 16), window(0, 510)).pixels[0]
    assert np.array_equal(pixels, 255 - AS_BYTES if white_is_zero else AS_BYTES)
    assert np.array_equal(resized_values(str(path), (16, 16), Reading()).values[0], DIM)


@pytest.mark.parametrize("pages", [1, 3])
def test_bytes_where_white_is_zero(tmp_path, pages):
    """By Pillow, and by tifffile."""
    path, stored = tmp_path / "a.tif", DIM.astype(np.uint8)
    of_file = stored if pages == 1 else np.stack([stored] * pages)
    tifffile.imwrite(path, of_file, photometric="miniswhite")
    name = f"{path}[1]" if pages > 1 else str(path)
    reading = Reading(pages="images")
    assert np.array_equal(decode(name, (16, 16), reading).pixels[0], 255 - stored)
    given = Reading(window(0, 51).window, "images")
    expected = 255 - np.minimum(stored * 5.0, 255)
    assert np.array_equal(decode(name, (16, 16), given).pixels[0], expected)


@pytest.mark.parametrize("white", [300, 1023, 4095, 65535])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_a_pgm_or_ppm_has_the_values_that_it_stores(tmp_path, white, kind):
    count = 3 if kind in ("P3", "P6") else 1
    stored = RNG.integers(0, white + 1, (16, 16, count))
    stored[0, 0] = white
    content = stored.astype(">u2").tobytes()
    if kind in ("P2", "P3"):
        content = " ".join(map(str, stored.ravel().tolist())).encode()
    path = tmp_path / "a.ppm"
    path.write_bytes(f"{kind} 16 16 {white}\n".encode() + content)
    found = resized_values(str(path), (16, 16), Reading())
    if kind == "P3":
        assert found is None  # Pillow reads it with 8 bits, which is said
        return
    assert header_of(str(path)).type == found.type == f"uint{len(f'{white:b}')}"
    assert np.array_equal(found.values, stored.transpose(2, 0, 1))


def test_a_pgm_and_a_png_of_one_camera_have_one_window(tmp_path):
    values = RNG.integers(0, 4096, (16, 16)).astype(np.uint16)
    (tmp_path / "pgm").mkdir()
    head = b"P5 16 16 4095\n"
    (tmp_path / "pgm/a.pgm").write_bytes(head + values.astype(">u2").tobytes())
    save(tmp_path / "png/a.png", Image.fromarray(values))
    pgm, png = (load(tmp_path / name, size=16) for name in ("pgm", "png"))
    assert pgm.window.by_type["uint12"] == png.window.by_type["uint16"]
    assert np.array_equal(pgm.images, png.images)


def rgba(path, color, alpha, kind="unassalpha"):
    """An image of which the upper half has a color, (3,), and an alpha; below it is as DIM."""
    values = np.stack([DIM, DIM, DIM, np.full_like(DIM, 65535)], axis=-1)
    values[:8] = [*color, alpha]
    tifffile.imwrite(path, values, photometric="rgb", extrasamples=[kind])


@pytest.mark.parametrize("size", [16, 10])
def test_what_is_below_transparent_parts_is_in_no_window(tmp_path, size):
    for number in range(3):
        rgba(tmp_path / f"{number}.tif", (65535, 0, 9), 100)
    images = load(tmp_path, size=size)
    for low, high in images.window.by_type["uint16"]:
        assert 100 <= low < 250
        assert 350 < high <= 500
    assert (images.images[:, :, 0] == 255).all()


def test_light_that_is_added_where_nothing_is_covered_is_no_infinity(tmp_path):
    rgba(tmp_path / "a.tif", (20, 20, 20), 0, "assocalpha")
    images = load(tmp_path, size=16)
    assert np.isfinite(images.window.by_type["uint16"]).all()
    assert max(high for _, high in images.window.by_type["uint16"]) <= 501
    found = resized_values(str(tmp_path / "a.tif"), (10, 10), Reading()).values
    assert np.isfinite(found).all()


@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
@pytest.mark.parametrize("size", [16, 7])
def test_transparency_of_16_bits_goes_with_the_whole_range(tmp_path, kind, size):
    alpha = RNG.integers(1, 65536, (16, 16, 1)).astype(np.uint16)
    values = np.concatenate([alpha, alpha // 2, alpha // 3, alpha], axis=-1)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=[kind])
    images = load(tmp_path, size=size, window="type")
    assert images.unreadable == ()


def test_values_above_a_type_are_not_called_negative(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.full((9, 9), -3, np.int16))
    assert "signed values go below 0" in refusal(tmp_path, window="type")


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("pages", [1, 2])
def test_color_of_8_bits_may_have_a_sample_of_no_stated_meaning(tmp_path, planar, pages):
    color = RNG.integers(0, 256, (pages, 16, 16, 4)).astype(np.uint8)
    stored = color if planar == "contig" else color.transpose(0, 3, 1, 2)
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb", "planarconfig": planar, "extrasamples": ["unspecified"]}
    tifffile.imwrite(path, stored[0] if pages == 1 else stored, **options)
    save(tmp_path / "b.png")
    images = load(tmp_path, size=16, pages="images")
    assert images.unreadable == ()
    assert images.is_rgb
    assert np.array_equal(images.images[:pages], color[..., :3].transpose(0, 3, 1, 2))
    (kind,) = (kind for kind in images.found.kinds if kind.startswith("TIFF"))
    assert kind.endswith("RGBX")


def test_gray_with_a_sample_of_no_stated_meaning_has_two_channels(tmp_path):
    """It is how two stains are saved."""
    values = np.stack([DIM, DIM[::-1]]).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", planarconfig="separate")
    found = decode(str(tmp_path / "a.tif"), (16, 16), Reading(), Channels(2, is_rgb=False))
    assert np.array_equal(found.pixels, values)
