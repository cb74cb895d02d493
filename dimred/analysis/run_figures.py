"""Figures of finished runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.run_labels import run_labels
from dimred.data.image_set import LabelSet
from dimred.errors import InputError
from dimred.evaluation import knn_accuracy
from dimred.evaluation.splits import Splits
from dimred.measures.knn import CURVE_MAX_K
from dimred.plots.comparisons import (
    aligned,
    eigenvalues,
    norms_figure,
    panels_figure,
)
from dimred.plots.curves import Curve, Start, Words, curves_figure
from dimred.run_folder import layout
from dimred.run_folder.files_now import outline
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.record import RunRecord
from dimred.tables.compare import configuration_key
from dimred.tables.differences import SHOWN_EVAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MIN_SHARED = 3
_SPLITS = ("unseen", "official", "random")


@dataclass(frozen=True)
class _Images:
    """The n untransformed images of a run on its map.

    z: (n, d). index: int64 (n,). labels: their classes, or None.
    """

    z: NDArray[np.float32]
    index: NDArray[np.int64]
    labels: LabelSet | None

    @classmethod
    def of(cls, run: FinishedRun) -> _Images:
        on = run.map
        rows = on.images
        labels = None if on.labels is None else LabelSet(on.labels[rows], on.class_names)
        return cls(on.z[rows], on.index[rows], labels)


def _maps(run: FinishedRun) -> list[tuple[str, NDArray[np.float32]]]:
    """Z of the untransformed images at the end of each stage, with the stage's name. Raises
    InputError for arrays that are not of the run's images."""
    n = len(run.map)
    of_stages = {
        name: run.arrays(layout.stage_arrays(name)) for name in run.record.summary["stages"]
    }
    return [
        (name, arrays.get("z", "f", n, dims=2)[:: run.n_variants])
        for name, arrays in of_stages.items()
    ]


def _epochs(run: FinishedRun) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, with epochs counted over all stages."""
    return [{**row, "epoch": number} for number, row in enumerate(run.metrics(), start=1)]


def _names(records: Sequence[RunRecord], always: Sequence[str] = ()) -> tuple[str, list[str]]:
    """What runs have in common, and a label of each that tells it from the others. A single run has
    nothing to be told from, and is named by what it is."""
    names = [f"{record.name}, {record.data}" for record in records]
    values = [
        {
            **{key: value for key, value in r.values.items() if not key.startswith("eval.")},
            **{f"eval.{key}": r.summary["eval"].get(key) for key in SHOWN_EVAL},
            "epochs": r.epochs,
            "images": r.summary["dataset"]["images"],
            "fingerprint": r.fingerprint[:8],
        }
        for r in records
    ]
    if "seed" not in always:
        values = [{k: v for k, v in each.items() if k != "seed"} for each in values]
    if len(set(names)) == 1 and (len(names) > 1 or always):
        return names[0], run_labels([""] * len(names), values, always)
    return "", run_labels(names, values, always)


def _by_configuration(
    runs: Sequence[FinishedRun], curve: Callable[[FinishedRun], Curve]
) -> tuple[dict[str, list[Curve]], str]:
    """The curves of runs, grouped by runs that differ in the seed only, by the labels of the
    groups; and a text on what they have in common."""
    groups: dict[str, list[FinishedRun]] = {}
    for run in sorted(runs, key=lambda run: (run.record.data, run.record.name)):
        groups.setdefault(configuration_key(run.record), []).append(run)
    common, labels = _names([group[0].record for group in groups.values()])
    counts = {len(group) for group in groups.values()}
    if len(counts) > 1:
        pairs = zip(labels, groups.values(), strict=True)
        labels = [f"{label} ({len(group)}x)" for label, group in pairs]
    parts = [common] if common else []
    if max(counts) > 1:
        of = f"{counts.pop()} runs" if len(counts) == 1 else "runs"
        parts.append(f"mean of {of}, band: one standard deviation")
    by_label = dict(zip(labels, groups.values(), strict=True))
    curves = {
        label: [curve(run) for run in by_label[label]] for label in sorted(labels, key=_natural)
    }
    return curves, "; ".join(parts)


def _natural(label: str) -> list[tuple[float, str]]:
    """Sorts labels by the numbers in them: 64 before 128."""
    words = re.split(r"(\d+(?:\.\d+)?)", label)
    return [(float(word), "") if i % 2 else (0.0, word) for i, word in enumerate(words)]


def _knn(runs: Sequence[FinishedRun]) -> Figure:
    """kNN accuracy of the map against k (t-SimCNE paper, figure A.3): on the classes not learned
    from where all runs have such, else on the official split where all have one, else on a random
    one."""
    splits = {run: _splits(run) for run in runs}
    shared = [name for name in _SPLITS if all(name in of.parts for of in splits.values())]
    split = shared[0]

    def curve(run: FinishedRun) -> Curve:
        z, y = _Images.of(run).z, splits[run].labels.values
        train, test = splits[run].parts[split]
        ks = range(1, min(CURVE_MAX_K, len(train)) + 1)
        accuracies = knn_accuracy(z[train], y[train], z[test], y[test], ks)
        return np.array(list(accuracies), float), np.array(list(accuracies.values()))

    curves, common = _by_configuration(runs, curve)
    title = f"kNN accuracy of the map, {split} split"
    words = Words(title, common, "number of neighbors k", "kNN accuracy in Z, %")
    # What is by chance is another number for other classes.
    same = [run for run in runs if "unseen" not in splits[run].parts or split == "unseen"]
    levels = [run.record.summary["dataset"].get("chance") for run in same]
    return curves_figure(curves, words, chance=[level for level in levels if level])


def _splits(run: FinishedRun) -> Splits:
    """The splits of a run's untransformed images, as it measured them."""
    images = outline(run.map).take(run.map.images)
    if images.labels is None:
        raise InputError(f"{run.path}: its images have no labels")
    return Splits(images, run.record.summary["eval"]["random_test"])


