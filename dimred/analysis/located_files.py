"""What `dimred locate` writes: RUN/located/NAME/.

points.csv  where in each image, a row for each class, or one an image
sheet.png   some of the images, with points and maps
maps.npz    the maps as numbers, and `options`: with which they were made, as JSON; written last
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.comparison_files import checked_name, file_name
from dimred.errors import InputError
from dimred.files import csv_file
from dimred.models.occlusion import SHARE
from dimred.plots.style import to_png
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.names import numbered
from dimred.steps import step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dimred.analysis.locating import LocateOptions
    from dimred.analysis.looked_at import LookedAt

POINTS, SHEET, MAPS = "points.csv", "sheet.png", "maps.npz"


class Result(Protocol):
    """Something located in images. `arrays` holds their names as `image`."""

    def csv_rows(self) -> Iterator[dict[str, Any]]:
        """A row for each point."""

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Maps and what belongs to them."""

    def figure(self) -> Figure:
        """Some of the images."""


def write(result: Result, run: FinishedRun, name: str, options: LocateOptions) -> Path:
    """Write a result to RUN/located/NAME/; returns that folder.

    name: of the folder, as of `folder_name`; its files are replaced. options: of the result.
    Raises InputError where a link would have to be followed, OSError where nothing can be written.
    """
    rows, arrays = list(result.csv_rows()), result.arrays()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays, options=np.array(_told(options)))  # type: ignore[arg-type]
    with step("drawing"):
        png = to_png(result.figure())
    contents: dict[str, bytes | memoryview] = {
        POINTS: csv_file(list(rows[0]), rows),
        SHEET: png,
        MAPS: buffer.getbuffer(),
    }
    folder = run.path / layout.LOCATED / name
    for file, content in contents.items():
        run.write_output(folder / file, content)
    return folder


def folder_name(
    run: FinishedRun, images: LookedAt, options: LocateOptions, name: str | None = None
) -> str:
    """The folder in RUN/located/ for what is located in images: `name`, or one made of that of the
    images, with a number where it is taken by other images or options, or by what cannot be read.

    Raises InputError for a bad name.
    """
    if name is not None:
        return checked_name(name, layout.LOCATED)
    typed = images.name + ("" if options.other is None else f" with {options.other}")
    stem = file_name(typed, typed.lower().startswith("run:"))
    return next(one for one in numbered(stem) if _is_free(run, one, images, options))


def _is_free(run: FinishedRun, name: str, images: LookedAt, options: LocateOptions) -> bool:
    """Whether there is no such result, or one of the same images and options."""
    file = f"{layout.LOCATED}/{name}/{MAPS}"
    if not run.files.exists(file):
        return True
    try:
        there = run.arrays(file)
        names, told = there.get("image", "U").tolist(), there.get("options", "U", dims=0).item()
        return bool(names == list(images.names) and told == _told(options))
    except InputError:
        return False


def _told(options: LocateOptions) -> str:
    other = None if options.other is None else str(options.other)
    return json.dumps({"side": options.side or SHARE, "fill": options.fill, "with": other})
