"""The training images of a run that are nearest to new ones: a table, a sheet, and how many of them
are of the right class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.captions import ShownImages, counted, with_colors
from dimred.analysis.placed_rows import pictures_of_files
from dimred.analysis.placement import Placed
from dimred.analysis.run_images import RunImages
from dimred.errors import InputError
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.unit_length import MAP_DIMS, as_compared
from dimred.plots.sheets import Picture, Tile, sheet
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = ("path", "rank", "distance", "row", "index", "source", "class", "split", "class_split")
"""Of the table, where the run has them."""
_SHOWN = 20  # new images on the sheet
_SHOWN_NEIGHBORS = 10
_SIDE = 176  # pixels of a picture on the sheet
_AT_ONCE = 2**24  # coordinates of neighbors
# Up to which distances two points are at one place, of the spread of the points. H may be kept in
# float16 or come of bfloat16; in few dimensions others are as near as that by chance.
_ROUNDING = 2e-3
_ROUNDING_OF_MAPS = 1e-5

Points = NDArray[np.floating]


@dataclass(frozen=True)
class Retrieved:
    """The k training images of a run nearest to each of N new ones, nearest first.

    neighbors: int64 (N, k), rows of the run's embedding.npz.
    distances: float64 (N, k), Euclidean, or for "cosine" 1 - the cosine of the angle, in [0, 2].
    space: "z" or "h". distance: "cosine" or "euclidean".
    is_copy: bool (N,), where the nearest is at the same place but for rounding, as the image itself
        is; nowhere where all training images are at one place.
    """

    run: FinishedRun
    placed: Placed
    neighbors: NDArray[np.int64]
    distances: NDArray[np.float64]
    space: str
    distance: str
    is_copy: NDArray[np.bool_]

    @property
    def k(self) -> int:
        """Neighbors of each image."""
        return int(self.neighbors.shape[1])

    @property
    def columns(self) -> list[str]:
        """The columns of the table."""
        on = self.run.map
        without = {"source": on.sources, "class": on.labels, "class_split": on.class_split}
        return [name for name in COLUMNS if without.get(name, True) is not None]

    def rows(self) -> Iterator[dict[str, Any]]:
        """The table: a row for each new image and each of its neighbors, in the order of the new
        images, the nearest first, with rank 1."""
        on = self.run.map
        for path, near, distances in zip(
            self.placed.paths, self.neighbors, self.distances, strict=True
        ):
            for rank, (row, distance) in enumerate(zip(near, distances, strict=True), start=1):
                line: dict[str, Any] = {"path": path, "rank": rank}
                line |= {"distance": float(f"{distance:.6g}"), "row": int(row)}
                line["index"] = int(on.index[row])
                if on.sources is not None:
                    line["source"] = on.sources[row]
                if on.labels is not None:
                    line["class"] = on.class_names[on.labels[row]]
                line["split"] = str(on.split[row])
                if on.class_split is not None:
                    line["class_split"] = str(on.class_split[row])
                yield line

    def right(self) -> NDArray[np.bool_] | None:
        """Whether neighbors are of the class of the new image, (n, k), for the n new images in
        folders that are called like a class; None without any."""
        on = self.run.map
        if on.labels is None:
            return None
        codes = {name: code for code, name in enumerate(on.class_names)}
        of_files = zip(self.placed.files, self.placed.items, strict=True)
        folders = [PurePath(file).parent.name if item < 0 else "" for file, item in of_files]
        known = np.array([codes.get(folder, -1) for folder in folders])
        some = known >= 0
        if not some.any():
            return None
        right: NDArray[np.bool_] = on.labels[self.neighbors[some]] == known[some, None]
        return right

    @property
    def where(self) -> str:
        """Where neighbors were searched, and how."""
        by = "angle" if self.distance == "cosine" else "Euclidean distance"
        return f"{self.space.upper()} by {by}"

    def sheet(self) -> Figure:
        """New images from first to last, each with its first neighbors, their classes and
        distances.

        Raises InputError where the run's images are gone and it has kept nothing of them.
        """
        placed, many = self.placed, len(self.placed)
        drawn = np.unique(np.linspace(0, many - 1, min(many, _SHOWN)).round().astype(np.int64))
        k = min(self.k, _SHOWN_NEIGHBORS)
        with step("reading the images"):
            shown = self._shown(self.neighbors[drawn, :k])
            files = [placed.files[i] for i in drawn]
            new = pictures_of_files(self.run, files, placed.items[drawn].tolist(), _SIDE)
        tiles = []
        for i, picture in zip(drawn, new, strict=True):
            query = Picture(_blank() if picture is None else picture, ("new image",))
            near = zip(self.neighbors[i, :k], self.distances[i, :k], strict=True)
            pictures = [shown.picture(int(row), f"{distance:.4g}") for row, distance in near]
            tiles.append(Tile((query, *pictures), placed.paths[i]))
        some = f"{len(drawn)} of " if len(drawn) < many else ""
        among = counted(len(self.run.map.training_images), "training image")
        first = f", {k} of them shown" if k < self.k else ""
        distance = "1 - cosine" if self.distance == "cosine" else "Euclidean distance"
        legend = f"below each neighbor: its file or index, class, {distance}"
        return sheet(
            tiles,
            1,
            self.run.path.absolute().name,
            f"{some}{counted(many, 'new image')}, each with its {self.k} nearest of {among} in "
            f"{self.where}{first}",
            with_colors(legend, self.run.colors),
        )

    def _shown(self, rows: NDArray[np.int64]) -> ShownImages:
        """The run's images at rows, to draw; those that are gone are gray."""
        images = RunImages(self.run)

        def pictures(wanted: NDArray[np.int64], side: int) -> list[NDArray[np.uint8] | None]:
            found = images.pictures(wanted, side)
            return [_blank() if picture is None else picture for picture in found]

        shown = ShownImages(images.rows, np.arange(len(images.rows)), pictures)
        shown.read(rows.ravel())
        return shown


