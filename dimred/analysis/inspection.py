"""What deserves a look among the images of a finished run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import ShownImages, counted, island_said, number, pair_said
from dimred.evaluation.near_duplicates import KINDS, NearDuplicates, near_duplicates
from dimred.evaluation.oddities import (
    Island,
    beyond_fence,
    class_kth_distances,
    disagreement,
    distances,
    islands,
    kth_distances,
    neighbours_up_to,
    relative,
)
from dimred.files import csv_file, write_atomically
from dimred.plots.maps import on_principal_axes
from dimred.plots.sheets import Tile, sheet
from dimred.plots.style import to_png
from dimred.run_folder.finished import FINDINGS, FinishedRun
from dimred.run_folder.folder import RunFolder

FOLDER = "inspect"
K_OUTLIER = 10
K_CONFLICT = 15
CONFLICT_SHARE = 0.8
MOST_LISTED = 100  # outliers of each of the two scores; conflicts

_MOST_TILES = 60
_MOST_ISLANDS = 15
_PICTURES_AN_ISLAND = 14
_SAID = 3
_MOST_DIMS = 3  # in which densities of a map mean something

Rows = NDArray[np.int64]


def inspect(run: FinishedRun, folder: RunFolder) -> Iterator[tuple[str, Found]]:
    """Look for each kind of what deserves a look, and write it to the run's folder; yields the
    kind's name and what was found."""
    inspection = _Inspection(run)
    findings: dict[str, Any] = {}
    notes: dict[str, dict[int, str]] = {}
    for name, look in {
        "near_duplicates": inspection.near_duplicates,
        "outliers": inspection.outliers,
        "label_conflicts": inspection.label_conflicts,
        "islands": inspection.islands,
    }.items():
        found = look()
        found.write(folder, name, f"{run.record.data}: {name.replace('_', ' ')}")
        findings[name] = found.rows
        notes[name] = found.notes
        yield name, found
    folder.write_json(FINDINGS, {**findings, "notes": notes})


@dataclass
class Found:
    """What was found of a kind.

    said: in one line. table: rows of the CSV under `columns`. rows: what findings.json gets. notes:
    why, by row. first: lines on the first few. tiles: of the sheet, `across` of them in a row.
    """

    said: str
    columns: list[str] = field(default_factory=list)
    table: list[dict[str, Any]] = field(default_factory=list)
    rows: list[Any] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)
    across: int = 1

    def write(self, folder: RunFolder, name: str, title: str) -> None:
        """Write NAME.csv and NAME.png; what there is nothing for is removed."""
        if self.columns:
            content = csv_file(self.columns, self.table)
            write_atomically(folder.path / FOLDER / f"{name}.csv", content)
        else:
            folder.remove(f"{FOLDER}/{name}.csv")
        if self.tiles:
            figure = sheet(self.tiles, self.across, title, self.said)
            write_atomically(folder.path / FOLDER / f"{name}.png", to_png(figure))
        else:
            folder.remove(f"{FOLDER}/{name}.png")


