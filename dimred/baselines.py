"""The command `dimred baselines`: other methods on the images of finished runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.complaints import Parser, reporting
from dimred.data.image_set import ImageSet
from dimred.data.selection import limit
from dimred.errors import InputError
from dimred.evaluation import Judge, trustworthiness
from dimred.evaluation.baselines import BASELINES, Baseline
from dimred.evaluation.judge import MAX_TRUSTWORTHINESS_POINTS
from dimred.finished import FinishedRun
from dimred.reporting.environment import environment
from dimred.reporting.plots import map_figure
from dimred.reporting.run_folder import RunFolder
from dimred.reporting.style import to_png
from dimred.tables.records import BASELINES_FILE
from dimred.train import compute_of

OWN_MAP = "z"
METHODS = (OWN_MAP, *BASELINES)
_K = 15


def measure_baselines(words: list[str]) -> int:
    """Measure what the words of `dimred baselines` say; returns the exit code."""
    return reporting(lambda: _measure(words))


def _measure(words: list[str]) -> int:
    parser = Parser("dimred baselines RUN [RUN ...] [--only METHOD,...] [--again]")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--only")
    parser.add_argument("--again", action="store_true")
    given = parser.parse_args(words)
    methods = given.only.split(",") if given.only else list(METHODS)
    for method in methods:
        if method not in METHODS:
            raise InputError(f"--only {method}: must be of {', '.join(METHODS)}")
    runs = [FinishedRun(Path(path).expanduser()) for path in given.runs]
    for run in runs:
        with RunFolder(run.path) as folder:
            _Measuring(run, folder, asked_for=given.only is not None).measure(methods, given.again)
    print("\ndimred table baselines shows them side by side")
    return 0


class _Measuring:
    """The baselines of one run. asked_for: whether a method that cannot be had is an error."""

    def __init__(self, run: FinishedRun, folder: RunFolder, asked_for: bool):
        self.run, self.folder, self.asked_for = run, folder, asked_for
        self.found: dict[str, dict[str, Any]] = dict(run.record.baselines)
        self.images = run.images()
        self.compute = compute_of(run.config)
        self._points: dict[str, NDArray[Any]] = {}

    def measure(self, methods: Sequence[str], again: bool) -> None:
        """Measure and keep one after the other, so that what is done is not lost."""
        if self.images.labels is None:
            print(f"{self.run.path}: no labels, so maps are judged by trustworthiness alone")
        for method in methods:
            if method in self.found and not again:
                print(f"{method:<14} measured before")
                continue
            baseline = BASELINES.get(method)
            missing = baseline.missing() if baseline else ""
            if missing and self.asked_for:
                raise InputError(f"--only {method}: {missing}")
            if missing:
                print(f"{method:<14} left out: {missing}")
                continue
            self.found[method] = self._one(method, baseline)
            self.folder.write_json(BASELINES_FILE, self.found)
            print(f"{method:<14} {_said(self.found[method])}", flush=True)

    def _one(self, method: str, baseline: Baseline | None) -> dict[str, Any]:
        images, positions = self.images, np.arange(len(self.images))
        if baseline is not None and baseline.most is not None:
            images = limit(images, baseline.most)
            positions = np.flatnonzero(np.isin(self.images.index, images.index))
        began = time.monotonic()
        if baseline is None:
            z, label, library, places = self.points("z"), "its own map", "dimred", "yes"
            seconds = self.run.record.summary["training_seconds"]
        else:
            points = self.points(baseline.space)[positions]
            began = time.monotonic()
            z = baseline.place(points, self.run.config.seed)
            seconds = time.monotonic() - began
            label, library, places = baseline.label, baseline.version, baseline.places
        if z.shape[1] == 2:
            self.folder.write_arrays(f"baselines/{method}.npz", {"z": z, "index": images.index})
            subtitle = f"{len(z):,} images, {library}"
            figure = map_figure(z, images.labels, f"{self.run.record.data}: {label}", subtitle)
            self.folder.write_plot(f"baseline_{method}", to_png(figure))
        session = environment(self.compute.device, [], 1)
        return {
            "label": label,
            "library": library,
            "places": places,
            "images": len(images),
            "seconds": round(seconds, 3),
            "device": session["device"],
            "threads": session["threads"],
            "date": datetime.now(UTC).date().isoformat(),
            "commit": session["commit"],
            **self._judged(images, self.points("pixels")[positions], z),
        }

    def _judged(self, images: ImageSet, pixels: NDArray[Any], z: NDArray[Any]) -> dict[str, float]:
        config = self.run.config.eval
        judge = Judge(images, [_K], config.random_test, self.compute.device)
        if judge.max_k < _K:
            raise InputError(f"{self.run.path}: has too few images for {_K} neighbours")
        found = {}
        if images.labels is not None:
            found = {key.replace("__", "_"): value for key, value in judge.knn("", z).items()}
        trust = trustworthiness(pixels, z, _K, MAX_TRUSTWORTHINESS_POINTS, seed=0)
        return {**found, f"trustworthiness{_K}": trust}

    def points(self, space: str) -> NDArray[Any]:
        """Pixels in [0, 1], H or Z of every image (N, d)."""
        if space == "images":
            return self.images.images.numpy()
        if space == "pixels":
            return self.images.images.flatten(1).numpy().astype(np.float32) / 255
        if space not in self._points:
            h, z = self.run.embed(self.images, self.compute)
            self._points = {"h": h, "z": z}
        return self._points[space]


def _said(measured: dict[str, Any]) -> str:
    judged = [key for key in measured if key.startswith(("knn", "trustworthiness"))]
    words = [f"{key} {measured[key]:.4f}" for key in judged]
    return f"{'  '.join(words)}  {measured['seconds']:.0f} s"
