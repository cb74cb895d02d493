"""Images of a run chosen by what is known of them."""

import operator
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimred.analysis.selectors import conditions_in, selected_rows
from dimred.errors import InputError
from dimred.run_folder.arrays import RunArrays, RunMap
from dimred.run_folder.files import RunFiles

NAMES = ("cats", "cats,test", "=dogs", "a<b", "spa\u0308te")
N = 60
SHIFTS = (0.0, -2.0, 2.0)


def a_map(path, n_images=N, n_variants=1, **arrays):
    rows = n_images * n_variants
    known = {
        "z": np.zeros((rows, 2), np.float32),
        "index": np.repeat(np.arange(n_images), n_variants),
        "split": np.repeat(np.where(np.arange(n_images) % 3, "train", "test"), n_variants),
    }
    path.mkdir(exist_ok=True)
    np.savez(path / "embedding.npz", **{**known, **arrays})
    return RunMap(RunArrays(RunFiles(path), "embedding.npz"), n_images, n_variants)


def labels(n_variants=1, names=NAMES):
    return {
        "label": np.repeat(np.arange(N) % len(names), n_variants),
        "class_names": np.array(names),
    }


@pytest.fixture(scope="module")
def on(tmp_path_factory):
    """60 images with classes, an angle, a column of names, and one that is not known of all."""
    weight = np.arange(float(N))
    weight[::2] = np.nan
    return a_map(
        tmp_path_factory.mktemp("map"),
        **labels(),
        azimuth=np.arange(N) * 6.0,
        place=np.arange(N) % 2,
        place_names=np.array(["north", "", "south"]),
        weight=weight,
        x=np.arange(float(N)) + 1,
        **{"x<y": np.arange(float(N))},
    )


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """60 images in three variants each, and the angle of each image."""
    which = np.tile(np.arange(3), N)
    return a_map(
        tmp_path_factory.mktemp("shifted"),
        n_variants=3,
        **labels(3, ("4", "9")),
        shift=np.tile(SHIFTS, N),
        transformation=which,
        transformation_names=np.array(["none", "shift -2", "shift +2"]),
        azimuth=np.repeat(np.arange(float(N)), 3),
    )


def test_what_follows_the_run_is_a_selector_and_all_else_a_file():
    assert conditions_in("RUN:train") == conditions_in("run:train") == "train"
    assert conditions_in("Run:") == ""
    assert conditions_in("demo:class=4", ("demo", "outputs/demo")) == "class=4"
    assert conditions_in("outputs/demo:test", ("demo", "outputs/demo")) == "test"
    for file in ("train", "./run:train", "photos/RUN:train", "demo", ":test", "RUN", "run/x.png"):
        assert conditions_in(file, ("demo", "")) is None, file
    assert conditions_in(["RUN:train"]) is None
    assert conditions_in(np.zeros(3)) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", lambda i: True),
        (" all ", lambda i: True),
        ("test", lambda i: i % 3 == 0),
        ("train", lambda i: i % 3 != 0),
        ("split!=test", lambda i: i % 3 != 0),
        ("class=cats", lambda i: i % 5 == 0),
        ("class = cats , train", lambda i: i % 5 == 0 and i % 3 != 0),
        ("label=cats", lambda i: i % 5 == 0),
        ("class!=cats", lambda i: i % 5 != 0),
        ("class=0", lambda i: i % 5 == 0),
        ("class=cats,test", lambda i: i % 5 == 1),  # a name with a comma
        ("class=cats,test,test", lambda i: i % 5 == 1 and i % 3 == 0),
        ("test,class=cats", lambda i: i % 5 == 0 and i % 3 == 0),
        ("class==dogs", lambda i: i % 5 == 2),
        ("class=a<b", lambda i: i % 5 == 3),
        ("class=sp\u00e4te", lambda i: i % 5 == 4),  # the same letters in one Unicode character
        ("azimuth<30", lambda i: i < 5),
        ("azimuth<=30", lambda i: i <= 5),
        ("azimuth>30,azimuth<60,train", lambda i: 5 < i < 10 and i % 3 != 0),
        ("azimuth>=3.54e2", lambda i: i == 59),
        ("azimuth=30", lambda i: i == 5),
        ("azimuth!=30", lambda i: i != 5),
        ("x<y<3", lambda i: i < 3),
        ("x<3", lambda i: i < 2),
        ("place=north", lambda i: i % 2 == 0),
        ("place=", lambda i: i % 2 == 1),
        ("weight!=3", lambda i: i % 2 == 1 and i != 3),  # nothing is said of what is not known
        ("weight>-1", lambda i: i % 2 == 1),
    ],
)
def test_rows_are_those_that_fulfill_all_conditions(on, text, holds):
    assert selected_rows(on, text, "x").tolist() == [i for i in range(N) if holds(i)]


