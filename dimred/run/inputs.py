"""What a run learns from: images, their pairing, and their place in memory."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dimred.config import RunConfig
from dimred.data.first_look import FirstLook, first_look
from dimred.data.found import counted_word, reasons
from dimred.data.image_set import ImageSet
from dimred.data.options import FitOn
from dimred.data.resident import ResidentImages
from dimred.errors import InputError
from dimred.models.pretrained import Source, source_of
from dimred.options.trial import tried
from dimred.pairing import FixedTargets, Pairing, PairingScope
from dimred.training.compute import Compute
from dimred.training.kept_h import KeptH


class Inputs:
    """What a run learns from, built in each of its processes.

    cached: whether what takes long to find, such as neighbors, is kept beside the data.
    images: the N images of the data set.
    samples: the images in all transformations of the pairing, image-major (N * n_variants). They
        are what is embedded.
    fit: int64 (n,), positions of the images to learn from.
    scope: the pairing's view of the images to learn from.
    resident: the samples on the device, or on the host where they do not fit there.
    kept_h: H of the samples by a frozen backbone, where it was needed.

    Raises InputError for data that cannot be read, or are too few for the batch or the processes,
    and for a dataset or pairing of a plug-in that fails.
    """

    def __init__(self, config: RunConfig, compute: Compute, cached: bool = True):
        self.config = config
        self.compute = compute
        self.images = config.dataset.load(config.seed)
        self.fit = fit_positions(config, self.images)
        check_sizes(config, len(self.images), len(self.fit), compute.processes.size)
        with tried(config.pairing, "samples"):
            self.samples = config.pairing.samples(self.images)
        cache = config.dataset.cache if cached else None
        self.scope = PairingScope(self.samples, self.n_variants, self.fit, cache)
        batch_size = config.schedule.batch_size
        with tried(config.pairing, "build"):
            self.pairing = config.pairing.build(self.scope, batch_size, compute.device)
        check_targets(config, self.pairing)
        self.resident = ResidentImages(
            self.samples.images, compute.device, config.device.memory_fraction
        )
        self.kept_h = KeptH(config.device.memory_fraction)

    @cached_property
    def source(self) -> Source | None:
        """The weights that the network begins with; None for random ones."""
        return source_of(self.config.model)

    @property
    def n_variants(self) -> int:
        """Samples per image: the image itself and its transformations."""
        return len(self.samples) // len(self.images)

    @property
    def test_scope(self) -> PairingScope:
        """The pairing's view of the images of unseen classes, else of the held-out images, or of
        all images where none are held out."""
        of_test = self.config.dataset.fit_on is FitOn.train
        return replace(self.scope, positions=self.images.measured(of_test), side="test")

    @cached_property
    def first_look(self) -> FirstLook:
        """What the image set is made of."""
        return first_look(self.images)

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return len(self.pairing.anchors) // self.config.schedule.batch_size


def lines_on(images: ImageSet, look: FirstLook) -> list[str]:
    """What is said of an image set before training: the files that are left out, and a first
    look."""
    lines = look.lines()
    if not images.unreadable:
        return lines
    files = counted_word(len(images.unreadable), "unreadable file", "unreadable files")
    problems = images.found.unreadable if images.found else ()
    return [f"{files} left out{f': {reasons(problems)}' if problems else ''}", *lines]


def fit_positions(config: RunConfig, images: ImageSet) -> NDArray[np.int64]:
    """Positions of the images that the map is learned from: not those of unseen classes.

    Raises InputError where only the train split is to be learned from and there is none, or none of
    the classes to learn from.
    """
    learned = np.ones(len(images), bool) if images.is_unseen is None else ~images.is_unseen
    if config.dataset.fit_on is FitOn.train:
        if not images.is_test.any():
            raise InputError(
                f"dataset.fit_on=train: these images of {config.dataset.name} have no train/test "
                "split; set dataset.fit_on=all"
            )
        learned &= ~images.is_test
    if not learned.any():
        raise InputError(
            f"dataset.fit_classes={config.dataset.fit_classes}: these classes have no training "
            "images here; choose others, or set dataset.fit_on=all"
        )
    return np.flatnonzero(learned)


def check_sizes(config: RunConfig, n_images: int, n_fit: int, n_processes: int) -> None:
    """Raise InputError for a batch too large for the images, or too small for the processes."""
    batch_size = config.schedule.batch_size
    if batch_size < n_processes:
        raise InputError(
            f"schedule.batch_size={batch_size}: must be at least the number of "
            f"processes that share a batch, {n_processes}"
        )
    if batch_size > n_fit:
        raise InputError(
            f"schedule.batch_size={batch_size}: dataset={config.dataset.name} has "
            f"{n_fit} images to learn from, fewer than one batch; schedule.batch_size={n_fit} or "
            "less fits"
        )
    if config.eval.random_test is not None and config.eval.random_test >= n_images:
        raise InputError(
            f"eval.random_test={config.eval.random_test}: must be below the number of images, "
            f"{n_images}"
        )


def check_targets(config: RunConfig, pairing: Pairing) -> None:
    """Raise InputError where the targets and Z have different dimensions."""
    if not isinstance(pairing, FixedTargets):
        return
    for name, stage in config.schedule.stages.items():
        if stage.out_dim != pairing.n_values:
            raise InputError(
                f"schedule.stages.{name}.out_dim={stage.out_dim}: must be {pairing.n_values}, one "
                f"for each value that pairing={config.pairing.name} gives an image"
            )
