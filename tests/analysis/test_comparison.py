"""What a comparison tests, leaves out, and says."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dimred.analysis import comparison
from dimred.analysis.compared_sets import ImageSide
from dimred.analysis.comparison import CompareOptions, compare
from dimred.analysis.comparison_words import half_split_lines, table_lines
from dimred.errors import InputError

RUN = SimpleNamespace(
    compute=lambda: SimpleNamespace(device=torch.device("cpu")),
    map=SimpleNamespace(class_names=("zeros", "ones")),
)


def side(name, n, seed=0, brighter=0, **values):
    """A set of n images of noise; H are their first pixels, and Z two of these."""
    rng = np.random.default_rng([seed, *name.encode()])
    pixels = np.clip(rng.integers(0, 200, (n, 1, 8, 8)) + brighter, 0, 255).astype(np.uint8)
    h = pixels.reshape(n, -1)[:, :6].astype(np.float32)
    fields = {
        "name": name,
        "names": tuple(f"{name}{i}.png" for i in range(n)),
        "files": ("",) * n,
        "items": np.full(n, -1),
        "rows": np.full(n, -1),
        "pixels": pixels,
        "h": h,
        "z": h[:, :2],
        "labels": np.full(n, -1),
        "columns": {},
        "learned": np.zeros(n, bool),
        "image": np.arange(n),
        "total": n,
        "left_out": (),
        "notes": (),
    }
    return ImageSide(**fields | values)


@pytest.fixture
def compared(monkeypatch):
    """Compares two sides that are given as they are."""

    def compare_sides(a, b, **options):
        monkeypatch.setattr(comparison, "sides", lambda *_: (a, b))
        return compare(RUN, "a", "b", CompareOptions(**{"permutations": 199} | options))

    return compare_sides


def test_sets_that_differ_are_said_to_with_the_effect_first(compared):
    it = compared(side("a", 60), side("b", 80, brighter=60))
    assert it.different
    assert it.sentence.startswith("very different: a linear classifier of ")
    assert "on the right side" in it.sentence
    assert "p at most 0.015" in it.sentence
    assert it.leading == "pixels"  # the largest effect among equal p
    assert set(it.tests) == {"pixels", "h", "z"}
    assert all(it.p[space] >= test.p for space, test in it.tests.items())
    assert "with 60 and 80 images, a classifier that is right in " in it.notes[0]
    assert "found with probability 0.8" in it.notes[0]


def test_the_answer_is_of_what_tells_more(compared):
    """Of the nearest images where they tell more than a linear classifier does."""
    rng = np.random.default_rng(0)
    spots = rng.normal(size=(60, 2)) * 100

    def clumped(name, own):
        h = (spots[own][rng.integers(0, 30, 90)] + rng.normal(size=(90, 2))).astype(np.float32)
        return side(name, 90, h=h, z=h)

    it = compared(clumped("a", slice(0, 30)), clumped("b", slice(30, 60)), spaces=("h",))
    assert it.sentence.startswith("different: in H ")
    assert "of the nearest images are of an image's own set, 50% by chance" in it.sentence


def test_sets_that_are_alike_are_not_called_the_same(compared):
    it = compared(side("a", 60), side("b", 60))
    assert not it.different
    assert it.sentence.startswith("no difference found (p ")
    assert "a classifier that is right in 6" in it.sentence
    assert "same" not in it.sentence


def test_the_result_is_plain_json_and_the_table_has_a_line_a_space(compared):
    it = compared(side("a", 40), side("b", 40), nn=True, spaces=("h", "z"))
    result = json.loads(json.dumps(it.result()))
    assert result["sentence"] == it.sentence
    assert list(result["spaces"]) == ["h", "z"]
    assert result["a"] == {"name": "a", "images": 40, "of": 40, "left_out": []}
    lines = table_lines(it)
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[0] for line in lines] == ["space", "H", "Z"]
    assert len(half_split_lines(it)) == 4
    assert "half split, kNN on Z: right in " in half_split_lines(it)[3]


def test_of_copies_in_both_sets_one_is_left_out_and_all_are_named(compared):
    a, b = side("a", 50), side("b", 50)
    for field in ("pixels", "h", "z"):
        getattr(b, field)[:10] = getattr(a, field)[:10]
    it = compared(a, b)
    assert it.copies[0] == ("a0.png", "b0.png", "identical")
    assert len(it.copies) == 10
    kept = set(it.a.names) | set(it.b.names)
    assert all((one in kept) != (other in kept) for one, other, _ in it.copies)
    assert 0 < len(it.a.names) - 40 < 10  # of each set some
    assert sorted(map(len, it.lost)) == sorted([50 - len(it.a.names), 50 - len(it.b.names)])
    assert it.result()["left_out_as_copies"]["a"] == list(it.lost[0])
    assert any("10 pairs of copies, one image in each set" in note for note in it.notes)
    assert not any("drawn by the seed" in note for note in it.notes)
    with pytest.raises(InputError, match="images are left without those that both sets have"):
        compared(side("a", 30), side("a", 30))


def test_copies_stay_together_when_the_one_in_the_other_set_is_left_out(compared):
    """Equal images are linked by the first of them alone."""
    a, b = side("a", 60), side("b", 90)
    for field in ("pixels", "h", "z"):
        for number in range(30):
            getattr(b, field)[3 * number : 3 * number + 3] = getattr(a, field)[number]
    it = compared(a, b)
    kept = len(it.b)
    assert kept % 3 == 0
    assert 20 < kept < 70
    assert len(np.unique(it.groups[len(it.a) :])) == kept // 3
    assert (np.bincount(it.groups[len(it.a) :])[it.groups[len(it.a) :]] == 3).all()


def test_copies_within_a_set_are_permuted_as_one(compared):
    a = side("a", 40)
    for field in ("pixels", "h", "z"):
        getattr(a, field)[20:] = getattr(a, field)[:20]
    it = compared(a, side("b", 40))
    assert np.array_equal(it.groups[:20], it.groups[20:40])
    assert len(np.unique(it.groups)) == 60
    assert (it.labelings.labels[:20] == it.labelings.labels[20:40]).all()
    assert any("40 images in 20 groups that belong together" in note for note in it.notes)
    assert "with 20 and 40 groups of images" in it.sentence + " ".join(it.notes)


def test_transformations_of_an_image_and_equal_values_of_a_column_are_one_group(compared):
    a = side("a", 40, image=np.arange(40) // 2, columns={"patient": np.arange(40) // 4})
    b = side("b", 40, columns={"patient": 100 + np.arange(40) // 4})
    assert len(np.unique(compared(a, b).groups)) == 60
    it = compared(a, b, group="patient")
    assert len(np.unique(it.groups)) == 20
    assert len(np.unique(it.groups[:4])) == 1
    with pytest.raises(InputError, match=r"group=patient: '0' and 9 other values of both sets"):
        compared(a, side("b", 40, columns=a.columns), group="patient")


def test_images_without_a_value_are_no_group_and_a_stratum_of_their_own(compared):
    patients = np.array(["", *(str(i // 4) for i in range(39))], object)
    patients[1:6] = ""
    a = side("a", 40, columns={"patient": patients})
    others = np.array([f"x{value}" if value else "" for value in patients], object)
    it = compared(a, side("b", 40, columns={"patient": others}), group="patient")
    assert len(np.unique(it.groups[:6])) == 6
    angles = np.linspace(0, 90, 40)
    angles[:5] = np.nan
    a, b = (side(name, 40, columns={"angle": angles}) for name in "ab")
    it = compared(a, b, within="angle")
    assert any("10 images without a value, permuted among themselves" in n for n in it.notes)
    labels = it.labelings.labels
    assert (labels[[0, 1, 2, 3, 4, 40, 41, 42, 43, 44]].sum(axis=0) == 5).all()


def test_given_the_class_another_mixture_of_classes_is_no_difference(compared):
    def mixed(name, ones):
        labels = np.repeat([0, 1], [80 - ones, ones])
        it = side(name, 80, labels=labels)
        for field in ("pixels", "h", "z"):
            values = getattr(it, field)
            values[labels == 1] = values[labels == 1] // 4
        return it

    a, b = mixed("a", 20), mixed("b", 50)
    assert compared(a, b).different
    within = compared(a, b, within="class")
    assert not within.different
    labels = within.labelings.labels
    ones = np.concatenate([a.labels, b.labels]) == 1
    assert (labels[ones].sum(axis=0) == 50).all()


def test_a_factor_of_many_values_is_permuted_within_tenths(compared):
    rng = np.random.default_rng(0)
    a = side("a", 60, columns={"angle": rng.uniform(0, 90, 60)})
    b = side("b", 60, columns={"angle": rng.uniform(0, 90, 60)})
    assert compared(a, b, within="angle").strata == {"both": 10, "one": 0, "unknown": 0}
    b = side("b", 60, columns={"angle": np.repeat([1.0, 2.0, 3.0], 20)})
    a = side("a", 60, columns={"angle": np.repeat([1.0, 2.0, 4.0], 20)})
    it = compared(a, b, within="angle")
    assert it.strata == {"both": 2, "one": 2, "unknown": 0}
    assert any("2 of 4 values occur in one set alone" in note for note in it.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"within": "class"}, "within=class: a has images without a class"),
        ({"group": "patient"}, "group=patient: a has no such column"),
        ({"within": "angle"}, "within=angle: no value that both sets have"),
        ({"spaces": ("x",)}, "spaces=x: must be of pixels, h, z"),
        ({"spaces": ()}, "spaces: none; must be of pixels, h, z"),
        ({"permutations": 3}, "permutations=3: must be from 19 to 9,999"),
        ({"most": 3}, "most=3: must be from 20 to 20,000"),
        ({"alpha": 1.0}, "alpha=1: must be above 0 and at most 0.5"),
        (
            {"permutations": 99},
            "permutations=99: too few for p up to 0.05 in 3 spaces; must be 119",
        ),
        ({"alpha": 0.001, "spaces": ("h",)}, "too few for p up to 0.001 in a space; must be 1999"),
        (
            {"nn": True, "within": "angle"},
            "nn with within=angle: the paper's tests permute nothing",
        ),
        ({"group": "film"}, "4 groups of images can be permuted in 6 ways, too few"),
    ],
)
def test_what_cannot_be_compared_is_refused(compared, options, message):
    films = np.arange(30) // 15
    a = side("a", 30, columns={"angle": np.zeros(30), "film": films})
    b = side("b", 30, columns={"angle": np.ones(30), "film": films + 2})
    with pytest.raises(InputError) as caught:
        compared(a, b, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_images_that_are_gone_leave_what_the_run_has_kept(compared):
    a, b = (side(name, 30, pixels=None, h=None) for name in "ab")
    assert set(compared(a, b).tests) == {"z"}
    with pytest.raises(InputError, match="spaces=pixels: the run's images are gone"):
        compared(a, b, spaces=("pixels",))


def test_what_the_encoder_learned_from_is_said_where_the_other_was_not(compared):
    a = side("a", 40, learned=np.ones(40, bool))
    notes = compared(a, side("b", 40)).notes
    assert any("learned from 100% of a and 0% of b" in note for note in notes)
    assert not any("learned" in note for note in compared(side("a", 40), side("b", 40)).notes)


def test_images_that_were_drawn_and_left_out_are_said(compared):
    a = side("a", 40, total=900, left_out=(("x.png", "is damaged"),), notes=("2 in color",))
    notes = compared(a, side("b", 40)).notes
    assert "a: 40 of 900 images, drawn by the seed" in notes
    assert "a: 1 image left out, 'x.png' first: is damaged" in notes
    assert "2 in color" in notes
