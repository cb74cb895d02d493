"""Tables of a folder's images: what is read, joined, left out and refused."""

import unicodedata
from dataclasses import replace

import numpy as np
import pytest
from test_image_folder import load, save

from dimred.data import folder_source
from dimred.data.check import check_image_set
from dimred.data.image_decoding import Decoded
from dimred.data.image_set import LabelSet
from dimred.data.own_options import ImageFolder
from dimred.data.reading import Header
from dimred.data.table import column_values
from dimred.errors import InputError
from dimred.files import csv_file

FILES = ("a/1.png", "a/2.png", "b/1.png", "b/3.png")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with FILES, which are not decoded but for a pixel that tells them apart."""

    def decode(path, size, reading, channels):
        pixels = np.full((1, *size), path.count("a/") * 100 + ord(path[-5]) % 99, np.uint8)
        return Decoded(pixels, "PNG L", (8, 8), "", False, 1, False)

    monkeypatch.setattr(folder_source, "decode", decode)
    monkeypatch.setattr(folder_source, "header_of", lambda path, reading: Header(1, False, "uint8"))
    for name in FILES:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"")
    return tmp_path / "photos"


def read(folder, text, key="table", **further):
    """The images with a table of this text, or of these bytes, in the folder."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "list.csv").write_bytes(content)
    return ImageFolder(root=str(folder), image_size=4, **{key: "list.csv"}, **further).load(0)


def refusal(folder, text, key="table", **further):
    with pytest.raises(InputError) as caught:
        read(folder, text, key, **further)
    assert "\n" not in str(caught.value)
    assert f"dataset.{key}='list.csv'" in str(caught.value)
    return str(caught.value)


def classes(images):
    return [images.labels.names[i] for i in images.labels.values]


ALL = "file,class,split\na/1.png,x,train\na/2.png,y,test\nb/1.png,x,train\nb/3.png,y,train\n"


def test_class_and_split_of_a_table_hold_instead_of_the_folders(folder):
    (folder / "loose.png").write_bytes(b"")  # which the folders' classes would refuse
    (folder / "a" / "list.csv").write_bytes(b"")  # another file, which is passed over
    images = read(folder, ALL + "loose.png,x,TEST\n")
    assert images.sources == ("a/1.png", "b/1.png", "b/3.png", "a/2.png", "loose.png")
    assert classes(images) == ["x", "x", "y", "y", "x"]
    assert images.is_test.tolist() == [False] * 3 + [True] * 2
    assert images.split_name == "split of list.csv, 3/2"
    assert images.index.tolist() == [0, 1, 2, 3, 4]
    assert images.found.notes == ()
    assert images.found.other_files == {".csv": 1}


def test_folders_say_what_the_table_does_not(folder):
    images = read(folder, "file,split\na/1.png,test\na/2.png,train\nb/1.png,train\nb/3.png,test")
    assert (classes(images), images.is_test.sum()) == (["a", "b", "a", "b"], 2)
    images = read(folder, "file,Class\na/1.png,x\na/2.png,y\nb/1.png,y\nb/3.png,x")
    assert (classes(images), images.is_test.sum()) == (["x", "y", "y", "x"], 0)
    for old, new in (("a", "train"), ("b", "test")):
        (folder / old).rename(folder / new)
    images = read(folder, "file,label\ntrain/1.png,x\ntrain/2.png,y\ntest/1.png,y\ntest/3.png,x")
    assert (classes(images), images.is_test.sum()) == (["x", "y", "y", "x"], 2)
    assert images.split_name == "train/ and test/ folders, 2/2"


@pytest.mark.parametrize(
    "content",
    [
        ALL.encode("utf-8-sig"),
        ALL.replace(",", ";").encode(),
        ALL.replace(",", "\t").encode("utf-16"),
        ALL.replace("\n", "\r\n").replace("x", '" x "').encode(),
        ALL.replace("a/", "./a/").replace("b/", "b\\").encode(),
        ALL.replace("a/2.png", "2.png").replace("b/3.png", "3.png").encode(),
        ("\n,,\n" + ALL + "\n,,\n").encode(),
    ],
    ids=["bom", "semicolons", "tabs", "quotes", "windows", "names", "empty-lines"],
)
def test_tables_of_every_kind(folder, content):
    images = read(folder, content)
    assert dict(zip(images.sources, classes(images), strict=True)) == {
        "a/1.png": "x",
        "a/2.png": "y",
        "b/1.png": "x",
        "b/3.png": "y",
    }


