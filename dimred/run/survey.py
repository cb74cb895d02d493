"""What a folder of images is made of, and how fast this machine trains on such images."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

import numpy as np
import torch

from dimred.config import RunConfig
from dimred.data.channels import common_channels
from dimred.data.folder_layout import File
from dimred.data.folder_pixels import refuse_pages, unreadable_file
from dimred.data.folder_source import decoding, headers_of
from dimred.data.image_decoding import Decoded, looked_at, reason_of
from dimred.data.image_folder import selected_files
from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.options import DatasetOptions, FitOn
from dimred.data.own_options import ImageFolder
from dimred.data.reading import Reading, reading_of
from dimred.data.selection import unseen_rows
from dimred.data.table_join import Tables
from dimred.errors import InputError
from dimred.files import expanded
from dimred.models.options import InitHead
from dimred.run.inputs import Inputs
from dimred.run.pace import measured_pace, steps_left
from dimred.run.plan import MIN_IMAGES, Measure, Speed, Survey, Trial
from dimred.training.checkpoint import Position
from dimred.training.compute import torch_settings
from dimred.training.device import Precision
from dimred.training.schedule import Trainable

_LOOKED_AT = 48
_SIZE = 32
_ALL_READ = 0.05  # of the budget, within which all images are read and not some


def image_files(dataset: ImageFolder) -> list[File]:
    """The images that training would read: those of the folder that its tables, classes and limit
    leave. They are not opened.

    Raises InputError for what training would refuse.
    """
    assert dataset.root is not None
    tables = Tables(dataset.root, dataset.table, dataset.exclude, dataset.strict)
    pages = reading_of(dataset, None).pages
    found = selected_files(dataset.root, dataset.select, tables, pages)
    return [found.joined.files[i] for i in found.chosen.index]


def digest(root: str, files: Sequence[File]) -> str:
    """A digest of the names, sizes, classes and split of files, wherever their folder lies."""
    lines = (
        f"{file.path}\0{Path(root, file.path).stat().st_size}\0{file.class_name}\0{file.is_test}\n"
        for file in files
    )
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def survey(dataset: ImageFolder, files: Sequence[File], budget: float) -> Survey:
    """A survey of a folder's images. All are read where that takes a small part of a budget of
    seconds, else some. Raises InputError where none of these can be read, and what training raises
    for a file that cannot, or has several pages."""
    root, reading = str(expanded(str(dataset.root))), reading_of(dataset, None)
    some = [files[i] for i in np.linspace(0, len(files) - 1, _LOOKED_AT).astype(int)]
    decoded, began = [], time.monotonic()
    with decoding():
        for file in dict.fromkeys(some):
            it = _looked_at(f"{root}/{file.place}", reading)
            if isinstance(it, Decoded):
                decoded.append(it)
            else:
                problem = it
    took = time.monotonic() - began
    are_all_read = took / max(len(decoded), 1) * len(files) < _ALL_READ * budget
    if are_all_read or len(decoded) < len(set(some)):
        paths = [f"{root}/{file.place}" for file in files]
        refuse_pages(root, files, headers_of(paths, reading))
    if not decoded:
        raise InputError(f"{root}: images cannot be read; the first, {files[0].name!r}: {problem}")
    about, seconds, unreadable = decoded, took / len(decoded), None
    if are_all_read:
        of_all = _all_looked_at(root, files, reading, dataset.strict)
        about = [image for image in of_all if isinstance(image, Decoded)]
        unreadable = len(files) - len(about)
        whys = [problem for problem in of_all if isinstance(problem, str)]
        if len(about) < MIN_IMAGES <= len(files):
            raise InputError(
                f"{root}: {len(about)} of {len(files)} images can be read, and a map needs "
                f"{MIN_IMAGES}; of the others, the first: {whys[0]}"
            )
        files = [f for f, it in zip(files, of_all, strict=True) if isinstance(it, Decoded)]
    classes = {file.class_name for file in files} - {None}
    channels = common_channels(about)
    return Survey(
        n=len(files),
        width=round(median(image.size[0] for image in about)),
        height=round(median(image.size[1] for image in about)),
        channels=channels.count,
        n_classes=len(classes) if len(classes) > 1 else 0,
        seconds=seconds,
        learned=_learned(dataset, files),
        unreadable=unreadable,
        is_rgb=channels.is_rgb,
    )


def _looked_at(path: str, reading: Reading) -> Decoded | str:
    """What a file tells of its image, or the reason why it cannot be read."""
    try:
        return looked_at(path, (_SIZE, _SIZE), reading)
    except Exception as error:  # damaged files make Pillow raise many kinds
        return reason_of(error, path)


def _all_looked_at(
    root: str, files: Sequence[File], reading: Reading, strict: bool
) -> list[Decoded | str]:
    """What each file tells, or the reason why it cannot be read or does not go with the others.
    strict: raise InputError for such a file."""
    with decoding(), ThreadPoolExecutor(os.cpu_count()) as pool:
        paths = [f"{root}/{file.place}" for file in files]
        found = list(pool.map(lambda path: _looked_at(path, reading), paths))
    channels = common_channels([image for image in found if isinstance(image, Decoded)])
    for i, image in enumerate(found):
        if isinstance(image, Decoded):
            found[i] = channels.problem(image.channels, image.is_color) or image
        if strict and isinstance(problem := found[i], str):
            raise unreadable_file(root, files[i].name, problem)
    return found


def _learned(dataset: ImageFolder, files: Sequence[File]) -> int:
    """How many images are learned from, of files that can be read. Raises InputError for classes
    to learn from that are not there."""
    is_test = np.array([file.is_test for file in files])
    is_test &= not is_test.all()  # as it is read: a test split alone is none
    learned = ~is_test if dataset.fit_on is FitOn.train else np.ones(len(files), np.bool_)
    names = np.array([file.class_name or "" for file in files], dtype=object)
    if dataset.fit_classes is not None:
        known, values = np.unique(names, return_inverse=True)
        labels = LabelSet(values.astype(np.int64), tuple(known.tolist()))
        learned &= ~unseen_rows(labels if names.any() else None, dataset.fit_classes)
    if dataset.train_per_class is None:
        return int(learned.sum())
    drawn = dataset.train_per_class * len(set(names[learned]))
    return drawn if dataset.fit_on is FitOn.train else drawn + int((learned & is_test).sum())


@dataclass
class _Noise(DatasetOptions):
    """Images of noise, in place of those of a folder, which would have to be read first."""

    shape: tuple[int, int, int, int] = (0, 0, 0, 0)

    def load(self, seed: int) -> ImageSet:
        n, channels = self.shape[:2]
        pixels = np.random.default_rng(seed).integers(0, 256, self.shape, dtype=np.uint8)
        return ImageSet(
            torch.from_numpy(pixels),
            (0.5,) * channels,
            (0.25,) * channels,
            np.zeros(n, dtype=np.bool_),
            "",
            None,
            np.arange(n),
        )


def speed(config: RunConfig, channels: int) -> Measure:
    """Measures the seconds that training takes for each image through the schedule of a
    configuration, in settings; each is measured once for the same time.

    config: of a run on the images, with an epochs_scale of 1.
    """

    @cache
    def measure(trial: Trial, seconds: float) -> Speed:
        return _speed(config, channels, trial, seconds)

    return measure


def _speed(config: RunConfig, channels: int, trial: Trial, seconds: float) -> Speed:
    batch_size = trial.batch_size
    shape = (batch_size, channels, trial.image_size, trial.image_size)
    config = replace(
        config,
        # Those of a run are of images with another mean, and weights make nothing slower.
        model=replace(config.model, init_from=None, weights=None, init_head=InitHead.new),
        dataset=_Noise(name="noise", shape=shape),
        schedule=replace(config.schedule, batch_size=batch_size),
        device=replace(config.device, precision=Precision(trial.precision), threads=trial.threads),
        eval=replace(config.eval, random_test=None),
    )
    compute = config.device.compute()
    kinds = [stage.trainable for stage in config.schedule.stages.values()]
    # A stage that trains the head alone is short, and its time follows from the others'.
    kind = Trainable.all if Trainable.all in kinds else kinds[0]
    with torch_settings(compute.device, config.device.threads, config.device.deterministic):
        pace = measured_pace(Inputs(config, compute, cached=False), seconds, None, (kind,))
    epochs = pace.left(steps_left(config.schedule, 1, Position(0, 0, 0)))
    assert epochs is not None
    return Speed(epochs / batch_size, pace.work[kind], pace.contention)
