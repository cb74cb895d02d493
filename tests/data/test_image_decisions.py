"""What is decided once for image files: the turn of EXIF, transparency, palettes, inks, depth."""

import io

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_gray_levels import png
from test_image_folder import SIZE, load, save
from test_image_folder_pixels import corners

from dimred.data.image_decoding import decode

RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
RAMP = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 4
TURNED = {  # what a camera stores so that the orientation brings it upright
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: np.rot90,
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def four_corners(path, size=SIZE):
    """The pixels in the corners of an image, clockwise from the top left, as (4, C)."""
    return decode(str(path), (size, size)).pixels[:, [0, 0, -1, -1], [0, -1, -1, 0]].T


def only(root, **options):
    """The image of a folder of one, (C, SIZE, SIZE)."""
    found = load(root, **options)
    assert found.unreadable == ()
    assert len(found) == 1
    return found.images[0].numpy()


@pytest.mark.parametrize("orientation", TURNED)
def test_deep_images_are_turned_as_exif_says(tmp_path, orientation):
    """As those of 8 bits, which other tests turn."""
    upright = np.asarray(corners(SIZE)).astype(np.uint16) * 257
    stored = np.ascontiguousarray(TURNED[orientation](upright))
    tag = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=tag)
    exif = Image.Exif()
    exif[274] = orientation
    gray = Image.fromarray(np.ascontiguousarray(stored[..., 0]))
    gray.save(tmp_path / "b.png", exif=exif)
    assert four_corners(tmp_path / "a.tif").tolist() == [[*RED], [*GREEN], [*BLUE], [*YELLOW]]
    assert four_corners(tmp_path / "b.png").flatten().tolist() == [255, 0, 0, 255]


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *((mode, suffix) for mode in ("LA", "RGBA") for suffix in (".png", ".webp", ".tif")),
        *(("P", ".png"), ("PA", ".tif")),
    ],
)
def test_every_kind_of_transparency_is_over_white(tmp_path, mode, suffix):
    image = Image.new("RGBA", (SIZE, SIZE), (0, 0, 0, 51))
    image.paste((0, 0, 0, 255), (0, 0, 4, SIZE))
    if mode == "P":  # each of its colors has its transparency
        image = image.quantize(2)
    elif mode == "PA":
        alpha, image = image.getchannel("A"), image.convert("RGB").quantize(2).convert("PA")
        image.putalpha(alpha)
    else:
        image = image.convert(mode)
    save(tmp_path / f"a{suffix}", image, **({"lossless": True} if suffix == ".webp" else {}))
    found = only(tmp_path)
    assert found[:, 0, 0].tolist() == [0] * len(found)
    assert found[:, 0, 7].tolist() == [204] * len(found)


