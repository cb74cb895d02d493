"""What deserves a look among the images of a finished run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import ShownImages, cluster_caption, counted, number, pair_caption
from dimred.evaluation.near_duplicates import KINDS, NearDuplicates, near_duplicates
from dimred.evaluation.outliers import (
    Cluster,
    beyond_threshold,
    class_kth_distances,
    clusters,
    disagreement,
    distances,
    kth_distances,
    neighbors_up_to,
    ratio_to_median,
)
from dimred.evaluation.principal import principal_components
from dimred.files import csv_file, write_atomically
from dimred.plots.sheets import Tile, sheet
from dimred.plots.style import to_png
from dimred.run_folder import layout
from dimred.run_folder.findings import Findings, RowGroup, as_json, single_rows
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.folder import RunFolder

K_OUTLIER = 10
K_CONFLICT = 15
CONFLICT_SHARE = 0.8
MAX_LISTED = 100  # outliers of each of the two scores; conflicts

_MAX_TILES = 60
_MAX_CLUSTERS = 15
_PICTURES_A_CLUSTER = 14
_NAMED = 3
_MAX_DIMS = 3  # in which densities of a map mean something

# What is called clusters now.
_WRITTEN_BEFORE = ("islands.csv", "islands.png", "label_conflicts.csv", "label_conflicts.png")

Rows = NDArray[np.int64]


def inspect(run: FinishedRun, folder: RunFolder) -> Iterator[tuple[str, Found]]:
    """Look for each kind of what deserves a look, and write it to the run's folder; yields the
    kind's name and what was found."""
    inspection = _Inspection(run)
    findings: dict[str, Findings] = {}
    for kind, look in {
        "near_duplicates": inspection.near_duplicates,
        "outliers": inspection.outliers,
        "label_issues": inspection.label_issues,
        "clusters": inspection.clusters,
    }.items():
        found = look()
        found.write(folder, kind, f"{run.record.data}: {kind.replace('_', ' ')}")
        findings[kind] = found.findings
        yield kind, found
    folder.write_json(layout.FINDINGS, as_json(findings))
    folder.remove(*(f"{layout.INSPECTED}/{name}" for name in _WRITTEN_BEFORE))


@dataclass
class Found:
    """What was found of a kind.

    summary: in one line. table: rows of the CSV under `columns`. findings: what findings.json gets.
    first: lines on the first few. tiles: of the sheet, `across` of them in a row.
    """

    summary: str
    columns: list[str] = field(default_factory=list)
    table: list[dict[str, Any]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    first: list[str] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)
    across: int = 1

    def write(self, folder: RunFolder, kind: str, title: str) -> None:
        """Write KIND.csv and KIND.png; what there is nothing for is removed."""
        table, picture = (f"{layout.INSPECTED}/{kind}.{ending}" for ending in ("csv", "png"))
        if self.columns:
            write_atomically(folder.path / table, csv_file(self.columns, self.table))
        else:
            folder.remove(table)
        if self.tiles:
            figure = sheet(self.tiles, self.across, title, self.summary)
            write_atomically(folder.path / picture, to_png(figure))
        else:
            folder.remove(picture)


