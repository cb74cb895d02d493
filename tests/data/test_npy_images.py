"""Images in .npy files: where they are taken for images, and what their channels are."""

import numpy as np
import pytest
from test_image_folder import load, refusal, save

from dimred.data.image_decoding import decode, header_of
from dimred.data.image_files import files_by_name
from dimred.data.image_paths import PassedOver, image_paths
from dimred.data.own_options import ImageFolder


def saved(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values)


def test_beside_images_they_are_labels_or_features(tmp_path):
    for name in ("a/1", "b/1"):
        save(tmp_path / f"{name}.png")
    before = load(tmp_path)
    saved(tmp_path / "labels.npy", np.zeros(2))
    saved(tmp_path / "a/features.npy", np.zeros((600, 512)))
    images = load(tmp_path, strict=True)
    assert images.sources == before.sources
    assert images.fingerprint() == before.fingerprint()
    assert images.found.other_files == {".npy": 2}
    assert images.found.notes == ()
    assert not ImageFolder(root=str(tmp_path)).has_more_files(2)


def test_a_folder_of_them_alone_is_one_of_images(tmp_path):
    for name in ("a/1.npy", "a/2.NPY", "b/sub/1.npy"):
        saved(tmp_path / "x.npy", np.arange(64.0).reshape(8, 8))
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x.npy").rename(tmp_path / name)
    images = load(tmp_path)
    assert images.sources == ("a/1.npy", "a/2.NPY", "b/sub/1.npy")
    assert images.found.other_files == {}
    assert ImageFolder(root=str(tmp_path)).has_more_files(2)
    names = set(images.sources)
    save(tmp_path / "a/later.png")
    assert set(files_by_name(str(tmp_path))) == {"a/later.png"}
    assert set(files_by_name(str(tmp_path), images.sources)) == names | {"a/later.png"}


def test_many_that_are_passed_over_are_said_and_counted_where_they_lie(tmp_path):
    save(tmp_path / "a/preview.png")
    for number in range(5):
        saved(tmp_path / f"b/{number}.npy", np.zeros((8, 8)))
    passed_over = PassedOver()
    assert list(image_paths(str(tmp_path), "root", passed_over)) == ["a/preview.png"]
    assert passed_over.suffixes == {".npy": 5}
    notes = load(tmp_path).found.notes
    said = "5 .npy files are passed over beside 1 other image"
    assert [note.partition(";")[0] for note in notes if ".npy files" in note] == [said]


def test_none_at_all_are_no_images(tmp_path):
    (tmp_path / "notes.txt").write_text("")
    assert "no images" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("dtype", "is_color"),
    [(np.uint8, True), (np.uint16, False), (np.float32, False), (np.bool_, False)],
)
def test_three_channels_are_colors_where_they_are_bytes(tmp_path, dtype, is_color):
    saved(tmp_path / "a.npy", np.zeros((3, 20, 20), dtype))
    header = header_of(str(tmp_path / "a.npy"))
    assert (header.channels, header.is_color) == (3, is_color)
    images = load(tmp_path, size=20)
    assert (images.images.shape[1], images.is_rgb) == (3, is_color)


def test_bool_is_black_and_white(tmp_path):
    values = np.eye(8, dtype=bool)
    saved(tmp_path / "a.npy", values)
    found = decode(str(tmp_path / "a.npy"), (8, 8))
    assert found.pixels[0].tolist() == (values * 255).tolist()
    assert found.kind == "NPY bool"
