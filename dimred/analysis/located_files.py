"""What `dimred locate` writes: RUN/located/NAME/.

points.csv  where in each image, a row for each class, or one an image
sheet.png   some of the images, with points and maps
maps.npz    the maps as numbers
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.comparison_files import checked_name, file_name
from dimred.files import csv_file
from dimred.plots.style import to_png
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.steps import step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS, SHEET, MAPS = "points.csv", "sheet.png", "maps.npz"


class Result(Protocol):
    """Something located in images. `arrays` holds their names as `image`."""

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """A row for each point."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Maps and what belongs to them."""

    def figure(self) -> Figure:
        """Some of the images."""


def write(result: Result, run: FinishedRun, typed: str, name: str | None = None) -> Path:
    """Write a result to RUN/located/NAME/; returns that folder.

    typed: how the images were named. name: of the folder, whose files are replaced; None to name it
        after the images, with a number where that name is taken by others.
    Raises InputError for a bad name and where a link would have to be followed, OSError where
    nothing can be written.
    """
    rows, arrays = list(result.csv_rows()), result.arrays()
    folder = f"{layout.LOCATED}/{_free_name(run, typed, arrays['image'].tolist(), name)}"
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    with step("drawing"):
        png = to_png(result.figure())
    contents: dict[str, bytes | memoryview] = {
        POINTS: csv_file(list(rows[0]), rows),
        SHEET: png,
        MAPS: buffer.getbuffer(),
    }
    for file, content in contents.items():
        run.write_output(run.path / folder / file, content)
    return run.path / folder


def _free_name(run: FinishedRun, typed: str, images: list[str], name: str | None) -> str:
    if name is not None:
        return checked_name(name, layout.LOCATED)
    stem = file_name(typed, typed.lower().startswith("run:"))

    def is_free(name: str) -> bool:
        file = f"{layout.LOCATED}/{name}/{MAPS}"
        if not run.files.exists(file):
            return True
        return bool(run.arrays(file).get("image", "U").tolist() == images)

    return next(filter(is_free, chain([stem], (f"{stem}-{i}" for i in count(2)))))
