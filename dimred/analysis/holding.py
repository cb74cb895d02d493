"""What in an image holds it at its place on the map: how far Z moves where a part is hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.captions import number, with_colors
from dimred.analysis.looked_at import LookedAt
from dimred.errors import InputError
from dimred.evaluation.neighbors import nearest
from dimred.evaluation.unit_length import as_compared, distance_moved
from dimred.models.occlusion import SHARE, Squares, squares
from dimred.plots.heat import Heated, heat_sheet
from dimred.run_folder.finished import FinishedRun
from dimred.steps import bar
from dimred.training.occlusion import occluded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 24
"""Images on the sheet."""
UNIT_K = 15
"""The neighbor whose distance is the unit of heat."""


@dataclass(frozen=True)
class Held:
    """How far n images move on the map where a square of them is hidden.

    heat: float32 (n, rows, columns), the distance that Z moves where a square is hidden, in units
        of `unit`: the distance from the image to its 15th nearest on the map, float64 (n,). Both as
        in `LoadedRun.neighbors`: Euclidean in Z of up to 3 dimensions, else at unit length.
    squares: where they are. fill: their value; None for the mean color of the run's images.
    """

    run: FinishedRun
    images: LookedAt
    heat: NDArray[np.float32]
    unit: NDArray[np.float64]
    squares: Squares
    fill: float | None = None

    @cached_property
    def points(self) -> NDArray[np.float64]:
        """The center of the square that moves each image farthest, x and y in pixels, (n, 2)."""
        return self.squares.hottest(self.heat)

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of points.csv: one for each image. heat: of the square that moves it farthest.
        row: of the run's own images."""
        most = self.heat.max(axis=(1, 2))
        for i, cells in enumerate(self.images.cells):
            x, y = self.points[i]
            yield {
                **cells,
                "heat": number(most[i]),
                "x": number(x),
                "y": number(y),
            }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The content of maps.npz."""
        return {
            **self.images.arrays(),
            "heat": self.heat,
            "unit": self.unit,
            "point": self.points,
            "x": np.array(self.squares.x),
            "y": np.array(self.squares.y),
            "side": np.array(self.squares.side),
        }

    def lines(self) -> list[str]:
        """What was found, in words."""
        n, most = len(self.images), self.heat.max(axis=(1, 2))
        count = self.heat[0].size
        places = f"{count} place{'' if count == 1 else 's'}"
        far = float((most > 1).mean())
        color = "the mean color of the run's images"
        if self.fill is not None:
            color = f"gray of {self.fill:g} (0 black, 1 white)"
        return [
            f"squares of {self.squares.side} pixels hidden at {places} of "
            f"{n:,} image{'' if n == 1 else 's'}, in {color}",
            f"the square that matters most moves an image {np.median(most):.3g} times as far as "
            f"its {UNIT_K}th nearest is (median), {far:.0%} of the images farther than that",
        ]

    def figure(self) -> Figure:
        """Some of the images with the point of the largest heat, beside the heat."""
        shown, of = self.images.drawn(SHOWN)
        heated = [
            Heated(
                self.images.names[i],
                self.run.pictured(self.images.pixels[i]),
                self.heat[i],
                self.squares.y,
                self.squares.x,
                self.points[i],
                f"moves {self.heat[i].max():.3g}",
            )
            for i in shown
        ]
        return heat_sheet(
            heated,
            f"{self.run.record.data}: what holds images at their places",
            with_colors(of, self.run.colors),
            "Ring: the square that, hidden, moves the image farthest on the map. Beside each "
            "image: how far each square moves it, from dark (not at all) to bright (the farthest, "
            f"named, in distances to the {UNIT_K}th nearest image).",
        )


def locate_holding(
    run: FinishedRun, images: LookedAt, share: float = SHARE, fill: float | None = None
) -> Held:
    """How far images move on a run's map where a square of them is hidden, by `run.encoder`.

    share: side of a square as a share of the shorter side of the image. fill: its value, 0 black to
        1 white; None for the mean color of the run's images.
    Raises InputError for damaged weights, and as `neighbor_distance`.
    """
    compute = run.compute()
    encoder = compute.placed(run.encoder())
    height, width = images.pixels.shape[2:]
    of = squares((height, width), share)
    pixels, size = torch.from_numpy(images.pixels), run.config.eval.batch_size
    color = encoder.mean if fill is None else torch.full_like(encoder.mean, fill)
    batches = occluded(encoder, pixels, of, color, size, compute)
    parts = [
        (z, distance_moved(z, below))
        for z, below in bar(batches, -(-len(pixels) // size), "hiding squares")
    ]
    z, moved = (np.concatenate(part) for part in zip(*parts, strict=True))
    own = images.rows >= 0
    z[own] = run.map.z[images.rows[own]]  # to the last bit, so that copies are at one place
    unit = neighbor_distance(run, images.rows, z)
    heat = (moved / unit[:, None, None]).astype(np.float32)
    return Held(run, images, heat, unit, of, fill)


def neighbor_distance(
    run: FinishedRun, rows: NDArray[np.int64], z: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The distance of images to their 15th nearest on the map, or the farthest of fewer, (n,): of
    the run's own images among all others, of new ones among the training images. Where all of these
    are at the place of the image itself, such as copies of it: to the nearest that is not. In Z of
    more than 3 dimensions places are compared at unit length, as neighbors are.

    rows: of the run's own images, -1 for new ones. z: their places (n, d).
    Raises InputError for a map that is a single point.
    """
    _, (on, z) = as_compared("z", None, run.map.z, z)
    distance = np.empty(len(rows), np.float64)
    for own in (True, False):
        chosen = np.flatnonzero((rows >= 0) == own)
        among = np.arange(len(on)) if own else run.map.training_images
        k = min(UNIT_K + own, len(among))
        if len(chosen):
            # The first of an own image is itself, or one that is at the same place.
            last = among[nearest(on[among], z[chosen], k)[:, -1]]
            apart = on[last].astype(np.float64) - z[chosen]
            distance[chosen] = np.linalg.norm(apart, axis=1)
    for i in np.flatnonzero(distance == 0):
        apart = np.linalg.norm(on.astype(np.float64) - z[i], axis=1)
        if not apart.any():
            raise InputError(f"{run.path}: all images are at one place of its map")
        distance[i] = apart[apart > 0].min()
    return distance
