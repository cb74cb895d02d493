"""Measure baseline methods on the images of a finished run, as its map was measured."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.other_methods import BASELINES, Baseline, provide_compile_cache
from dimred.data.image_set import ImageSet
from dimred.data.selection import limit
from dimred.errors import InputError
from dimred.evaluation import Splits, trustworthiness
from dimred.measures.knn import knn_measurements
from dimred.measures.neighborhoods import MAX_TRUSTWORTHINESS_POINTS
from dimred.measures.retrieval import MAX_PIXEL_VALUES
from dimred.plots.maps import map_figure
from dimred.plots.style import to_png
from dimred.run_folder import layout
from dimred.run_folder.environment import commit
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder
from dimred.steps import step

OWN_MAP = "z"
METHODS = (OWN_MAP, *BASELINES)
_K = 15


class Line(NamedTuple):
    """A line of text on a method. failed: whether its library raised an error."""

    text: str
    failed: bool = False


class _MethodFailed(Exception):
    """The library of a method raised an error, or gave no map; the message says why."""


def measure_baselines(
    path: Path,
    methods: Sequence[str] = METHODS,
    root: str | None = None,
    again: bool = False,
    required: bool = False,
) -> Iterator[Line]:
    """Measure other methods on the images of the run in a folder; yields a line for each.

    root: the current location of the data, if they have moved. again: repeat methods measured
    before. required: raise an error for an unavailable method instead of skipping it.
    A method that fails is left out, with a line that says so.
    Raises InputError for a folder without a finished run or a damaged one, and for missing data.
    """
    run = FinishedRun(path, root)
    provide_compile_cache()
    with RunFolder(path) as folder:
        yield from _Baselines(run, folder, required).measure(methods, again)


class _Baselines:
    """Measures the baselines of one run. required: unavailable methods are an error."""

    def __init__(self, run: FinishedRun, folder: RunFolder, required: bool):
        self.run, self.folder, self.required = run, folder, required
        self.results: dict[str, dict[str, Any]] = dict(run.record.baselines)
        self.images = run.images()
        self.compute = run.compute()
        self.threads = torch.get_num_threads()  # some libraries change it
        self._points: dict[str, NDArray[Any]] = {}

    def measure(self, methods: Sequence[str], again: bool) -> Iterator[Line]:
        """Measure one method after the other, saving the results after each; yields a line for
        each."""
        if self.images.labels is None:
            yield Line(f"{self.run.path}: no labels, so trustworthiness is the only measure")
        for method in methods:
            if method in self.results and not again:
                yield Line(f"{method:<14} measured before")
                continue
            baseline = BASELINES.get(method)
            missing = self._missing(baseline) if baseline else ""
            if missing and self.required:
                raise InputError(f"--only {method}: {missing}")
            if missing:
                yield Line(f"{method:<14} left out: {missing}")
                continue
            try:
                with step(baseline.label if baseline else "the run's own map"):
                    self.results[method] = self._result(method, baseline)
            except _MethodFailed as error:
                yield Line(f"{method:<14} left out: it failed ({error})", failed=True)
                continue
            self.folder.write_json(layout.BASELINES, self.results)
            yield Line(f"{method:<14} {_summary(self.results[method], len(self.images))}")

    def _missing(self, baseline: Baseline) -> str:
        """Why a method cannot be used on the images; "" where it can."""
        needed = 2 * _K + 1
        if self._most(baseline) < min(needed, len(self.images)):
            return f"{needed} images have more than {MAX_PIXEL_VALUES:,} values"
        return baseline.missing(self.images)

    def _most(self, baseline: Baseline) -> int:
        """The number of images that a method is measured on, at most."""
        most = baseline.max_images or len(self.images)
        if baseline.space == "pixels":
            most = min(most, MAX_PIXEL_VALUES // self.images.images[0].numel())
        return most

    def _result(self, method: str, baseline: Baseline | None) -> dict[str, Any]:
        images, positions = self.images, np.arange(len(self.images))
        threads = self.threads
        if baseline is None:
            z, library, places = self.points("z", positions), "dimred", "yes"
            label = f"its own map, {z.shape[1]}-D"
            seconds, hardware = self._training()
        else:
            most = self._most(baseline)
            if most < len(images):
                # Without their pixels, which may not fit into memory.
                images = limit(replace(images, images=images.images[:, :1, :1, :1]), most)
                positions = np.flatnonzero(np.isin(self.images.index, images.index))
            z, seconds, library = self._placed(baseline, self.points(baseline.space, positions))
            label, places = baseline.label, baseline.places
            hardware = {"device": f"cpu ({platform.machine()})", "threads": threads}
        if z.shape[1] == 2:
            self.folder.write_arrays(layout.baseline_map(method), {"z": z, "index": images.index})
            subtitle = f"{len(z):,} images, {library}"
            figure = map_figure(z, images.labels, f"{self.run.record.data}: {label}", subtitle)
            self.folder.write_plot(f"baseline_{method}", to_png(figure))
        return {
            "label": label,
            "library": library,
            "places": places,
            "images": len(images),
            "seconds": round(seconds, 3),
            **hardware,
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit(),
            **self._measures(images, positions, z),
        }

    def _placed(
        self, baseline: Baseline, points: NDArray[Any]
    ) -> tuple[NDArray[np.floating[Any]], float, str]:
        """The map of a method, the seconds that it took, and its library with its version.

        Raises _MethodFailed whatever the library raises: the methods after it do not depend on it.
        """
        seed = self.run.config.seed
        try:
            # A first call, so that imports and compilation on first use are not timed.
            baseline.place(points[: baseline.warm_up], seed, self.threads)
            began = time.monotonic()
            z = baseline.place(points, seed, self.threads)
            seconds, library = time.monotonic() - began, baseline.version
        except Exception as error:
            reason = (str(error).strip() or "no message").splitlines()[0]
            raise _MethodFailed(f"{type(error).__name__}: {reason}") from error
        if not np.isfinite(z).all():
            raise _MethodFailed("its map is not finite")
        return z, seconds, library

    def _training(self) -> tuple[float, dict[str, Any]]:
        """The seconds that training took, and the device and threads of its last session."""
        record = self.run.record
        seconds, session = record.summary["training_seconds"], record.environment["sessions"][-1]
        if "threads" not in session:
            file = self.run.path / layout.ENVIRONMENT
            raise InputError(f"{file}: its last session has no threads")
        return seconds, {"device": session["device"], "threads": session["threads"]}

    def _measures(
        self, images: ImageSet, positions: NDArray[np.int64], z: NDArray[Any]
    ) -> dict[str, float]:
        """Measures of the map z (n, d) of images, which are at `positions` (n,) of the run's."""
        random_test = self.run.config.eval.random_test
        if random_test is not None:  # the same share, where there are fewer images
            random_test = max(random_test * len(images) // len(self.images), 1)
        accuracies: dict[str, float] = {}
        max_k = max_trustworthy_k = (len(images) - 1) // 2
        if images.labels is not None:
            splits, device = Splits(images, random_test), self.compute.device
            max_k = splits.max_k
            if max_k >= _K:
                measurements = knn_measurements(z, "", splits, [_K], device)
                accuracies = {each.name: each.value for each in measurements}
        if max_k < _K:
            raise InputError(f"{self.run.path}: has too few images for {_K} neighbors")
        if max_trustworthy_k < _K:
            return accuracies
        n, most = len(positions), MAX_TRUSTWORTHINESS_POINTS
        drawn = np.arange(n)
        if n > most:  # first, since the pixels of all may not fit into memory
            drawn = np.random.default_rng(0).choice(n, most, replace=False)
        pixels = self._pixels(positions[drawn])
        trust = trustworthiness(pixels, z[drawn], _K, most, seed=0)
        return {**accuracies, f"trustworthiness{_K}": trust}

    def points(self, space: str, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Images, pixels in [0, 1], H or Z of images at `positions`, which ascend (n, ...)."""
        if space == "images":
            everything = len(positions) == len(self.images)
            images = self.images if everything else self.images.take(positions)
            return images.images.numpy()
        if space == "pixels":
            return self._pixels(positions)
        if space not in self._points:
            h, z = self.run.embed(self.images, self.compute)
            self._points |= {"h": h, "z": z}
        return self._points[space][positions]

    def _pixels(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        images = self.images.images[torch.from_numpy(positions)]
        pixels: NDArray[np.float32] = images.flatten(1).numpy().astype(np.float32)
        pixels /= np.float32(255)
        return pixels


def _summary(result: dict[str, Any], of: int) -> str:
    """A line on a result. of: the number of images that there are."""
    measures = [key for key in result if key.startswith(("knn", "trustworthiness"))]
    values = [f"{key} {result[key]:.4f}" for key in measures]
    if f"trustworthiness{_K}" not in measures:
        values.append(f"trustworthiness{_K} left out: needs {2 * _K + 1} images")
    some = f", of {result['images']:,} images drawn" if result["images"] < of else ""
    return f"{'  '.join(values)}  {result['seconds']:.0f} s{some}"
