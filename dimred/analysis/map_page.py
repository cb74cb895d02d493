"""The interactive page of a finished run's map."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import with_colors
from dimred.analysis.compared_rows import compared_rows
from dimred.analysis.page_heat import page_heat
from dimred.analysis.placed_rows import PlacedRows, placed_rows
from dimred.analysis.run_images import RunImages
from dimred.data.image_set import ImageSet, LabelSet
from dimred.errors import InputError
from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.principal import principal_components
from dimred.files import expanded, printable, write_atomically
from dimred.page import (
    Atlas,
    Column,
    Finding,
    MapPage,
    PlacedImages,
    StageMap,
    extended,
    page_parts,
    thumbnail_side,
)
from dimred.plots.comparisons import aligned
from dimred.plots.style import COLORS
from dimred.run_folder import layout
from dimred.run_folder.arrays import CLASS_SPLIT, LEARNED, UNSEEN
from dimred.run_folder.findings import Findings
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.names import headline_text
from dimred.steps import step

_K = 10
_MAP_DIMS = (2, 3)
_FOLDER_SIDE = 64  # of the thumbnails of very many images, where they lie in a folder
_SPLIT = "Accuracies are measured on the test images, by the classes of the training images."
_CLASS_SPLIT = (
    "Whether the map was learned from images of this class. Unseen: it was not, and images of the "
    "class are what the map is measured on."
)
_LOSS = (
    "What training minimizes, for each image at the end of the stage: high where its other views, "
    "or its partners, are not near it. Compare images, not stages. Gray: not learned from."
)
_ORDER = "The place of each image in the data: for files, in the order of their paths."
_TABLE = "What the table of the data (dataset.table) says of each image."
_CLUSTER = (
    "Groups that stand apart on the map, by HDBSCAN, the densest first. none: between the groups. "
    "Found by dimred inspect."
)
_TITLES = {"near_duplicates": "near-duplicates", "label_issues": "label issues"}

THUMBNAILS = range(4, 257)  # pixels


@dataclass(frozen=True)
class MapView:
    """The page of a map, shown by notebooks. content: the HTML file, which needs no network.
    height: in a notebook, in pixels. notes: what is worth saying about it, a line each."""

    content: bytes
    height: int
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        run: FinishedRun,
        thumbnail: int | None = None,
        height: int = 700,
        place: Path | None = None,
        heat: bool = False,
    ) -> MapView:
        """The page of a run; see `map_page`."""
        page, notes = map_page(run, thumbnail, place, heat)
        return cls(b"".join(page_parts(page)), height, tuple(notes))

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


def map_page(
    run: FinishedRun,
    thumbnail: int | None = None,
    place: Path | None = None,
    heat: bool = False,
    folder: bool | None = None,
) -> tuple[MapPage, list[str]]:
    """The content of a run's page, and what is worth saying about it, a line each.

    Reads the run's images where it has not kept thumbnails and H of them.

    thumbnail: longer side of the images on the page in pixels, not more than they have; None for
        what suits their number. place: the folder that the page will be in; None if unknown.
    heat: whether to show what holds images at their places; see `page_heat`, which may take long.
    folder: whether thumbnails will lie in a folder beside the page, which may then be larger; None
        where that is not on offer, as in a notebook.
    Raises InputError for a thumbnail out of range.
    """
    if thumbnail is not None and thumbnail not in THUMBNAILS:
        raise InputError(f"thumbnail={thumbnail}: must be from {THUMBNAILS[0]} to {THUMBNAILS[-1]}")
    movement = page_heat(run) if heat else None
    with step("reading the images"):
        images = RunImages(run)
    samples, compute, z = images.rows, run.compute(), run.map.z
    base = images.base(place)
    n = len(samples)
    k = min(_K, n - 1)
    *_, last = stage_names = list(run.config.schedule.stages)
    # Stages whose arrays are missing are not shown; users may delete them, as they can be large.
    saved = [name for name in stage_names if run.files.exists(layout.stage_arrays(name))]
    of_stages = {name: run.arrays(layout.stage_arrays(name)) for name in saved}
    maps = {name: part.get("z", "f", n, dims=2) for name, part in of_stages.items()}
    stages = _stages(run, {**maps, last: z})
    losses = [part.get("loss", "f", n) for part in of_stages.values() if "loss" in part]
    name, findings = printable(run.path.absolute().name), run.findings()
    with step("embedding the images"):
        spaces = {"z": z, "h": images.h()}
    side = _FOLDER_SIDE if folder and thumbnail_side(n, _FOLDER_SIDE) < _FOLDER_SIDE else None
    with step("thumbnails"):
        atlas = images.atlas(stages[-1].z, thumbnail or side)
        compared = compared_rows(run, placed_rows(run))
        placed, notes = _placed(run, compared.placed, atlas, k)
    with step("neighbors in Z and H"):
        found = {
            space: neighbors_of_all(points, k, compute.device)
            for space, points in spaces.items()
            if points is not None and k
        }
    approximate = {space: near.said for space, near in found.items() if near.said}
    notes += [f"neighbors in {space.upper()}: {said}" for space, said in approximate.items()]
    shown, possible = max(atlas.width, atlas.height), min(_FOLDER_SIDE, images.longest)
    if folder is False and thumbnail is None and shown < possible:
        notes.append(
            f"thumbnails have {shown} pixels, so that they fit into one file; with --folder they "
            f"have {possible}, and lie beside it"
        )
    if thumbnail is not None and thumbnail > images.longest:
        notes.append(f"thumbnails have {images.longest} pixels, as many as the images have")
    page = MapPage(
        title=name,
        subtitle=_subtitle(run),
        run=name,
        stages=stages,
        projected=z.shape[1] not in _MAP_DIMS,
        columns=[
            *ordered_columns(
                # Losses of all stages or none; early versions of dimred did not save them.
                _columns(samples, losses if len(losses) == len(stages) else []),
                _cluster_column(findings.get("clusters"), n),
                samples,
            ),
            *compared.columns,
        ],
        index=samples.index,
        sources=samples.sources,
        near={space: near.rows for space, near in found.items()},
        approximate=approximate,
        atlas=atlas if placed is None else placed[1],
        palette=COLORS,
        findings=[*_findings(findings), *compared.findings],
        placed=placed and placed[0],
        verdict=_verdict(run.record.summary),
        files=base,
        windowed=run.window is not None,
        absent=[] if base is None else images.absent.tolist(),
        missing=images.missing,
        heat=movement,
    )
    return page, [*([images.missing] if images.missing else []), *notes]


def _placed(
    run: FinishedRun, rows: PlacedRows, atlas: Atlas, k: int
) -> tuple[tuple[PlacedImages, Atlas] | None, list[str]]:
    """The new images on the map and the atlas with them, if there are any, and what is worth
    saying about them."""
    notes = list(rows.skipped)
    if not len(rows):
        return None, notes
    z, training = run.map.z, run.map.training_images
    among = training if len(training) >= k else np.arange(len(z))
    pictures = rows.pictures(run, max(atlas.width, atlas.height))
    lost = sum(picture is None for picture in pictures)
    if lost:
        notes.append(f"{lost:,} of {len(rows):,} new images have no thumbnail: no file there")
    placed = PlacedImages(
        names=rows.names,
        votes=rows.votes,
        shares=rows.shares,
        far=rows.far,
        sets=rows.sets,
        z=_displayed(z, _dims(z), rows.z)[0],
        near=among[nearest(z[among], rows.z, min(k, len(among)))],
    )
    return (placed, extended(atlas, pictures)), notes


def _findings(findings: Mapping[str, Findings]) -> Iterator[Finding]:
    """The kinds of findings of `dimred inspect` that there are."""
    for kind, of_kind in findings.items():
        if of_kind:
            groups = [(group.title, group.rows) for group in of_kind.groups]
            yield Finding(kind, _TITLES.get(kind, kind), groups, of_kind.notes)


def _verdict(summary: Mapping[str, Any]) -> dict[str, str | None] | None:
    """The verdict on the map; None for runs without, such as of early versions."""
    verdict = summary.get("verdict")
    if not isinstance(verdict, dict) or not {"word", "text"} <= verdict.keys():
        return None
    advice = verdict.get("advice")
    return {
        "word": printable(str(verdict["word"])),
        "text": printable(str(verdict["text"])),
        "advice": None if advice is None else printable(str(advice)),
    }


def _subtitle(run: FinishedRun) -> str:
    """Data, size, the headline of its measures, and the colors of its images where they are not
    their own."""
    summary = run.record.summary
    parts = [run.record.data, f"{summary['dataset']['images']:,} images"]
    if run.n_variants > 1:
        parts.append(f"each in {run.n_variants} transformations")
    text = ", ".join([*parts, *filter(None, [_headline(summary)])])
    return with_colors(text, run.colors)


def _headline(summary: dict[str, Any]) -> str:
    """The headline in a sentence; "" where it was not measured."""
    name = summary["headline"]
    knn = re.fullmatch(r"knn(\d+)_z_(\w+)", name)
    if not knn or name not in summary["final"]:
        return headline_text(summary)
    share = f"{summary['final'][name]:.1%}".replace("%", " %")
    of = "test images" + (" of classes not learned from" if knn[2] == "unseen" else "")
    return f"{share} of {of} have most of their {knn[1]} nearest neighbors in their class"


def _stages(run: FinishedRun, z: Mapping[str, NDArray[np.float32]]) -> list[StageMap]:
    """The map after each stage, in as many dimensions as the last and rotated to match the next."""
    dims = _dims(list(z.values())[-1])
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


def _dims(z: NDArray[np.float32]) -> int:
    """The dimensions in which a map Z is shown."""
    return z.shape[1] if z.shape[1] in _MAP_DIMS else 2


def _displayed(
    z: NDArray[np.float32], dims: int, points: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.floating], str]:
    """Points (M, d), None for all of Z (N, d), as Z is shown in `dims` dimensions, and a note on
    the projection, if any."""
    shown = z if points is None else points
    if z.shape[1] < dims:
        padding = np.zeros((len(shown), dims - z.shape[1]), dtype=z.dtype)
        return np.concatenate([shown, padding], axis=1), ""
    if z.shape[1] == dims:
        return shown, ""
    note = f"; their first {dims} principal components are shown"
    exact = z.astype(np.float64)
    components = principal_components(exact, dims)
    if points is None:
        return components.coordinates, note
    return (points - exact.mean(axis=0)) @ components.directions.T, note


def ordered_columns(
    known: Sequence[Column], clusters: Sequence[Column], samples: ImageSet
) -> list[Column]:
    """All columns, first the one that points are colored by at first: what is known of the images,
    else their clusters, else none. The loss says nothing to who has not asked for it."""
    of_training = ("loss", "split", CLASS_SPLIT, "index")
    telling = [column for column in known if column.name not in of_training]
    if telling:
        return [*known, *clusters]
    plain = Column(
        "plain",
        "one color",
        np.zeros(len(samples), int),
        ("all images",),
        help="All points alike: nothing is known of these images but what they show.",
    )
    return [*clusters, plain, *known]


def _columns(samples: ImageSet, losses: Sequence[NDArray[np.float32]]) -> list[Column]:
    """The columns to color points by, the class first where there is one.

    losses: of the samples after each stage; empty where the run did not save them.
    """
    columns = []
    labelings = {"class": samples.labels, **samples.extra_labels}
    for name, labels in labelings.items():
        if labels is not None and len(labels.names) > 1:
            known = "The class" if name == "class" else f"The {name}"
            help = f"{known} that the data give each image."
            columns.append(Column(name, name, labels.values, labels.names, help=help))
    if samples.is_test.any():
        test = samples.is_test.astype(int)
        columns.append(Column("split", "split", test, ("train", "test"), help=_SPLIT))
    if samples.is_unseen is not None:
        unseen = samples.is_unseen.astype(int)
        names = (LEARNED, UNSEEN)
        columns.append(Column(CLASS_SPLIT, "learned classes", unseen, names, help=_CLASS_SPLIT))
    for name, factor in samples.factors.items():
        about = f"The {name} that the data give each image"
        about += f", in {factor.unit}." if factor.unit else "."
        columns.append(
            Column(name, name, factor.values, unit=factor.unit, period=factor.period, help=about)
        )
    columns += _further_columns(samples)
    if losses:
        columns.append(Column("loss", "loss in this stage", losses, skewed=True, help=_LOSS))
    if samples.labels is None and not samples.factors:
        order = samples.index.astype(float)
        columns.append(Column("index", "order in the data", order, help=_ORDER))
    return columns


def _further_columns(samples: ImageSet) -> list[Column]:
    """What a table says of the images besides, where it is not the same of all."""
    columns = []
    for name, values in samples.columns.items():
        of_page = f"table-{name}"  # no other column is called so
        if not isinstance(values, LabelSet):
            if np.isfinite(values).any():
                columns.append(Column(of_page, name, values, help=_TABLE))
        elif len(values.names) > 1:
            names = tuple(text or "none" for text in values.names)
            columns.append(Column(of_page, name, values.values, names, help=_TABLE))
    return columns


def _cluster_column(clusters: Findings | None, n: int) -> list[Column]:
    """The cluster of each of n rows, where the run has been inspected."""
    if not clusters:
        return []
    codes = np.zeros(n, dtype=np.int64)
    for number, group in enumerate(clusters.groups, start=1):
        codes[list(group.rows)] = number
    names = ("none", *(str(number) for number in range(1, len(clusters.groups) + 1)))
    return [Column("cluster", "cluster", codes, names, help=_CLUSTER)]
