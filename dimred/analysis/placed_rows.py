"""New images that `dimred embed` placed on the map of a run, for its page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.run_images import at_most
from dimred.data.array_source import ArraySource
from dimred.data.image_files import whole_pictures
from dimred.data.npz import npz_source
from dimred.errors import InputError
from dimred.files import printable
from dimred.run_folder import layout
from dimred.run_folder.arrays import RunArrays
from dimred.run_folder.finished import FinishedRun

MAX_PLACED = 5_000
"""New images on a page; of more, the last sets that fit are drawn."""


@dataclass(frozen=True)
class PlacedRows:
    """M new images as `dimred embed` wrote them. z: (M, d), as the network gives it. skipped: what
    is not shown, a line each. files: of each image, "" in memory; items: its position in a file of
    arrays, -1 for others. Others: as in `dimred.page.PlacedImages`."""

    names: Sequence[str]
    votes: Sequence[str]
    shares: Sequence[float]
    far: Sequence[bool]
    sets: Sequence[str]
    files: Sequence[str]
    items: Sequence[int]
    z: NDArray[np.float32]
    skipped: Sequence[str]

    def __len__(self) -> int:
        return len(self.names)

    def pictures(self, run: FinishedRun, side: int) -> list[NDArray[np.uint8] | None]:
        """Their whole pictures, as the run's images are shown, with at most `side` pixels on the
        longer side, uint8 (1 or 3, height, width); None for those whose file is not there."""
        return pictures_of_files(run, self.files, self.items, side)


def pictures_of_files(
    run: FinishedRun, files: Sequence[str], items: Sequence[int], side: int
) -> list[NDArray[np.uint8] | None]:
    """The pictures in files, or at positions in files of arrays, as `PlacedRows.pictures`."""
    arrays: dict[str, ArraySource | None] = {}
    of = list(zip(files, items, strict=True))
    paths = [None if i >= 0 else file or None for file, i in of]
    pictures = whole_pictures(paths, side, run.reading)
    for row, (file, i) in enumerate(of):
        if i >= 0:
            if file not in arrays:
                arrays[file] = _images(run, file)
            images = arrays[file]
            if images is not None and i < len(images):
                pictures[row] = _picture(images, i, side)
    return [None if picture is None else run.pictured(picture) for picture in pictures]


def placed_rows(run: FinishedRun) -> PlacedRows:
    """All images that RUN/embedded/ has, at most MAX_PLACED."""
    keys = ("names", "votes", "shares", "far", "sets", "files", "items")
    rows: dict[str, list[str | float | bool]] = {key: [] for key in keys}
    z = [np.empty((0, run.map.z.shape[1]), np.float32)]
    skipped: list[str] = []
    for name in _sets(run):
        try:
            arrays = run.arrays(f"{layout.PLACED}/{name}")
            of_set = _rows(arrays, run.map.z.shape[1])
        except (InputError, OSError) as error:
            skipped.append(f"not drawn: {error}")
            continue
        count = len(of_set["names"])
        if len(rows["names"]) + count > MAX_PLACED:
            skipped.append(f"not drawn: {arrays.file}: more than {MAX_PLACED:,} new images")
            continue
        z.append(arrays.get("z", "f", count, dims=2).astype(np.float32))
        for key, values in of_set.items():
            rows[key] += values
        rows["sets"] += [printable(name.removesuffix(".npz"))] * count
    z_of_all = np.concatenate(z)
    return PlacedRows(**rows, z=z_of_all, skipped=skipped)  # type: ignore[arg-type]


def _sets(run: FinishedRun) -> list[str]:
    """The names of the files in RUN/embedded/, the last first."""

    def is_set(entry: os.DirEntry[str]) -> bool:
        return entry.name.endswith(".npz") and entry.is_file(follow_symlinks=False)

    return newest_first(run.path / layout.PLACED, is_set)


def newest_first(folder: Path, is_wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
    """The names of what a folder of a run holds, the last written first; none of one that is a link
    or not there."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
            for entry in entries
            if is_wanted(entry)
        ]
    return [name for _, name in sorted(found, reverse=True)]


def _rows(arrays: RunArrays, dims: int) -> dict[str, list[str | float | bool]]:
    """What an .npz file says of each of its images. Raises InputError for one that is not as
    `dimred embed` writes it."""
    names = arrays.get("path", "U")
    n = len(names)
    if arrays.get("z", "f", n, dims=2).shape[1] != dims:
        raise arrays.error("z", f"has other dimensions than the map, {dims}")
    votes, shares = np.full(n, "", object), np.zeros(n)
    if "vote" in arrays:
        classes = arrays.get("class_names", "U").astype(object)
        codes = arrays.get("vote", "i", n)
        if not 0 <= codes.min() <= codes.max() < len(classes):
            raise arrays.error("vote", f"must be from 0 to {len(classes) - 1}")
        votes, shares = classes[codes], arrays.get("vote_share", "f", n)
    far = arrays.get("far", "b", n) if "far" in arrays else np.zeros(n, bool)
    if not np.isfinite(shares).all():
        raise arrays.error("vote_share", "has values that are not finite")
    # What was placed by earlier versions does not say where its files are.
    files = arrays.get("source_file", "U", n) if "source_file" in arrays else np.full(n, "")
    items = arrays.get("item", "i", n) if "item" in arrays else np.full(n, -1)
    return {
        "names": names.tolist(),
        "votes": list(votes),
        "shares": shares.tolist(),
        "far": far.tolist(),
        "files": files.tolist(),
        "items": items.tolist(),
    }


def _images(run: FinishedRun, file: str) -> ArraySource | None:
    """The images in a file of arrays, as the run takes them; None where it has none."""
    try:
        return npz_source(file, file, run.reading, run.shape)
    except (InputError, OSError):
        return None


def _picture(images: ArraySource, i: int, side: int) -> NDArray[np.uint8] | None:
    """One of the images of an array; None where it cannot be read any more."""
    try:
        return at_most(images.read(i, i + 1).pixels[0], side)
    except InputError:
        return None
