"""The interactive page of a finished run's map."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet, LabelSet
from dimred.errors import InputError
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.principal import principal_components
from dimred.files import expanded, printable, write_atomically
from dimred.page import Column, Finding, MapPage, StageMap, make_atlas, page_parts
from dimred.plots.comparisons import aligned
from dimred.plots.style import COLORS
from dimred.run_folder import layout
from dimred.run_folder.findings import Findings
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.names import headline_text
from dimred.steps import step

_K = 10
_MAP_DIMS = (2, 3)
_TITLES = {"near_duplicates": "near-duplicates", "label_issues": "label issues"}

THUMBNAILS = range(4, 257)  # pixels


@dataclass(frozen=True)
class MapView:
    """The page of a map, shown by notebooks. content: the HTML file, which needs no network.
    height: in a notebook, in pixels."""

    content: bytes
    height: int

    @classmethod
    def of(cls, run: FinishedRun, thumbnail: int | None = None, height: int = 700) -> MapView:
        """The page of a run; see `map_page`. Raises InputError for a thumbnail out of range."""
        if thumbnail is not None and thumbnail not in THUMBNAILS:
            raise InputError(
                f"thumbnail={thumbnail}: must be from {THUMBNAILS[0]} to {THUMBNAILS[-1]}"
            )
        return cls(b"".join(page_parts(map_page(run, thumbnail))), height)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the HTML file."""
        write_atomically(expanded(file), self.content)

    def _repr_html_(self) -> str:
        """The page in a sandboxed frame, whose scripts cannot access the notebook."""
        return (
            f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{self.height}" '
            f'style="border:0" srcdoc="{html.escape(self.content.decode())}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<MapView: a page of {len(self.content) / 1e6:.1f} MB; save(FILE) writes it>"


def map_page(run: FinishedRun, thumbnail: int | None = None) -> MapPage:
    """The content of a run's page. Reads the run's images, and computes H where it was not saved.

    thumbnail: longer side of the images on the page in pixels; None for their size, or smaller
        where there are many.
    """
    with step("reading the images"):
        samples = run.samples(run.images())
    compute, n = run.compute(), len(samples)
    with step("embedding the images"):
        h, z = run.embeddings(samples, compute)
    k = min(_K, n - 1)
    *_, last = stage_names = list(run.config.schedule.stages)
    # Stages whose arrays are missing are not shown; users may delete them, as they can be large.
    saved = [name for name in stage_names if run.files.exists(layout.stage_arrays(name))]
    of_stages = {name: run.arrays(layout.stage_arrays(name)) for name in saved}
    maps = {name: part.get("z", "f", n, dims=2) for name, part in of_stages.items()}
    stages = _stages(run, {**maps, last: z})
    losses = [part.get("loss", "f", n) for part in of_stages.values() if "loss" in part]
    name, findings = printable(run.path.absolute().name), run.findings()
    return MapPage(
        title=name,
        subtitle=_subtitle(run),
        run=name,
        stages=stages,
        projected=z.shape[1] not in _MAP_DIMS,
        # Losses of all stages or none; early versions of dimred did not save them.
        columns=[
            *_columns(samples, losses if len(losses) == len(stages) else []),
            *_cluster_column(findings.get("clusters"), n),
        ],
        index=samples.index,
        sources=samples.sources,
        near={
            space: nearest(points, None, k, compute.device)
            for space, points in (("z", z), ("h", h))
        }
        if k
        else {},
        atlas=make_atlas(samples.images, stages[-1].z, thumbnail),
        palette=COLORS,
        findings=[
            Finding(
                kind,
                _TITLES.get(kind, kind),
                [(group.title, group.rows) for group in of_kind.groups],
                of_kind.notes,
            )
            for kind, of_kind in findings.items()
            if of_kind
        ],
    )


def _subtitle(run: FinishedRun) -> str:
    """Data, size, and the headline of its measures."""
    summary = run.record.summary
    parts = [run.record.data, f"{summary['dataset']['images']:,} images"]
    if run.n_variants > 1:
        parts.append(f"each in {run.n_variants} transformations")
    return ", ".join([*parts, *filter(None, [headline_text(summary)])])


def _stages(run: FinishedRun, z: Mapping[str, NDArray[np.float32]]) -> list[StageMap]:
    """The map after each stage, in as many dimensions as the last and rotated to match the next."""
    last = list(z.values())[-1].shape[1]
    dims = last if last in _MAP_DIMS else 2
    stages: list[StageMap] = []
    for name, points in reversed(list(z.items())):
        shown, note = _displayed(points, dims)
        if stages:
            shown = aligned(shown, stages[0].z)
        epochs = run.config.schedule.stages[name].epochs
        size = f"{points.shape[1]} dimension{'s' if points.shape[1] > 1 else ''}"
        caption = f"{name}, {epochs:,} epochs: Z has {size}{note}"
        stages.insert(0, StageMap(name, caption, shown))
    return stages


def _displayed(z: NDArray[np.float32], dims: int) -> tuple[NDArray[np.floating], str]:
    """Z (N, d) in `dims` dimensions, and a note on the projection, if any."""
    if z.shape[1] < dims:
        padding = np.zeros((len(z), dims - z.shape[1]), dtype=z.dtype)
        return np.concatenate([z, padding], axis=1), ""
    if z.shape[1] == dims:
        return z, ""
    shown = principal_components(z.astype(np.float64), dims).coordinates
    return shown, f"; their first {dims} principal components are shown"


def _columns(samples: ImageSet, losses: Sequence[NDArray[np.float32]]) -> list[Column]:
    """The columns to color points by, the class first where there is one.

    losses: of the samples after each stage; empty where the run did not save them.
    """
    columns = []
    labelings = {"class": samples.labels, **samples.extra_labels}
    for name, labels in labelings.items():
        if labels is not None and len(labels.names) > 1:
            columns.append(Column(name, name, labels.values, labels.names))
    if samples.is_test.any():
        columns.append(Column("split", "split", samples.is_test.astype(int), ("train", "test")))
    for name, factor in samples.factors.items():
        columns.append(Column(name, name, factor.values, unit=factor.unit, period=factor.period))
    columns += _further_columns(samples)
    if losses:
        columns.append(Column("loss", "loss in this stage", losses, skewed=True))
    # A page always needs a column to color by.
    order = Column("index", "order in the data", samples.index.astype(float))
    return columns or [order]


def _further_columns(samples: ImageSet) -> list[Column]:
    """What a table says of the images besides, where it is not the same of all."""
    columns = []
    for name, values in samples.columns.items():
        of_page = f"table-{name}"  # no other column is called so
        if not isinstance(values, LabelSet):
            if np.isfinite(values).any():
                columns.append(Column(of_page, name, values))
        elif len(values.names) > 1:
            names = tuple(text or "none" for text in values.names)
            columns.append(Column(of_page, name, values.values, names))
    return columns


def _cluster_column(clusters: Findings | None, n: int) -> list[Column]:
    """The cluster of each of n rows, where the run has been inspected."""
    if not clusters:
        return []
    codes = np.zeros(n, dtype=np.int64)
    for number, group in enumerate(clusters.groups, start=1):
        codes[list(group.rows)] = number
    names = ("none", *(str(number) for number in range(1, len(clusters.groups) + 1)))
    return [Column("cluster", "cluster", codes, names)]