def test_paths_to_the_files_and_their_unicode_forms_are_found(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    forms = [unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD")]
    (folder / "a" / forms[1]).write_bytes(b"")
    table = f"file,note\nphotos/a/1.png,1\n{folder}/b/1.png,2\na/{forms[0]},3\n"
    images = read(folder, table)
    assert images.columns["note"][[0, 2, 3]].tolist() == [1, 3, 2]


def test_a_table_is_looked_for_here_and_then_in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (folder / "list.csv").write_text(ALL)
    options = ImageFolder(root="photos", image_size=4, table="list.csv")
    assert options.load(0).labels.names == ("x", "y")
    assert replace(options, table="/gone/list.csv").load(0).labels.names == ("x", "y")
    (folder.parent / "list.csv").write_text(ALL.replace("x", "z"))
    assert options.load(0).labels.names == ("y", "z")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty; its first line must name the columns"]),
        ("\n \n", ["is empty"]),
        ("a/1.png,x\na/2.png,y\n", ["no column file or path", "is 'a/1.png', 'x'"]),
        ("file,class\n", ["has no rows"]),
        ("file,class\na/1.png,x,y\n", ["line 2: has 3 cells, and the first line 2"]),
        ("file,class\na/1.png\n", ["line 2: has 1 cell, "]),
        ("file,class\n,x\n", ["line 2: the column 'file' is empty"]),
        ("file,x,X\na/1.png,1,2\n", ["two columns 'X'"]),
        ("file,a\x1bb\na/1.png,1\n", ["a column is called 'a\\\\x1bb'"]),
        ('file,class\na/1.png,"x\n', ["line 2: unexpected end of data"]),
        (ALL + "./a/1.png,y,test\n", ["line 6: 'a/1.png' is in line 2 already"]),
        (ALL + "1.png,y,test\n", ["line 6: '1.png' may be 'a/1.png', 'b/1.png'; write its path"]),
        ("file,split\na/1.png,val\n", ["line 2: split='val': must be train or test"]),
        ("file,split\na/1.png,\n", ["line 2: split='': must be train or test"]),
        ("file,class\nc/1.png,x\nd.png,y\n", ["none of its files", "'a/1.png'", "is 'c/1.png'"]),
        ("file,class\na/1.png,\n", ["no image has a class"]),
        (b"PK\x03\x04", ["a spreadsheet can be saved as one"]),
        ("file,class\na/1.png,\u00e9".encode("latin-1"), ["is not in UTF-8"]),
        (b"file,class\na/1.png,\0", ["is no text"]),
    ],
)
def test_what_is_no_such_table_is_refused_with_row_and_column(folder, text, parts):
    message = refusal(folder, text)
    for part in parts:
        assert part in message


def test_a_table_that_is_not_there_is_refused(folder):
    with pytest.raises(InputError, match=r"dataset\.table='nope\.csv': no such file, here or in"):
        ImageFolder(root=str(folder), table="nope.csv").load(0)


PARTS = "file,class\na/1.png,x\na/2.png,y\nb/1.png,\ngone.png,y\n"


def test_images_without_a_class_and_rows_without_an_image_are_counted_and_named(folder):
    images = read(folder, PARTS)
    assert images.sources == ("a/1.png", "a/2.png")
    lost, no_row, without, unlabeled = images.found.notes
    assert lost == "list.csv: 1 row names no image of the folder: 'gone.png' (line 5)"
    assert no_row == "list.csv: 1 image has no row and is left out: 'b/3.png'"
    assert without == "list.csv: 1 image has no class and is left out: 'b/1.png'"
    assert unlabeled == "no two images are of one class: taken as unlabeled"
    assert "1 row names no image of the folder: 'gone.png'" in refusal(folder, PARTS, strict=True)
    assert "1 image has no row" in refusal(folder, PARTS.replace("gone.png,y\n", ""), strict=True)


COLUMNS = "file,weight,taken,no\na/1.png,1.5,2026-01-02,007\na/2.png,NA,2026-01-03,008\n"


def test_further_columns_are_numbers_or_categories_and_no_images_are_left_out(folder):
    images = read(folder, COLUMNS)
    check_image_set("mine", images)
    assert classes(images) == ["a", "a", "b", "b"]
    assert images.found.notes == ("list.csv: 2 images have no row: 'b/1.png', 'b/3.png'",)
    weight, taken, number = (images.columns[name] for name in ("weight", "taken", "no"))
    np.testing.assert_array_equal(weight, [1.5, np.nan, np.nan, np.nan])
    assert taken.names == ("", "2026-01-02", "2026-01-03")
    assert taken.values.tolist() == [1, 2, 0, 0]
    assert number.names == ("", "007", "008")
    half = images.take(np.array([1]))
    assert np.isnan(half.columns["weight"]).all()
    assert half.columns["taken"].values.tolist() == [2]


