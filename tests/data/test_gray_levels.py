"""Folders of images: gray levels and transparency by rules that do not look at one file."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from test_image_folder import SIZE, load, save

from dimred.data.first_look import first_look

RAMP = np.indices((SIZE, SIZE)).sum(0) / 14
LEVELS = np.rint(RAMP * 255).astype(np.uint8)


def tiff(path, bits, data, photometric=1, sample_format=1, samples=1, order="<"):
    """Write an uncompressed TIFF of SIZE x SIZE pixels."""
    tags = {256: SIZE, 257: SIZE, 258: bits, 259: 1, 262: photometric, 273: 8, 277: samples}
    tags |= {278: SIZE, 279: len(data), 339: sample_format}
    entries = b"".join(
        struct.pack(f"{order}HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()
    )
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8 + len(data))
    path.write_bytes(head + data + struct.pack(f"{order}H", len(tags)) + entries + bytes(4))


def of_12_bits(values):
    pairs = zip(values[::2], values[1::2], strict=True)
    return b"".join(bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in pairs)


def scaled(high, dtype):
    return np.rint(RAMP * high).astype(dtype).tobytes()


def pgm(path, peak):
    path.write_bytes(b"P5 8 8 65535\n" + scaled(peak, ">u2"))


def found(folder, window="auto"):
    images = load(folder, window=window)
    assert images.unreadable == ()
    return images.images[:, 0].numpy()


def test_dark_files_are_not_brightened(tmp_path):
    """Whether 255 or 256 is the highest value of a file of 16 bits does not change its scale."""
    for peak in (255, 256):
        pgm(tmp_path / f"{peak}.pgm", peak)
        save(tmp_path / f"{peak}.png", Image.fromarray(np.rint(RAMP * peak).astype(np.uint16)))
        tiff(tmp_path / f"{peak}.tif", 16, scaled(peak, "<u2"))
    assert [int(image.max()) for image in found(tmp_path, "type")] == [1] * 6


@pytest.mark.parametrize("order", "<>")
def test_signed_tiff_has_a_fixed_scale(tmp_path, order):
    for peak in (255, 256, 32767):
        tiff(tmp_path / f"{peak}.tif", 16, scaled(peak, f"{order}i2"), 1, 2, order=order)
    images = found(tmp_path, "type")
    assert [int(image.max()) for image in images] == [2, 2, 255]
    assert np.array_equal(images[2], LEVELS)


def test_signed_tiff_of_8_bits_has_its_scale(tmp_path):
    tiff(tmp_path / "a.tif", 8, scaled(127, "i1"), 1, 2)
    assert np.abs(found(tmp_path, "type")[0].astype(int) - LEVELS).max() <= 1


@pytest.mark.parametrize(("bits", "dtype"), [(16, "<i2"), (8, "i1")])
def test_signed_values_below_zero_are_left_out_with_the_reason(tmp_path, bits, dtype):
    save(tmp_path / "b.png")
    tiff(tmp_path / "a.tif", bits, (RAMP * -9).astype(dtype).tobytes(), 1, 2)
    (group,) = load(tmp_path, window="type").found.unreadable
    assert "below 0" in group.reason


@pytest.mark.parametrize("peak", [200, 300])
def test_integers_of_32_bits_are_left_out_whatever_they_are(tmp_path, peak):
    save(tmp_path / "b.png")
    save(tmp_path / "a.tif", Image.fromarray(np.rint(RAMP * peak).astype(np.int32)))
    (group,) = load(tmp_path, window="type").found.unreadable
    assert group.reason.startswith("the range of its 32-bit integers is not known")


@pytest.mark.parametrize("bits", [8, 16])
def test_white_is_zero_is_no_negative(tmp_path, bits):
    high = 2**bits - 1
    tiff(tmp_path / "a.tif", bits, scaled(high / 4, f"<u{bits // 8}"), photometric=0)
    assert np.abs(255 - found(tmp_path, "type")[0].astype(int) - LEVELS / 4).max() <= 1


def test_tiff_of_12_bits_is_scaled_by_its_bits(tmp_path):
    tiff(tmp_path / "a.tif", 12, of_12_bits(np.rint(RAMP * 4095).astype(int).ravel().tolist()))
    assert np.array_equal(found(tmp_path, "type")[0], LEVELS)


@pytest.mark.parametrize("suffix", [".pbm", ".pnm", ".dib", ".mpo", ".apng"])
def test_further_formats_are_read(tmp_path, suffix):
    kinds = {".dib": "DIB", ".mpo": "MPO", ".apng": "PNG"}
    image = Image.fromarray(LEVELS).convert("1" if suffix == ".pbm" else "RGB")
    save(tmp_path / f"a{suffix}", image, format=kinds.get(suffix, "PPM"))
    assert np.abs(found(tmp_path)[0].astype(int) - np.asarray(image.convert("L"))).max() <= 4


@pytest.mark.parametrize(
    ("bits", "samples", "order", "photometric"),
    [(8, 2, "<", 6), (16, 3, ">", 8)],
)
def test_a_tiff_that_is_not_read_is_said_to_be_one(tmp_path, bits, samples, order, photometric):
    save(tmp_path / "b.png")
    data = bytes(SIZE * SIZE * samples * bits // 8)
    tiff(tmp_path / "a.tif", bits, data, photometric, samples=samples, order=order)
    (group,) = load(tmp_path).found.unreadable
    assert group.reason == "a TIFF of a kind that is not read, or damaged"


@pytest.mark.parametrize(
    ("bits", "samples", "order", "photometric"),
    [(16, 5, "<", 1), (16, 1, ">", 0), (32, 1, "<", 0)],
)
def test_a_tiff_that_pillow_does_not_read_is_read(tmp_path, bits, samples, order, photometric):
    data = bytes(SIZE * SIZE * samples * bits // 8)
    tiff(tmp_path / "a.tif", bits, data, photometric, samples=samples, order=order)
    assert load(tmp_path).images.shape == (1, samples, SIZE, SIZE)


def test_a_png_with_a_long_text_is_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "x" * (2 << 20), zip=True)
    save(tmp_path / "a.png", pnginfo=info)
    save(tmp_path / "b.png", icc_profile=bytes(2 << 20))
    before = PngImagePlugin.MAX_TEXT_CHUNK
    assert len(found(tmp_path)) == 2
    assert before == PngImagePlugin.MAX_TEXT_CHUNK


def test_reasons_are_counted_with_the_first_names(tmp_path):
    save(tmp_path / "z.png")
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(b"no image")
    content = (tmp_path / "z.png").read_bytes()
    (tmp_path / "c.png").write_bytes(content[:40])
    reasons = load(tmp_path).found.unreadable
    assert [(group.count, group.first) for group in reasons] == [
        (2, ("a.png", "b.png")),
        (1, ("c.png",)),
    ]
    assert reasons[0].reason == "not an image of a known format"


def drawing(mode, ink, n=4):
    """A square of `ink` on transparent ground."""
    image = Image.new(mode, (SIZE, SIZE))
    image.paste(ink, (2, 2, 2 + n, 2 + n))
    return image


WHITE = {"RGBA": (255, 255, 255, 255), "LA": (255, 255)}


@pytest.mark.parametrize("mode", WHITE)
def test_white_drawings_on_transparent_ground_are_over_black(tmp_path, mode):
    for n in (2, 3, 4):
        save(tmp_path / f"{n}.png", drawing(mode, WHITE[mode], n))
    images = load(tmp_path)
    assert [int((image == 255).sum()) for image in images.images[:, 0]] == [4, 9, 16]
    assert {0, 255} == set(images.images.unique().tolist())
    look = first_look(images)
    assert look.copies == look.constant == 0
    assert any(note.startswith("3 transparent images are laid over black") for note in look.notes)


def test_black_drawings_stay_over_white(tmp_path):
    save(tmp_path / "a.png", drawing("RGBA", (0, 0, 0, 255)))
    assert found(tmp_path)[0, [0, 3], [0, 3]].tolist() == [255, 0]


def test_white_of_a_palette_and_of_a_transparent_color_is_over_black(tmp_path):
    palette = Image.fromarray((np.asarray(drawing("L", 255)) > 0).astype(np.uint8))
    palette.putpalette([0, 0, 0, 255, 255, 255])
    save(tmp_path / "a.png", palette, transparency=0)
    save(tmp_path / "b.gif", palette, transparency=0)
    save(tmp_path / "c.png", drawing("RGB", (255, 255, 255)), transparency=(0, 0, 0))
    save(tmp_path / "d.png", drawing("L", 255), transparency=0)
    for image in found(tmp_path):
        assert image[[0, 3], [0, 3]].tolist() == [0, 255]


def test_an_image_that_is_transparent_all_over_has_its_colors(tmp_path):
    image = Image.merge("RGBA", (*[Image.fromarray(LEVELS)] * 3, Image.new("L", (SIZE, SIZE), 0)))
    save(tmp_path / "a.png", image)
    assert np.array_equal(found(tmp_path)[0], LEVELS)
    assert any("transparent nearly all over" in note for note in first_look(load(tmp_path)).notes)


def png(path, depth, color, transparent, data):
    """Write a PNG with a transparent color or None, which Pillow saves for 8 bits only."""
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        head = struct.pack(">2I5B", SIZE, SIZE, depth, color, 0, 0, 0)
        PngImagePlugin.putchunk(file, b"IHDR", head)
        if transparent is not None:
            content = struct.pack(f">{len(transparent)}H", *transparent)
            PngImagePlugin.putchunk(file, b"tRNS", content)
        rows = np.frombuffer(data, np.uint8).reshape(SIZE, -1)
        PngImagePlugin.putchunk(
            file, b"IDAT", zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
        )
        PngImagePlugin.putchunk(file, b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "color", "transparent", "values"),
    [
        (16, 0, [0x1234], np.where(RAMP > 0.5, 0x1234, 0).astype(">u2")),
        (4, 0, [9], np.where(RAMP > 0.5, 0x99, 0).astype("u1")[:, ::2]),
        (16, 2, [0x1234] * 3, np.where(RAMP > 0.5, 0x1234, 0).astype(">u2").repeat(3, 1)),
    ],
)
def test_a_transparent_color_of_other_depths_is_found(tmp_path, depth, color, transparent, values):
    png(tmp_path / "a.png", depth, color, transparent, values.tobytes())
    assert {0, 255} == set(np.unique(found(tmp_path)[0]).tolist())
