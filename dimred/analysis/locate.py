"""Where in images the classes are that an encoder of score maps finds there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.captions import number, with_colors
from dimred.analysis.looked_at import LookedAt
from dimred.errors import InputError
from dimred.models.options import ScorePool
from dimred.models.positions import Grid
from dimred.models.score_maps import ScoreMaps
from dimred.plots.score_maps import Scored, score_map_sheet
from dimred.run_folder.finished import FinishedRun
from dimred.steps import bar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 24
"""Images on the sheet."""


@dataclass(frozen=True)
class Located:
    """Where in n images each of K classes has its highest score.

    classes: their names. scores: float32 (n, K), Z. points: float64 (n, K, 2), x and y in pixels of
        the image, (0, 0) being the corner of the first. scale: int64 (n, K), which of `scales` has
        the highest score.
    scales: factors on the size of the image. grids: where the positions of the maps are at each.
    maps: at each scale the scores at every position, float32 (n, K, rows, columns).
    """

    run: FinishedRun
    images: LookedAt
    classes: tuple[str, ...]
    scores: NDArray[np.float32]
    points: NDArray[np.float64]
    scale: NDArray[np.int64]
    scales: tuple[float, ...]
    grids: Sequence[Grid]
    maps: Sequence[NDArray[np.float32]]

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """1 / (1 + exp(-score)), (n, K) (Oquab et al. 2015, equation 2)."""
        half = np.tanh(self.scores.astype(np.float64) / 2)
        return (1 + half) / 2

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """The rows of points.csv: one for each image and class. row: of the run's own images."""
        for i, cells in enumerate(self.images.cells):
            for k, kind in enumerate(self.classes):
                x, y = self.points[i, k]
                yield {
                    **cells,
                    "class": kind,
                    "score": number(self.scores[i, k]),
                    "probability": number(self.probabilities[i, k]),
                    "x": number(x),
                    "y": number(y),
                }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The content of maps.npz: of each scale its maps, and where their positions are."""
        arrays: dict[str, NDArray[Any]] = {
            **self.images.arrays(),
            "class_names": np.array(self.classes),
            "score": self.scores,
            "point": self.points,
        }
        for scale, grid, maps in zip(self.scales, self.grids, self.maps, strict=True):
            arrays |= {f"maps_{scale:g}": maps}
            arrays |= {f"x_{scale:g}": np.array(grid.x), f"y_{scale:g}": np.array(grid.y)}
        return arrays

    def lines(self) -> list[str]:
        """What was found, in words."""
        found = self.probabilities >= 0.5
        counts = sorted(zip(-found.sum(axis=0), self.classes, strict=True))
        named = ", ".join(f"{kind} in {-n:,}" for n, kind in counts if n)
        n = len(self.images)
        return [
            f"{n:,} image{'' if n == 1 else 's'}: {named or 'none of the classes'} (probability at "
            f"least 0.5); {int((~found.any(axis=1)).sum()):,} without any"
        ]

    def figure(self) -> Figure:
        """Some of the images with the points of the classes found, and the score map of the most
        probable one."""
        shown, of = self.images.drawn(SHOWN)
        scored = []
        for i in shown:
            best = int(self.scores[i].argmax())
            at = int(self.scale[i, best])
            found = [j for j in range(len(self.classes)) if self.probabilities[i, j] >= 0.5]
            scored.append(
                Scored(
                    self.images.names[i],
                    self.run.pictured(self.images.pixels[i]),
                    [(j, float(self.probabilities[i, j]), self.points[i, j]) for j in found],
                    best,
                    self.maps[at][i, best],
                    self.grids[at].y,
                    self.grids[at].x,
                )
            )
        return score_map_sheet(
            scored,
            self.classes,
            f"{self.run.record.data}: where classes are",
            with_colors(of, self.run.colors),
        )


def has_score_maps(run: FinishedRun) -> bool:
    """Whether Z of a run are scores of classes at positions of the image."""
    return run.config.scores_presence and run.config.model.score_pool is not ScorePool.none


def locate(run: FinishedRun, images: LookedAt) -> Located:
    """Where the classes are in images, for a run that `has_score_maps`.

    Raises InputError for damaged weights, and where Z are not the scores of its classes.
    """
    compute = run.compute()
    encoder = compute.placed(run.encoder()).eval()
    classes = run.map.class_names
    if len(classes) != encoder.out_dim:
        raise InputError(f"{run.path}: {len(classes)} classes, but Z has {encoder.out_dim} scores")
    height, width = images.pixels.shape[2:]
    maps = ScoreMaps(encoder, (height, width))
    parts = torch.split(torch.from_numpy(images.pixels), run.config.eval.batch_size)
    found: list[tuple[Any, ...]] = []
    with torch.inference_mode():
        for batch in bar(parts, len(parts), "locating"):
            pixels = batch.to(compute.device).float().div_(255)
            pixels = pixels.contiguous(memory_format=compute.memory_format)
            scores = maps.of(pixels)
            found.append(
                (maps.pooled(scores).cpu(), *maps.peaks(scores), *(one.cpu() for one in scores))
            )
    all_z, points, scale, *of_scales = (torch.cat(it).numpy() for it in zip(*found, strict=True))
    return Located(run, images, classes, all_z, points, scale, maps.scales, maps.grids, of_scales)
