"""A finished run's map as a page to look into."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet
from dimred.errors import InputError
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.principal import principal_components
from dimred.files import expanded, write_atomically
from dimred.page import Column, Finding, MapPage, StageMap, make_atlas, page_parts
from dimred.plots.comparisons import aligned
from dimred.plots.style import COLORS
from dimred.run_folder import layout
from dimred.run_folder.findings import Findings
from dimred.run_folder.finished import FinishedRun

_K = 10
_MAP_DIMS = (2, 3)
_TITLES = {"near_duplicates": "near-duplicates", "label_issues": "label issues"}

THUMBNAILS = range(4, 257)  # pixels


@dataclass(frozen=True)
class MapView:
    """A page that a notebook shows. content: the HTML file, which needs no network. height: in a
    notebook, in pixels."""

    content: bytes
    height: int

    @classmethod
    def of(cls, run: FinishedRun, thumbnail: int | None = None, height: int = 700) -> MapView:
        """The page of a run, as `map_page` says. Raises InputError for a thumbnail too small or too
        large."""
        if thumbnail is not None and thumbnail not in THUMBNAILS:
            raise InputError(
                f"thumbnail={thumbnail}: must be from {THUMBNAILS[0]} to {THUMBNAILS[-1]}"
            )
        return cls(b"".join(page_parts(map_page(run, thumbnail))), height)

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the HTML file."""
        write_atomically(expanded(file), self.content)

    def _repr_html_(self) -> str:
        """The page in a frame of its own, whose scripts cannot reach the notebook."""
        return (
            f'<iframe sandbox="allow-scripts allow-downloads" width="100%" height="{self.height}" '
            f'style="border:0" srcdoc="{html.escape(self.content.decode())}"></iframe>'
        )

    def __repr__(self) -> str:
        return f"<MapView: a page of {len(self.content) / 1e6:.1f} MB; save(FILE) writes it>"


def map_page(run: FinishedRun, thumbnail: int | None = None) -> MapPage:
    """All that the page of a run shows. Reads the run's images, and computes H where it was not
    written.

    thumbnail: the longer side of its images in pixels; None for theirs, less where they are many.
    """
    samples = run.samples(run.images())
    compute, n = run.compute(), len(samples)
    h, z = run.embeddings(samples, compute)
    k = min(_K, n - 1)
    *_, last = stage_names = list(run.config.schedule.stages)
    # Of a stage whose arrays have been left out, as they may be large, the page does not tell.
    kept = [name for name in stage_names if (run.path / layout.stage_arrays(name)).exists()]
    of_stages = {name: run.arrays(layout.stage_arrays(name)) for name in kept}
    own = {name: part.get("z", "f", n, dims=2) for name, part in of_stages.items()}
    stages = _stages(run, {**own, last: z})
    losses = [part.get("loss", "f", n) for part in of_stages.values() if "loss" in part]
    name, findings = run.path.absolute().name, run.findings()
    return MapPage(
        title=name,
        subtitle=_subtitle(run),
        run=name,
        stages=stages,
        projected=z.shape[1] not in _MAP_DIMS,
        # Of all stages or none, such as of runs before dimred kept them.
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
                [(group.title, group.rows) for group in found.groups],
                found.notes,
            )
            for kind, found in findings.items()
            if found
        ],
    )


def _subtitle(run: FinishedRun) -> str:
    """Data, size, and the headline of its measures."""
    summary = run.record.summary
    parts = [run.record.data, f"{summary['dataset']['images']:,} images"]
    if run.n_variants > 1:
        parts.append(f"each in {run.n_variants} transformations")
    headline = summary["headline"]
    if headline in summary["final"]:
        parts.append(f"{headline} {summary['final'][headline]:.3f}")
    return ", ".join(parts)


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
    shown = principal_components(z.astype(np.float64), dims).coordinates
    return shown, f"; their first {dims} principal components are shown"


def _columns(samples: ImageSet, losses: Sequence[NDArray[np.float32]]) -> list[Column]:
    """What points can be colored by, the class first where there is one.

    losses: of the samples after each stage; empty where the run did not keep them.
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
    if losses:
        columns.append(Column("loss", "loss in this stage", losses, skewed=True))
    # A page has something to color by in any case.
    order = Column("index", "order in the data", samples.index.astype(float))
    return columns or [order]


def _cluster_column(clusters: Findings | None, n: int) -> list[Column]:
    """Which cluster each of n rows is in, where clusters are known."""
    if not clusters:
        return []
    codes = np.zeros(n, dtype=np.int64)
    for number, group in enumerate(clusters.groups, start=1):
        codes[list(group.rows)] = number
    names = ("none", *(str(number) for number in range(1, len(clusters.groups) + 1)))
    return [Column("cluster", "cluster", codes, names)]
