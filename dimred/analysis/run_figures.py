"""Figures of finished runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
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
from dimred.run_folder.folder import read_arrays
from dimred.run_folder.record import RunRecord, read_record
from dimred.tables import grouped

Arrays = dict[str, NDArray[Any]]

_FEWEST_SHARED = 3
_MOST_NAMED = 2


class _Run:
    """A finished run's record and arrays, read when asked for."""

    def __init__(self, path: Path):
        self.path = path
        self.record: RunRecord = read_record(path)

    @property
    def title(self) -> str:
        """Name, data, epochs and seed."""
        record = self.record
        epochs, seed = f"{record.epochs:,} epochs", record.summary["seed"]
        return f"{record.name}, {record.data}, {epochs}, seed {seed}"

    def arrays(self, name: str) -> Arrays:
        """The arrays of an .npz file. Raises InputError where it cannot be read."""
        return read_arrays(self.path / name)

    @cached_property
    def embedding(self) -> Arrays:
        """embedding.npz, the images themselves without their transformations."""
        every = self.record.summary["dataset"]["transformations"] + 1
        arrays = self.arrays("embedding.npz")
        n = len(arrays["z"])
        return {k: v[::every] if len(v) == n else v for k, v in arrays.items()}

    @property
    def labels(self) -> LabelSet | None:
        """The classes of the images."""
        arrays = self.embedding
        if "label" not in arrays:
            return None
        return LabelSet(arrays["label"], tuple(map(str, arrays["class_names"])))

    @property
    def stages(self) -> list[tuple[str, NDArray[np.float32]]]:
        """Z at the end of each stage, of the images themselves."""
        every = self.record.summary["dataset"]["transformations"] + 1
        names = self.record.summary["stages"]
        return [(name, self.arrays(f"stages/{name}.npz")["z"][::every]) for name in names]

    def rows(self) -> list[dict[str, Any]]:
        """metrics.jsonl, with epochs counted over all stages."""
        file = self.path / "metrics.jsonl"
        try:
            rows = [json.loads(line) for line in file.read_text().splitlines()]
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: cannot be read ({error})") from error
        return [{**row, "epoch": number} for number, row in enumerate(rows, start=1)]


def _by_configuration(
    runs: Sequence[_Run], curve: Callable[[_Run], Curve]
) -> dict[str, list[Curve]]:
    """Curves of runs that differ in the seed only, under one name; equal names are told apart by
    what differs."""
    of = {id(run.record): run for run in runs}
    groups = grouped([run.record for run in runs])
    names = [f"{group[0].name}, {group[0].data}" for group in groups]
    found: dict[str, list[Curve]] = {}
    for group, name in zip(groups, names, strict=True):
        alike = [other[0] for other, its in zip(groups, names, strict=True) if its == name]
        found[", ".join([name, *_told_apart(group[0], alike)])] = [
            curve(of[id(record)]) for record in group
        ]
    return found


def _told_apart(record: RunRecord, alike: Sequence[RunRecord]) -> list[str]:
    """What a run has otherwise than others of its name: its epochs, else what names it best."""
    if len({other.epochs for other in alike}) == len(alike) > 1:
        return [f"{record.epochs:,} epochs"]
    keys = sorted({key for other in alike for key in other.values} - {"seed"})
    keys = [key for key in keys if not key.startswith("eval.")]
    other = [k for k in keys if len({str(other.values.get(k)) for other in alike}) > 1]
    other.sort(key=lambda key: (not key.endswith(".epochs"), "warmup" in key))
    return [f"{key.split('.')[-1]}={record.values.get(key)}" for key in other[:_MOST_NAMED]]


