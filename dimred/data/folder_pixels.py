"""The pixels of the files of an image folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from dimred.data.channels import Channels, common_channels
from dimred.data.folder_layout import File
from dimred.data.folder_source import FolderSource, Refuse, decoding, headers_of
from dimred.data.found import counted_word
from dimred.data.image_decoding import Decoded
from dimred.data.image_set import ImageSet
from dimred.data.levels import notes_on_types
from dimred.data.own_options import Store
from dimred.data.pixels import load_pixels
from dimred.data.reading import IMAGES, Header, Reading
from dimred.data.selection import learned_rows
from dimred.data.window import AUTO, TYPE, Window, check_window
from dimred.data.window_choice import choose_window, notes_on_others
from dimred.errors import InputError
from dimred.files import expanded


@dataclass(frozen=True)
class HowRead:
    """How the images of a folder are read: dataset.window, .pages, .store, the folder of packed
    files and dataset.fit_classes, of which the window is taken."""

    window: Any = AUTO
    pages: str | None = None
    store: Store = Store.memory
    store_folder: Path | None = None
    fit_classes: Sequence[str] | None = None


AS_THEY_ARE = HowRead()


class FolderPixels(NamedTuple):
    """The images of N files of which m can be read.

    images: uint8 (m, C, H, W). problems: why a file cannot be read, by its position. about: what
    else is known of each of the m images. is_rgb, window: as of `ImageSet`. notes: what is worth
    saying of the window.
    """

    images: Tensor
    problems: dict[int, str]
    about: list[Decoded]
    is_rgb: bool
    window: Window | None
    notes: tuple[str, ...] = ()


def with_pages(folder: str, files: Sequence[File]) -> list[File]:
    """The files with those of several pages replaced by their pages, in order. Files that cannot
    be read stay."""
    pages = pages_of([f"{folder}/{file.path}" for file in files])
    return [
        replace(file, page=page)
        for file, of_file in zip(files, pages, strict=True)
        for page in of_file
    ]


def pages_of(paths: Sequence[str]) -> list[Sequence[int | None]]:
    """The pages of each file, where pages are images; [None] for a file of one, which is the image
    itself, and for one that cannot be read."""
    # Of all files: what one is, its content says, not its name.
    headers = headers_of(paths, Reading(pages=IMAGES))
    counts = [header.pages if isinstance(header, Header) else 1 for header in headers]
    return [range(count) if count > 1 else [None] for count in counts]


def read_files(
    root: str, files: Sequence[File], size: int, strict: bool, how: HowRead, chosen: ImageSet
) -> FolderPixels:
    """The images of files below a folder, (size, size).

    root: the folder as given. strict: refuse a file that cannot be read. chosen: the files as
        images without pixels, for what is learned from.
    Raises InputError where none can be read, for files of several pages without dataset.pages,
    for a window that does not fit the channels, and where the memory or the disk is too small.
    """
    check_window(how.window)
    folder = str(expanded(root))

    def refuse(i: int, problem: str) -> None:
        raise unreadable_file(folder, files[i].name, problem)

    reading = Reading(None, how.pages, how.window == TYPE)
    headers = headers_of([f"{folder}/{file.place}" for file in files], reading)
    refuse_pages(f"dataset.root={root!r}", files, headers)
    problems: dict[int, str] = {
        i: header for i, header in enumerate(headers) if not isinstance(header, Header)
    }
    sound = {i: header for i, header in enumerate(headers) if isinstance(header, Header)}
    channels = common_channels(list(sound.values()))
    for i, header in sound.items():
        problem = channels.problem(header.channels, header.is_color)
        if problem is not None:
            problems[i] = problem
    if strict and problems:
        refuse(*min(problems.items()))
    positions = [i for i in sound if i not in problems]
    learned = learned_rows(chosen, how.fit_classes)  # a test split alone is read as none
    found: FolderPixels | None = None
    if positions:
        with decoding():
            of = _Files(folder, files, size, how, reading, headers, learned, positions)
            found = of.read(channels, refuse if strict else None)
            if channels == Channels(3) and found.about and all(a.is_gray for a in found.about):
                found = of.read(Channels(1), refuse if strict else None)  # the others were damaged
        problems |= found.problems
    if found is None or not len(found.images):
        first = min(problems)
        raise InputError(
            f"dataset.root={root!r}: none of its {len(files)} images can be read; the first, "
            f"{files[first].name!r}: {problems[first]}"
        )
    return found._replace(problems=problems)


def unreadable_file(folder: str, name: str, problem: str) -> InputError:
    """The error that refuses a file which cannot be read, with dataset.strict=true."""
    return InputError(
        f"dataset.root={folder!r}: {name!r} cannot be read: {problem}; "
        "dataset.strict=false leaves such files out"
    )


class _Files(NamedTuple):
    """Files whose headers can be read, at `positions`, as one source of pixels."""

    folder: str
    files: Sequence[File]
    size: int
    how: HowRead
    reading: Reading
    headers: Sequence[Header | str]
    learned: Any
    positions: list[int]

    def read(self, channels: Channels, refuse: Refuse | None) -> FolderPixels:
        shape, positions = (self.size, self.size), self.positions
        paths = [f"{self.folder}/{self.files[i].place}" for i in positions]
        headers = [header for i in positions if isinstance(header := self.headers[i], Header)]
        learned = np.asarray(self.learned)[positions]
        window = choose_window(
            self.how.window, paths, headers, learned, channels, shape, self.reading
        )
        source = FolderSource(
            paths,
            [self.files[i].name for i in positions],
            channels,
            shape,
            replace(self.reading, window=window),
            None if refuse is None else lambda i, problem: refuse(positions[i], problem),
        )
        named = f"dataset.image_size={self.size}"
        pixels = load_pixels(source, self.how.store, self.how.store_folder, named)
        problems = {positions[i]: problem for i, problem in pixels.problems.items()}
        if refuse is not None and problems:  # of a packed file, made without dataset.strict
            refuse(*min(problems.items()))
        types = [headers[i].type for i in range(len(headers)) if i not in pixels.problems]
        windowed = [name for name in {*types} if window is not None and window.ranges(name)]
        notes = (
            *([] if self.how.window != AUTO else notes_on_others(headers, learned)),
            *notes_on_types(pixels.images, types, windowed),
        )
        about, is_rgb = pixels.about or [], channels.is_rgb
        return FolderPixels(pixels.images, problems, about, is_rgb, window, notes)


def refuse_pages(named: str, files: Sequence[File], headers: Sequence[Header | str]) -> None:
    """Raise InputError for files of several pages of which it is not said what they are.

    named: how the message begins. headers: of the files, or why they cannot be read.
    """
    several = [
        (file, header)
        for file, header in zip(files, headers, strict=True)
        if isinstance(header, Header) and header.pages > 1 and file.page is None
    ]
    if not several:
        return
    file, header = several[0]
    count = counted_word(len(several), "file has", "files have")
    # Q and I are tifffile's names of axes that the file does not name.
    has_names = set(header.axes) - set("QI")
    axes = f"axes {header.axes}" if has_names else "on an axis without a name"
    raise InputError(
        f"{named}: {count} several pages, {file.name!r} first ({header.pages}, {axes}); "
        f"set dataset.pages=images, or dataset.pages=channels where they are "
        "channels of one image, or leave such files out by rows of dataset.exclude"
    )
