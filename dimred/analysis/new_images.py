"""New images as the encoder of a finished run takes them: from files, folders, files of arrays or
memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.analysis.advice import for_run
from dimred.data.array_source import ArraySource
from dimred.data.channels import Channels, channels_of
from dimred.data.folder_pixels import pages_of
from dimred.data.folder_source import decode_files
from dimred.data.image_paths import READ, SUFFIXES, image_paths, is_array
from dimred.data.npz import array_source, npz_source
from dimred.data.own_options import ImageFolder
from dimred.data.reading import IMAGES
from dimred.errors import InputError
from dimred.files import FORMULA, expanded, printable
from dimred.run_folder import layout
from dimred.run_folder.finished import FinishedRun

_MAX_BYTES = 2**28  # of pixels decoded at a time
_ARRAYS = (".npz", ".npy")
_KINDS = " or ".join(_ARRAYS)

Positions = NDArray[np.int64]
Source = str | os.PathLike[str]
Images = Source | Sequence[Source] | NDArray[Any] | Tensor


class NewImage(NamedTuple):
    """A new image: its name for the user, the path of its file, "" in memory, and its position in a
    file of arrays, -1 for others."""

    name: str
    path: str
    item: int = -1

    @property
    def file(self) -> str:
        """The absolute path of its file, "" in memory."""
        return absolute(self.path)


def absolute(path: str) -> str:
    """An absolute path, with links as they are; "" for none."""
    return path and os.path.abspath(path)  # noqa: PTH100


class NewImages:
    """Reads new images, with the channels and the size of a run's.

    images: image files, folders of them, .npz or .npy files, or an array, which messages call
        `named`. For a run that learned from a folder, an .npy file is one image.
    left_out: (name, reason) for each image that could not be read; converted: the names of images
        in color that were made gray, as the run learned from gray ones. Of the batches so far.

    Raises InputError for a file or folder that is missing, and for one that holds no images.
    """

    def __init__(self, run: FinishedRun, images: Images, named: str = "images"):
        self.run = run
        self.left_out: list[tuple[str, str]] = []
        self.converted: list[str] = []
        self._arrays: dict[int, ArraySource] = {}  # by number of the file
        if isinstance(images, Tensor):
            images = images.numpy(force=True)
        self._in_memory = images if isinstance(images, np.ndarray) else None
        if isinstance(images, np.ndarray):
            self._files = [_File(named, "", holds_arrays=True)]
            return
        sources = [images] if isinstance(images, str | os.PathLike) else images
        self._files = [file for source in sources for file in self._in(source)]
        if not self._files:
            raise InputError(f"{named}=[]: name image files, folders or {_KINDS} files")

    def _in(self, source: Source) -> list[_File]:
        """The files that a source is or holds, as pages where the run's pages are images."""
        is_of_folder = isinstance(self.run.config.dataset, ImageFolder)
        files = _files(source, _ARRAYS[:1] if is_of_folder else _ARRAYS, self._of_arrays)
        if self.run.reading.pages != IMAGES:
            return files
        pages = pages_of([file.path for file in files])
        return [
            file if page is None else _File(f"{file.name}[{page}]", f"{file.path}[{page}]")
            for file, of_file in zip(files, pages, strict=True)
            for page in of_file
        ]

    @property
    def _of_arrays(self) -> bool:
        """Whether the run learned from .npy files, each an image."""
        sources = self.run.map.sources
        return sources is not None and any(map(is_array, sources.tolist()))

    @property
    def listed(self) -> list[NewImage]:
        """All images, readable or not. Compressed arrays are read for it, and stay in memory."""
        return self._listing[0]

    @cached_property
    def _listing(self) -> tuple[list[NewImage], Positions]:
        """All images, and the number of the file of each."""
        images: list[NewImage] = []
        numbers: list[int] = []
        for number, file in enumerate(self._files):
            if file.holds_arrays:
                images += _numbered(file, range(len(self._array(number))))
            else:
                images.append(NewImage(file.name, file.path))
            numbers += [number] * (len(images) - len(numbers))
        return images, np.array(numbers)

    def batches(
        self, positions: Positions | None = None
    ) -> Iterator[tuple[list[NewImage], Tensor]]:
        """The images that can be read, in order, and their pixels, uint8 (b, C, H, W).

        positions: of some images in `listed`, ascending; None for all.
        Raises InputError for an array of other shapes, and for a file of arrays that is damaged.
        """
        at_a_time = max(_MAX_BYTES // (3 * math.prod(self.run.shape[1:])), 1)
        chosen = self._chosen(positions)
        for are_arrays, group in groupby(
            chosen, key=lambda part: self._files[part[0]].holds_arrays
        ):
            if are_arrays:
                for number, items in group:
                    yield from self._of_array(number, items, at_a_time)
                continue
            files = [self._files[number] for number, _ in group]
            for start in range(0, len(files), at_a_time):
                names, pixels = self._decoded(files[start : start + at_a_time])
                if names:
                    yield names, pixels

    def _chosen(self, positions: Positions | None) -> list[tuple[int, Positions | None]]:
        """The files of images at some positions, and which images of each; None for all."""
        if positions is None:
            return [(number, None) for number in range(len(self._files))]
        of_file = self._listing[1]
        numbers, first = np.unique(of_file[positions], return_index=True)
        parts = np.split(positions, first[1:])
        starts = np.searchsorted(of_file, numbers)
        return [(int(n), part - i) for n, part, i in zip(numbers, parts, starts, strict=True)]

    def _array(self, number: int) -> ArraySource:
        if number not in self._arrays:
            file, run = self._files[number], self.run
            if self._in_memory is None:
                source = npz_source(file.path, file.name, run.reading, run.shape)
            else:
                source = array_source(self._in_memory, file.error, run.reading, run.shape)
            self._check_shape(source, file)
            self._arrays[number] = source
        return self._arrays[number]

    def _of_array(
        self, number: int, items: Positions | None, at_a_time: int
    ) -> Iterator[tuple[list[NewImage], Tensor]]:
        file, source = self._files[number], self._array(number)
        items = np.arange(len(source)) if items is None else items
        for first in range(0, len(source), at_a_time):
            stop = min(first + at_a_time, len(source))
            inside = items[(items >= first) & (items < stop)]
            if len(inside):
                read = self._read(source, int(inside[0]), int(inside[-1]) + 1)
                pixels = torch.from_numpy(read[inside - inside[0]])
                names = _numbered(file, inside.tolist())
                yield names, self._fitting(pixels, names)

    def _read(self, source: ArraySource, first: int, stop: int) -> NDArray[np.uint8]:
        try:
            return source.read(first, stop).pixels
        except InputError as error:
            raise InputError(for_run(str(error), self.run.reading)) from error

    def _check_shape(self, source: ArraySource, file: _File) -> None:
        """Raise InputError for images of an array that a run cannot take."""
        (h, w), (height, width) = source.shape[1:], self.run.shape[1:]
        if (h, w) != (height, width):
            raise file.error(
                f"array 'images' has images of {h}x{w} pixels; {self.run.path} needs "
                f"{height}x{width}"
            )
        wanted = self._wanted
        is_rgb = wanted.is_rgb if source.is_rgb is None else source.is_rgb
        problem = wanted.problem(source.channels, source.channels == 3 and is_rgb)
        if problem is not None:
            raise file.error(f"array 'images' {problem}")

    @property
    def _wanted(self) -> Channels:
        """The channels to read; color that is to become gray is read as color."""
        channels = self.run.shape[0]
        return channels_of(3 if channels == 1 else channels, self.run.is_rgb or channels == 1)

    def _fitting(self, pixels: Tensor, names: Sequence[NewImage]) -> Tensor:
        """Images of an array with the channels of the run."""
        channels = self.run.shape[0]
        if pixels.shape[1] > channels:
            is_color = (pixels != pixels[:, :1]).flatten(1).any(dim=1).numpy()
            self.converted += [names[i].name for i in np.flatnonzero(is_color).tolist()]
            pixels = torch.from_numpy(_gray(pixels.numpy()))
        return pixels.expand(-1, channels, -1, -1)

    def _decoded(self, files: Sequence[_File]) -> tuple[list[NewImage], Tensor]:
        channels, height, width = self.run.shape
        paths, reading = [file.path for file in files], self.run.reading
        found = decode_files(paths, (height, width), self._wanted, reading)
        pixels, problems = found.pixels, found.problems
        for i in np.flatnonzero(~found.is_gray).tolist() if channels == 1 else ():
            # Gray may be stored as three equal channels.
            if problems[i] is None and (pixels[i] != pixels[i, :1]).any():
                pixels[i, :1] = _gray(pixels[i][None])[0]
                self.converted.append(files[i].name)
        decoded = list(zip(files, problems, strict=True))
        self.left_out += [
            (file.name, for_run(problem, reading))
            for file, problem in decoded
            if problem is not None
        ]
        names = [NewImage(file.name, file.path) for file, problem in decoded if problem is None]
        kept = np.array([problem is None for problem in problems])
        return names, torch.from_numpy(pixels[kept, :channels])


class _File(NamedTuple):
    """A file to read: its name for the user, its path, "" for an array in memory, and whether it is
    a file of arrays."""

    name: str
    path: str
    holds_arrays: bool = False

    def error(self, problem: str) -> InputError:
        return InputError(f"{self.name}: {problem}")


def _files(source: Source, of_arrays: tuple[str, ...], npys: bool) -> list[_File]:
    """A file, or the image files below a folder, sorted. Raises InputError for anything else.

    of_arrays: how the names of files of arrays end. npys: whether .npy files in a folder are images
    in any case.
    """
    named = os.fspath(source)
    if not named:
        raise InputError(f"images='': name image files, folders or {_KINDS} files")
    path = str(expanded(named))
    # In a CSV file, spreadsheets would take such a name for a formula.
    name = printable(f"./{named}" if named.startswith(FORMULA) else named)
    if Path(path).is_file() and path.lower().endswith((*of_arrays, *SUFFIXES)):
        return [_File(name, path, path.lower().endswith(of_arrays))]
    if not Path(path).exists():
        raise InputError(f"{name}: does not exist")
    if not Path(path).is_dir():
        if not Path(path).is_file():
            raise InputError(f"{name}: is a pipe or device; must be a regular file")
        raise InputError(
            f"{name}: must be an image ({' '.join(READ)}), a folder of images or an {_KINDS} file"
        )
    if (Path(path) / layout.EMBEDDING).exists():
        raise InputError(f"{name}: is a run folder; name one run, then images")
    inside = sorted(image_paths(path, name, arrays=npys), key=lambda file: file.split("/"))
    if not inside:
        raise InputError(f"{name}: no images there; image files end in {' '.join(READ)}")
    name = name.rstrip("/")
    return [_File(f"{name}/{printable(file)}", f"{path}/{file}") for file in inside]


def _numbered(file: _File, items: Iterable[int]) -> list[NewImage]:
    return [NewImage(f"{file.name}[{i}]", file.path, i) for i in items]


def _gray(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images in color, uint8 (n, 3, H, W), as Pillow's mode L has them, (n, 1, H, W)."""
    weights = np.array([19_595, 38_470, 7_471], dtype=np.uint32)
    luma = np.einsum("nchw,c->nhw", pixels.astype(np.uint32), weights) + 2**15
    gray: NDArray[np.uint8] = (luma[:, None] >> 16).astype(np.uint8)
    return gray