def _stages(runs: Sequence[FinishedRun]) -> Figure:
    """The maps after each stage (t-SimCNE paper, figures A.4 and A.5)."""
    if len(runs) != 1:
        raise InputError(f"stages: a figure of one run, but {len(runs)} were named")
    run = runs[0]
    epochs = {name: stage["epoch"] for name, stage in run.record.summary["stages"].items()}
    maps = [(f"{name}, {epochs[name]:,} epochs", z) for name, z in _maps(run)]
    common, (label,) = _names([run.record], ["seed"])
    return panels_figure(maps, _Images.of(run).labels, heading=f"{common}, {label}: stages")


def _spectrum(runs: Sequence[FinishedRun]) -> Figure:
    """Eigenvalues of the covariance of Z (t-SimCNE paper, figure A.6)."""

    def curve(run: FinishedRun) -> Curve:
        z = max((z for _, z in _maps(run)), key=lambda z: int(z.shape[1]))
        values = eigenvalues(z)
        return np.arange(1, len(values) + 1, dtype=float), values

    curves, common = _by_configuration(runs, curve)
    title = "Spectrum of Z after the stage with the most dimensions"
    words = Words(title, common, "number of the eigenvalue", "share of the variance of Z")
    return curves_figure(curves, words, log_y=True)


def _norms(runs: Sequence[FinishedRun]) -> Figure:
    """Norms of Z by class (t-SimCNE paper, figure 4)."""
    labels = _shared_labels(runs)
    if labels is None:
        raise InputError(f"{runs[0].path}: its images have no labels")
    common, titles = _names([run.record for run in runs], ["seed"])
    norms = [np.linalg.norm(_Images.of(run).z.astype(np.float64), axis=1) for run in runs]
    return norms_figure(list(zip(titles, norms, strict=True)), labels, common)


def _seeds(runs: Sequence[FinishedRun]) -> Figure:
    """Maps side by side, rotated and mirrored to match the first (t-SimCNE paper, figure A.8), of
    the images that all runs share."""
    if len(runs) < 2:
        raise InputError(f"seeds: compares the maps of runs, but only {runs[0].path} was named")
    images = [_Images.of(run) for run in runs]
    shared = images[0].index
    for other in images[1:]:
        shared = np.intersect1d(shared, other.index)
    if len(shared) < _MIN_SHARED:
        raise InputError(
            f"{runs[-1].path}: shares fewer than {_MIN_SHARED} images with {runs[0].path}"
        )
    chosen = [_positions(each.index, shared) for each in images]
    maps = [each.z[rows] for each, rows in zip(images, chosen, strict=True)]
    for run, z in zip(runs, maps, strict=True):
        if z.shape != maps[0].shape:
            raise InputError(f"{run.path}: its Z is {z.shape[1]}-D, the first {maps[0].shape[1]}-D")
    pairs = zip(images, chosen, strict=True)
    labels = [each.labels.values[rows] for each, rows in pairs if each.labels]
    if any(not np.array_equal(each, labels[0]) for each in labels):
        raise InputError(f"{runs[-1].path}: has other images than {runs[0].path}")
    names = images[0].labels
    common, titles = _names([run.record for run in runs], ["seed"])
    drawn = [aligned(z, maps[0]) for z in maps]
    return panels_figure(
        list(zip(titles, drawn, strict=True)),
        LabelSet(labels[0], names.names) if names else None,
        shared_axes=True,
        heading=common,
    )