def check_search(run: FinishedRun, k: int) -> None:
    """Raise InputError for more neighbors than there are training images, or fewer than one."""
    most = len(run.map.training_images)
    if not 1 <= k <= most:
        raise InputError(
            f"--neighbors {k}: must be from 1 to the {most} training images of {run.path}"
        )


def retrieve(
    run: FinishedRun, placed: Placed, k: int, space: str = "z", distance: str | None = None
) -> Retrieved:
    """The k training images nearest to each new one. Of equal distances, any comes first.

    placed: the new images, as `Placement.place` returns them. space: "z" or "h". distance: "cosine"
        (of vectors at unit length, as losses on these compare), "euclidean", or None for the one
        that `eval.retrieval` measures by where it is not told otherwise (see `usual_distance`).
    Raises InputError for a k out of range, and where H is needed, was not kept, and the run's
    images are gone.
    """
    check_search(run, k)
    among = run.map.training_images
    points: Points = run.map.z[among] if space == "z" else _h(run, among)
    new: Points = placed.z if space == "z" else placed.h
    distance, (points, new) = as_compared(space, distance, points, new)
    near = nearest(points, new, k, run.compute().device)
    distances = _distances(points, new, near)
    # Sorted again, as the search may round what is nearly equal to another order.
    order = np.argsort(distances, axis=1, kind="stable")
    near = np.take_along_axis(near, order, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    is_copy = _at_one_place(points, distances[:, 0])
    if distance == "cosine":
        distances = distances**2 / 2  # of unit vectors, 1 - their product
    return Retrieved(run, placed, among[near], distances, space, distance, is_copy)


def _h(run: FinishedRun, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """H of untransformed images of a run, as it was kept or by its encoder."""
    if run.map.h is not None:
        return run.map.h[rows]
    if run.kept is not None and run.kept.h is not None:
        return run.kept.h[rows]
    images = run.images().take(rows // run.n_variants)
    return run.embed(images, run.compute())[0]


def _at_one_place(points: Points, nearest_at: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether Euclidean distances (N,) to the nearest of the points (n, d) are none but for
    rounding, which is told by how far the points are spread."""
    spread = float(np.sqrt(points.var(axis=0, dtype=np.float64).sum()))
    rounding = _ROUNDING if points.shape[1] > MAP_DIMS else _ROUNDING_OF_MAPS
    same: NDArray[np.bool_] = nearest_at <= rounding * spread
    return same & (spread > 0)


def _distances(points: Points, new: Points, near: NDArray[np.int64]) -> NDArray[np.float64]:
    """The distance of each new point (N, d) to each of its neighbors (N, k) among points."""
    found = np.empty(near.shape)
    rows = max(_AT_ONCE // (near.shape[1] * points.shape[1]), 1)
    for first in range(0, len(new), rows):
        part = slice(first, first + rows)
        apart = points[near[part]].astype(np.float64) - new[part, None].astype(np.float64)
        found[part] = np.linalg.norm(apart, axis=2)
    return found


def _blank() -> NDArray[np.uint8]:
    return np.full((1, 8, 8), 224, np.uint8)
