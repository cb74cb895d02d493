"""The images that `dimred probe` classifies: which, with which labels, and how they are split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.chosen_sets import OwnImages
from dimred.data.image_set import ImageSet
from dimred.data.options import DatasetOptions
from dimred.data.selection import UNLABELED
from dimred.data.spelling import listed
from dimred.errors import InputError
from dimred.evaluation import Splits
from dimred.files import expanded
from dimred.models.check import check_takes
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

_NAMED = 10  # classes


@dataclass(frozen=True)
class Target:
    """Images to classify with few labels.

    images: all of the data set. train, test: int64 positions, of which labels are drawn and which
        are classified. classes: int64 (N,), from 0 for the classes of the target, -1 for others.
    names: of the classes. split: in words. own: whether they are images of the run. chance: as of
        the run's measures. notes: what to know of the numbers, a line each.
    """

    images: ImageSet
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    classes: NDArray[np.int64]
    names: tuple[str, ...]
    dataset: str
    split: str
    own: bool
    chance: float
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Tells its images, labels and splits from others."""
        return self.images.fingerprint()

    @property
    def sentence(self) -> str:
        """What it is, in a line."""
        return f"{self.dataset}, {len(self.names)} classes ({listed(self.names, _NAMED)})"


def target_of(finished: FinishedRun, dataset: DatasetOptions | None) -> Target:
    """The target of a probe: the images of another data set or, with None, of the run: those of
    classes that were not learned from, where there are any, else all.

    Tested on the test images of the official split; where it leaves one side empty, or there is
    none, on a random sixth, stratified where every class has a place on both sides.
    Raises InputError for images without two classes, of other channels than the run's, of another
    size where its network takes one size only, or with a class of which none is to be learned from.
    """
    if dataset is None:
        with step("reading the images"):
            images = finished.images()
        name, key = finished.record.data, str(finished.path)
    else:
        with step("reading the images"):
            images = dataset.load(finished.config.seed)
        name, key = dataset.name, f"dataset={dataset.name}"
        _check_shape(finished, images, key)
    labels = images.labels
    if labels is None:
        raise InputError(f"{key}: {_why_unlabeled(images)}")
    splits = Splits(images, None)
    if images.has_unseen and "unseen" not in splits.parts:
        raise InputError(f"{key}: only one class was not learned from; a probe needs two")
    train, test = splits.parts[splits.first]
    used = np.unique(labels.values[np.concatenate([train, test])])
    lacking = [labels.names[i] for i in used if not (labels.values[train] == i).any()]
    if lacking:
        raise InputError(
            f"{key}: classes without training images: {listed(lacking, _NAMED)}; leave them out by "
            "dataset.classes"
        )
    classes = np.full(len(images), -1)
    known = np.isin(labels.values, used)
    classes[known] = np.searchsorted(used, labels.values[known])
    return Target(
        images,
        train,
        test,
        classes,
        names=tuple(labels.names[i] for i in used),
        dataset=name,
        split=splits.names[splits.first],
        own=dataset is None,
        chance=splits.chance,
        notes=tuple(_notes(finished, dataset, images, test)),
    )


def _why_unlabeled(images: ImageSet) -> str:
    if images.presence:
        return "its images show several classes at once; a probe needs one class of each image"
    for note in images.found.notes if images.found else ():
        if note.endswith(UNLABELED):
            reason = note.removesuffix(UNLABELED).rstrip(": ")
            return f"{reason}; a probe needs two classes, of several images each"
    return "its images have no labels; a probe needs one class of each image"


def _notes(
    finished: FinishedRun,
    dataset: DatasetOptions | None,
    images: ImageSet,
    test: NDArray[np.int64],
) -> Iterator[str]:
    """What its network may have learned from the target."""
    if dataset is None or _is_of_run(finished, dataset):
        own = OwnImages(finished)
        if dataset is None:
            learned = own.learned[test * finished.n_variants]
        else:
            learned = np.isin(images.index[test], own.on.index[own.learned])
        if known := int(learned.sum()):
            which = "the" if known == len(test) else f"{known:,} of the {len(test):,}"
            apart = " (dataset.fit_on=train keeps them apart)" if images.is_test[test].all() else ""
            yield (
                f"the run has learned from {which} test images too, so the probe of its network is "
                f"not of images never seen{apart}"
            )
    begun = finished.record.summary.get("begins_with")
    if begun is not None:
        yield (
            f"the run's backbone began with {begun['option']}={begun['value']}, which may have "
            "learned from these images"
        )


def _is_of_run(finished: FinishedRun, dataset: DatasetOptions) -> bool:
    """Whether images are from the data set of the run, so that equal positions in it are equal
    images."""
    of_run = finished.config.dataset
    if dataset.name != of_run.name:
        return False
    key = dataset.location_key
    if not dataset.of_user or key is None:
        return True
    places = (expanded(getattr(each, key) or "").resolve() for each in (dataset, of_run))
    return len(set(places)) == 1


def _check_shape(finished: FinishedRun, images: ImageSet, key: str) -> None:
    """Raise InputError for images that the run's network cannot take."""
    channels, *size = images.images.shape[1:]
    of_run, *its_size = finished.shape
    if channels != of_run:
        raise InputError(
            f"{key}: its images have {channels} channel{'s' * (channels > 1)}, those of the run "
            f"{of_run}; choose images of as many"
        )
    if size != its_size:
        encoder, name = finished.encoder(), finished.config.model.name
        if not encoder.backbone.has_positions:
            height, width = its_size
            raise InputError(
                f"{key}: its images are {size[1]}x{size[0]}; model={name} takes {width}x{height} "
                "only, as the run's images"
            )
        check_takes(key, name, encoder, (size[0], size[1]), min(1.0, *encoder.scales))
