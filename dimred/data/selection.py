"""Selecting images of a set by class and number."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dimred.data.found import Found
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.spelling import composed, listed
from dimred.errors import InputError, near

UNLABELED = "taken as unlabeled"
_MAX_LISTED = 20
_NUMBER = re.compile("[0-9]{1,9}")
_RANGE = re.compile(f"({_NUMBER.pattern})-({_NUMBER.pattern})")
_LIMIT_SEED = 0


def select_classes(image_set: ImageSet, classes: Sequence[str]) -> ImageSet:
    """The images of some classes, in their order, relabeled 0, 1, ... in the order of the set.

    classes: each a class name or, where no class has that name, a class's index in digits. Their
        order does not matter. Extra labels keep only the classes that still have images.

    Raises InputError for an unknown class, one named twice, no class, classes without images, and
    a set without labels.
    """
    key = f"dataset.classes={list(classes)}"
    labels, ids = _classes_named(image_set.labels, "dataset.classes", classes)
    positions = np.flatnonzero(np.isin(labels.values, ids))
    if not len(positions):
        raise InputError(f"{key}: no image is of these classes; {_listed(labels.names)}")
    taken = image_set.take(positions)
    extra = {
        name: _relabeled(other, np.unique(other.values))
        for name, other in taken.extra_labels.items()
    }
    selected = LabelSet(labels.values[positions], labels.names)
    kept = np.array(sorted(ids), dtype=np.int64)
    return replace(taken, labels=_relabeled(selected, kept), extra_labels=extra)


def with_unseen_classes(image_set: ImageSet, learned: Sequence[str]) -> ImageSet:
    """The same images, where those of all classes but some are of unseen classes. Arguments and
    errors as of `unseen_rows`."""
    return replace(image_set, is_unseen=unseen_rows(image_set.labels, learned))


def unseen_rows(given: LabelSet | None, learned: Sequence[str]) -> NDArray[np.bool_]:
    """Whether each image is of another class than those to learn from, (N,).

    given: the labels of the images. learned: the classes to learn from, as in `select_classes`.
    Raises InputError as `select_classes` does, and where no image is of another class.
    """
    key = f"dataset.fit_classes={list(learned)}"
    labels, ids = _classes_named(given, "dataset.fit_classes", learned)
    is_unseen = ~np.isin(labels.values, ids)
    if is_unseen.all():
        raise InputError(f"{key}: no image is of these classes; {_listed(labels.names)}")
    if not is_unseen.any():
        raise InputError(
            f"{key}: no image is of another class, to measure how the map serves classes that it "
            "was not learned from; leave some out, or set dataset.fit_classes=null"
        )
    return is_unseen


def learned_rows(images: ImageSet, fit_classes: Sequence[str] | None) -> NDArray[np.bool_]:
    """Which images are learned from, (N,): training images of the classes to learn from; all of
    these classes where none is. Errors as of `unseen_rows`."""
    learned = np.ones(len(images), dtype=np.bool_)
    if fit_classes is not None:
        learned = ~unseen_rows(images.labels, fit_classes)
    training = learned & ~images.is_test
    return training if training.any() else learned


def with_learned_statistics(image_set: ImageSet) -> ImageSet:
    """The same images with the mean and deviation of those of learned classes, of these the
    training images where there are any, so that nothing of what is measured enters the network."""
    assert image_set.is_unseen is not None
    others = image_set.is_unseen | image_set.is_test
    others = image_set.is_unseen if others.all() else others
    mean, std = channel_statistics(image_set.images, others)
    return replace(image_set, mean=mean, std=std)


def _classes_named(
    labels: LabelSet | None, key: str, entries: Sequence[str]
) -> tuple[LabelSet, list[int]]:
    """The labels, and the classes that the entries of an option name, each once."""
    given = f"{key}={list(entries)}"
    if labels is None:
        raise InputError(f"{given}: these images have no labels; set {key}=null")
    if not entries:
        raise InputError(f"{given}: name at least one class; {_listed(labels.names)}")
    ids: list[int] = []
    for entry in entries:
        for class_id in _class_ids(entry, labels.names):
            if class_id is None:
                asked = _meant(entry, labels.names)
                raise InputError(f"{given}: no class {entry!r}; {asked}{_listed(labels.names)}")
            if class_id in ids:
                named = f"{entry!r} is class {labels.names[class_id]!r}"
                if len(_class_ids(entry, labels.names)) > 1:
                    named = f"class {labels.names[class_id]!r} is in {entry!r}"
                raise InputError(f"{given}: {named}, named twice")
            ids.append(class_id)
    return labels, ids


def _class_ids(entry: str, names: Sequence[str]) -> list[int | None]:
    """The classes of an entry: one, or those of a range such as 0-4, unless a class has that name;
    None for one that there is not. A range is of indices; but where both ends are the names of
    classes, as of digits 4 to 9, it is of the classes that are called by numbers between them."""
    single = _class_id(entry, names)
    ends = _RANGE.fullmatch(entry)
    if single is not None or ends is None:
        return [single]
    first, last = int(ends[1]), int(ends[2])
    if ends[1] in names and ends[2] in names:
        called = [(int(name), i) for i, name in enumerate(names) if _NUMBER.fullmatch(name)]
        return [i for number, i in sorted(called) if first <= number <= last] or [None]
    if not first <= last < len(names):
        return [None]
    return list(range(first, last + 1))


def _class_id(entry: str, names: Sequence[str]) -> int | None:
    if entry in names:
        return names.index(entry)
    if composed(entry) in (forms := [composed(name) for name in names]):
        return forms.index(composed(entry))
    indices = [str(i) for i in range(len(names))]
    return indices.index(entry) if entry in indices else None


def _meant(entry: str, names: Sequence[str]) -> str:
    """What to know of an entry that is no class: how far indices go, of one that is made of numbers
    that end beyond, else the nearest names; "" where there is nothing to say."""
    last = entry.rpartition("-")[2] if _RANGE.fullmatch(entry) else entry
    if re.fullmatch("[0-9]+", last):
        digits = last.lstrip("0")  # int() refuses thousands of them
        beyond = len(digits) > 9 or int(digits or "0") >= len(names)
        return f"indices go from 0 to {len(names) - 1}; " if beyond else ""
    close = near(entry, names)
    return f"did you mean {' or '.join(map(repr, close))}? " if close else ""


def _listed(names: Sequence[str]) -> str:
    return f"the classes are {listed(map(repr, names), _MAX_LISTED)}"


def _relabeled(labels: LabelSet, kept: NDArray[np.int64]) -> LabelSet:
    """`labels` with only the classes `kept` (ascending ids), which must include every value."""
    names = tuple(labels.names[i] for i in kept)
    return LabelSet(np.searchsorted(kept, labels.values).astype(np.int64), names)


def without_meaningless_labels(image_set: ImageSet) -> ImageSet:
    """The images without their labels where no accuracy of these would mean anything: where all
    images are of one class, or each is of its own. The first look says so."""
    labels = image_set.labels
    if labels is None:
        return image_set
    sizes = np.bincount(labels.values, minlength=len(labels.names))
    if np.count_nonzero(sizes) == 1:
        what = f"all images are of one class, {labels.names[int(sizes.argmax())]!r}"
    elif sizes.max() == 1:
        what = "no two images are of one class"
    else:
        return image_set
    found = image_set.found or Found()
    found = replace(found, notes=(*found.notes, f"{what}: {UNLABELED}"))
    return replace(image_set, labels=None, found=found)


def draw_training_images(image_set: ImageSet, count: int, seed: int) -> ImageSet:
    """`count` training images of each class, drawn by `seed`, and all test images, in their order.

    Raises InputError for a set without labels, or a class with fewer training images.
    """
    key = f"dataset.train_per_class={count}"
    labels = image_set.labels
    if labels is None:
        raise InputError(f"{key}: these images have no labels; set dataset.train_per_class=null")
    random = np.random.default_rng(seed)
    kept = image_set.is_test.copy()
    for number, name in enumerate(labels.names):
        members = np.flatnonzero((labels.values == number) & ~image_set.is_test)
        if not len(members):
            raise InputError(f"{key}: class {name!r} has no training images; leave it out")
        if len(members) < count:
            raise InputError(
                f"{key}: class {name!r} has {len(members):,} training images; set at most that"
            )
        kept[random.choice(members, count, replace=False)] = True
    return image_set.take(np.flatnonzero(kept))


def limit(image_set: ImageSet, count: int) -> ImageSet:
    """At most `count` images in their order; the same draw whatever the run's seed.

    Every class, the test images, and the test images of every class get their share of `count`,
    rounded up or down.

    Raises InputError if `count` is below 1.
    """
    if count < 1:
        raise InputError(f"dataset.limit={count}: must be at least 1, or null to keep all images")
    if count >= len(image_set):
        return image_set
    labels = image_set.labels
    values = labels.values if labels else np.zeros(len(image_set), dtype=np.int64)
    _, sizes = np.unique(values, return_counts=True)
    ends = np.cumsum(sizes)
    shares = np.diff(ends * count // len(values), prepend=0)
    order = np.random.default_rng(_LIMIT_SEED).permutation(len(values))
    order = order[np.argsort(values[order], kind="stable")]
    drawn: list[NDArray[np.int64]] = []
    # Rounding the running sum, not each class, keeps the overall share of test images. Fractions,
    # since a float just off .5 could ask a class for more test images than it has.
    due, n_drawn = Fraction(1, 2), 0
    for of_class, share in zip(np.split(order, ends[:-1]), shares.tolist(), strict=True):
        is_test = image_set.is_test[of_class]
        due += Fraction(share * int(is_test.sum()), len(of_class))
        n_test = math.floor(due) - n_drawn
        n_drawn += n_test
        drawn += [of_class[is_test][:n_test], of_class[~is_test][: share - n_test]]
    return image_set.take(np.sort(np.concatenate(drawn)))
