"""A column `classes` in the table of a folder: several classes an image."""

import unicodedata

import numpy as np
import pytest
from test_table import FILES, folder, read, refusal

from dimred.data.check import check_image_set
from dimred.data.first_look import first_look

__all__ = ["folder"]  # a fixture


def shown(images):
    """The classes of each file by its name."""
    names = np.array(images.presence.names, dtype=object)
    rows = zip(images.sources, images.presence.values, strict=True)
    return {source: names[row].tolist() for source, row in rows}


@pytest.mark.parametrize("mark", [";", "|", " ; ", "| ", ";;"])
def test_a_cell_names_all_classes_of_an_image(folder, mark):
    images = read(
        folder, f"file,classes\na/1.png,cat{mark}dog\na/2.png,\nb/1.png,dog{mark}\nb/3.png,ant\n"
    )
    check_image_set("mine", images)
    assert images.labels is None
    assert images.presence.names == ("ant", "cat", "dog")
    assert shown(images) == {
        "a/1.png": ["cat", "dog"],
        "a/2.png": [],
        "b/1.png": ["dog"],
        "b/3.png": ["ant"],
    }
    assert images.columns["classes"].names == ("none", "ant", "dog", "cat, dog")
    assert images.columns.keys() == {"classes"}
    assert images.found.notes == ()


def test_a_table_of_semicolons_takes_bars_and_has_a_split(folder):
    text = "file;classes;split;weight\na/1.png;cat|dog;test;1,5\na/2.png;cat;train;2\n"
    images = read(folder, text + "b/1.png;;test;3\nb/3.png;dog;train;4\n")
    assert images.sources == ("a/2.png", "b/3.png", "a/1.png", "b/1.png")
    assert images.is_test.tolist() == [False, False, True, True]
    assert shown(images)["a/1.png"] == ["cat", "dog"]
    assert images.columns["weight"].tolist() == [2, 4, 1.5, 3]


def test_two_spellings_of_a_name_are_one_class(folder):
    apart = unicodedata.normalize("NFD", "é")
    images = read(folder, f"file,classes\na/1.png,é\na/2.png,{apart}\nb/1.png,x;é\nb/3.png,x\n")
    assert images.presence.names == ("x", "é")
    assert images.presence.values.sum(0).tolist() == [2, 3]
    assert "two Unicode spellings of a name are one class: 'é'" in images.found.notes


def test_images_without_a_row_are_left_out_and_named(folder):
    images = read(folder, "file,classes\na/1.png,x\na/2.png,y\n")
    assert images.sources == FILES[:2]
    assert "2 images have no row and are left out: 'b/1.png', 'b/3.png'" in images.found.notes[0]


def test_other_characters_that_may_separate_names_are_part_of_them_and_it_is_said(folder):
    text = 'file,classes\na/1.png,"cat,dog"\na/2.png,cat;bird\nb/1.png,dog/cow\nb/3.png,a-b_c d\n'
    images = read(folder, text)
    assert images.presence.names == ("a-b_c d", "bird", "cat", "cat,dog", "dog/cow")
    assert images.found.notes == (
        "names of classes are separated by ; or |, so that each of these is one: 'cat,dog', "
        "'dog/cow'",
    )
    said = "\n".join(first_look(images).notes)
    assert "of 5 classes: 'a-b_c d', 'bird', 'cat', 'cat,dog', 'dog/cow'; " in said


def test_names_that_differ_in_case_are_two_classes_and_it_is_said(folder):
    images = read(folder, "file,classes\na/1.png,;cat;Cat\na/2.png,cat\nb/1.png,\nb/3.png,dog\n")
    assert images.presence.names == ("Cat", "cat", "dog")
    assert images.found.notes == (
        "classes whose names differ only in case, width or spaces: 'Cat', 'cat'",
    )


def test_a_limit_keeps_the_classes_of_the_whole_table(folder):
    text = "file,classes\na/1.png,x\na/2.png,x;y\nb/1.png,y\nb/3.png,z\n"
    images = read(folder, text, limit=2)
    assert len(images) == 2
    assert images.presence.names == ("x", "y", "z")
    absent = 3 - images.presence.values.any(0).sum()
    assert absent
    said = "\n".join(first_look(images).notes)
    assert f"{absent} of 3 classes are in no training image: " in said
    expected = {"a/1.png": ["x"], "a/2.png": ["x", "y"], "b/1.png": ["y"], "b/3.png": ["z"]}
    assert shown(images).items() <= expected.items()


@pytest.mark.parametrize(
    ("text", "further", "said"),
    [
        ("file,class,classes\na/1.png,x,x\n", {}, "has a column of one class and a column 'class"),
        ("file,Classes\na/1.png,;\na/2.png,\n", {}, "its column 'Classes' names no class"),
    ],
)
def test_what_cannot_be_used_is_refused(folder, text, further, said):
    assert said in refusal(folder, text, **further)
