"""The image files of a finished run as they are now: what is gone, changed or new since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.channels import channels_of
from dimred.data.folder_source import decode_files
from dimred.data.image_files import digests, files_by_name, files_of, paths_of
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.presence import Presence
from dimred.errors import InputError
from dimred.run_folder.arrays import UNSEEN

if TYPE_CHECKING:
    from dimred.run_folder.arrays import RunMap
    from dimred.run_folder.finished import FinishedRun

_NAMED = 3


@dataclass(frozen=True)
class FilesNow:
    """The files of a run's N images, and others in their folder.

    paths: of each image, None where it is gone or has changed. gone, changed, new: names.
    compared: whether contents were compared with those that the run learned from; runs of early
        versions do not know them. problem: why the folder cannot be listed, "" where it can.
    """

    paths: tuple[str | None, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    new: tuple[str, ...]
    compared: bool
    problem: str = ""

    @property
    def there(self) -> NDArray[np.int64]:
        """Positions of the images whose files are there."""
        return np.flatnonzero([path is not None for path in self.paths])

    @property
    def sentence(self) -> str:
        """What has changed, with names; "" where nothing has."""
        if self.problem:
            return f"the folder of its images is not there ({self.problem})"
        parts = [
            f"{len(names):,} {word}: {_listed(names)}{advice if names else ''}"
            for word, names, advice in (
                ("gone", self.gone, ""),
                ("changed", self.changed, ""),
                ("new", self.new, " (dimred embed places new images)"),
            )
            if names
        ]
        if self.gone and not self.compared:
            parts.append("this run did not keep what would show whether others have changed")
        return "; ".join(parts)


def files_now(run: FinishedRun) -> FilesNow:
    """Look for the files of a run on a folder of images."""
    names, kept = _names(run.map), run.kept
    root = run.config.dataset.root  # type: ignore[attr-defined]
    try:
        there = files_by_name(root, names)
    except InputError as error:
        return FilesNow((None,) * len(names), names, (), (), kept is not None, str(error))
    paths = paths_of(there, names)
    gone = tuple(name for name, path in zip(names, paths, strict=True) if path is None)
    changed: list[str] = []
    if kept is not None:
        known = kept.digests.any(axis=1)
        differ = known & (digests(paths) != kept.digests).any(axis=1)
        for i in np.flatnonzero(differ):
            if paths[i] is not None:
                changed.append(names[i])
                paths[i] = None
    new = _new(run, set(there) - files_of(names), len(there))
    return FilesNow(tuple(paths), gone, tuple(changed), new, kept is not None)


def _new(run: FinishedRun, others: set[str], count: int) -> tuple[str, ...]:
    """The files that were not there when the run was trained; () where that is not known."""
    if run.kept is not None:
        known = run.kept.others
        return () if known is None else tuple(sorted(others - known))
    dataset = run.record.summary["dataset"]
    unreadable = set(map(str, dataset.get("unreadable", ())))
    all_named = run.record.files == dataset["images"] + len(unreadable)
    return tuple(sorted(others - unreadable)) if all_named else ()


def outline(on: RunMap) -> ImageSet:
    """The rows of a map as images without pixels, with their labels and files."""
    return ImageSet(
        images=torch.empty(len(on), 1, 0, 0, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=on.split == "test",
        split_name="",
        labels=None if on.labels is None else LabelSet(on.labels, on.class_names),
        index=on.index,
        columns={name: _column(values) for name, values in on.extra_columns.items()},
        sources=None if on.sources is None else _names(on),
        is_unseen=None if on.class_split is None else on.class_split == UNSEEN,
        presence=None if on.presence is None else Presence(on.presence, on.class_names),
    )


def _column(values: NDArray[Any]) -> LabelSet | NDArray[np.float64]:
    """A column of a table, from its values in embedding.npz: names or numbers."""
    if values.dtype != object:
        return values.astype(np.float64)
    names, codes = np.unique(values, return_inverse=True)
    return LabelSet(codes.astype(np.int64), tuple(map(str, names)))


def own_images(run: FinishedRun, now: FilesNow, positions: NDArray[np.int64]) -> ImageSet:
    """Images of a run from their own files, whatever else is in their folder.

    Raises InputError where a file cannot be read, or has other channels than it had.
    """
    paths = [now.paths[i] for i in positions]
    channels, height, width = run.shape
    decoded = decode_files(
        [p for p in paths if p is not None],
        (height, width),
        channels_of(run.shape[0], run.is_rgb),
        run.reading,
    )
    for i, problem in zip(positions, decoded.problems, strict=True):
        if problem is not None:
            raise InputError(f"{_names(run.map)[i]!r} cannot be read: {problem}")
    images = torch.from_numpy(decoded.pixels)
    some = outline(run.map)
    some = replace(some, images=torch.empty(len(some), channels, 0, 0, dtype=torch.uint8))
    some = replace(some.take(positions), images=images)
    mean, std = channel_statistics(images, some.is_test)
    dataset = run.config.dataset
    return replace(some, mean=tuple(dataset.mean or mean), std=tuple(dataset.std or std))


def _names(on: RunMap) -> tuple[str, ...]:
    assert on.sources is not None
    return tuple(on.sources.tolist())


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")