def test_only_class_and_split_count_for_the_identity_of_a_run(folder):
    table = "file,class,age\na/1.png,x,1\na/2.png,x,2\nb/1.png,y,3\nb/3.png,y,4\n"
    fingerprint = read(folder, table).fingerprint()
    assert (
        read(folder, table.replace("age", "years").replace(",4", ",5")).fingerprint() == fingerprint
    )
    lines = table.splitlines(keepends=True)
    assert read(folder, "".join([lines[0], *reversed(lines[1:])])).fingerprint() == fingerprint
    assert read(folder, table.replace("b/1.png,y", "b/1.png,x")).fingerprint() != fingerprint


@pytest.mark.parametrize("name", ["z", "z1", "loss", "index", "file_names", "Source"])
def test_names_of_other_columns_get_a_suffix_and_it_is_said(folder, name):
    images = read(folder, f"file,{name}\na/1.png,1\na/2.png,2\nb/1.png,3\nb/3.png,4\n")
    assert list(images.columns) == [f"{name}_column"]
    assert images.found.notes == (f"list.csv: the column {name!r} is called {name}_column here",)


def test_columns_without_a_name_and_of_long_texts_are_left_out_and_said(folder):
    images = read(folder, f",file,text,\n0,a/1.png,{'x' * 1001},\n1,a/2.png,y,\n")
    assert images.columns == {}
    assert images.found.notes[-2:] == (
        "list.csv: column 1 has no name: left out",
        "list.csv: the column 'text' has texts of more than 1,000 characters: left out",
    )


@pytest.mark.parametrize(
    ("cells", "comma", "expected"),
    [
        (["1", "-2.5", "1e3", ".5", ""], False, [1, -2.5, 1000, 0.5, np.nan]),
        (["3,5", "2"], True, [3.5, 2]),
        (["3,5", "2"], False, ("2", "3,5")),
        (["1_000", "2"], False, ("1_000", "2")),
        (["1e999", "2"], False, ("1e999", "2")),
        (["inf", "2"], False, ("2", "inf")),
        (["0.5", "0"], False, [0.5, 0]),
        (["", "NA"], False, ("", "NA")),
    ],
)
def test_a_column_is_of_numbers_where_every_cell_is_one(cells, comma, expected):
    values = column_values(cells, comma)
    if isinstance(expected, tuple):
        assert isinstance(values, LabelSet)
        assert values.names == expected
    else:
        np.testing.assert_array_equal(values, expected)


def test_images_of_a_list_are_left_out_counted_and_keep_their_index(folder):
    (folder / "a/-1.png").write_bytes(b"")
    rows = [{"row": 0, "source": name} for name in ("a/-1.png", "b/1.png", "gone.png")]
    images = read(folder, csv_file(["row", "source"], rows), "exclude")
    assert images.sources == ("a/1.png", "a/2.png", "b/3.png")
    assert images.index.tolist() == [1, 2, 4]
    assert images.found.notes == (
        "list.csv: 1 row names no image of the folder: 'gone.png' (line 4)",
        "list.csv: 2 images left out",
    )
    assert images.found.files == 5


def test_a_name_that_begins_like_a_formula_is_found_as_it_is_written(folder):
    (folder / "-1.png").write_bytes(b"")
    (folder / "a").rename(folder.parent / "a")
    (folder / "b").rename(folder.parent / "b")
    (folder / "2.png").write_bytes(b"")
    images = read(folder, csv_file(["source"], [{"source": "-1.png"}]), "exclude")
    assert images.sources == ("2.png",)


def test_lists_that_leave_nothing_or_are_of_pairs_are_refused(folder):
    assert "leaves no image" in refusal(folder, "file\n" + "\n".join(FILES), "exclude")
    pairs = "source,source_2\na/1.png,a/2.png\n"
    assert "dimred inspect RUN --keep-one" in refusal(folder, pairs, "exclude")


def test_an_excluded_image_needs_no_row_and_classes_are_selected_of_the_rest(folder):
    (folder / "out.csv").write_text("path\nb/3.png\n")
    table = "file,class\na/1.png,x\na/2.png,y\nb/1.png,y\n"
    images = read(folder, table, exclude="out.csv", strict=True)
    assert images.sources == ("a/1.png", "a/2.png", "b/1.png")
    images = read(folder, table, exclude="out.csv", classes=["y"])
    assert images.sources == ("a/2.png", "b/1.png")


def test_a_table_and_files_that_cannot_be_read_go_together(tmp_path):
    for i in range(4):
        save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"nothing")
    rows = [f"{i}.png,{'xy'[i // 2]},{i}" for i in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["file,class,number", *rows]))
    images = ImageFolder(root=str(tmp_path), image_size=8, table="list.csv").load(0)
    assert images.columns["number"].tolist() == [0, 2, 3]
    assert classes(images) == ["x", "y", "y"]
    assert load(tmp_path).columns == {}