class _Inspection:
    """The images of a run, less the transformations of its pairing, and what stands out in them."""

    def __init__(self, run: FinishedRun):
        compute = run.compute()
        self.images = run.images()
        self.device = compute.device
        # The image itself comes first of so many rows.
        self.every = run.record.summary["dataset"]["transformations"] + 1
        self.h, self.z = run.spaces(self.images, compute, self.every)
        self.shown = ShownImages(self.images, self.every)
        self.neighbours = neighbours_up_to(K_CONFLICT, self.h, self.device)

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
        said = [
            pair_said(kind, shift, ratio)
            for kind, shift, ratio in zip(found.kinds, found.shift, found.ratio, strict=True)
        ]
        names = [" and ".join(map(self.shown.name, pair)) for pair in found.pairs[:_SAID]]
        first = [f"{name}: {line}" for name, line in zip(names, said, strict=False)]
        tiles = [
            Tile(tuple(map(self.shown.picture, found.pairs[i])), said[i])
            for i in self._pairs_shown(found)
        ]
        own = list(self.shown.line(0))
        columns = [*own, *(f"{key}_2" for key in own), "h_distance", "zncc", "residual", "ratio"]
        return Found(
            self._pairs_said(found),
            [*columns, "dx", "dy", "kind", "group", "group_size"],
            table,
            [self._rows(members) for members in groups],
            first=first,
            tiles=tiles,
            across=5,
        )

    def outliers(self) -> Found:
        """Images whose 10th neighbour in H is far, of all images and of their class."""
        near = self.neighbours[:, :K_OUTLIER]
        scores = {"knn_distance": relative(kth_distances(self.h, near))}
        labels = self.images.labels
        if labels:
            far = class_kth_distances(self.h, labels.values, K_OUTLIER, self.device)
            scores["knn_distance_class"] = relative(far, labels.values)
        listed = {name: beyond_fence(*score) for name, score in scores.items()}
        beyond = np.stack([times / fence for times, fence in scores.values()])
        most = np.nan_to_num(beyond, nan=0.0).max(axis=0)
        rows = np.unique(np.concatenate([members[:MOST_LISTED] for members in listed.values()]))
        rows = rows[np.argsort(-most[rows], kind="stable")]
        table = []
        for i in rows:
            line = self.shown.line(i)
            for name, (times, fence) in scores.items():
                line |= {name: number(times[i]), f"{name}_fence": number(fence[i])}
            table.append(line)
        said = f"{len(listed['knn_distance'])} far from all others"
        if labels:
            said += f", {len(listed['knn_distance_class'])} far from their class"
        else:
            said += "; those far from their class left out: no labels"
        if any(len(members) > MOST_LISTED for members in listed.values()):
            said += f"; the first {MOST_LISTED} of each are listed"
        columns = [*self.shown.line(0), *(c for name in scores for c in (name, f"{name}_fence"))]
        notes = [
            ", ".join(
                f"{'class' if 'class' in name else 'all'} {times[i]:.1f} > {fence[i]:.1f}"
                for name, (times, fence) in scores.items()
                if times[i] > fence[i]
            )
            for i in rows
        ]
        return self._of_images(said, columns, table, rows, notes)

    def label_conflicts(self) -> Found:
        """Images whose neighbours in H agree on another class."""
        labels, k = self.images.labels, self.neighbours.shape[1]
        if labels is None or not k:
            reason = "too few images" if labels else "no labels"
            return Found(f"left out: {reason}")
        said = disagreement(self.neighbours, labels.values)
        order = np.lexsort((kth_distances(self.h, self.neighbours), -said.kdn, -said.share))
        every = order[said.share[order] >= CONFLICT_SHARE]
        rows = every[:MOST_LISTED]
        table = [
            {
                **self.shown.line(i),
                "other_class": labels.names[said.other[i]],
                "share": number(said.share[i]),
                "kdn": number(said.kdn[i]),
                "k": k,
            }
            for i in rows
        ]
        words = f"{len(every)} whose neighbours agree on another class"
        if len(every) > len(rows):
            words += f"; the first {len(rows)} are listed"
        notes = [f"→ {labels.names[said.other[i]]} {round(said.share[i] * k)}/{k}" for i in rows]
        columns = [*self.shown.line(0), "other_class", "share", "kdn", "k"]
        return self._of_images(words, columns, table, rows, notes)

    def islands(self) -> Found:
        """The densest islands of the map."""
        z: NDArray[np.floating] = self.z
        space = "Z"
        if z.shape[1] > _MOST_DIMS:
            z = on_principal_axes(z, 2)
            space = f"the first two principal components of {self.z.shape[1]}-D Z"
        found = islands(z)
        table = [self._island(i, island) for i, island in enumerate(found, start=1)]
        covered = sum(len(island.rows) for island in found) / len(z)
        columns = ["island", *self.shown.line(0), "size", "density"]
        columns += ["main_class", "main_share", "composition"] if self.images.labels else []
        headings = [island_said(line) for line in table]
        rows = [
            {"rows": self._rows(island.rows), "said": heading}
            for island, heading in zip(found, headings, strict=True)
        ]
        tiles = []
        for island, heading in zip(found[:_MOST_ISLANDS], headings, strict=False):
            count = min(_PICTURES_AN_ISLAND, len(island.rows))
            shown = island.rows[np.linspace(0, len(island.rows) - 1, count).astype(np.int64)]
            tiles.append(Tile(tuple(self.shown.picture(i) for i in shown), heading))
        said = f"none in {space}"
        if found:
            said = f"{len(found)} in {space}, with {covered:.0%} of the images; the densest first"
        return Found(said, columns, table, rows, first=headings[:_SAID], tiles=tiles)

    def _island(self, i: int, island: Island) -> dict[str, Any]:
        """A line of the table, its image the medoid."""
        line = {"island": i, **self.shown.line(island.rows[0]), "size": len(island.rows)}
        line["density"] = number(island.density)
        labels = self.images.labels
        if labels:
            counts = np.bincount(labels.values[island.rows], minlength=len(labels.names))
            most = [int(c) for c in np.argsort(-counts, kind="stable") if counts[c]]
            line["main_class"] = labels.names[most[0]]
            line["main_share"] = number(counts[most[0]] / len(island.rows))
            line["composition"] = "; ".join(f"{labels.names[c]}: {counts[c]}" for c in most)
        return line

    def _of_images(
        self,
        said: str,
        columns: list[str],
        table: list[dict[str, Any]],
        rows: Rows,
        notes: list[str],
    ) -> Found:
        """What was found of single images, with a note on each."""
        noted = list(zip(rows, notes, strict=True))
        first = [f"{self.shown.name(i)}: {note}" for i, note in noted[:_SAID]]
        tiles = [Tile((self.shown.picture(i, note),)) for i, note in noted[:_MOST_TILES]]
        of_rows = dict(zip(self._rows(rows), notes, strict=True))
        return Found(said, columns, table, list(of_rows), of_rows, first, tiles, across=12)

    def _rows(self, positions: Rows) -> list[int]:
        """Rows of embedding.npz."""
        rows: list[int] = (positions * self.every).tolist()
        return rows

    def _pairs_said(self, found: NearDuplicates) -> str:
        kinds = ", ".join(f"{found.kinds.count(kind)} {kind}" for kind in KINDS)
        said = f"{counted(len(found), 'pair')} in {counted(len(found.members), 'group')}: {kinds}"
        if self.images.is_test.any():
            said += f"; {int(np.diff(self.images.is_test[found.pairs]).sum())} across the split"
        if self.images.labels:
            differ = np.diff(self.images.labels.values[found.pairs]) != 0
            said += f"; {int(differ.sum())} of two classes"
        return said

    def _pairs_shown(self, found: NearDuplicates) -> Rows:
        """A pair of each group: those of two classes first, others evenly from the surest to the
        least sure."""
        first = np.unique(found.group, return_index=True)[1]
        labels = self.images.labels
        classes = labels.values[found.pairs[first]] if labels else np.zeros((len(first), 2))
        differ = classes[:, 0] != classes[:, 1]
        loud, others = first[differ][:_MOST_TILES], first[~differ]
        room = min(_MOST_TILES - len(loud), len(others))
        evenly = np.linspace(0, len(others) - 1, room).astype(np.int64)
        shown: Rows = np.concatenate([loud, others[evenly]])
        return shown