COMPARED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(
    low=st.integers(-10, 370),
    high=st.integers(-10, 370),
    symbols=st.tuples(*[st.sampled_from(sorted(COMPARED))] * 2),
)
def test_conditions_are_joined_by_and(on, low, high, symbols):
    text = f"azimuth{symbols[0]}{low},azimuth{symbols[1]}{high}"
    expected = [
        i
        for i in range(N)
        if COMPARED[symbols[0]](6 * i, low) and COMPARED[symbols[1]](6 * i, high)
    ]
    if expected:
        assert selected_rows(on, text, "x").tolist() == expected
    else:
        with pytest.raises(InputError, match=r"^x: no image fulfills"):
            selected_rows(on, text, "x")


def test_transformations_are_chosen_only_by_what_they_change(shifted):
    images = np.arange(0, 3 * N, 3)
    assert selected_rows(shifted, "", "x").tolist() == images.tolist()
    assert selected_rows(shifted, "test", "x").tolist() == images[::3].tolist()
    assert selected_rows(shifted, "azimuth<2", "x").tolist() == [0, 3]
    assert selected_rows(shifted, "shift=2,azimuth<2", "x").tolist() == [2, 5]
    assert selected_rows(shifted, "shift<=0,azimuth<2", "x").tolist() == [0, 1, 3, 4]
    assert selected_rows(shifted, "transformation=shift +2,test", "x").tolist()[:2] == [2, 11]


def test_a_number_is_no_position_where_names_are_numbers(shifted):
    assert (shifted.labels[selected_rows(shifted, "class=9", "x")] == 1).all()
    with pytest.raises(InputError, match="no class '1'; there are '4', '9'"):
        selected_rows(shifted, "class=1", "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "trian",
            "'trian' is not known of the run's images; did you mean train? must be train, te",
        ),
        ("azimut<3", "did you mean azimuth?"),
        ("azimuth", "'azimuth' is not known"),
        ("train,", "'' is not known"),
        (",train", "'' is not known"),
        ("source=a.png", "with a KEY of class, azimuth, place, weight, x, x<y, split"),
        (
            "class=cat",
            "no class 'cat'; did you mean cats or cats,test? there are 'cats', 'cats,test', '=d",
        ),
        ("class=5", "no class '5'"),
        ("class=-1", "no class '-1'"),
        ("class=", "no class ''"),
        ("place=0", "no place '0'; there are '', 'north'"),
        ("class<3", "class is no number; only = and != can be used with it, not <"),
        ("split>=test", "split is no number"),
        ("azimuth<north", "azimuth<north: must be a number; azimuth is from 0 to 354"),
        ("azimuth<nan", "must be a number"),
        ("azimuth<inf", "must be a number"),
        ("azimuth<", "azimuth<: must be a number"),
        ("azimuth<0", "no image fulfills 'azimuth<0'; azimuth is from 0 to 354"),
        ("weight=2", "no image fulfills 'weight=2'; weight is from 1 to 59"),
        ("train,test", "no image fulfills all of these conditions"),
        ("class=cats\nx", r"no class 'cats\nx'"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_a_line(on, text, said):
    with pytest.raises(InputError) as caught:
        selected_rows(on, text, "RUN:x")
    line = str(caught.value)
    assert line.startswith("RUN:x: ")
    assert said in line
    assert "\n" not in line


def test_what_no_image_of_the_run_has_is_refused(tmp_path):
    bare = a_map(tmp_path / "bare", split=np.full(N, "train"), weight=np.full(N, np.nan))
    for text, said in (
        ("test", "no image fulfills 'test'; there are 'train'"),
        ("class=cats", "'class' is not known of the run's images"),
        ("weight<3", "weight is unknown of all images"),
    ):
        with pytest.raises(InputError, match=re.escape(said)):
            selected_rows(bare, text, "x")


def test_learned_and_unseen_are_words_where_some_classes_are_not_learned_from(tmp_path, on):
    is_unseen = np.arange(N) % len(NAMES) >= 3
    sides = np.where(is_unseen, "unseen", "learned")
    partly = a_map(tmp_path / "partly", **labels(), class_split=sides)
    of = partial(selected_rows, partly, named="RUN")
    assert of("unseen").tolist() == np.flatnonzero(is_unseen).tolist()
    assert of("class_split=unseen").tolist() == of("unseen").tolist()
    train = np.arange(N) % 3 > 0
    assert of("train,learned").tolist() == np.flatnonzero(train & ~is_unseen).tolist()
    with pytest.raises(InputError, match="must be train, test, learned, unseen, all, or KEY=VALUE"):
        of("seen")
    with pytest.raises(InputError, match="must be train, test, all, or KEY=VALUE"):
        selected_rows(on, "unseen", "RUN")
