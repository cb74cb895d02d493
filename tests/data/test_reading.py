"""New images of another type than those that a run learned from: the same for files and arrays."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from dimred.data.folder_pixels import HowRead
from dimred.data.folder_source import decode_files
from dimred.data.image_folder import load_image_folder
from dimred.data.npz import array_source
from dimred.data.reading import AS_STORED, Reading
from dimred.data.window import Window
from dimred.errors import InputError

SIZE = 8
DIM = np.random.default_rng(0).integers(100, 500, (SIZE, SIZE))
OF_UINT16 = Window({"uint16": ((100.0, 500.0),)})
OF_FLOATS = Window({"uint16": ((0.0, 9.0),), "float32": ((100.0, 500.0),)})


def of_file(path, values, reading):
    """The bytes of values in a TIFF, or why there are none."""
    tifffile.imwrite(path / "new.tif", values)
    found = decode_files([str(path / "new.tif")], values.shape, reading=reading)
    return found.problems[0] or found.pixels[0, 0].tolist()


def of_array(values, reading):
    """The same of an array."""
    try:
        source = array_source(values[np.newaxis], InputError, reading)
        return source.read(0, 1).pixels[0, 0].tolist()
    except InputError as error:
        return str(error).removeprefix("array 'images' ")


@pytest.mark.parametrize(
    ("window", "dtype", "reason"),
    [
        (OF_UINT16, np.int16, "is int16, where the run's dataset.window is of uint16"),
        (OF_UINT16, np.float64, "is float64, where the run's dataset.window is of uint16"),
        (OF_FLOATS, np.int32, "is int32, where the run's dataset.window is of uint16, float32"),
        (None, np.uint16, "is uint16, where the run learned from 8 bits, without dataset.window"),
    ],
)
def test_a_type_without_a_window_is_refused(tmp_path, window, dtype, reason):
    values = DIM.astype(dtype)
    assert of_file(tmp_path, values, Reading(window)) == reason
    assert of_array(values, Reading(window)) == reason


@pytest.mark.parametrize(
    ("window", "values"),
    [
        (OF_UINT16, DIM.astype(np.uint16)),
        (OF_UINT16, DIM.astype(np.uint8)),
        (OF_FLOATS, DIM.astype(np.float64)),
        (OF_FLOATS, DIM.astype(np.float16)),
        (Window({"any": ((100.0, 500.0),)}), DIM.astype(np.int16)),
        (None, DIM.astype(np.uint8)),
    ],
)
def test_others_are_read_alike_from_files_and_arrays(tmp_path, window, values):
    scaled = (values.astype(np.float64) - 100) * (255 / 400)
    expected = values if values.dtype == np.uint8 else np.rint(scaled)
    assert of_array(values, Reading(window)) == expected.tolist()
    assert of_file(tmp_path, values, Reading(window)) == expected.tolist()


@pytest.mark.parametrize(("dtype", "scale"), [(np.uint16, 257), (np.uint8, 1), (bool, 1 / 255)])
def test_by_the_range_of_the_type_where_a_run_says_so(dtype, scale):
    values = DIM.astype(dtype)
    assert of_array(values, AS_STORED) == np.rint(values / scale).tolist()


def test_gray_arrays_go_into_color_through_its_window(tmp_path):
    ranges = ((0.0, 255.0), (0.0, 510.0), (0.0, 1020.0))
    reading = Reading(Window({"uint16": ranges}))
    source = array_source(DIM.astype(np.uint16)[np.newaxis], InputError, reading)
    assert (source.channels, source.shape) == (1, (3, SIZE, SIZE))
    pixels = source.read(0, 1).pixels[0]
    assert pixels[1].tolist() == np.rint(DIM / 2).tolist()
    tifffile.imwrite(tmp_path / "gray.tif", DIM.astype(np.uint16))
    found = decode_files([str(tmp_path / "gray.tif")], (SIZE, SIZE), reading=reading)
    assert np.array_equal(found.pixels[0], pixels)


def folder(root, **images):
    for name, values in images.items():
        path = root / name.replace("_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(f"{path}.tif", values)
    return str(root)


def test_a_type_of_test_images_alone_has_their_window(tmp_path):
    root = folder(
        tmp_path,
        train_a=np.linspace(0, 255, SIZE**2).reshape(SIZE, SIZE).astype(np.uint8),
        test_a=DIM.astype(np.int16),
    )
    found = load_image_folder(root, SIZE, strict=True)
    ((low, high),) = found.window.by_type["int16"]
    assert (low, high) == pytest.approx((100, 499), abs=5)
    note = "the window of int16 is from 1 image not learned from: no others have it"
    assert note in found.found.notes


def test_few_levels_are_said_of_the_type_that_has_them(tmp_path):
    """Although the others have all."""
    for number in range(3):
        values = np.random.default_rng(number).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / f"{number}.png")
    root = folder(tmp_path, dim=DIM.astype(np.uint16))
    by_type = load_image_folder(root, SIZE, strict=True, how=HowRead(window="type"))
    (note,) = by_type.found.notes
    assert note.startswith("3 of 256 levels are left of 1 image of uint16; where the files have")
