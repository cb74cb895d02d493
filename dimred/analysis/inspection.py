"""Inspect a finished run for near-duplicates, outliers, label issues and clusters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import (
    ShownImages,
    cluster_caption,
    counted,
    number,
    pair_caption,
    with_colors,
)
from dimred.analysis.run_images import RunImages
from dimred.evaluation.approximate import neighbors_of_all
from dimred.evaluation.near_duplicates import KINDS, NearDuplicates, near_duplicates
from dimred.evaluation.outliers import (
    MAX_CLUSTERED,
    Cluster,
    beyond_threshold,
    class_kth_distances,
    clusters,
    disagreement,
    distances,
    kth_distances,
    ratio_to_median,
)
from dimred.evaluation.principal import principal_components
from dimred.files import csv_file
from dimred.plots.sheets import Tile, sheet
from dimred.plots.style import to_png
from dimred.run_folder import layout
from dimred.run_folder.findings import Findings, RowGroup, as_json, single_rows
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder
from dimred.steps import step

K_OUTLIER = 10
K_CONFLICT = 15
CONFLICT_SHARE = 0.8
MAX_LISTED = 100  # outliers by each of the two scores; label issues

_MAX_TILES = 60
_MAX_CLUSTERS = 15
_PICTURES_A_CLUSTER = 10
_NAMED = 3
_MAX_DIMS = 3  # densities in maps of more dimensions are not meaningful

# Names of earlier versions of dimred.
_OLD_FILES = ("islands.csv", "islands.png", "label_conflicts.csv", "label_conflicts.png")

Rows = NDArray[np.int64]


def inspect(run: FinishedRun, folder: RunFolder) -> Iterator[tuple[str, Report]]:
    """Search for each kind of finding and write a report to the run's folder; yields each kind's
    name and report."""
    inspection = _Inspection(run)
    findings: dict[str, Findings] = {}
    if inspection.missing:
        count, total = len(inspection.images), len(run.map)
        yield "images", Report(f"{count:,} of {total:,}; the others: {inspection.missing}")
    if inspection.said:
        yield "neighbors", Report(f"in H {inspection.said}")
    for kind, search in {
        "near_duplicates": inspection.near_duplicates,
        "outliers": inspection.outliers,
        "label_issues": inspection.label_issues,
        "clusters": inspection.clusters,
    }.items():
        words = kind.replace("_", " ")
        with step(words):
            report = search()
            report.write(folder, kind, f"{run.record.data}: {words}", run.colors)
        findings[kind] = report.findings
        yield kind, report
    folder.write_json(layout.FINDINGS, as_json(findings))
    folder.files.remove(*(f"{layout.INSPECTED}/{name}" for name in _OLD_FILES))


@dataclass
class Report:
    """The findings of one kind.

    summary: one line. table: rows of the CSV file with `columns`. findings: for findings.json.
    first: a line on each of the first few. tiles: of the contact sheet, `across` in a row, out of
    `total`. legend: what the numbers in their captions mean.
    """

    summary: str
    columns: list[str] = field(default_factory=list)
    table: list[dict[str, Any]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    first: list[str] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)
    across: int = 1
    total: int = 0
    legend: str = ""

    def write(self, folder: RunFolder, kind: str, title: str, colors: str) -> None:
        """Write KIND.csv and KIND.png; files without content are removed. colors: of the pictures,
        in words."""
        table, picture = (f"{layout.INSPECTED}/{kind}.{ending}" for ending in ("csv", "png"))
        if self.columns:
            folder.files.write(table, csv_file(self.columns, self.table))
        else:
            folder.files.remove(table)
        if self.tiles:
            shown = len(self.tiles)
            some = f"; {shown:,} of {self.total:,} shown" if shown < self.total else ""
            told = with_colors(self.summary + some, colors)
            figure = sheet(self.tiles, self.across, title, told, self.legend)
            folder.files.write(picture, to_png(figure))
        else:
            folder.files.remove(picture)


class _Inspection:
    """Searches the untransformed images of a run: those that are still there.

    missing: what is gone or has changed and is left out, in a sentence; "" for nothing.
    """

    def __init__(self, run: FinishedRun):
        compute = run.compute()
        # Rows of embedding.npz for each image; the first is the image itself.
        variants = run.n_variants
        with step("reading the images"):
            seen = RunImages(run) if run.has_files else None
            self.images = run.images() if seen is None else seen.learned_from()
        with step("embedding the images"):
            if seen is None:
                self.h, self.z = run.embeddings(self.images, compute, variants)
                there, self.missing = np.arange(len(self.images)), ""
            else:
                there, h = seen.there, seen.h()
                self.z = run.map.z[there]
                self.h = run.embed(self.images, compute)[0] if h is None else h[there]
                self.missing = seen.missing if len(there) < len(run.map) else ""
        self.rows = there * variants
        self.device = compute.device
        pictures = None if seen is None else seen.pictures
        self.shown = ShownImages(self.images, self.rows, pictures, run.pictured)
        with step("neighbors in H"):
            near = neighbors_of_all(self.h, K_CONFLICT, self.device)
        self.neighbors, self.said = near.rows, near.said

    def near_duplicates(self) -> Report:
        """Pairs and groups of copies, most certain first."""
        pairs = near_duplicates(self.images.images, self.h, self.device)
        groups = pairs.members
        far, zncc = distances(self.h, pairs.pairs), np.sqrt(1 - pairs.residual**2)
        table = []
        for i, ((a, b), kind) in enumerate(zip(pairs.pairs, pairs.kinds, strict=True)):
            of_b = {f"{key}_2": value for key, value in self.shown.line(b).items()}
            scores = {"h_distance": far[i], "zncc": zncc[i], "residual": pairs.residual[i]}
            scores["ratio"] = pairs.ratio[i]
            table.append(
                {
                    **self.shown.line(a),
                    **of_b,
                    **{key: number(value) for key, value in scores.items()},
                    "dx": int(pairs.shift[i, 0]),
                    "dy": int(pairs.shift[i, 1]),
                    "kind": kind,
                    "group": int(pairs.group[i]) + 1,
                    "group_size": len(groups[pairs.group[i]]),
                }
            )
        captions = [
            pair_caption(kind, shift, ratio)
            for kind, shift, ratio in zip(pairs.kinds, pairs.shift, pairs.ratio, strict=True)
        ]
        names = [" and ".join(map(self.shown.name, pair)) for pair in pairs.pairs[:_NAMED]]
        first = [f"{name}: {line}" for name, line in zip(names, captions, strict=False)]
        chosen = self._pairs_shown(pairs)
        self.shown.read(pairs.pairs[chosen].ravel())
        tiles = [Tile(tuple(map(self.shown.picture, pairs.pairs[i])), captions[i]) for i in chosen]
        keys = list(self.shown.line(0))
        columns = [*keys, *(f"{key}_2" for key in keys), "h_distance", "zncc", "residual", "ratio"]
        return Report(
            self._pairs_summary(pairs),
            [*columns, "dx", "dy", "kind", "group", "group_size"],
            table,
            Findings(
                tuple(
                    RowGroup(f"group {number}: {len(members)} images", self._rows(members))
                    for number, members in enumerate(groups, start=1)
                )
            ),
            first=first,
            tiles=tiles,
            across=4,
            total=len(groups),
            legend="One pair of each group. ratio: what the best shift and brightness leave "
            "unexplained, as a share of what is usual between neighbors; 0 is a copy.",
        )

    def outliers(self) -> Report:
        """Images far from their 10th nearest neighbor in H, among all images or in their class."""
        near = self.neighbors[:, :K_OUTLIER]
        scores = {"knn_distance": ratio_to_median(kth_distances(self.h, near))}
        labels, said = self.images.labels, ""
        if labels:
            far, said = class_kth_distances(self.h, labels.values, K_OUTLIER, self.device)
            scores["knn_distance_class"] = ratio_to_median(far, labels.values)
        listed = {name: beyond_threshold(*score) for name, score in scores.items()}
        beyond = np.stack([ratios / thresholds for ratios, thresholds in scores.values()])
        highest = np.nan_to_num(beyond, nan=0.0).max(axis=0)
        rows = np.unique(np.concatenate([members[:MAX_LISTED] for members in listed.values()]))
        rows = rows[np.argsort(-highest[rows], kind="stable")]
        table = []
        for i in rows:
            line = self.shown.line(i)
            for name, (ratios, thresholds) in scores.items():
                line |= {name: number(ratios[i]), f"{name}_threshold": number(thresholds[i])}
            table.append(line)
        summary = f"{len(listed['knn_distance'])} far from all others"
        if labels:
            summary += f", {len(listed['knn_distance_class'])} far from their class"
        else:
            summary += "; those far from their class left out: no labels"
        if any(len(members) > MAX_LISTED for members in listed.values()):
            summary += f"; the first {MAX_LISTED} of each are listed"
        summary += f"; neighbors in classes {said}" if said else ""
        columns = [
            *self.shown.line(0),
            *(c for name in scores for c in (name, f"{name}_threshold")),
        ]
        notes = [
            ", ".join(
                f"{'class' if 'class' in name else 'all'} {ratios[i]:.1f} > {thresholds[i]:.1f}"
                for name, (ratios, thresholds) in scores.items()
                if ratios[i] > thresholds[i]
            )
            for i in rows
        ]
        legend = (
            f"all 3.1 > 2.1: its {K_OUTLIER}th neighbor in H is 3.1 times as far as is usual, and "
            "2.1 times is the limit; class: the same within its class"
        )
        return self._of_images(summary, columns, table, rows, notes, legend)

    def label_issues(self) -> Report:
        """Images whose neighbors in H agree on a class that is not theirs."""
        labels, k = self.images.labels, self.neighbors.shape[1]
        if labels is None or not k:
            reason = "too few images" if labels else "no labels"
            return Report(f"left out: {reason}")
        votes = disagreement(self.neighbors, labels.values)
        order = np.lexsort((kth_distances(self.h, self.neighbors), -votes.kdn, -votes.share))
        conflicts = order[votes.share[order] >= CONFLICT_SHARE]
        rows = conflicts[:MAX_LISTED]
        table = [
            {
                **self.shown.line(i),
                "other_class": labels.names[votes.other[i]],
                "share": number(votes.share[i]),
                "kdn": number(votes.kdn[i]),
                "k": k,
            }
            for i in rows
        ]
        summary = f"{len(conflicts)} whose neighbors agree on another class"
        if self.images.is_unseen is not None:
            unseen = int(self.images.is_unseen[conflicts].sum())
            summary += f", {unseen} of classes not learned from"
        if len(conflicts) > len(rows):
            summary += f"; the first {len(rows)} are listed"
        notes = [f"→ {labels.names[votes.other[i]]} {round(votes.share[i] * k)}/{k}" for i in rows]
        columns = [*self.shown.line(0), "other_class", "share", "kdn", "k"]
        legend = f"→ cat 13/{k}: 13 of its {k} nearest neighbors in H are of class cat"
        return self._of_images(summary, columns, table, rows, notes, legend)

    def clusters(self) -> Report:
        """The densest clusters of the map."""
        z: NDArray[np.floating] = self.z
        space = "Z"
        if z.shape[1] > _MAX_DIMS:
            z = principal_components(z.astype(np.float64), 2).coordinates
            space = f"the first two principal components of {self.z.shape[1]}-D Z"
        densest = clusters(z)
        table = [self._cluster(i, cluster) for i, cluster in enumerate(densest, start=1)]
        covered = sum(len(cluster.rows) for cluster in densest) / len(z)
        columns = ["cluster", *self.shown.line(0), "size", "density"]
        columns += ["main_class", "main_share", "composition"] if self.images.labels else []
        captions = [cluster_caption(line) for line in table]
        groups = [
            RowGroup(f"cluster {caption}", self._rows(cluster.rows))
            for cluster, caption in zip(densest, captions, strict=True)
        ]
        chosen = []
        for cluster in densest[:_MAX_CLUSTERS]:
            count = min(_PICTURES_A_CLUSTER, len(cluster.rows))
            evenly = np.linspace(0, len(cluster.rows) - 1, count).astype(np.int64)
            chosen.append(cluster.rows[evenly])
        self.shown.read(np.concatenate([*chosen, np.empty(0, np.int64)]))
        tiles = [
            Tile(tuple(map(self.shown.picture, some)), caption)
            for some, caption in zip(chosen, captions, strict=False)
        ]
        summary = f"none in {space}"
        if densest:
            summary = (
                f"{len(densest)} in {space}, with {covered:.0%} of the images; the densest first"
            )
        if len(z) > MAX_CLUSTERED:
            summary += f"; by HDBSCAN of {MAX_CLUSTERED:,} drawn, others as the nearest of these"
        findings = Findings(tuple(groups))
        return Report(
            summary,
            columns,
            table,
            findings,
            first=captions[:_NAMED],
            tiles=tiles,
            total=len(densest),
            legend="density 3.3: its points lie 3.3 times closer together than is usual on the "
            "map. From the middle of each cluster to its rim.",
        )

    def _cluster(self, i: int, cluster: Cluster) -> dict[str, Any]:
        """A line of the table; its image is the medoid."""
        line = {"cluster": i, **self.shown.line(cluster.rows[0]), "size": len(cluster.rows)}
        line["density"] = number(cluster.density)
        labels = self.images.labels
        if labels:
            counts = np.bincount(labels.values[cluster.rows], minlength=len(labels.names))
            classes = [int(c) for c in np.argsort(-counts, kind="stable") if counts[c]]
            line["main_class"] = labels.names[classes[0]]
            line["main_share"] = number(counts[classes[0]] / len(cluster.rows))
            line["composition"] = "; ".join(f"{labels.names[c]}: {counts[c]}" for c in classes)
        return line

    def _of_images(
        self,
        summary: str,
        columns: list[str],
        table: list[dict[str, Any]],
        rows: Rows,
        notes: list[str],
        legend: str,
    ) -> Report:
        """A report on single images, with a note on each."""
        self.shown.read(rows[:_MAX_TILES])
        noted = list(zip(rows, notes, strict=True))
        first = [f"{self.shown.name(i)}: {note}" for i, note in noted[:_NAMED]]
        tiles = [Tile((self.shown.picture(i, note),)) for i, note in noted[:_MAX_TILES]]
        findings = single_rows(dict(zip(self._rows(rows), notes, strict=True)))
        return Report(summary, columns, table, findings, first, tiles, 10, len(rows), legend)

    def _rows(self, positions: Rows) -> tuple[int, ...]:
        """Rows of embedding.npz."""
        return tuple(self.rows[positions].tolist())

    def _pairs_summary(self, pairs: NearDuplicates) -> str:
        kinds = ", ".join(f"{pairs.kinds.count(kind)} {kind}" for kind in KINDS)
        summary = (
            f"{counted(len(pairs), 'pair')} in {counted(len(pairs.members), 'group')}: {kinds}"
        )
        if self.images.is_test.any():
            summary += f"; {int(np.diff(self.images.is_test[pairs.pairs]).sum())} across the split"
        if self.images.labels:
            differ = np.diff(self.images.labels.values[pairs.pairs]) != 0
            summary += f"; {int(differ.sum())} of two classes"
        return summary + (f"; candidates {pairs.said}" if pairs.said else "")

    def _pairs_shown(self, pairs: NearDuplicates) -> Rows:
        """One pair of each group: first those of two classes, then others, evenly chosen from the
        most to the least certain."""
        first = np.unique(pairs.group, return_index=True)[1]
        labels = self.images.labels
        classes = labels.values[pairs.pairs[first]] if labels else np.zeros((len(first), 2))
        differ = classes[:, 0] != classes[:, 1]
        urgent, others = first[differ][:_MAX_TILES], first[~differ]
        room = min(_MAX_TILES - len(urgent), len(others))
        evenly = np.linspace(0, len(others) - 1, room).astype(np.int64)
        shown: Rows = np.concatenate([urgent, others[evenly]])
        return shown
