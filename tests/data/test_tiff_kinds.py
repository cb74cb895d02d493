"""TIFFs and .npy files as cameras and laboratories write them: types, channels and pages."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from test_image_folder import SIZE, load, refusal, save
from tifffile import _imagecodecs

from dimred.data.first_look import first_look
from dimred.data.image_decoding import decode
from dimred.data.reading import Reading

RAMP = np.arange(64 * 64).reshape(64, 64)  # 0 to 4095, as of 12 bits
RNG = np.random.default_rng(0)


def tiff(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"photometric": "minisblack"} | options
    tifffile.imwrite(path, values, **options)


def five(dtype=np.uint16):
    """Five channels whose values are 100, 200, ... and a gradient of 0 to 63."""
    values = np.arange(1, 6).reshape(5, 1, 1) * 100 + np.indices((SIZE, SIZE)).sum(0)
    return values.astype(dtype)


def test_a_ramp_of_12_bits_in_16_keeps_its_levels(tmp_path):
    tiff(tmp_path / "a.tif", RAMP.astype(np.uint16))
    images = load(tmp_path, size=64)
    (kept,) = first_look(images).kept
    assert kept >= 250
    ((low, high),) = images.window.by_type["uint16"]
    assert 0 < low < 10
    assert 4085 < high < 4095
    values = images.images[0, 0].numpy().ravel()
    assert (np.diff(values.astype(int)) >= 0).all()
    assert len(np.unique(load(tmp_path, size=64, window="type").images)) == 17  # as it was


def test_dim_fluorescence_is_seen_and_said(tmp_path):
    for i in range(3):
        tiff(tmp_path / f"{i}.tif", RNG.integers(100, 501, (64, 64)).astype(np.uint16))
    look = first_look(load(tmp_path, size=64))
    assert look.kept[0] >= 250
    assert "window: uint16 as 100 to 500; 256 levels" in look.lines()
    assert look.as_json()["levels_kept"] == [256]
    as_type = first_look(load(tmp_path, size=64, window="type"))
    assert as_type.kept == (3,)
    assert as_type.notes[0].startswith("3 of 256 levels are left; where the files have more")
    assert "window: uint16 as 0 to 65535; 3 levels" in as_type.lines()


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ("CYX", {"ome": True, "metadata": {"axes": "CYX"}}),
        ("YXS", {"ome": True, "metadata": {"axes": "YXS"}, "planarconfig": "contig"}),
        ("CYX", {"planarconfig": "separate"}),
        ("YXS", {"planarconfig": "contig"}),
        ("CYX", {"imagej": True, "metadata": {"axes": "CYX"}}),
        ("CYX", {"metadata": {"axes": "CYX"}, "compression": "zlib"}),
        ("CYX", {"metadata": {"axes": "CYX"}, "compression": "lzw"}),
    ],
)
def test_five_channels_are_five(tmp_path, shape, options):
    values = five() if shape == "CYX" else five().transpose(1, 2, 0)
    tiff(tmp_path / "a.tif", values, **options)
    images = load(tmp_path, window=[0, 1020])
    assert images.images.shape == (1, 5, SIZE, SIZE)
    assert not images.is_rgb
    assert images.images[0].numpy().tolist() == np.rint(five() / 4).astype(int).tolist()


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
def test_every_type_is_read_to_the_same_bytes(tmp_path, dtype, order):
    signed = np.dtype(dtype).kind != "u"
    values = np.linspace(-100, 100, 64).round() if signed else np.linspace(0, 200, 64).round()
    tiff(tmp_path / "a.tif", values.reshape(SIZE, SIZE).astype(dtype), byteorder=order)
    window = [-100, 100] if signed else [0, 200]
    expected = np.rint(np.linspace(0, 200, 64).round() * 255 / 200)
    images = load(tmp_path, window=window).images.numpy()
    assert images.ravel().tolist() == expected.astype(int).tolist()


def test_floats_below_zero_have_their_percentiles(tmp_path):
    values = np.linspace(-3, 5, SIZE * SIZE, dtype=np.float32).reshape(SIZE, SIZE)
    tiff(tmp_path / "a.tif", values)
    images = load(tmp_path)
    ((low, high),) = images.window.by_type["float32"]
    assert (round(low, 1), round(high, 1)) == (-3.0, 5.0)
    assert images.images.min() == 0
    assert images.images.max() == 255


def test_large_integers_of_little_contrast_keep_it(tmp_path):
    values = 2_000_000_000 + np.arange(64 * 64).reshape(64, 64)
    tiff(tmp_path / "a.tif", values.astype(np.int32))
    assert first_look(load(tmp_path, size=64)).kept[0] >= 250


def test_color_of_16_bits_keeps_more_than_its_upper_byte(tmp_path):
    values = np.stack([RAMP, RAMP // 2, RAMP // 4], axis=-1).astype(np.uint16)
    tiff(tmp_path / "a.tif", values, photometric="rgb")
    images = load(tmp_path, size=64)
    assert images.is_rgb
    assert images.images.shape[1] == 3
    assert min(first_look(images).kept) >= 250


@pytest.mark.parametrize("values", [np.nan, np.inf])
def test_values_that_are_not_finite_are_left_out(tmp_path, values):
    save(tmp_path / "b.png", Image.new("L", (SIZE, SIZE), 9))
    tiff(tmp_path / "a.tif", np.full((SIZE, SIZE), values, np.float32))
    (group,) = load(tmp_path).found.unreadable
    assert group.reason.startswith("has NaN or infinite values; make numbers of them first")


def four_pages(path):
    tiff(path, np.stack([np.full((SIZE, SIZE), 40 * page, np.uint8) for page in range(4)]))


def test_four_pages_are_refused_or_what_is_said(tmp_path):
    four_pages(tmp_path / "b.tif")
    tiff(tmp_path / "a.tif", np.full((SIZE, SIZE), 7, np.uint8))
    message = refusal(tmp_path)
    assert "1 file has several pages, 'b.tif' first (4, on an axis without a name)" in message
    assert "dataset.pages=images" in message
    images = load(tmp_path, pages="images")
    assert images.sources == ("a.tif", *(f"b.tif[{page}]" for page in range(4)))
    assert images.images[:, 0, 0, 0].tolist() == [7, 0, 40, 80, 120]
    assert images.found.files == 2
    assert load(tmp_path, pages="channels").unreadable == ("b.tif",)  # as many of either kind
    (tmp_path / "a.tif").unlink()
    assert load(tmp_path, pages="channels").images[0, :, 0, 0].tolist() == [0, 40, 80, 120]


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_pages_and_channels_of_a_hyperstack(tmp_path, compression):
    values = np.arange(2 * 3 * 2).reshape(2, 3, 2, 1, 1) * np.ones((SIZE, SIZE))
    options = {"ome": True, "metadata": {"axes": "TZCYX"}, "compression": compression}
    tiff(tmp_path / "a.ome.tif", values.astype(np.uint8), **options)
    images = load(tmp_path, pages="images")
    assert images.images[:, :, 0, 0].tolist() == values[..., 0, 0].reshape(6, 2).tolist()
    joined = load(tmp_path, pages="channels")
    assert joined.images[0, :, 0, 0].tolist() == list(range(12))


def test_more_channels_than_16_are_left_out(tmp_path):
    save(tmp_path / "b.png")
    tiff(tmp_path / "a.tif", np.zeros((20, SIZE, SIZE), np.uint8))
    (group,) = load(tmp_path, pages="channels").found.unreadable
    assert group.reason == "has 20 channels; at most 16 are read"


def test_a_folder_of_mixed_kinds_names_what_it_leaves_out(tmp_path):
    for name in ("a", "b", "c"):
        tiff(tmp_path / f"{name}.tif", five(), planarconfig="separate")
    save(tmp_path / "d.png")
    save(tmp_path / "e.png", Image.new("L", (SIZE, SIZE), 9))
    tiff(tmp_path / "f.tif", np.zeros((4, 20, 20), np.float32), metadata={"axes": "CYX"})
    tiff(tmp_path / "g.tif", np.zeros((3, SIZE, SIZE), np.uint8), metadata={"axes": "CYX"})
    images = load(tmp_path)
    assert images.sources == ("a.tif", "b.tif", "c.tif")
    assert images.unreadable == ("d.png", "e.png", "f.tif", "g.tif")
    assert {group.reason: group.first for group in images.found.unreadable} == {
        "has 4 channels, where most have 5": ("f.tif",),
        "has 3 channels that are no colors, where most have 5": ("g.tif",),
        "is in color, where most have 5 channels": ("d.png",),
        "is gray, where most have 5 channels": ("e.png",),
    }
    message = refusal(tmp_path, strict=True)
    assert "'d.png' cannot be read: is in color, where most have 5 channels" in message


def test_test_images_do_not_count_for_the_window(tmp_path):
    for side, high in (("train", 1000), ("test", 60000)):
        for name in ("x/1", "y/1"):
            values = np.linspace(0, high, SIZE * SIZE).reshape(SIZE, SIZE)
            tiff(tmp_path / side / f"{name}.tif", values.astype(np.uint16))
    ((low, high),) = load(tmp_path).window.by_type["uint16"]
    assert 990 < high <= 1000
    assert low < 10


def test_given_ranges_hold_for_every_type_and_channel(tmp_path):
    save(tmp_path / "a.png", Image.fromarray(np.full((SIZE, SIZE), 160, np.uint8)))
    tiff(tmp_path / "b.tif", np.full((SIZE, SIZE), 110, np.uint16))
    images = load(tmp_path, window=[100, 200])
    assert images.images[:, 0, 0, 0].tolist() == [153, 26]
    assert images.window.as_json() == {"any": [[100.0, 200.0]]}
    assert "has 2 ranges, but the images have 1 channel" in refusal(
        tmp_path, window=[[0, 1], [0, 2]]
    )
    tiff(tmp_path / "five/a.tif", five(), planarconfig="separate")
    ranges = [[100 * i, 100 * i + 255] for i in range(1, 6)]
    found = load(tmp_path / "five", window=ranges).images[0]
    assert found.tolist() == [np.indices((SIZE, SIZE)).sum(0).tolist()] * 5


@pytest.mark.parametrize("window", ["percent", [2, 1], [1], [[1, 2], 3]])
def test_what_is_no_window_is_refused(tmp_path, window):
    save(tmp_path / "a.png")
    assert "must be auto, type, [low,high]" in refusal(tmp_path, window=window)


@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_alpha_of_16_bits_lies_over_white(tmp_path, photometric):
    colors = 1 if photometric == "minisblack" else 3
    values = np.full((SIZE, SIZE, colors + 1), 1000, np.uint16)
    values[: SIZE // 2, :, -1] = 0
    values[SIZE // 2 :, :, -1] = 65535
    options = {"photometric": photometric, "extrasamples": ["unassalpha"]}
    tiff(tmp_path / "a.tif", values, planarconfig="contig", **options)
    images = load(tmp_path, window=[0, 2000])
    assert images.found.grounds == {"white": 1}
    assert images.images[0, :, [0, -1], 0].tolist() == [[255, 128]] * colors


def test_a_tiff_is_turned_as_it_says(tmp_path):
    values = np.zeros((SIZE, SIZE), np.uint16)
    values[0, -1] = 255
    tiff(tmp_path / "a.tif", values, extratags=[(274, "H", 1, 6, True)])
    images = load(tmp_path, window=[0, 255])
    assert images.images[0, 0, -1, -1] == 255
    assert images.images.sum() == 255


@pytest.mark.parametrize("cut", [0.5, 0.9])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_that_is_cut_is_left_out(tmp_path, cut, compression):
    save(tmp_path / "b.png")
    values = RNG.integers(0, 65536, (5, 64, 64)).astype(np.uint16)
    tiff(tmp_path / "a.tif", values, metadata={"axes": "CYX"}, compression=compression)
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: int(len(content) * cut)])
    assert load(tmp_path).unreadable == ("a.tif",)


def test_a_tiff_of_too_many_pixels_is_no_memory(tmp_path):
    tiff(tmp_path / "a.tif", np.zeros((SIZE, SIZE), np.uint16))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(100_000)
        file.pages[0].tags["ImageLength"].overwrite(100_000)
    with (tmp_path / "b.npy").open("wb") as file:
        head = {"descr": "<f8", "fortran_order": False, "shape": (100_000, 100_000)}
        np.lib.format.write_array_header_1_0(file, head)
    for name, size in (("a.tif", 18.6), ("b.npy", 74.5)):
        part = f"100000x100000 pixels of {size} GiB: could be a decompression"
        with pytest.raises(ValueError, match=part):
            decode(str(tmp_path / name), (SIZE, SIZE))


def test_without_its_codecs_a_compressed_tiff_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    tiff(path, five(), planarconfig="separate", compression="lzw")
    monkeypatch.setattr("tifffile.tifffile.imagecodecs", _imagecodecs)  # what tifffile has itself
    monkeypatch.setattr(tifffile.TIFF.DECOMPRESSORS, "_codecs", {})
    with pytest.raises(ValueError, match=r"LZW, needs imagecodecs; pip install -e '.\[tiff\]'"):
        decode(str(path), (SIZE, SIZE), Reading())


@pytest.mark.parametrize("shape", [(SIZE + 12, SIZE + 12), (5, 20, 20), (20, 20, 5)])
def test_npy_files_are_images(tmp_path, shape):
    values = RNG.normal(size=shape).astype(np.float64)
    np.save(tmp_path / "a.npy", values)
    images = load(tmp_path, size=20)
    assert images.images.shape == (1, 1 if len(shape) == 2 else 5, 20, 20)
    expected = values if shape[-1] != 5 else values.transpose(2, 0, 1)
    order = np.argsort(expected.reshape(-1, 400)[0])
    found = images.images[0, 0].numpy().ravel()[order].astype(int)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((8, 8, 8)), "has the shape (8, 8, 8): both the first and the last axis are"),
        (np.zeros((20, 8, 20)), "has the shape (20, 8, 20): neither end is of at most 16"),
        (np.zeros(8), "has the shape (8,); must be (H, W)"),
        (np.zeros((8, 8), complex), "its values are complex128; must be bool, uint8, "),
        (np.zeros((8, 8), int), "its values are int64; must be bool, uint8, "),
    ],
)
def test_npy_files_that_are_no_images_are_left_out(tmp_path, array, reason):
    np.save(tmp_path / "b.npy", np.zeros((8, 8)))
    np.save(tmp_path / "a.npy", array)
    (group,) = load(tmp_path).found.unreadable
    assert group.reason.startswith(reason)


@pytest.mark.parametrize(
    "options",
    [{}, {"pages": "images"}],
)
def test_photographs_are_the_same_bytes_from_tiff(tmp_path, options):
    rng = np.random.default_rng(1)
    color = Image.fromarray(rng.integers(0, 256, (21, 17, 3), dtype=np.uint8))
    kinds = {"rgb": color, "gray": color.convert("L"), "palette": color.convert("P")}
    kinds |= {"bits": color.convert("1"), "rgba": color.convert("RGBA")}
    for name, image in kinds.items():
        save(tmp_path / f"tif/{name}.tif", image)
        save(tmp_path / f"png/{name}.png", image)
    of_tiff, of_png = (load(tmp_path / kind, **options).images for kind in ("tif", "png"))
    assert np.array_equal(of_tiff, of_png)
