"""Which images the two sets of `dimred compare` are of, before they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.analysis.new_images import Images, NewImage, NewImages, absolute
from dimred.analysis.selectors import conditions_in, selected_rows
from dimred.data.image_files import files_by_name, paths_of
from dimred.data.options import FitOn
from dimred.data.own_options import ImageFolder, Npz
from dimred.errors import InputError
from dimred.files import escaped, expanded
from dimred.run_folder.arrays import LEARNED
from dimred.run_folder.finished import FinishedRun

LEAST = 20
"""Images of a set."""

Rows = NDArray[np.int64]
Pixels = NDArray[np.uint8]


class ChosenSet:
    """A set of images: at first all of them, then those that are drawn, then those that can be
    read.

    name: as typed. image: int64 (n,), as of `OwnImages`. rows: int64 (n,), of the run; None for
    images from elsewhere, which are at `places` of `new.listed`. listed: how many there are.
    notes: what else to know, a line each.
    """

    def __init__(
        self,
        name: str,
        image: Rows,
        rows: Rows | None = None,
        new: NewImages | None = None,
        places: Rows | None = None,
    ):
        self.name, self.image, self.rows = name, image, rows
        self._new, self._places = new, places
        self.listed = len(image)
        self.notes: list[str] = []

    @property
    def new(self) -> list[NewImage]:
        """The images from elsewhere, (n,)."""
        if self._new is None or self._places is None:
            return []
        return [self._new.listed[i] for i in self._places]

    @property
    def left_out(self) -> list[tuple[str, str]]:
        """(name, reason) for each image that could not be read."""
        return [] if self._new is None else self._new.left_out

    def draw(self, most: int, rng: np.random.Generator) -> None:
        """Keep `most` at random where there are more."""
        if len(self.image) > most:
            self._keep(np.sort(rng.choice(len(self.image), most, replace=False)))

    def read(self, least: int = LEAST) -> Pixels:
        """The pixels of images from elsewhere, uint8 (n, C, H, W). Those that cannot be read are
        left out; raises InputError as `check_number` for the others."""
        assert self._new is not None
        parts = [np.empty((0, *self._new.run.shape), np.uint8)]
        could: set[NewImage] = set()
        for some, pixels in self._new.batches(self._places):
            could.update(some)
            parts.append(pixels.numpy())
        self._keep(np.array([image in could for image in self.new]))
        self.check_number(least)
        if self._new.converted:
            n, first = len(self._new.converted), self._new.converted[0]
            self.notes.append(
                f"{self.name}: {n:,} in color, made gray as the run's images are, {first!r} first"
            )
        return np.concatenate(parts)

    def _keep(self, kept: NDArray[Any]) -> None:
        """Those at some positions, or where an array is True."""
        self.image = self.image[kept]
        if self.rows is not None:
            self.rows = self.rows[kept]
        if self._places is not None:
            self._places = self._places[kept]

    def check_number(self, least: int = LEAST) -> None:
        """Raise InputError for fewer than `least` images, transformations of one counted once."""
        n, unread = len(np.unique(self.image)), ""
        if n >= least:
            return
        if self.left_out:
            name, reason = self.left_out[0]
            unread = f" that can be read ({len(self.left_out):,} cannot, {name!r}: {reason})"
        noun = "image" if n == 1 else "images"
        raise InputError(f"{self.name}: {n} {noun}{unread}; a set must have {least} at least")


class OwnImages:
    """The images of a run, numbered from 0. Images from elsewhere get the numbers that follow, or
    that of the run's image in the same file.

    n: number of the run's images. learned: (rows,), whether the run learned from them.
    """

    def __init__(self, run: FinishedRun):
        self.run, self.on = run, run.map
        self.n = len(self.on) // run.n_variants
        fit_on = getattr(run.config.dataset, "fit_on", None)  # a text, where a plug-in is not here
        of_train = getattr(fit_on, "value", fit_on) == FitOn.train.value
        self.learned = self.on.split == "train" if of_train else np.ones(len(self.on), np.bool_)
        # Selectors that name what was learned from.
        self._conditions = ["train"] if of_train else []
        if self.on.class_split is not None:
            self.learned &= self.on.class_split == LEARNED
            self._conditions.append(LEARNED)
        self._next = self.n
        self._folders: dict[str, str] = {}  # real paths

    def chosen(self, source: Images, named: str, prefixes: Sequence[str]) -> ChosenSet:
        """The images that one of the two sets is of. named: how an array is called.
        prefixes: what may stand for RUN.

        Raises InputError as `selected_rows` and `NewImages`.
        """
        conditions = conditions_in(source, prefixes)
        if conditions is not None:
            name = escaped(str(source))
            return self._of_rows(name, selected_rows(self.on, conditions, name))
        for part in source if isinstance(source, list | tuple) else ():
            if conditions_in(part, prefixes) is not None:
                raise InputError(f"{escaped(str(part))}: must be a set by itself, not part of one")
        new = NewImages(self.run, source, named)
        numbers = np.array([self._number(image) for image in new.listed])
        places = np.sort(np.unique(numbers, return_index=True)[1])
        found = ChosenSet(_name(source, named), numbers[places], None, new, places)
        if twice := len(numbers) - len(places):
            found.notes.append(f"{found.name}: {twice:,} named more than once, taken once")
        return found

    def learned_from(self) -> ChosenSet:
        """What the run learned from."""
        rows = self.on.images
        name = "RUN:all" if self.learned.all() else f"RUN:{','.join(self._conditions)}"
        return self._of_rows(name, rows[self.learned[rows]])

    def _of_rows(self, name: str, rows: Rows) -> ChosenSet:
        return ChosenSet(name, rows // self.run.n_variants, rows)

    def _number(self, image: NewImage) -> int:
        number = self._next
        if image.path:
            number = self._numbers.setdefault((self._real(image.file), image.item), number)
        self._next += number == self._next
        return number

    @cached_property
    def _numbers(self) -> dict[tuple[str, int], int]:
        """The number of each image in a file, by that and its position there."""
        of = enumerate(zip(*self.files, strict=True))
        return {(self._real(file), int(item)): number for number, (file, item) in of if file}

    def _real(self, file: str) -> str:
        """An absolute path, with the links to its folder followed."""
        folder, _, name = file.rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder or "/")
        return f"{self._folders[folder]}/{name}"

    @cached_property
    def files(self) -> tuple[tuple[str, ...], Rows]:
        """The absolute path of the file of each of the n images, "" where there is none, and its
        position in a file of arrays, -1 for others."""
        dataset, images = self.run.config.dataset, self.on.images
        if isinstance(dataset, Npz) and dataset.path and expanded(dataset.path).is_file():
            return (absolute(str(expanded(dataset.path))),) * self.n, self.on.index[images]
        there: dict[str, str] = {}
        names = np.full(self.n, "") if self.on.sources is None else self.on.sources[images]
        if isinstance(dataset, ImageFolder) and dataset.root:
            try:
                there = files_by_name(dataset.root, names.tolist())
            except InputError:
                there = {}  # the folder is gone
        files = tuple(absolute(path or "") for path in paths_of(there, names.tolist()))
        return files, np.full(self.n, -1)

    def names(self, rows: Rows) -> tuple[str, ...]:
        """The source of each row, or its number."""
        sources, variants = self.on.sources, self.run.n_variants
        if sources is None:
            return tuple(f"row {row}" for row in rows)
        return tuple(
            f"{sources[row]} (row {row})" if row % variants else str(sources[row]) for row in rows
        )


def check_apart(a: ChosenSet, b: ChosenSet, own: OwnImages) -> None:
    """Raise InputError where an image, in whatever transformation, is in both sets."""
    both = np.isin(a.image, b.image)
    n = len(np.unique(a.image[both]))
    if n:
        first = int(np.flatnonzero(both)[0])
        name = own.names(a.rows[first : first + 1])[0] if a.rows is not None else a.new[first].name
        many = "1 image is" if n == 1 else f"{n:,} images are"
        raise InputError(
            f"{a.name} and {b.name}: {many} in both, {name!r}{'' if n == 1 else ' first'}; name "
            "two sets that have none in common"
        )


def _name(source: Images, named: str) -> str:
    """What was typed for images from elsewhere."""
    if isinstance(source, str | os.PathLike):
        return escaped(os.fspath(source))
    if isinstance(source, Sequence):
        more = f" and {len(source) - 1} more" if len(source) > 1 else ""
        return f"{escaped(os.fspath(source[0]))}{more}"
    return named
