"""The command `dimred plot`: figures of finished runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dimred.complaints import Parser, reporting
from dimred.data.image_set import LabelSet
from dimred.errors import InputError
from dimred.evaluation import knn_accuracy, random_split
from dimred.evaluation.judge import CURVE_MAX_K, RANDOM_SPLIT_SEED
from dimred.files import write_atomically
from dimred.reporting.comparisons import (
    Curve,
    aligned,
    curves_figure,
    eigenvalues,
    norms_figure,
    panels_figure,
)
from dimred.reporting.style import to_pdf, to_png
from dimred.tables import RunRecord, grouped, read_record

Arrays = dict[str, NDArray[Any]]


def plot(words: list[str]) -> int:
    """Draw what the words of `dimred plot` say; returns the exit code."""
    return reporting(lambda: _plot(words))


def _plot(words: list[str]) -> int:
    parser = Parser("dimred plot FIGURE RUN [RUN ...] [--out NAME]")
    parser.add_argument("figure")
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--out")
    given = parser.parse_args(words)
    if given.figure not in FIGURES:
        raise InputError(f"{given.figure}: no such figure; the figures are {', '.join(FIGURES)}")
    if not given.runs:
        raise InputError(f"{given.figure}: of which runs? Name their folders")
    runs = [_Run(Path(path).expanduser()) for path in given.runs]
    try:
        figure = FIGURES[given.figure](runs)
    except ValueError as error:
        raise InputError(f"{given.figure}: {error}") from error
    out = Path(given.out or f"outputs/figures/{given.figure}").expanduser()
    for suffix, draw in ((".pdf", to_pdf), (".png", to_png)):
        path = out.with_name(out.name.removesuffix(suffix) + suffix)
        write_atomically(path, draw(figure))
        print(path)
    return 0


class _Run:
    """A finished run's record and arrays, read when asked for."""

    def __init__(self, path: Path):
        self.path = path
        self.record: RunRecord = read_record(path)

    @property
    def title(self) -> str:
        """Name and seed."""
        return f"{self.record.name}, seed {self.record.summary['seed']}"

    def arrays(self, name: str) -> Arrays:
        """The arrays of an .npz file. Raises InputError where it cannot be read."""
        file = self.path / name
        try:
            with np.load(file) as opened:
                return dict(opened)
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: cannot be read ({error})") from error

    @property
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
    """Curves of runs that differ in the seed only, under one name."""
    of = {id(run.record): run for run in runs}
    found: dict[str, list[Curve]] = {}
    for group in grouped([run.record for run in runs]):
        record = group[0]
        name = f"{record.name}, {record.data}"
        while name in found:
            name += "'"
        found[name] = [curve(of[id(record)]) for record in group]
    return found


def _knn(runs: Sequence[_Run]) -> Figure:
    """kNN accuracy of the map against k (t-SimCNE paper, figure A.3)."""

    def curve(run: _Run) -> Curve:
        arrays = run.embedding
        if "label" not in arrays:
            raise InputError(f"{run.path}: its images have no labels")
        z, y = arrays["z"], arrays["label"]
        test = np.flatnonzero(arrays["split"] == "test")
        train = np.flatnonzero(arrays["split"] != "test")
        if not 0 < len(test) < len(y):
            train, test = random_split(y, max(len(y) // 6, 1), RANDOM_SPLIT_SEED)
        ks = range(1, min(CURVE_MAX_K, len(train)) + 1)
        found = knn_accuracy(z[train], y[train], z[test], y[test], ks)
        return np.array(list(found), float), 100 * np.array(list(found.values()))

    return curves_figure(
        _by_configuration(runs, curve), "number of neighbours k", "kNN accuracy in Z, %"
    )


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
        _by_configuration(runs, curve), "eigenvalue", "share of the variance of Z", log_y=True
    )


def _norms(runs: Sequence[_Run]) -> Figure:
    """Lengths of Z by class (t-SimCNE paper, figure 4)."""
    labels = _shared_labels(runs)
    if labels is None:
        raise InputError(f"{runs[0].path}: its images have no labels")
    norms = [(run.title, np.linalg.norm(run.embedding["z"], axis=1)) for run in runs]
    return norms_figure(norms, labels)


def _seeds(runs: Sequence[_Run]) -> Figure:
    """Maps side by side, turned and mirrored to fit the first (t-SimCNE paper, figure A.8)."""
    labels = _shared_labels(runs)
    first = runs[0].embedding["z"]
    maps = []
    for run in runs:
        z = run.embedding["z"]
        if z.shape != first.shape:
            raise InputError(f"{run.path}: its Z is of shape {z.shape}, the first {first.shape}")
        maps.append((run.title, aligned(z, first)))
    return panels_figure(maps, labels)


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
    """Training loss against epochs."""

    def curve(run: _Run) -> Curve:
        rows = run.rows()
        return np.array([r["epoch"] for r in rows], float), np.array([r["loss"] for r in rows])

    return curves_figure(_by_configuration(runs, curve), "epoch", "loss, mean of an epoch")


def _contrast(runs: Sequence[_Run]) -> Figure:
    """DrLIM's loss on test pairs against epochs, of DrLIM and the generalized loss (thesis)."""

    def curve(run: _Run) -> Curve:
        form = run.record.values.get("loss.form", "squared_hinge")
        rows = run.rows()
        for key in (f"drlim_{form}", f"contrast_{form}"):
            found = [(row["epoch"], row[key]) for row in rows if key in row]
            if len(found) == 1:
                raise InputError(f"{run.path}: was measured once; train it with eval.every=1")
            if found:
                x, y = np.array(found, dtype=float).T
                return x, y
        raise InputError(f"{run.path}: has no losses on test pairs")

    return curves_figure(_by_configuration(runs, curve), "epoch", "loss on DrLIM's test pairs")


FIGURES: dict[str, Callable[[Sequence[_Run]], Figure]] = {
    "knn": _knn,
    "stages": _stages,
    "spectrum": _spectrum,
    "norms": _norms,
    "seeds": _seeds,
    "loss": _loss,
    "contrast": _contrast,
}
