"""Accuracy with few labels: a probe of a run's features, fine-tuning, and what to compare with.

The label-efficiency curve of transfer learning (Oquab, Bottou, Laptev, Sivic, CVPR 2014, with and
without pretraining): classifiers of the same nested draws of labeled images, tested on the same
images.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dimred.analysis.probe_files import finished_files
from dimred.analysis.probe_fits import EMBEDDED, PIXELS, Fits, Rows
from dimred.analysis.probe_forecast import Forecast
from dimred.analysis.probe_target import target_of
from dimred.data.options import DatasetOptions
from dimred.errors import InputError
from dimred.evaluation.label_draws import LabelDraws
from dimred.measures.retrieval import MAX_PIXEL_VALUES
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder
from dimred.run_folder.names import numbered
from dimred.run_folder.probes import ALL, METHODS, RESULT, Fit, Point, Probed, in_order, read_probed
from dimred.steps import bar
from dimred.training.classifier import Budget
from dimred.training.compute import torch_settings

DEFAULT_LABELS = (1, 2, 5, 10, 50, None)
_DRAWS_SEED = 0

Job = tuple[str, int | None, int]
"""Method, labels a class and draw."""


@dataclass(frozen=True)
class ProbeOptions:
    """What is measured.

    labels: labeled images a class; None among them is all there are. None for DEFAULT_LABELS as far
        as the classes have so many images. draws: of the labeled images. methods: of METHODS.
    steps, lr, scratch_lr: of `finetune` and `scratch`, as in `training.classifier.Budget`; random
        weights want a higher learning rate.
    """

    labels: tuple[int | None, ...] | None = None
    draws: int = 5
    methods: Sequence[str] = tuple(METHODS)
    steps: int = 200
    lr: float = 0.003
    scratch_lr: float = 0.03

    @property
    def budgets(self) -> dict[str, Budget]:
        """Of the methods that train."""
        return {
            "finetune": Budget(self.steps, self.lr),
            "scratch": Budget(self.steps, self.scratch_lr),
        }

    def check(self) -> None:
        """Raise InputError for options that mean nothing."""
        if isinstance(self.methods, str):
            raise InputError(f"methods={self.methods!r}: must be a list, as [{self.methods!r}]")
        for method in self.methods:
            if method not in METHODS:
                raise InputError(f"methods={method}: must be of {', '.join(METHODS)}")
        if not self.methods or self.labels == ():
            raise InputError("methods and labels: name at least one of each")
        for key, value in (("draws", self.draws), ("steps", self.steps)):
            if type(value) is not int or not 1 <= value <= 10**6:
                raise InputError(f"{key}={value}: must be a whole number from 1 to 1,000,000")
        for key, rate in (("lr", self.lr), ("scratch_lr", self.scratch_lr)):
            if type(rate) not in (int, float) or not 0 < rate <= 100:
                raise InputError(f"{key}={rate}: must be above 0 and at most 100")


def counts(words: Sequence[int | str]) -> tuple[int | None, ...]:
    """Labeled images a class: numbers, None for "all". Raises InputError for anything else."""
    found: list[int | None] = []
    for word in words:
        text = str(word)
        if text != ALL and not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
            raise InputError(f"labels={text}: must be a whole number above 0, or {ALL}")
        found.append(None if text == ALL else int(text))
    return tuple(dict.fromkeys(found))


class Prober:
    """Measures accuracy with few labels on the images of a run, or on others, by its network.

    dataset: of other images; None for those of the run. name: of the folder in RUN/probed/; None
        for one made of the images' name.
    target: the images. result: what is known so far. folder: that of the results. left_out: what
        is not measured, a line each.
    Raises InputError for options and images that cannot be used, and where the folder of that name
    holds another probe.
    """

    def __init__(
        self,
        finished: FinishedRun,
        options: ProbeOptions,
        dataset: DatasetOptions | None = None,
        name: str | None = None,
    ):
        options.check()
        self.finished, self.options = finished, options
        self.target = target = target_of(finished, dataset)
        self.draws = LabelDraws(target.classes[target.train], _DRAWS_SEED)
        self.left_out: list[str] = []
        self.labels = self._labels()
        self._check_pixels()
        self.result = self._new_result()
        self.name = name or self._free_name()
        self._place = f"{layout.PROBED}/{self.name}"
        self._go_on()
        self.fits = Fits(finished, target, self._place, options.budgets)

    @property
    def folder(self) -> Path:
        """The folder of the results."""
        return self.finished.path / self._place

    def _labels(self) -> list[int | None]:
        most = self.draws.smallest
        fewest = self.target.names[int(self.draws.sizes.argmin())]
        wanted = self.options.labels or DEFAULT_LABELS
        beyond = [count for count in wanted if count is not None and count > most]
        said = f"class {fewest!r} has {most:,} training images"
        if beyond and self.options.labels:
            raise InputError(f"labels={beyond[0]}: {said}; must be at most that, or {ALL}")
        if beyond:
            self.left_out.append(f"{' and '.join(map(str, beyond))} labels a class: {said}")
        return sorted({count for count in wanted if count not in beyond}, key=in_order)

    def _check_pixels(self) -> None:
        """Leave out pixels that are too many, with the most labels, to be in memory as float32."""
        labeled = max(len(self.draws.rows(0, labels)) for labels in self.labels)
        values = (labeled + len(self.target.test)) * self.target.images.images[0].numel()
        if PIXELS not in self.options.methods or values <= MAX_PIXEL_VALUES:
            return
        said = f"the images have more than {MAX_PIXEL_VALUES:,} values"
        others = tuple(method for method in self.options.methods if method != PIXELS)
        if not others:
            raise InputError(f"methods={PIXELS}: {said}; choose others too, or fewer labels")
        self.options = replace(self.options, methods=others)
        self.left_out.append(f"{PIXELS}: {said}")

    def _new_result(self) -> Probed:
        target, options = self.target, self.options
        settings = {
            "images": target.fingerprint,
            "weights": self.finished.record.summary.get("weights_sha256"),
            "steps": options.steps,
            "lr": options.lr,
            "scratch_lr": options.scratch_lr,
            "seed": _DRAWS_SEED,
        }
        return Probed(
            target=target.sentence,
            dataset=target.dataset,
            own=target.own,
            settings=settings,
            classes=len(target.names),
            train=len(target.train),
            test=len(target.test),
            split=target.split,
            chance=target.chance,
            notes=target.notes,
        )

    def _free_name(self) -> str:
        stem = self.target.dataset.removesuffix(".npz") + (
            "-unseen" if self.target.images.has_unseen else ""
        )
        return next(name for name in numbered(stem) if self._is_free(name))

    def _is_free(self, name: str) -> bool:
        """Whether there is no such probe, or one of the same settings."""
        there = read_probed(self.finished.files, name)
        return there is None or there.settings == self.result.settings

    def _go_on(self) -> bool:
        """Take over the fits of an earlier call; whether there was one."""
        there = read_probed(self.finished.files, self.name)
        if there is None:
            return False
        for key, value in self.result.settings.items():
            if there.settings.get(key) != value:
                raise InputError(
                    f"{self.folder}: holds another probe ({self._other(there, key)}); choose "
                    "another --out"
                )
        self.result.fits = there.fits
        return True

    def _other(self, there: Probed, key: str) -> str:
        """What tells a probe with another value of a setting from this one."""
        if key == "images":
            same = there.target == self.result.target
            return "its images have changed since" if same else f"of {there.target}"
        if key == "weights":
            return "the run's weights have changed since"
        return f"{key} is {there.settings.get(key)} there, {self.result.settings[key]} here"

    @property
    def jobs(self) -> list[Job]:
        """All fits that are asked for, finished or not, few labels first. With all labels, every
        draw is the same, and there is one."""
        return [
            (method, labels, draw)
            for labels in self.labels
            for method in METHODS
            if method in self.options.methods
            for draw in range(1 if labels is None else self.options.draws)
        ]

    @property
    def left(self) -> list[Job]:
        """Those of `jobs` that are not finished."""
        done = {fit.key for fit in self.result.fits}
        return [job for job in self.jobs if job not in done]

    def _rows(self, job: Job) -> Rows:
        """The labeled images of a fit."""
        _, labels, draw = job
        return self.target.train[self.draws.rows(draw, labels)]

    def _needed(self) -> dict[str, Rows]:
        """The images whose H the unfinished fits need, ascending, by method."""
        rows: dict[str, list[Rows]] = {}
        for job in self.left:
            if job[0] in EMBEDDED:
                rows.setdefault(job[0], [self.target.test]).append(self._rows(job))
        return {method: np.unique(np.concatenate(parts)) for method, parts in rows.items()}

    def forecast(self) -> str:
        """How long the unfinished fits take, by some of the work; "" where nothing is left."""
        if not self.left:
            return ""
        jobs = [(job[0], self._rows(job), job[2]) for job in self.left]
        with self._settings():
            return Forecast(self.fits, jobs, self._needed()).line()

    def run(self) -> Iterator[list[Point]]:
        """Make the unfinished fits, keeping each; yields what is known with so many labels when all
        of their methods are done. Writes table and figure at the end.

        Raises TrainingDiverged for a learning rate that is too high.
        """
        with RunFolder(self.finished.path), self._settings():
            if not self._go_on():  # another call may have gone on meanwhile
                self._save()  # first, so that the folder is known to be of this probe
            for method, rows in self._needed().items():
                self._embed(method, rows)
            left = self.left
            progress = iter(bar(left, text="classifiers"))
            for labels in self.labels:
                for _ in range(sum(job[1] == labels for job in left)):
                    self._fit(next(progress))
                yield [point for point in self._points() if point.labels == labels]
            files = finished_files(self.result, self._points(), self.finished.record)
            for file, content in files.items():
                self.finished.files.write(f"{self._place}/{file}", content)

    def _points(self) -> list[Point]:
        """Of the draws that are asked for: methods are compared over the same ones."""
        return list(self.result.points(self.options.draws))

    def _settings(self) -> AbstractContextManager[None]:
        """PyTorch's settings as the run was trained with."""
        device = self.finished.config.device
        return torch_settings(self.fits.compute.device, device.threads, device.deterministic)

    def _embed(self, method: str, rows: Rows) -> None:
        kept = self.fits.kept(method)
        if kept is None:
            return
        what = "a random network" if method == "random" else "the run's network"
        for _ in bar(kept.compute_parts(rows), len(kept.parts(rows)), f"H by {what}"):
            pass

    def _fit(self, job: Job) -> None:
        method, labels, draw = job
        began = time.monotonic()
        accuracy = self.fits.accuracy(method, self._rows(job), draw)
        seconds = round(time.monotonic() - began, 3)
        self.result.fits.append(Fit(method, labels, draw, accuracy, seconds))
        self._save()

    def _save(self) -> None:
        text = json.dumps(self.result.as_json(), indent=1, allow_nan=False) + "\n"
        self.finished.files.write(f"{self._place}/{RESULT}", text.encode())
