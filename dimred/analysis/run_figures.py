"""Figures of finished runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import LabelSet
from dimred.errors import InputError
from dimred.evaluation import knn_accuracy, random_split
from dimred.evaluation.splits import RANDOM_SPLIT_SEED
from dimred.measures.knn import CURVE_MAX_K
from dimred.plots.comparisons import (
    Curve,
    aligned,
    curves_figure,
    eigenvalues,
    norms_figure,
    panels_figure,
)
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.record import RunRecord
from dimred.tables import grouped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MIN_SHARED = 3
_MAX_NAMED = 2


@dataclass(frozen=True)
class _Images:
    """The n untransformed images of a run on its map.

    z: (n, d). index: int64 (n,). split: (n,), "train" or "test". labels: their classes, or None.
    """

    z: NDArray[np.float32]
    index: NDArray[np.int64]
    split: NDArray[np.str_]
    labels: LabelSet | None

    @classmethod
    def of(cls, run: FinishedRun) -> _Images:
        on = run.map
        rows = on.images
        labels = None if on.labels is None else LabelSet(on.labels[rows], on.class_names)
        return cls(on.z[rows], on.index[rows], on.split[rows], labels)


def _title(run: FinishedRun) -> str:
    """Name, data, epochs and seed."""
    record = run.record
    epochs, seed = f"{record.epochs:,} epochs", record.summary["seed"]
    return f"{record.name}, {record.data}, {epochs}, seed {seed}"


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


def _by_configuration(
    runs: Sequence[FinishedRun], curve: Callable[[FinishedRun], Curve]
) -> dict[str, list[Curve]]:
    """The curves of runs, grouped by runs that differ in the seed only. Groups with equal names get
    the options that differ added to their names."""
    by_record = {id(run.record): run for run in runs}
    groups = grouped([run.record for run in runs])
    names = [f"{group[0].name}, {group[0].data}" for group in groups]
    curves: dict[str, list[Curve]] = {}
    for group, name in zip(groups, names, strict=True):
        namesakes = [other[0] for other, its in zip(groups, names, strict=True) if its == name]
        curves[", ".join([name, *_distinction(group[0], namesakes)])] = [
            curve(by_record[id(record)]) for record in group
        ]
    return curves


def _distinction(record: RunRecord, namesakes: Sequence[RunRecord]) -> list[str]:
    """What distinguishes a run from its namesakes: its epochs, or up to two options."""
    if len({other.epochs for other in namesakes}) == len(namesakes) > 1:
        return [f"{record.epochs:,} epochs"]
    keys = sorted({key for other in namesakes for key in other.values} - {"seed"})
    keys = [key for key in keys if not key.startswith("eval.")]
    differing = [k for k in keys if len({str(other.values.get(k)) for other in namesakes}) > 1]
    differing.sort(key=lambda key: (not key.endswith(".epochs"), "warmup" in key))
    return [f"{key.split('.')[-1]}={record.values.get(key)}" for key in differing[:_MAX_NAMED]]


def _knn(runs: Sequence[FinishedRun]) -> Figure:
    """kNN accuracy of the map against k (t-SimCNE paper, figure A.3), on the official split where
    all runs have one, else on a random one."""
    tests = [np.mean(_Images.of(run).split == "test") for run in runs]
    official = all(0 < share < 1 for share in tests)

    def curve(run: FinishedRun) -> Curve:
        images = _Images.of(run)
        if images.labels is None:
            raise InputError(f"{run.path}: its images have no labels")
        z, y = images.z, images.labels.values
        train, test = (np.flatnonzero(images.split == side) for side in ("train", "test"))
        if not official:
            n_test = run.record.summary["eval"]["random_test"]
            n_test = n_test or len(test) if 0 < len(test) < len(y) else max(len(y) // 6, 1)
            train, test = random_split(y, n_test, RANDOM_SPLIT_SEED)
        ks = range(1, min(CURVE_MAX_K, len(train)) + 1)
        accuracies = knn_accuracy(z[train], y[train], z[test], y[test], ks)
        return np.array(list(accuracies), float), 100 * np.array(list(accuracies.values()))

    split = "official" if official else "random"
    ylabel = f"kNN accuracy in Z, %, {split} split"
    return curves_figure(_by_configuration(runs, curve), "number of neighbors k", ylabel)


def _stages(runs: Sequence[FinishedRun]) -> Figure:
    """The maps after each stage (t-SimCNE paper, figures A.4 and A.5)."""
    if len(runs) != 1:
        raise InputError(f"stages: a figure of one run, but {len(runs)} were named")
    run = runs[0]
    epochs = {name: stage["epoch"] for name, stage in run.record.summary["stages"].items()}
    maps = [(f"{name}, {epochs[name]:,} epochs", z) for name, z in _maps(run)]
    return panels_figure(maps, _Images.of(run).labels)


def _spectrum(runs: Sequence[FinishedRun]) -> Figure:
    """Eigenvalues of the covariance of Z (t-SimCNE paper, figure A.6)."""

    def curve(run: FinishedRun) -> Curve:
        z = max((z for _, z in _maps(run)), key=lambda z: int(z.shape[1]))
        values = eigenvalues(z)
        return np.arange(1, len(values) + 1, dtype=float), values

    return curves_figure(
        _by_configuration(runs, curve),
        "number of the eigenvalue",
        "share of the variance of Z",
        log_y=True,
    )


def _norms(runs: Sequence[FinishedRun]) -> Figure:
    """Norms of Z by class (t-SimCNE paper, figure 4)."""
    labels = _shared_labels(runs)
    if labels is None:
        raise InputError(f"{runs[0].path}: its images have no labels")
    norms = [
        (_title(run), np.linalg.norm(_Images.of(run).z.astype(np.float64), axis=1)) for run in runs
    ]
    return norms_figure(norms, labels)


def _seeds(runs: Sequence[FinishedRun]) -> Figure:
    """Maps side by side, rotated and mirrored to match the first (t-SimCNE paper, figure A.8), of
    the images that all runs share."""
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
    titles = [_title(run) for run in runs]
    drawn = [aligned(z, maps[0]) for z in maps]
    return panels_figure(
        list(zip(titles, drawn, strict=True)),
        LabelSet(labels[0], names.names) if names else None,
        shared_axes=True,
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

    return curves_figure(_by_configuration(runs, curve), "epoch", "loss, mean of an epoch")


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
    return curves_figure(_by_configuration(runs, curve), "epoch", ylabel)


def figure_of(name: str, paths: Sequence[Path]) -> Figure:
    """Draw a figure of finished runs. name: a key of FIGURES. paths: folders of the runs. Raises
    InputError for runs without the data that it needs."""
    runs = [FinishedRun(path) for path in paths]
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