def _knn(runs: Sequence[_Run]) -> Figure:
    """kNN accuracy of the map against k (t-SimCNE paper, figure A.3), on the official split where
    all runs have one, else on a random one."""
    tests = [np.mean(run.embedding["split"] == "test") for run in runs]
    official = all(0 < share < 1 for share in tests)

    def curve(run: _Run) -> Curve:
        arrays = run.embedding
        if "label" not in arrays:
            raise InputError(f"{run.path}: its images have no labels")
        z, y = arrays["z"], arrays["label"]
        train, test = (np.flatnonzero(arrays["split"] == side) for side in ("train", "test"))
        if not official:
            n_test = run.record.summary["eval"]["random_test"]
            n_test = n_test or len(test) if 0 < len(test) < len(y) else max(len(y) // 6, 1)
            train, test = random_split(y, n_test, RANDOM_SPLIT_SEED)
        ks = range(1, min(CURVE_MAX_K, len(train)) + 1)
        found = knn_accuracy(z[train], y[train], z[test], y[test], ks)
        return np.array(list(found), float), 100 * np.array(list(found.values()))

    split = "official" if official else "random"
    ylabel = f"kNN accuracy in Z, %, {split} split"
    return curves_figure(_by_configuration(runs, curve), "number of neighbours k", ylabel)


def _stages(runs: Sequence[_Run]) -> Figure:
    """The maps after each stage (t-SimCNE paper, figures A.4 and A.5)."""
    if len(runs) != 1:
        raise InputError(f"of one run, and {len(runs)} were named")
    run = runs[0]
    epochs = {name: stage["epoch"] for name, stage in run.record.summary["stages"].items()}
    maps = [(f"{name}, {epochs[name]:,} epochs", z) for name, z in run.stages]
    return panels_figure(maps, run.labels)


def _spectrum(runs: Sequence[_Run]) -> Figure:
    """Eigenvalues of the covariance of Z (t-SimCNE paper, figure A.6)."""

    def curve(run: _Run) -> Curve:
        z = max((z for _, z in run.stages), key=lambda z: int(z.shape[1]))
        values = eigenvalues(z)
        return np.arange(1, len(values) + 1, dtype=float), values

    return curves_figure(
        _by_configuration(runs, curve),
        "number of the eigenvalue",
        "share of the variance of Z",
        log_y=True,
    )


def _norms(runs: Sequence[_Run]) -> Figure:
    """Lengths of Z by class (t-SimCNE paper, figure 4)."""
    labels = _shared_labels(runs)
    if labels is None:
        raise InputError(f"{runs[0].path}: its images have no labels")
    norms = [(run.title, np.linalg.norm(run.embedding["z"], axis=1)) for run in runs]
    return norms_figure(norms, labels)


def _seeds(runs: Sequence[_Run]) -> Figure:
    """Maps side by side, turned and mirrored to fit the first (t-SimCNE paper, figure A.8), of the
    images that all have."""
    arrays = [run.embedding for run in runs]
    shared = arrays[0]["index"]
    for other in arrays[1:]:
        shared = np.intersect1d(shared, other["index"])
    if len(shared) < _FEWEST_SHARED:
        raise InputError(f"{runs[-1].path}: has hardly any image in common with {runs[0].path}")
    chosen = [np.searchsorted(each["index"], shared) for each in arrays]  # index rises
    maps = [each["z"][rows] for each, rows in zip(arrays, chosen, strict=True)]
    for run, z in zip(runs, maps, strict=True):
        if z.shape != maps[0].shape:
            raise InputError(f"{run.path}: its Z is {z.shape[1]}-D, the first {maps[0].shape[1]}-D")
    pairs = zip(arrays, chosen, strict=True)
    labels = [each["label"][rows] for each, rows in pairs if "label" in each]
    if any(not np.array_equal(each, labels[0]) for each in labels):
        raise InputError(f"{runs[-1].path}: has other images than {runs[0].path}")
    names = runs[0].labels
    titles = [run.title for run in runs]
    drawn = [aligned(z, maps[0]) for z in maps]
    return panels_figure(
        list(zip(titles, drawn, strict=True)),
        LabelSet(labels[0], names.names) if names else None,
        shared_axes=True,
    )


def _shared_labels(runs: Sequence[_Run]) -> LabelSet | None:
    """The classes of the images, which must be the same in all runs."""
    first = runs[0].embedding
    for run in runs[1:]:
        arrays = run.embedding
        if not np.array_equal(arrays["index"], first["index"]) or not np.array_equal(
            arrays.get("label", []), first.get("label", [])
        ):
            raise InputError(f"{run.path}: has other images than {runs[0].path}")
    return runs[0].labels


def _loss(runs: Sequence[_Run]) -> Figure:
    """Training loss against epochs; losses of different stages are not joined."""

    def curve(run: _Run) -> Curve:
        x, y, stage = [], [], None
        for row in run.rows():
            if stage not in (None, row["stage"]):
                x.append(row["epoch"] - 0.5)
                y.append(np.nan)
            stage = row["stage"]
            x.append(row["epoch"])
            y.append(row.get("loss", np.nan))
        return np.array(x, dtype=float), np.array(y, dtype=float)

    return curves_figure(_by_configuration(runs, curve), "epoch", "loss, mean of an epoch")


def _contrast(runs: Sequence[_Run]) -> Figure:
    """Losses on test pairs against epochs (thesis, section 5.3.2): of all runs the same, DrLIM's
    where all have it, else those of their own pairs."""
    rows = {run.path: run.rows() for run in runs}
    form = runs[0].record.values.get("loss.form", "squared_hinge")
    keys = (f"drlim_{form}", f"contrast_{form}")
    shared = [key for key in keys if all(any(key in r for r in rows[run.path]) for run in runs)]
    if not shared:
        raise InputError(f"the runs have no losses on test pairs in common ({' or '.join(keys)})")

    def curve(run: _Run) -> Curve:
        found = [(row["epoch"], row[shared[0]]) for row in rows[run.path] if shared[0] in row]
        if len(found) == 1:
            raise InputError(f"{run.path}: was measured once; train it with eval.every=1")
        x, y = np.array(found, dtype=float).T
        return x, y

    whose = "DrLIM's" if shared[0].startswith("drlim") else "each run's own"
    ylabel = f"loss on {whose} test pairs, {form.replace('_', ' ')}"
    return curves_figure(_by_configuration(runs, curve), "epoch", ylabel)


def figure_of(name: str, paths: Sequence[Path]) -> Figure:
    """A figure of FIGURES of finished runs, by their folders. Raises InputError for runs that it
    cannot be drawn of."""
    runs = [_Run(path) for path in paths]
    try:
        return FIGURES[name](runs)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


FIGURES: dict[str, Callable[[Sequence[_Run]], Figure]] = {
    "knn": _knn,
    "stages": _stages,
    "spectrum": _spectrum,
    "norms": _norms,
    "seeds": _seeds,
    "loss": _loss,
    "contrast": _contrast,
}
