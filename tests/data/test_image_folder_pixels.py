"""Folders of images: pixels of every kind of file."""

import numpy as np
import pytest
from PIL import Image
from test_image_folder import SIZE, load, save


def pixels(root, **options):
    """The only image of a folder: (height, width), or (height, width, 3) if there is color."""
    image_set = load(root, **options)
    assert image_set.unreadable == ()
    (image,) = image_set.images
    return image.permute(1, 2, 0).squeeze(2).numpy()


def corners(size=64):
    """Red, green, blue and yellow quarters, clockwise from the top left."""
    image = Image.new("RGB", (size, size), "red")
    half = size // 2
    image.paste("lime", (half, 0, size, half))
    image.paste("blue", (half, half, size, size))
    image.paste("yellow", (0, half, half, size))
    return image


@pytest.mark.parametrize(
    "suffix", [".jpg", ".JPEG", ".png", ".bmp", ".gif", ".tif", ".TIFF", ".webp", ".ppm"]
)
def test_every_format_is_read(tmp_path, suffix):
    save(tmp_path / f"a{suffix}", Image.new("RGB", (20, 20), (200, 100, 50)))
    found = pixels(tmp_path)
    assert found.shape == (SIZE, SIZE, 3)
    assert np.abs(found.astype(int) - (200, 100, 50)).max() <= 4


def test_an_image_of_the_right_size_is_not_changed(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    save(tmp_path / "a.png", Image.fromarray(array))
    assert np.array_equal(pixels(tmp_path), array)


@pytest.mark.parametrize("shape", [(40, 16), (16, 40), (16, 16)])
def test_the_shorter_side_is_resized_then_the_center_kept(tmp_path, shape):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
    save(tmp_path / "a.png", image)
    whole = np.asarray(image.resize((shape[1] // 2, shape[0] // 2), Image.Resampling.BILINEAR))
    top, left = (whole.shape[0] - SIZE) // 2, (whole.shape[1] - SIZE) // 2
    assert np.array_equal(pixels(tmp_path), whole[top : top + SIZE, left : left + SIZE])


def test_small_images_are_enlarged(tmp_path):
    save(tmp_path / "a.png", Image.new("RGB", (1, 3), "red"))
    assert pixels(tmp_path).tolist() == [[[255, 0, 0]] * SIZE] * SIZE


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_shrinking_averages_instead_of_picking_pixels(tmp_path, suffix):
    """A fine checkerboard becomes gray; without antialiasing it would be black and white."""
    board = (np.indices((512, 512)).sum(0) % 2 * 255).astype(np.uint8)
    save(tmp_path / f"a{suffix}", Image.fromarray(board))
    assert np.abs(pixels(tmp_path).astype(int) - 127).max() < 12


def test_large_photographs_are_shrunk_as_small_ones_are(tmp_path):
    """JPEG's own shrinking, used for large images, does not show."""
    save(tmp_path / "a/a.jpg", corners(1024), quality=95)
    save(tmp_path / "b/a.png", corners(1024))
    difference = pixels(tmp_path / "a").astype(int) - pixels(tmp_path / "b")
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_exif_says(tmp_path, suffix, orientation):
    upright = corners()
    stored = {  # what a camera stores so that the orientation brings it upright
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    image = upright if stored is None else upright.transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / f"a{suffix}", image, exif=exif)
    found = pixels(tmp_path, size=4)[[0, 0, 3, 3], [0, 3, 3, 0]] > 127
    assert found.astype(int).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]


def test_damaged_exif_does_not_make_an_image_unreadable(tmp_path):
    save(tmp_path / "a.jpg", exif=b"Exif\0\0garbage that is no TIFF header")
    save(tmp_path / "b.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01" * 9)
    image_set = load(tmp_path)
    assert image_set.unreadable == ()
    assert len(image_set) == 2


def test_transparency_is_over_white(tmp_path):
    save(tmp_path / "a.png", Image.new("RGBA", (SIZE, SIZE), (255, 0, 0, 0)))
    save(tmp_path / "b.png", Image.new("RGBA", (SIZE, SIZE), (255, 0, 0, 51)))
    palette = Image.new("P", (SIZE, SIZE), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    save(tmp_path / "c.png", palette, transparency=1)
    save(tmp_path / "d.gif", palette, transparency=1)
    save(tmp_path / "e.png", Image.new("RGB", (SIZE, SIZE), (1, 2, 3)), transparency=(1, 2, 3))
    found = load(tmp_path).images[:, :, 0, 0].tolist()
    white = [255, 255, 255]
    assert found == [white, [255, 204, 204], white, white, white]


def test_palettes_and_cmyk_become_colors(tmp_path):
    palette = Image.new("P", (SIZE, SIZE), 1)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    save(tmp_path / "a.png", palette)
    save(tmp_path / "b.jpg", Image.new("CMYK", (SIZE, SIZE), (0, 255, 255, 0)))
    save(tmp_path / "c.tif", Image.new("CMYK", (SIZE, SIZE), (0, 255, 255, 0)))
    found = load(tmp_path).images[:, :, 0, 0].numpy().astype(int)
    assert np.abs(found - [(0, 255, 0), (255, 0, 0), (255, 0, 0)]).max() <= 4


def test_a_folder_of_gray_images_has_one_channel(tmp_path):
    ramp = np.arange(SIZE * SIZE, dtype=np.uint8).reshape(SIZE, SIZE)
    deep = Image.fromarray(ramp.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    save(tmp_path / "a.png", Image.fromarray(ramp))
    save(tmp_path / "b.png", deep)
    save(tmp_path / "c.tif", deep)
    save(tmp_path / "d.pgm", deep)
    save(
        tmp_path / "e.png",
        Image.merge("LA", (Image.fromarray(ramp), Image.new("L", ramp.shape, 255))),
    )
    image_set = load(tmp_path, window="type")
    assert image_set.unreadable == ()
    assert image_set.images.shape == (5, 1, SIZE, SIZE)
    assert image_set.images.is_contiguous()
    assert all(np.array_equal(image, ramp) for image in image_set.images.squeeze(1).numpy())
    assert len(image_set.mean) == len(image_set.std) == 1


def test_black_and_white_images_are_gray(tmp_path):
    bits = Image.new("1", (SIZE, SIZE), 0)
    bits.paste(1, (0, 0, SIZE // 2, SIZE))
    save(tmp_path / "a.png", bits)
    save(tmp_path / "b.tif", bits)
    for image in load(tmp_path).images:
        assert image.shape == (1, SIZE, SIZE)
        assert image[0, 0].tolist() == [255] * 4 + [0] * 4


def test_gray_images_among_colors_have_three_equal_channels(tmp_path):
    save(tmp_path / "a.png", Image.new("L", (SIZE, SIZE), 77))
    save(tmp_path / "b.png")
    assert load(tmp_path).images[:, :, 0, 0].tolist() == [[77] * 3, [200, 100, 50]]


def test_color_that_is_unreadable_leaves_a_gray_folder_gray(tmp_path):
    save(tmp_path / "a.png", Image.new("L", (SIZE, SIZE), 77))
    broken = save(tmp_path / "b.png")
    broken.write_bytes(broken.read_bytes()[:-30])
    assert load(tmp_path).images.shape == (1, 1, SIZE, SIZE)


def test_the_first_frame_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (SIZE, SIZE), color) for color in ("red", "blue", "lime")]
    for name in ("a.gif", "b.webp", "c.png"):
        save(tmp_path / name, frames[0], save_all=True, append_images=frames[1:], lossless=True)
    assert np.all(load(tmp_path).images[:, :, 0, 0].numpy() == (255, 0, 0))