def test_colors_that_are_multiplied_by_transparency_are_divided_again(tmp_path):
    """What a TIFF calls associated alpha."""
    layers = np.zeros((SIZE, SIZE, 4), np.uint16)
    layers[..., 0] = layers[..., 3] = 2**15  # red, half transparent
    for name, kind in {"a": "assocalpha", "b": "unassalpha"}.items():
        values = layers.copy()
        if kind == "unassalpha":
            values[..., 0] = 2**16 - 1
        tifffile.imwrite(tmp_path / f"{name}.tif", values, photometric="rgb", extrasamples=[kind])
        found = four_corners(tmp_path / f"{name}.tif").astype(int)
        assert np.abs(found - (255, 127, 127)).max() <= 1


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_every_depth(tmp_path, bits):
    numbers = (np.indices((SIZE, SIZE))[1] * 2**bits // SIZE).astype(np.uint8)
    image = Image.fromarray(numbers)
    colors = np.random.default_rng(bits).integers(0, 256, (2**bits, 3))
    image.putpalette(colors.ravel().tolist())
    save(tmp_path / "a.png", image, bits=bits)
    if bits == 8:
        save(tmp_path / "b.gif", image)
        save(tmp_path / "c.tif", image)
        save(tmp_path / "d.bmp", image)
    for found in load(tmp_path).images.numpy():
        assert np.array_equal(found.transpose(1, 2, 0), colors[numbers])


def test_a_palette_of_grays_is_in_color(tmp_path):
    """A file says whether it is gray, not its pixels: a set would change with one image."""
    image = Image.fromarray(RAMP.astype(np.uint8))
    image.putpalette(np.arange(256).repeat(3).tolist())
    save(tmp_path / "a.png", image)
    assert only(tmp_path).shape == (3, SIZE, SIZE)


def inks():
    return corners(64).convert("CMYK")


def jpeg(image, transform=None, marked=True):
    """A JPEG of four channels, which says whether they are inks or made of luma and chroma."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=98)
    content = bytearray(file.getvalue())
    at = content.index(b"Adobe")
    if transform is not None:
        content[at + 11] = transform
    if not marked:  # the segment is taken out
        del content[at - 4 : at + 12]
    return bytes(content)


def luma_chroma(image):
    """Inks as luma and chroma of them and black (YCCK), as Pillow would write them."""
    cyan, magenta, yellow, black = image.split()
    colors = Image.merge("RGB", (cyan, magenta, yellow)).convert("YCbCr")
    inverted = [Image.eval(channel, lambda value: 255 - value) for channel in colors.split()]
    return Image.merge("CMYK", (*inverted, black))


@pytest.mark.parametrize("kind", ["inks", "luma", "unmarked", "tiff"])
def test_inks_become_colors(tmp_path, kind):
    """CMYK in JPEG is inverted, as Adobe writes it, with and without luma, marked or not."""
    path = tmp_path / ("a.tif" if kind == "tiff" else "a.jpg")
    if kind == "tiff":
        inks().save(path)
    elif kind == "luma":
        path.write_bytes(jpeg(luma_chroma(inks()), transform=2))
    else:
        path.write_bytes(jpeg(inks(), marked=kind == "inks"))
    found = four_corners(path)
    assert np.abs(found.astype(int) - [RED, GREEN, BLUE, YELLOW]).max() <= 3


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_keeps_its_levels(tmp_path, color, channels):
    """Pillow has the upper eight bits of colors only: four levels of these."""
    values = np.full((SIZE, SIZE, channels), 65535, np.uint16)
    values[..., : channels - (channels % 2 == 0)] = 30_000 + RAMP[..., np.newaxis]
    png(tmp_path / "a.png", 16, color, None, values.astype(">u2").tobytes())
    found = only(tmp_path)
    assert len(np.unique(found)) == SIZE * SIZE
    assert found.shape[0] == (1 if channels < 3 else 3)


def test_deep_images_are_cut_as_others_are(tmp_path):
    """The largest central square, resized: of a wide and of a high image."""
    rng = np.random.default_rng(0)
    for shape in ((40, 16), (16, 40), (8, 8), (3, 5)):
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        Image.fromarray(pixels.astype(np.uint16) * 257).save(tmp_path / "b.png")
        np.save(tmp_path / "c.npy", pixels.astype(np.float32) / 255)
        names = ("a.png", "b.png", "c.npy")
        found = [decode(str(tmp_path / name), (8, 8)).pixels.astype(int) for name in names]
        assert np.abs(np.array(found) - found[0]).max() <= 1


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "JPEG 2000"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "JPEG XL"),
    ],
)
def test_formats_that_are_not_read_are_named(tmp_path, content, name):
    save(tmp_path / "b.png")
    (tmp_path / "a.jp2").write_bytes(content)
    (group,) = load(tmp_path).found.unreadable
    assert group.reason == f"{name}, which is not read; convert it to PNG or JPEG"


def test_heic_of_10_bits_is_read_with_8(tmp_path):
    library = pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    pixels = np.asarray(corners(64)).astype(np.uint16) * 257
    library.from_bytes("RGB;16", (64, 64), pixels.tobytes()).save(tmp_path / "a.heic", quality=95)
    found = four_corners(tmp_path / "a.heic")
    assert np.abs(found.astype(int) - [RED, GREEN, BLUE, YELLOW]).max() <= 8
