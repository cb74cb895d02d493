"""Images of a run, or from elsewhere, whose pixels are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.analysis.chosen_sets import OwnImages, Pixels, Rows
from dimred.analysis.new_images import Images
from dimred.errors import InputError
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

_SEED = 0  # of the draw of images for a sheet


@dataclass(frozen=True)
class LookedAt:
    """Images, drawn from `total` that were named.

    name: as typed. names: of each of the n images, its file as typed, FILE.npz[3], the run's
        source, or "row 17".
    rows: int64 (n,), its row in the run's embedding.npz, -1 for images from elsewhere.
    pixels: (n, C, H, W), as the encoder takes them.
    left_out: (name, reason) for each image that could not be read. notes: what else to know.
    """

    name: str
    names: tuple[str, ...]
    rows: Rows
    pixels: Pixels
    total: int
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The columns image and row of a table, for each image. row: of the run's own images."""
        rows = ("" if row < 0 else row for row in self.rows.tolist())
        return [{"image": name, "row": row} for name, row in zip(self.names, rows, strict=True)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The same as arrays, with -1 for images from elsewhere."""
        return {"image": np.array(self.names), "row": self.rows}

    def drawn(self, most: int) -> tuple[Rows, str]:
        """The positions of up to `most` of the n images for a sheet, ascending, always the same,
        and what they are: "24 of 1,000 images of photos"."""
        n = len(self)
        chosen = np.sort(np.random.default_rng(_SEED).permutation(n)[:most])
        of = f"{len(chosen):,} of {n:,}" if n > len(chosen) else f"{n:,}"
        return chosen, f"{of} images of {self.name}"


def looked_at(
    run: FinishedRun, images: Images | None, most: int, seed: int = 0, typed: str = ""
) -> LookedAt:
    """Images with their pixels.

    images: a selector of the run's own, such as "RUN:test", or as in `LoadedRun.place`; None for
        the run's test images, or all where it has none.
    most: how many are drawn by `seed` where there are more. typed: how the run was named, which may
        stand for RUN.
    Raises InputError for images that are missing, unreadable or do not fit the run.
    """
    if most < 1:
        raise InputError(f"most={most}: must be at least 1")
    own = OwnImages(run)
    if images is None:
        images = "RUN:test" if (run.map.split == "test").any() else "RUN:all"
    elif isinstance(images, list | tuple) and len(images) == 1:
        images = images[0]
    with step("reading the images"):
        chosen = own.chosen(images, "images", (typed, str(run.path)))
        chosen.draw(most, np.random.default_rng(seed))
        if chosen.rows is None:
            pixels = chosen.read(least=1)
            names, rows = tuple(one.name for one in chosen.new), np.full(len(pixels), -1)
        else:
            rows, names = chosen.rows, own.names(chosen.rows)
            pixels = _of_run(run, rows)
    left_out, notes = tuple(chosen.left_out), tuple(chosen.notes)
    return LookedAt(chosen.name, names, rows, pixels, chosen.listed, left_out, notes)


def own_row(run: FinishedRun, row: int) -> LookedAt:
    """One of the run's own images, by its row in embedding.npz.

    Raises InputError for a row that there is not, and for images that are missing.
    """
    own = OwnImages(run)
    if not 0 <= row < own.n:
        raise InputError(f"row {row}: must be from 0 to {own.n - 1}, a row of the run's map")
    rows = np.array([row])
    with step("reading the images"):
        return LookedAt(f"row {row}", own.names(rows), rows, _of_run(run, rows), 1)


def _of_run(run: FinishedRun, rows: NDArray[np.int64]) -> Pixels:
    """The pixels of the run's own images at some rows."""
    try:
        samples = run.samples(run.images())
    except InputError as error:
        advice = "" if "--root" in str(error) else "; give --root if the data have moved"
        raise InputError(f"{error}{advice}") from error
    pixels: Pixels = samples.images[torch.from_numpy(rows)].numpy()
    return pixels
