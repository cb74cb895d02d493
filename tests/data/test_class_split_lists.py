"""Lists of CUB-200-2011, Cars196 and Stanford Online Products that are malformed or contradict each
other: each is refused in one line that names the file and the place."""

import numpy as np
import pytest
from class_split_files import (
    CAR_NAMES,
    annotations,
    cell,
    cub_name,
    shrink,
    write_cars,
    write_cub,
    write_devkit,
    write_products,
)
from scipy.io import loadmat, savemat

from dimred.data.class_split_images import load_class_split
from dimred.errors import InputError

WRITERS = {"cub200": write_cub, "cars196": write_cars, "stanford_online_products": write_products}
ONE, TWO = cub_name(1), cub_name(2)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name in WRITERS:
        shrink(monkeypatch, name)


def refusal(name, root, partial=False):
    with pytest.raises(InputError) as error:
        load_class_split(name, str(root), 4, partial)
    assert "\n" not in str(error.value)
    return str(error.value)


def change_line(file, number, text):
    """Put another text in the place of a line, counted from 1."""
    lines = file.read_text().splitlines()
    lines[number - 1] = text
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("file", "number", "text", "problem"),
    [
        ("images.txt", 2, "12", "is '12'; must be of the form 'image_id path'"),
        ("images.txt", 2, f"x {ONE}/a.jpg", "image_id='x' must be a whole number from 1 to 999,"),
        ("images.txt", 2, f"-12 {ONE}/a.jpg", "image_id='-12' must be"),
        ("images.txt", 2, f"1.5 {ONE}/a.jpg", "image_id='1.5' must be"),
        ("images.txt", 2, f"²2 {ONE}/a.jpg", "image_id='²2' must be"),
        ("images.txt", 2, f"0 {ONE}/a.jpg", "image_id='0' must be"),
        ("images.txt", 2, f"99999999999 {ONE}/a.jpg", "image_id='99999999999' must be"),
        ("images.txt", 2, f"11 {ONE}/a.jpg", "image 11 is listed already"),
        ("images.txt", 2, f"99 {ONE}/a.jpg", "image 99 has no class in image_class_labels.txt"),
        ("images.txt", 2, f"12 {TWO}/a.jpg", f"is not in the folder {ONE!r} of its class, 1 in"),
        ("images.txt", 2, "12 a.jpg", f"'a.jpg' is not in the folder {ONE!r} of its class"),
        ("images.txt", 2, f"12 {ONE}/Bird_0000_9.jpg", "Bird_0000_9.jpg' is listed already"),
        ("images.txt", 2, "12 ../a.jpg", "path '../a.jpg' must lead to a file below the folder"),
        ("images.txt", 2, f"12 {ONE}/../a.jpg", "must lead to a file below the folder"),
        ("images.txt", 2, "12 /etc/passwd", "path '/etc/passwd' must lead to a file below"),
        ("images.txt", 2, f"12 {ONE}//a.jpg", "must lead to a file below the folder"),
        ("images.txt", 2, f"12 {ONE}/a\0.jpg", "must lead to a file below the folder"),
        ("image_class_labels.txt", 6, "12", "is '12'; must be of the form 'image_id class_id'"),
        ("image_class_labels.txt", 6, "12 1 1", "class_id='1 1' must be a whole number from 1 to"),
        ("image_class_labels.txt", 6, "12 5", "class_id='5' must be a whole number from 1 to 4"),
        ("image_class_labels.txt", 6, "12 0", "class_id='0' must be a whole number from 1 to 4"),
        ("image_class_labels.txt", 6, "13 1", "image 13 is listed already"),
        ("classes.txt", 2, "2", "is '2'; must be of the form 'class_id name'"),
        ("classes.txt", 2, f"2 {ONE}", f"class 2 is called {ONE!r}, which must begin with 002."),
        ("classes.txt", 2, "2 02.Bird", "class 2 is called '02.Bird', which must begin with 002."),
        ("classes.txt", 2, "2 002.", "class 2 is called '002.', which must begin with 002."),
        ("classes.txt", 2, "2 002.a/b", "class 2 is called '002.a/b', which must begin with 002."),
        ("classes.txt", 2, f"1 {ONE}", "class 1 is listed already"),
        ("classes.txt", 2, f"5 {cub_name(5)}", "class_id='5' must be a whole number from 1 to 4"),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_a_line_of_cub_is_refused(tmp_path, file, number, text, problem, partial):
    write_cub(tmp_path)
    change_line(tmp_path / file, number, text)
    message = refusal("cub200", tmp_path, partial)
    assert message.startswith(f"{str(tmp_path / file)!r}, line {number}: ")
    assert problem in message


def test_classes_of_cub_must_all_be_there(tmp_path):
    write_cub(tmp_path, (1, 1, 1, 3, 3, 4, 4), names=(1, 3, 4))
    file = str(tmp_path / "classes.txt")
    assert refusal("cub200", tmp_path) == (
        f"{file!r}: 3 classes are listed, but CUB-200-2011 has 4; dataset.partial=true takes what "
        "is there"
    )
    images = load_class_split("cub200", str(tmp_path), 4, True)
    assert images.labels.names == tuple(cub_name(i) for i in (1, 3, 4))
    assert images.labels.values.tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert images.is_unseen.tolist() == [False] * 3 + [True] * 4


def test_a_class_of_cub_that_is_not_listed_is_refused(tmp_path):
    write_cub(tmp_path, names=(1, 3, 4))
    file = str(tmp_path / "image_class_labels.txt")
    message = refusal("cub200", tmp_path, partial=True)
    assert message == f"{file!r}, line 5: class 2 is not in classes.txt"


@pytest.mark.parametrize(
    ("side", "number", "text", "problem"),
    [
        (
            "train",
            1,
            "1 1 1 bicycle_final/1_0.JPG",
            "must be 'image_id class_id super_class_id pat",
        ),
        ("train", 2, "1 1 1", "must be of the form 'image_id class_id super_class_id path'"),
        ("train", 3, "1 1 1 bicycle_final/x.JPG", "image 1 is listed already"),
        ("train", 3, "2 3 1 bicycle_final/x.JPG", "class_id='3' must be a whole number from 1 to"),
        ("test", 3, "5 2 7 mug_final/x.JPG", "class_id='2' must be a whole number from 3 to 4"),
        ("test", 3, "5 5 7 mug_final/x.JPG", "class_id='5' must be a whole number from 3 to 4"),
        ("train", 3, "2 1 0 bicycle_final/x.JPG", "super_class_id='0' must be a whole number"),
        ("train", 3, "2 1 13 bicycle_final/x.JPG", "super_class_id='13' must be a whole number"),
        ("train", 3, "2 1 1 mug_final/x.JPG", "whose other images are in 'bicycle_final'"),
        ("test", 3, "5 4 7 mug_final/1002_2.JPG", "'mug_final/1002_2.JPG' is listed already"),
        (
            "test",
            3,
            "5 4 7 mug_final/../../x",
            "must lead to a file below the folder, without '..'",
        ),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_a_line_of_products_is_refused(tmp_path, side, number, text, problem, partial):
    write_products(tmp_path)
    file = tmp_path / f"Ebay_{side}.txt"
    change_line(file, number, text)
    message = refusal("stanford_online_products", tmp_path, partial)
    assert message.startswith(f"{str(file)!r}, line {number}: ")
    assert problem in message


def test_two_super_classes_in_one_folder_are_refused(tmp_path):
    write_products(tmp_path)
    file = tmp_path / "Ebay_test.txt"
    file.write_text(file.read_text().replace(" 4 7 mug_final", " 4 8 mug_final"))
    message = refusal("stanford_online_products", tmp_path)
    assert message.endswith("Ebay_train.txt': the images of two super classes are in one folder")


@pytest.mark.parametrize("name", ["cub200", "stanford_online_products"])
def test_empty_lines_and_line_ends_of_windows_do_not_matter(tmp_path, name):
    WRITERS[name](tmp_path)
    whole = load_class_split(name, str(tmp_path), 4, False)
    for file in tmp_path.glob("*.txt"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n\r\n"))
    again = load_class_split(name, str(tmp_path), 4, False)
    assert again.fingerprint() == whole.fingerprint()
    assert again.sources == whole.sources


@pytest.mark.parametrize("name", WRITERS)
def test_a_list_that_cannot_be_read_is_named(tmp_path, name):
    WRITERS[name](tmp_path)
    file = next(
        tmp_path / file
        for file in ("classes.txt", "cars_annos.mat", "Ebay_train.txt")
        if (tmp_path / file).exists()
    )
    file.unlink()
    file.mkdir()
    assert refusal(name, tmp_path) == f"{str(file)!r} cannot be read: Is a directory"


def rewrite_cars(folder, **changed):
    """Write cars_annos.mat again with other variables; None leaves one out."""
    file = folder / "cars_annos.mat"
    content = {k: v for k, v in loadmat(file).items() if k in ("annotations", "class_names")}
    content = {key: value for key, value in (content | changed).items() if value is not None}
    savemat(file, content)
    return file


PATHS = [f"car_ims/{i + 1:06d}.jpg" for i in range(3)]


@pytest.mark.parametrize(
    ("paths", "classes", "problem"),
    [
        (PATHS, [1, 5, 1], "annotations(2): class='5' must be a whole number from 1 to 4"),
        (PATHS, [1, 0, 1], "annotations(2): class='0' must be a whole number from 1 to 4"),
        (PATHS, [1, 1.5, 1], "annotations(2): class='1.5' must be a whole number from 1 to 4"),
        (PATHS, [1, -1, 1], "annotations(2): class='-1' must be a whole number from 1 to 4"),
        (PATHS, [1, "one", 1], "annotations(2): class is <U3 (1,); must be one number"),
        (PATHS, [1, [1, 2], 1], "annotations(2): class is int64 (1, 2); must be one number"),
        (PATHS, [1, [], 1], "annotations(2): class is float64 (0, 0); must be one number"),
        ([PATHS[0], 7, PATHS[2]], [1, 1, 1], "annotations(2): is int64 (1, 1); must be a text"),
        ([*PATHS[:2], PATHS[0]], [1, 1, 1], f"annotations(3): {PATHS[0]!r} is listed already"),
        (
            [*PATHS[:2], "../a.jpg"],
            [1, 1, 1],
            "annotations(3): path '../a.jpg' must lead to a file",
        ),
        ([*PATHS[:2], "/a.jpg"], [1, 1, 1], "annotations(3): path '/a.jpg' must lead to a file"),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_an_annotation_of_cars_is_refused(tmp_path, paths, classes, problem, partial):
    write_cars(tmp_path)
    made = annotations("relative_im_path", paths, [1, 1, 1])
    for i, value in enumerate(classes):
        made["class"][0, i] = np.array(value) if isinstance(value, list) else value
    file = rewrite_cars(tmp_path, annotations=made)
    message = refusal("cars196", tmp_path, partial)
    assert message.startswith(f"{str(file)!r}, {problem}")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"annotations": None}, ": has no variable 'annotations'"),
        ({"class_names": None}, ": has no variable 'class_names'"),
        ({"annotations": np.zeros((1, 7))}, ": annotations have no field 'class'"),
        ({"annotations": annotations("fname", PATHS, [1, 1, 1])}, ": annotations have no field 'r"),
        ({"class_names": np.zeros((1, 4))}, ", class_names(1): is float64 (); must be a text"),
        ({"class_names": cell([*CAR_NAMES[:3], 4.0])}, ", class_names(4): is float64 (1, 1); must"),
        (
            {"class_names": cell([*CAR_NAMES[:3], CAR_NAMES[0]])},
            f", class_names(4): {CAR_NAMES[0]!r} is the name of another class too",
        ),
        (
            {"class_names": cell([*CAR_NAMES, "Fiat"])},
            ": 5 class names are listed, but Cars196 has 4",
        ),
    ],
)
def test_other_content_of_cars_is_refused(tmp_path, changed, problem):
    write_cars(tmp_path)
    file = rewrite_cars(tmp_path, **changed)
    for partial in (False, True):
        assert refusal("cars196", tmp_path, partial).startswith(f"{str(file)!r}{problem}")


def test_fewer_names_of_cars_are_partial(tmp_path):
    write_cars(tmp_path, (1, 1, 2, 3, 3, 3, 3), names=CAR_NAMES[:3])
    file = str(tmp_path / "cars_annos.mat")
    assert refusal("cars196", tmp_path) == (
        f"{file!r}: 3 class names are listed, but Cars196 has 4; dataset.partial=true takes what "
        "is there"
    )
    images = load_class_split("cars196", str(tmp_path), 4, True)
    assert images.labels.names == CAR_NAMES[:3]
    assert images.is_unseen.tolist() == [False] * 3 + [True] * 4


@pytest.mark.parametrize("file", ["cars_train_annos", "cars_test_annos_withlabels", "cars_meta"])
@pytest.mark.parametrize("damage", ["text", "empty", "cut", "flipped"])
def test_a_damaged_matlab_file_is_named(tmp_path, file, damage):
    write_devkit(tmp_path)
    path = tmp_path / "devkit" / f"{file}.mat"
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "text": b"<html>404</html>" * 20,
            "empty": b"",
            "cut": content[:middle],
            "flipped": content[:middle] + bytes(reversed(content[middle:])),
        }[damage]
    )
    message = refusal("cars196", tmp_path)
    assert message.startswith(f"{str(path)!r}")


def test_a_huge_matlab_file_is_not_read(tmp_path, monkeypatch):
    write_cars(tmp_path)
    monkeypatch.setattr("dimred.data.cars196._MAX_BYTES", 100)
    file = str(tmp_path / "cars_annos.mat")
    assert refusal("cars196", tmp_path) == f"{file!r}: is longer than 100 bytes"