def _positions(index: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the wanted values are in an index that has each of them."""
    order = np.argsort(index, kind="stable")
    return order[np.searchsorted(index, wanted, sorter=order)]


def _shared_labels(runs: Sequence[FinishedRun]) -> LabelSet | None:
    """The labels of the images; images and labels must be the same in all runs."""
    first = _Images.of(runs[0])
    for run in runs[1:]:
        other = _Images.of(run)
        same = (first.labels is None) == (other.labels is None)
        if same and first.labels and other.labels:
            same = np.array_equal(first.labels.values, other.labels.values)
        if not same or not np.array_equal(other.index, first.index):
            raise InputError(f"{run.path}: has other images than {runs[0].path}")
    return first.labels


def _loss(runs: Sequence[FinishedRun]) -> Figure:
    """Training loss against epochs; losses of different stages are not joined."""

    def curve(run: FinishedRun) -> Curve:
        x, y, stage = [], [], None
        for row in _epochs(run):
            if stage not in (None, row["stage"]):
                x.append(row["epoch"] - 0.5)
                y.append(np.nan)
            stage = row["stage"]
            x.append(row["epoch"])
            y.append(row.get("loss", np.nan))
        return np.array(x, dtype=float), np.array(y, dtype=float)

    curves, common = _by_configuration(runs, curve)
    words = Words("Training loss", common, "epoch", "loss, mean of an epoch")
    return curves_figure(curves, words, starts=_starts(runs))


def _starts(runs: Sequence[FinishedRun]) -> list[Start]:
    """Where the stages of the runs begin, in epochs over all stages; one for those that begin
    alike."""
    starts: dict[Start, None] = {}
    for run in runs:
        stage = None
        for row in _epochs(run):
            if row["stage"] != stage:
                stage = row["stage"]
                starts[row["epoch"] - 1, stage] = None
    return list(starts)


def _contrast(runs: Sequence[FinishedRun]) -> Figure:
    """Losses on test pairs against epochs (Angel 2015, section 5.3.2): on DrLIM's pairs where all
    runs have those, else on the pairs of each run's pairing."""
    rows = {run.path: _epochs(run) for run in runs}
    form = runs[0].record.values.get("loss.form", "squared_hinge")
    keys = (f"drlim_{form}", f"contrast_{form}")
    shared = [key for key in keys if all(any(key in r for r in rows[run.path]) for run in runs)]
    if not shared:
        raise InputError(f"the runs have no losses on test pairs in common ({' or '.join(keys)})")

    def curve(run: FinishedRun) -> Curve:
        points = [(row["epoch"], row[shared[0]]) for row in rows[run.path] if shared[0] in row]
        if len(points) == 1:
            raise InputError(f"{run.path}: was measured once; train it with eval.every=1")
        x, y = np.array(points, dtype=float).T
        return x, y

    whose = "DrLIM's" if shared[0].startswith("drlim") else "each run's own"
    ylabel = f"loss on {whose} test pairs, {form.replace('_', ' ')}"
    curves, common = _by_configuration(runs, curve)
    words = Words("Loss on test pairs", common, "epoch", ylabel)
    return curves_figure(curves, words, starts=_starts(runs))


def figure_of(name: str, paths: Sequence[Path]) -> Figure:
    """Draw a figure of finished runs. name: a key of FIGURES. paths: folders of the runs. Raises
    InputError for runs without the data that it needs."""
    different = {path.resolve(): path for path in reversed(paths)}
    runs = [FinishedRun(path) for path in paths if different[path.resolve()] is path]
    try:
        return FIGURES[name](runs)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


FIGURES: dict[str, Callable[[Sequence[FinishedRun]], Figure]] = {
    "knn": _knn,
    "stages": _stages,
    "spectrum": _spectrum,
    "norms": _norms,
    "seeds": _seeds,
    "loss": _loss,
    "contrast": _contrast,
}
