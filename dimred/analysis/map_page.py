"""A finished run's map as a page to look into."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet
from dimred.errors import InputError
from dimred.evaluation.neighbours import nearest
from dimred.page import Column, Finding, MapPage, StageMap, make_atlas
from dimred.plots.comparisons import aligned
from dimred.plots.maps import on_principal_axes
from dimred.plots.style import COLOURS
from dimred.run_folder.finished import FINDINGS, FinishedRun

_K = 10
_MAP_DIMS = (2, 3)
_FINDINGS = {
    "near_duplicates": "near-duplicates",
    "outliers": "outliers",
    "label_conflicts": "label conflicts",
    "islands": "islands",
}


def map_page(run: FinishedRun, thumbnail: int | None = None) -> MapPage:
    """All that the page of a run shows. Reads the run's images, and computes H where it was not
    written.

    thumbnail: the longer side of its images in pixels; None for theirs, less where they are many.
    """
    images = run.images()
    items = run.items(images)
    compute, n = run.compute(), len(items)
    h, z = run.spaces(items, compute)
    k = min(_K, n - 1)
    names = list(run.config.schedule.stages)
    of_stages = {name: run.arrays(f"stages/{name}.npz") for name in names}
    own = {name: part.get("z", "f", n, dims=2) for name, part in of_stages.items()}
    stages = _stages(run, {**own, names[-1]: z})
    losses = [part.get("loss", "f", n) for part in of_stages.values() if "loss" in part]
    name, findings = run.path.absolute().name, _findings(run, n)
    return MapPage(
        title=name,
        subtitle=_subtitle(run),
        run=name,
        stages=stages,
        projected=z.shape[1] not in _MAP_DIMS,
        # Of all stages or none, such as of runs before dimred kept them.
        columns=[
            *_columns(items, losses if len(losses) == len(names) else []),
            *_island_column(findings, n),
        ],
        index=items.index,
        sources=items.sources,
        near={
            space: nearest(points, None, k, compute.device)
            for space, points in (("z", z), ("h", h))
        }
        if k
        else {},
        atlas=make_atlas(items.images, stages[-1].z, thumbnail),
        palette=COLOURS,
        findings=findings,
    )


def _subtitle(run: FinishedRun) -> str:
    """Data, size, and the headline of its measures."""
    summary = run.record.summary
    told = [run.record.data, f"{summary['dataset']['images']:,} images"]
    if summary["dataset"]["transformations"]:
        told.append(f"each in {summary['dataset']['transformations'] + 1} transformations")
    headline = summary["headline"]
    if headline in summary["final"]:
        told.append(f"{headline} {summary['final'][headline]:.3f}")
    return ", ".join(told)


def _stages(run: FinishedRun, z: Mapping[str, NDArray[np.float32]]) -> list[StageMap]:
    """The map after each stage, in as many dimensions as the last and turned to fit the next."""
    last = list(z.values())[-1].shape[1]
    dims = last if last in _MAP_DIMS else 2
    found: list[StageMap] = []
    for name, own in reversed(list(z.items())):
        shown, how = _placed(own, dims)
        if found:
            shown = aligned(shown, found[0].z)
        epochs = run.config.schedule.stages[name].epochs
        counted = f"{own.shape[1]} dimension{'s' if own.shape[1] > 1 else ''}"
        caption = f"{name}, {epochs:,} epochs: Z has {counted}{how}"
        found.insert(0, StageMap(name, caption, shown))
    return found


def _placed(z: NDArray[np.float32], dims: int) -> tuple[NDArray[np.floating], str]:
    """Z (N, d) in `dims` dimensions, and how it got there."""
    if z.shape[1] < dims:
        padding = np.zeros((len(z), dims - z.shape[1]), dtype=z.dtype)
        return np.concatenate([z, padding], axis=1), ""
    if z.shape[1] == dims:
        return z, ""
    shown = on_principal_axes(z, dims)
    return shown, f"; their first {dims} principal components are shown"


def _columns(items: ImageSet, losses: Sequence[NDArray[np.float32]]) -> list[Column]:
    """What points can be coloured by, the class first where there is one.

    losses: of the items after each stage; empty where the run did not keep them.
    """
    columns = []
    labellings = {"class": items.labels, **items.extra_labels}
    for name, labels in labellings.items():
        if labels is not None and len(labels.names) > 1:
            columns.append(Column(name, name, labels.values, labels.names))
    if items.is_test.any():
        columns.append(Column("split", "split", items.is_test.astype(int), ("train", "test")))
    for name, factor in items.factors.items():
        columns.append(Column(name, name, factor.values, unit=factor.unit, period=factor.period))
    if losses:
        columns.append(Column("loss", "loss in this stage", losses, skewed=True))
    # A page has something to colour by in any case.
    order = Column("index", "order in the data", items.index.astype(float))
    return columns or [order]


def _findings(run: FinishedRun, n: int) -> list[Finding]:
    """What `dimred inspect` wrote; none where it has not been run."""
    file = run.path / FINDINGS
    if not file.exists():
        return []
    try:
        found = json.loads(file.read_text())
        notes = found.get("notes", {})
        listed = [
            Finding(
                name,
                title,
                _groups(name, found[name]),
                {int(row): str(note) for row, note in notes.get(name, {}).items()},
            )
            for name, title in _FINDINGS.items()
            if found.get(name)
        ]
        rows = [row for finding in listed for _, group in finding.groups for row in group]
        if not all(type(row) is int and 0 <= row < n for row in rows):
            raise ValueError("a row that the map does not have")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read ({error}); run dimred inspect again") from error
    return listed


def _groups(name: str, found: Sequence[Any]) -> list[tuple[str, list[int]]]:
    """Titles and rows of groups, from a list of rows, of lists of rows, or of {"rows", "said"}."""
    if name == "near_duplicates":
        return [(f"group {i}: {len(rows)} images", rows) for i, rows in enumerate(found, start=1)]
    if name == "islands":
        return [(f"island {island['said']}", island["rows"]) for island in found]
    return [("", list(found))]


def _island_column(findings: Sequence[Finding], n: int) -> list[Column]:
    """Which island each row is on, where islands are known."""
    for finding in findings:
        if finding.name == "islands":
            codes = np.zeros(n, dtype=np.int64)
            for number, (_, rows) in enumerate(finding.groups, start=1):
                codes[rows] = number
            names = ("none", *(str(number) for number in range(1, len(finding.groups) + 1)))
            return [Column("island", "island", codes, names)]
    return []
