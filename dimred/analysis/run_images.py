"""The images of a finished run to look at: from its files, from what it kept of them, or as it
learned from them."""

from __future__ import annotations

import math
import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.channels import channels_of
from dimred.data.folder_source import decode_files
from dimred.data.image_files import files_by_name, paths_of, whole_pictures
from dimred.data.image_set import ImageSet
from dimred.errors import InputError
from dimred.files import expanded
from dimred.page import Atlas, make_atlas, picture_atlas, picture_side, resized
from dimred.run_folder.files_now import FilesNow, outline, own_images
from dimred.run_folder.finished import FinishedRun
from dimred.run_folder.kept import Thumbnails, pictures_of

_UNKNOWN_SIDE = 2**14  # of files whose sizes were not recorded
_AT_ONCE = 1_000  # images decoded
_CLOCKS_DIFFER = 60  # seconds at most, of this machine and of one that has the files

Rows = NDArray[np.int64]


class RunImages:
    """The N rows of a run's map as images to look at.

    rows: all of them, without pixels where those need not be read.
    missing: what is gone, changed or new since the training; "" for nothing.

    Raises InputError where nothing can be known of the images, as where they have changed since and
    the run has kept nothing of them. In other channels than the default (`run.channels`) they are
    read again, as kept thumbnails do not show these.
    """

    def __init__(self, run: FinishedRun):
        self.run = run
        self._now: FilesNow | None = None  # where not all is as it was
        self._as_learned: ImageSet | None = None
        self._listed: tuple[str | None, ...] | None = None
        kept = run.kept
        has_h = run.map.h is not None or (kept is not None and kept.h is not None)
        if not run.is_in_memory and has_h and self._thumbnails is not None:
            self._now = run.files_now
        else:
            self._read()
        self.missing = self._now.sentence if self._now is not None else ""
        self.rows: ImageSet = self._as_learned or outline(run.map)

    def _read(self) -> None:
        run = self.run
        try:
            self._as_learned = run.samples(run.images())
        except InputError:
            if not run.has_files:
                raise
            self._now = run.files_now
            if not (self._now.gone or self._now.changed):
                raise  # some have changed, and nobody knows which
            if not self._now.there.size and self._thumbnails is None:
                raise  # there is nothing to show
            return
        files = run.record.files
        if (
            run.has_files
            and not run.is_in_memory
            and files is not None
            and run.config.dataset.has_more_files(files)
        ):
            self._now = run.files_now

    @property
    def _thumbnails(self) -> Thumbnails | None:
        """Those that the run kept; None where there are none, or they show other channels."""
        run = self.run
        return None if run.kept is None or run.channels is not None else run.kept.thumbnails

    @property
    def there(self) -> Rows:
        """The rows whose images are there, as the run learned from them."""
        return np.arange(len(self.rows)) if self._now is None else self._now.there

    @property
    def absent(self) -> Rows:
        """The rows whose file is gone, or is another than it was. Only where the run has files."""
        return np.flatnonzero([path is None for path in self.paths])

    def learned_from(self) -> ImageSet:
        """The images of the rows that are `there`, as the run learned from them.

        Raises InputError where there are none.
        """
        if self._as_learned is not None:
            return self._as_learned
        if self._now is None or not len(self.there):
            raise InputError(f"{self.run.path}: none of its images are there ({self.missing})")
        if len(self.there) == len(self.rows):
            return self.run.images()
        return own_images(self.run, self._now, self.there)

    def h(self) -> NDArray[np.float32] | None:
        """H of each row, (N, h); None where it was not saved and some images are gone."""
        run = self.run
        if self._as_learned is not None:
            return run.embeddings(self._as_learned, run.compute())[0]
        if run.map.h is not None:
            return run.map.h
        return None if run.kept is None else run.kept.h

    @property
    def longest(self) -> int:
        """The longer side of the largest image in pixels."""
        if not self.run.has_files:
            return max(self.rows.images.shape[2:])
        found = self._as_learned and self._as_learned.found
        sizes = found.sizes if found else None
        if sizes is None:
            sizes = self.run.record.summary["dataset"].get("first_look", {}).get("sizes")
        try:
            return max(1, *map(int, sizes[1]))
        except (TypeError, ValueError, LookupError):
            return _UNKNOWN_SIDE

    def atlas(self, places: NDArray[np.floating], side: int | None = None) -> Atlas:
        """Thumbnails of all rows. places: (N, d), on the map. side: the longer one in pixels; None
        for what suits their number."""
        of = self._thumbnails
        if side is None and of is not None:
            longest = int(of.size.max())
            return Atlas(of.sheets, of.slot, longest, longest, of.cell, of.columns, of.size)
        if side is not None:
            side = min(side, self.longest)
        if self._as_learned is not None and self._are_whole(self._as_learned):
            return make_atlas(self._as_learned.images, places, side, self.run.pictured)
        side = side or picture_side(len(self.rows), self.longest)
        return picture_atlas(lambda rows: self.pictures(rows, side), places, side)

    def _are_whole(self, images: ImageSet) -> bool:
        """Whether the images that the run learned from show all that there is to see."""
        sizes = images.found.sizes if images.found else None
        shape = images.images.shape
        return not self.run.has_files or sizes == ((shape[3], shape[2]),) * 2

    def pictures(self, rows: Rows, side: int) -> list[NDArray[np.uint8] | None]:
        """Whole pictures of rows, uint8 (1 or 3, height, width), with at most `side` pixels on the
        longer side; None for those that are gone."""
        pictures: list[NDArray[np.uint8] | None] = [None] * len(rows)
        if self.run.has_files:
            found = whole_pictures([self.paths[row] for row in rows], side, self.run.reading)
            pictures = [None if one is None else self.run.pictured(one) for one in found]
        kept, images = self._thumbnails, self._as_learned
        lost = np.array([i for i, picture in enumerate(pictures) if picture is None], int)
        if len(lost) and kept is not None:
            for i, picture in zip(lost, pictures_of(kept, rows[lost]), strict=True):
                pictures[i] = at_most(picture, side)
        elif images is not None:
            for i in lost:
                image = at_most(images.images[int(rows[i])].numpy(), side)
                pictures[i] = self.run.pictured(image)
        return pictures

    @property
    def paths(self) -> tuple[str | None, ...]:
        """The file of each row; None where it is gone, or another than it was."""
        if self._now is not None:
            return self._now.paths
        if self._listed is None:
            names = self.rows.sources or ()
            there = files_by_name(self.run.config.dataset.root, names)  # type: ignore[attr-defined]
            paths = paths_of(there, names)
            if self.run.is_in_memory:
                self._leave_out_changed(paths)
            self._listed = tuple(paths)
        return self._listed

    def _leave_out_changed(self, paths: list[str | None]) -> None:
        """Set those to None that have changed while the run was trained, which takes hours. Files
        that are older than the training are taken for what they were."""
        started = self.run.record.environment["sessions"][-1]["started"]
        since = datetime.fromisoformat(started).timestamp() - _CLOCKS_DIFFER
        new = [i for i, path in enumerate(paths) if path is not None and _written(path) >= since]
        channels, height, width = self.rows.images.shape[1:]
        for first in range(0, len(new), _AT_ONCE):
            some = new[first : first + _AT_ONCE]
            read = [str(paths[i]) for i in some]
            of_set = channels_of(channels, self.rows.is_rgb)
            decoded = decode_files(read, (height, width), of_set, self.run.reading)
            for i, now, problem in zip(some, decoded.pixels, decoded.problems, strict=True):
                if problem is not None or not np.array_equal(now, self.rows.images[i].numpy()):
                    paths[i] = None

    def base(self, place: Path | None) -> str | None:
        """The URL of the folder of the files, ending in "/", as seen from a page in the folder
        `place` if that is on the same file system; None for images without files, or whose folder
        is not there."""
        if not self.run.has_files:
            return None
        root = Path(os.path.abspath(expanded(self.run.config.dataset.root)))  # type: ignore[attr-defined]  # noqa: PTH100
        try:
            device = root.stat().st_dev
            near = place is not None and place.stat().st_dev == device
        except OSError:
            return None
        if near and place is not None:
            # As a browser resolves it: by the names that were typed, whatever links there are.
            return quote(os.fsencode(os.path.relpath(root, os.path.abspath(place)))) + "/"  # noqa: PTH100
        return f"{root.as_uri()}/"


def _written(path: str) -> float:
    """When a file was last written to, in seconds; infinite where that is not known."""
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return math.inf


def at_most(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A picture, made smaller to a longer side of at most `side` pixels."""
    scale = side / max(picture.shape[1:])
    if scale >= 1:
        return picture
    height, width = (max(round(length * scale), 1) for length in picture.shape[1:])
    pixels = torch.from_numpy(np.ascontiguousarray(picture))[None]
    small: NDArray[np.uint8] = resized(pixels, height, width)[0]
    return small.transpose(2, 0, 1)
