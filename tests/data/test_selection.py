"""Selected classes and limited sets: which images, in which order, relabeled how."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.own_options import Npz
from dimred.data.selection import (
    draw_training_images,
    limit,
    select_classes,
    with_unseen_classes,
)
from dimred.errors import InputError

NAMES = ("cat", "dog", "1", "owl")


def image_set(labels, is_test=None, names=NAMES):
    """Images whose pixel is their position, so that mix-ups show; extra labels: parity."""
    n = len(labels)
    positions = np.arange(n, dtype=np.int64)
    return ImageSet(
        images=torch.from_numpy(positions % 256).to(torch.uint8).view(n, 1, 1, 1),
        mean=(0.5,),
        std=(0.5,),
        is_test=np.zeros(n, dtype=bool) if is_test is None else np.array(is_test, dtype=bool),
        split_name="",
        labels=LabelSet(np.array(labels, dtype=np.int64), names),
        index=positions,
        extra_labels={"parity": LabelSet(np.array(labels, dtype=np.int64) % 2, ("even", "odd"))},
        sources=tuple(f"{i}.png" for i in range(n)),
    )


def unlabeled(n, is_test=None):
    labeled = image_set([0] * n, is_test)
    return ImageSet(**{**vars(labeled), "labels": None, "extra_labels": {}})


def refusal(function, *arguments):
    with pytest.raises(InputError) as error:
        function(*arguments)
    message = str(error.value)
    assert "\n" not in message
    return message


def check_kept(whole, kept):
    """Everything known of an image came along, and the order is kept."""
    assert np.all(np.diff(kept.index) > 0)
    assert torch.equal(kept.images, whole.images[torch.from_numpy(kept.index)])
    assert np.array_equal(kept.is_test, whole.is_test[kept.index])
    assert kept.sources == tuple(whole.sources[i] for i in kept.index)


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (["dog"], ("dog",)),
        (["owl", "cat"], ("cat", "owl")),
        (["0", "3"], ("cat", "owl")),
        (["1"], ("1",)),  # the name, not index 1
        (["2", "dog"], ("dog", "1")),
    ],
)
def test_classes_are_taken_by_name_then_by_index(classes, names):
    whole = image_set([3, 0, 1, 2, 1, 0, 3])
    kept = select_classes(whole, classes)
    check_kept(whole, kept)
    assert kept.labels.names == names
    assert kept.labels.values.dtype == np.int64
    assert [names[i] for i in kept.labels.values] == [
        NAMES[whole.labels.values[i]] for i in kept.index
    ]


@pytest.mark.parametrize(
    ("classes", "names"),
    [
        (["1-2"], ("dog", "1")),  # by index, although one is called 1
        (["0-0", "3"], ("cat", "owl")),
        (["owl", "0-1"], ("cat", "dog", "owl")),
        (["0-3"], NAMES),
    ],
)
def test_a_range_of_classes_is_by_index(classes, names):
    kept = select_classes(image_set([3, 0, 1, 2, 1, 0, 3]), classes)
    assert kept.labels.names == names


@pytest.mark.parametrize(
    ("names", "entry", "expected"),
    [
        ("456789", "4-5", ("4", "5")),  # of a set of which other digits were left out before
        (("1", "10", "2", "3"), "1-3", ("1", "2", "3")),  # folders, as they are sorted
        (("08", "09", "10", "x"), "08-10", ("08", "09", "10")),
        (("7", "8", "9"), "0-1", ("7", "8")),  # the ends are no names: by index
    ],
)
def test_a_range_between_classes_that_are_called_by_numbers_is_of_these(names, entry, expected):
    whole = image_set(list(range(len(names))), names=tuple(names))
    assert select_classes(whole, [entry]).labels.names == expected


def test_a_class_that_is_called_like_a_range_is_taken_by_its_name():
    whole = image_set([0, 1, 2], names=("a", "0-1", "b"))
    assert select_classes(whole, ["0-1"]).labels.names == ("0-1",)


@pytest.mark.parametrize(
    ("classes", "parts"),
    [
        (["2-4"], ["no class '2-4'", "'owl'"]),
        (["2-1"], ["no class '2-1'"]),
        (["0-99999999999999999999"], ["no class '0-9"]),
        (["0-"], ["no class '0-'"]),
        (["0-2", "dog"], ["'dog' is class 'dog', named twice"]),
        (["dog", "0-2"], ["class 'dog' is in '0-2', named twice"]),
    ],
)
def test_refused_ranges_are_named(classes, parts):
    message = refusal(select_classes, image_set([0, 1, 2, 3]), classes)
    assert message.startswith("dataset.classes=[")
    for part in parts:
        assert part in message


@pytest.mark.parametrize("function", [select_classes, with_unseen_classes])
@pytest.mark.parametrize(
    ("names", "entry", "said"),
    [
        (("checker", "dots", "stripes"), "cheker", "did you mean 'checker'? the classes are"),
        (("checker", "dots", "stripes"), "Dots", "did you mean 'dots'? the"),
        (("red dots", "blue dots", "x"), "dots", "did you mean 'red dots' or 'blue dots'? the"),
        (("checker", "dots", "stripes"), "zebra", "the classes are"),
        (tuple("abcdefghijkl"), "0-12", "indices go from 0 to 11; the classes are"),
        (tuple("abcdefghijkl"), "12", "indices go from 0 to 11; the classes are"),
        (tuple("abcdefghijkl"), "0" * 5_000 + "12", "indices go from 0 to 11; the classes are"),
        (tuple("abcdefghijkl"), "9" * 5_000, "indices go from 0 to 11; the classes are"),
        (tuple("abcdefghijkl"), "3-2", "the classes are"),  # within, but no range
        (("1", "11", "12"), "112", "indices go from 0 to 2; the classes are"),  # near no number
    ],
)
def test_what_may_have_been_meant_by_a_class_that_is_none_is_said(function, names, entry, said):
    whole = image_set(list(range(len(names))), names=names)
    message = refusal(function, whole, [entry])
    assert message.partition(f"no class {entry!r}; ")[2].startswith(said)


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    learned=st.sets(st.integers(0, 3), min_size=1),
)
def test_images_of_all_classes_but_the_learned_are_of_unseen_ones(labels, learned):
    if not learned & set(labels) or not set(labels) - learned:
        return
    whole = image_set(labels)
    marked = with_unseen_classes(whole, [NAMES[i] for i in learned])
    assert marked.is_unseen.tolist() == [label not in learned for label in labels]
    # Nothing else changes: their labels and images are there to be measured.
    assert marked.labels is whole.labels
    assert torch.equal(marked.images, whole.images)
    assert marked.fingerprint() != whole.fingerprint()
    order = np.arange(len(labels))[::-1].copy()
    assert marked.take(order).is_unseen.tolist() == marked.is_unseen[::-1].tolist()


def test_classes_to_learn_from_are_named_as_classes_are():
    assert with_unseen_classes(image_set([0, 1, 2, 3]), ["0-1", "1"]).is_unseen.tolist() == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("learned", "parts"),
    [
        (["x"], ["no class 'x'", "'cat'"]),
        ([], ["at least one class"]),
        (["dog"], ["no image is of these classes"]),
        (["cat", "owl"], ["no image is of another class", "dataset.fit_classes=null"]),
        (["0-3"], ["no image is of another class"]),
    ],
)
def test_refused_classes_to_learn_from_are_named(learned, parts):
    message = refusal(with_unseen_classes, image_set([0, 3, 3]), learned)
    assert message.startswith("dataset.fit_classes=[")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("is_test", "counted"),
    [([0, 0, 0, 0], [0, 1]), ([0, 1, 0, 1], [0]), ([1, 1, 0, 1], [0, 1])],
)
def test_images_of_unseen_classes_do_not_enter_the_normalization(tmp_path, is_test, counted):
    images = np.array([10, 50, 200, 250], np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    labels, split = np.array([0, 0, 1, 1]), np.where(is_test, "test", "train")
    np.savez(tmp_path / "set.npz", images=images, labels=labels, split=split)
    loaded = Npz(path=str(tmp_path / "set.npz"), fit_classes=["0"]).load(seed=0)
    assert loaded.mean == (pytest.approx(images[counted].mean() / 255),)
    assert loaded.std == (pytest.approx(max(images[counted].std() / 255, 1e-3)),)


def test_a_set_without_labels_has_no_classes_to_learn_from():
    message = refusal(with_unseen_classes, unlabeled(3), ["0"])
    assert message.startswith("dataset.fit_classes=['0']: these images have no labels")
    assert "set dataset.fit_classes=null" in message


@pytest.mark.parametrize(
    ("labels", "is_test", "of_test", "expected"),
    [
        ([0, 1, 2, 3], [0, 0, 1, 1], True, [3]),
        ([0, 1, 2, 3], [0, 0, 1, 1], False, [1, 3]),
        ([0, 1, 2, 3], [1, 0, 1, 0], True, [1, 3]),  # none of the unseen is a test image
    ],
)
def test_what_is_measured_are_images_of_unseen_classes(labels, is_test, of_test, expected):
    images = with_unseen_classes(image_set(labels, is_test), ["cat", "1"])
    assert images.measured(of_test).tolist() == expected


def test_without_unseen_classes_what_is_held_out_is_measured():
    images = image_set([0, 1, 2, 3], [0, 0, 1, 1])
    assert images.measured(of_test=True).tolist() == images.held_out.tolist()


def test_extra_labels_keep_the_classes_that_have_images():
    kept = select_classes(image_set([3, 0, 1, 2, 1]), ["dog", "owl"])
    assert kept.extra_labels["parity"].names == ("odd",)
    assert kept.extra_labels["parity"].values.tolist() == [0, 0, 0]


def test_a_class_without_images_keeps_its_name():
    kept = select_classes(image_set([3, 0, 3]), ["dog", "owl"])
    assert kept.labels.names == ("dog", "owl")
    assert kept.labels.values.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("classes", "parts"),
    [
        (["cat", "x"], ["no class 'x'", "the classes are 'cat', 'dog', '1', 'owl'"]),
        (["4"], ["no class '4'"]),
        (["-1"], ["no class '-1'"]),
        (["²"], ["no class '²'"]),
        (["9" * 5000], ["no class '9"]),
        (["a\nb"], ["no class 'a\\nb'"]),
        ([], ["at least one class", "'cat'"]),
        (["dog", "dog"], ["'dog'", "twice"]),
        (["cat", "0"], ["'0' is class 'cat', named twice"]),
        (["dog"], ["no image is of these classes"]),
    ],
)
def test_refused_classes_are_named_with_the_choices(classes, parts):
    message = refusal(select_classes, image_set([0, 2, 3]), classes)
    assert message.startswith("dataset.classes=[")
    for part in parts:
        assert part in message


def test_at_most_twenty_classes_are_listed():
    names = tuple(f"class{i}" for i in range(100))
    message = refusal(select_classes, image_set([0], names=names), ["x"])
    assert message.count("'class") == 20
    assert "100 in all" in message


def test_a_set_without_labels_has_no_classes_to_select():
    message = refusal(select_classes, unlabeled(3), ["0"])
    assert "dataset.classes=['0']" in message
    assert "no labels" in message


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=30),
    classes=st.sets(st.integers(0, 3), min_size=1),
)
def test_exactly_the_images_of_the_classes_are_kept(labels, classes):
    if not classes & set(labels):
        return
    whole = image_set(labels)
    kept = select_classes(whole, [NAMES[i] for i in classes])
    check_kept(whole, kept)
    assert kept.index.tolist() == [i for i, label in enumerate(labels) if label in classes]
    assert kept.labels.names == tuple(NAMES[i] for i in sorted(classes))


@st.composite
def split_sets(draw):
    rows = draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=80))
    return image_set(*zip(*rows, strict=True)), draw(st.integers(1, 90))


@given(split_sets())
def test_limit_keeps_the_share_of_every_class_and_split(case):
    whole, count = case
    kept = limit(whole, count)
    check_kept(whole, kept)
    n = len(whole)
    assert len(kept) == min(count, n)
    share = len(kept) / n

    def counts(labels, mask):
        return np.bincount(labels[mask], minlength=4)

    everything = np.ones(n, dtype=bool)
    wanted = share * counts(whole.labels.values, everything)
    got = counts(kept.labels.values, everything[: len(kept)])
    assert np.all(np.abs(got - wanted) < 1)
    for side in (True, False):
        wanted = share * counts(whole.labels.values, whole.is_test == side)
        got = counts(kept.labels.values, kept.is_test == side)
        assert np.all(np.abs(got - wanted) < 2)
        # The classes' own rounding can add up, by less than one image a class.
        assert abs(got.sum() - wanted.sum()) < 4


@given(split_sets())
def test_limit_draws_the_same_images_every_time(case):
    whole, count = case
    first = limit(whole, count)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert limit(whole, count).index.tolist() == first.index.tolist()


@pytest.mark.parametrize("count", [1, 50, 100, 137, 300])
def test_limit_of_few_images_of_many_classes_keeps_the_split(count):
    """Where a class gets but one image, rounding each class alone would take no test image."""
    labels = np.repeat(np.arange(100), 12)
    is_test = np.tile([False] * 10 + [True] * 2, 100)
    whole = image_set(labels, is_test, tuple(map(str, range(100))))
    kept = limit(whole, count)
    assert abs(kept.is_test.sum() - count / 6) <= 1
    per_class = np.bincount(kept.labels.values, minlength=100)
    assert per_class.max() - per_class.min() <= 1


def test_limit_draws_at_random_within_a_class():
    kept = limit(image_set([0] * 1000), 100)
    assert 400 < kept.index.mean() < 600
    assert len(np.unique(np.diff(kept.index))) > 5


def test_limit_of_a_set_without_labels_keeps_the_split():
    kept = limit(unlabeled(60, [False] * 40 + [True] * 20), 30)
    assert kept.labels is None
    assert (len(kept), kept.is_test.sum()) == (30, 10)


@pytest.mark.parametrize("count", [5, 6, 10**9])
def test_limit_at_or_above_the_size_returns_everything(count):
    whole = image_set([0, 1, 2, 3, 0])
    assert limit(whole, count).index.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [0, -3])
def test_limit_below_one_is_refused(count):
    message = refusal(limit, image_set([0, 1]), count)
    assert re.search(rf"dataset\.limit={count}: must be at least 1", message)


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
    most=st.integers(1, 8),
    order=st.randoms(use_true_random=False),
    seed=st.integers(0, 3),
)
def test_of_each_class_exactly_so_many_training_images_are_drawn(rows, most, order, seed):
    rows = rows + [(label, False) for label in range(4)] * most
    order.shuffle(rows)
    whole = image_set(*zip(*rows, strict=True))
    kept = draw_training_images(whole, most, seed)
    check_kept(whole, kept)
    assert np.bincount(kept.labels.values[~kept.is_test], minlength=4).tolist() == [most] * 4
    assert kept.index[kept.is_test].tolist() == np.flatnonzero(whole.is_test).tolist()
    assert kept.labels.names == whole.labels.names


def test_training_images_are_drawn_by_the_seed_and_from_anywhere():
    whole = image_set([0, 1] * 500, [False] * 900 + [True] * 100, ("cat", "dog"))
    first, again, other = (draw_training_images(whole, 50, seed) for seed in (5, 5, 6))
    assert first.index.tolist() == again.index.tolist()
    drawn = [set(kept.index[~kept.is_test].tolist()) for kept in (first, other)]
    assert [len(images) for images in drawn] == [100, 100]
    # 100 of 900 at random twice: about 11 in common.
    assert len(drawn[0] & drawn[1]) < 30
    assert 350 < np.mean(list(drawn[0])) < 550


def test_the_draw_does_not_depend_on_the_global_generators():
    whole = image_set([0, 1] * 50, names=("cat", "dog"))
    first = draw_training_images(whole, 7, 0)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert draw_training_images(whole, 7, 0).index.tolist() == first.index.tolist()


def test_all_training_images_can_be_drawn():
    whole = image_set([0, 1, 2, 3] * 3, [False] * 8 + [True] * 4)
    assert draw_training_images(whole, 2, 0).index.tolist() == list(range(12))


def test_a_class_with_too_few_training_images_is_named():
    # "dog" has three images, two of them for training.
    whole = image_set([0, 0, 0, 1, 1, 1], [False] * 5 + [True], names=("cat", "dog"))
    message = refusal(draw_training_images, whole, 3, 0)
    assert message.startswith("dataset.train_per_class=3: class 'dog' has 2 training images")
    assert len(draw_training_images(whole, 2, 0)) == 5


def test_training_images_of_a_set_without_labels_are_not_drawn():
    message = refusal(draw_training_images, unlabeled(5), 2, 0)
    assert "dataset.train_per_class=2" in message
    assert "no labels" in message