class _Inspection:
    """The images of a run, less the transformations of its pairing, and what stands out in them."""

    def __init__(self, run: FinishedRun):
        compute = run.compute()
        self.images = run.images()
        self.device = compute.device
        # The image itself comes first of so many rows.
        self.n_variants = run.n_variants
        self.h, self.z = run.embeddings(self.images, compute, self.n_variants)
        self.shown = ShownImages(self.images, self.n_variants)
        self.neighbors = neighbors_up_to(K_CONFLICT, self.h, self.device)

    def near_duplicates(self) -> Found:
        """Pairs and groups of copies, the surest first."""
        found = near_duplicates(self.images.images, self.h, self.device)
        groups = found.members
        far, zncc = distances(self.h, found.pairs), np.sqrt(1 - found.residual**2)
        table = []
        for i, ((a, b), kind) in enumerate(zip(found.pairs, found.kinds, strict=True)):
            of_b = {f"{key}_2": value for key, value in self.shown.line(b).items()}
            scores = {"h_distance": far[i], "zncc": zncc[i], "residual": found.residual[i]}
            scores["ratio"] = found.ratio[i]
            table.append(
                {
                    **self.shown.line(a),
                    **of_b,
                    **{key: number(value) for key, value in scores.items()},
                    "dx": int(found.shift[i, 0]),
                    "dy": int(found.shift[i, 1]),
                    "kind": kind,
                    "group": int(found.group[i]) + 1,
                    "group_size": len(groups[found.group[i]]),
                }
            )
        captions = [
            pair_caption(kind, shift, ratio)
            for kind, shift, ratio in zip(found.kinds, found.shift, found.ratio, strict=True)
        ]
        names = [" and ".join(map(self.shown.name, pair)) for pair in found.pairs[:_NAMED]]
        first = [f"{name}: {line}" for name, line in zip(names, captions, strict=False)]
        tiles = [
            Tile(tuple(map(self.shown.picture, found.pairs[i])), captions[i])
            for i in self._pairs_shown(found)
        ]
        own = list(self.shown.line(0))
        columns = [*own, *(f"{key}_2" for key in own), "h_distance", "zncc", "residual", "ratio"]
        return Found(
            self._pairs_summary(found),
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
            across=5,
        )

    def outliers(self) -> Found:
        """Images whose 10th neighbor in H is far, of all images and of their class."""
        near = self.neighbors[:, :K_OUTLIER]
        scores = {"knn_distance": ratio_to_median(kth_distances(self.h, near))}
        labels = self.images.labels
        if labels:
            far = class_kth_distances(self.h, labels.values, K_OUTLIER, self.device)
            scores["knn_distance_class"] = ratio_to_median(far, labels.values)
        listed = {name: beyond_threshold(*score) for name, score in scores.items()}
        beyond = np.stack([ratios / thresholds for ratios, thresholds in scores.values()])
        most = np.nan_to_num(beyond, nan=0.0).max(axis=0)
        rows = np.unique(np.concatenate([members[:MAX_LISTED] for members in listed.values()]))
        rows = rows[np.argsort(-most[rows], kind="stable")]
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
        return self._of_images(summary, columns, table, rows, notes)

    def label_issues(self) -> Found:
        """Images whose neighbors in H agree on another class."""
        labels, k = self.images.labels, self.neighbors.shape[1]
        if labels is None or not k:
            reason = "too few images" if labels else "no labels"
            return Found(f"left out: {reason}")
        found = disagreement(self.neighbors, labels.values)
        order = np.lexsort((kth_distances(self.h, self.neighbors), -found.kdn, -found.share))
        conflicts = order[found.share[order] >= CONFLICT_SHARE]
        rows = conflicts[:MAX_LISTED]
        table = [
            {
                **self.shown.line(i),
                "other_class": labels.names[found.other[i]],
                "share": number(found.share[i]),
                "kdn": number(found.kdn[i]),
                "k": k,
            }
            for i in rows
        ]
        summary = f"{len(conflicts)} whose neighbors agree on another class"
        if len(conflicts) > len(rows):
            summary += f"; the first {len(rows)} are listed"
        notes = [f"→ {labels.names[found.other[i]]} {round(found.share[i] * k)}/{k}" for i in rows]
        columns = [*self.shown.line(0), "other_class", "share", "kdn", "k"]
        return self._of_images(summary, columns, table, rows, notes)

    def clusters(self) -> Found:
        """The densest clusters of the map."""
        z: NDArray[np.floating] = self.z
        space = "Z"
        if z.shape[1] > _MAX_DIMS:
            z = principal_components(z.astype(np.float64), 2).coordinates
            space = f"the first two principal components of {self.z.shape[1]}-D Z"
        found = clusters(z)
        table = [self._cluster(i, cluster) for i, cluster in enumerate(found, start=1)]
        covered = sum(len(cluster.rows) for cluster in found) / len(z)
        columns = ["cluster", *self.shown.line(0), "size", "density"]
        columns += ["main_class", "main_share", "composition"] if self.images.labels else []
        captions = [cluster_caption(line) for line in table]
        groups = [
            RowGroup(f"cluster {caption}", self._rows(cluster.rows))
            for cluster, caption in zip(found, captions, strict=True)
        ]
        tiles = []
        for cluster, caption in zip(found[:_MAX_CLUSTERS], captions, strict=False):
            count = min(_PICTURES_A_CLUSTER, len(cluster.rows))
            shown = cluster.rows[np.linspace(0, len(cluster.rows) - 1, count).astype(np.int64)]
            tiles.append(Tile(tuple(self.shown.picture(i) for i in shown), caption))
        summary = f"none in {space}"
        if found:
            summary = (
                f"{len(found)} in {space}, with {covered:.0%} of the images; the densest first"
            )
        findings = Findings(tuple(groups))
        return Found(summary, columns, table, findings, first=captions[:_NAMED], tiles=tiles)

    def _cluster(self, i: int, cluster: Cluster) -> dict[str, Any]:
        """A line of the table, its image the medoid."""
        line = {"cluster": i, **self.shown.line(cluster.rows[0]), "size": len(cluster.rows)}
        line["density"] = number(cluster.density)
        labels = self.images.labels
        if labels:
            counts = np.bincount(labels.values[cluster.rows], minlength=len(labels.names))
            most = [int(c) for c in np.argsort(-counts, kind="stable") if counts[c]]
            line["main_class"] = labels.names[most[0]]
            line["main_share"] = number(counts[most[0]] / len(cluster.rows))
            line["composition"] = "; ".join(f"{labels.names[c]}: {counts[c]}" for c in most)
        return line

    def _of_images(
        self,
        summary: str,
        columns: list[str],
        table: list[dict[str, Any]],
        rows: Rows,
        notes: list[str],
    ) -> Found:
        """What was found of single images, with a note on each."""
        noted = list(zip(rows, notes, strict=True))
        first = [f"{self.shown.name(i)}: {note}" for i, note in noted[:_NAMED]]
        tiles = [Tile((self.shown.picture(i, note),)) for i, note in noted[:_MAX_TILES]]
        findings = single_rows(dict(zip(self._rows(rows), notes, strict=True)))
        return Found(summary, columns, table, findings, first, tiles, across=12)

    def _rows(self, positions: Rows) -> tuple[int, ...]:
        """Rows of embedding.npz."""
        return tuple((positions * self.n_variants).tolist())

    def _pairs_summary(self, found: NearDuplicates) -> str:
        kinds = ", ".join(f"{found.kinds.count(kind)} {kind}" for kind in KINDS)
        summary = (
            f"{counted(len(found), 'pair')} in {counted(len(found.members), 'group')}: {kinds}"
        )
        if self.images.is_test.any():
            summary += f"; {int(np.diff(self.images.is_test[found.pairs]).sum())} across the split"
        if self.images.labels:
            differ = np.diff(self.images.labels.values[found.pairs]) != 0
            summary += f"; {int(differ.sum())} of two classes"
        return summary

    def _pairs_shown(self, found: NearDuplicates) -> Rows:
        """A pair of each group: those of two classes first, others evenly from the surest to the
        least sure."""
        first = np.unique(found.group, return_index=True)[1]
        labels = self.images.labels
        classes = labels.values[found.pairs[first]] if labels else np.zeros((len(first), 2))
        differ = classes[:, 0] != classes[:, 1]
        loud, others = first[differ][:_MAX_TILES], first[~differ]
        room = min(_MAX_TILES - len(loud), len(others))
        evenly = np.linspace(0, len(others) - 1, room).astype(np.int64)
        shown: Rows = np.concatenate([loud, others[evenly]])
        return shown
