"""Any folder of images."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from dimred.data.first_look import Found, grouped
from dimred.data.folder_layout import File, Layout, layout_of
from dimred.data.image_decoding import Decoded, decode, long_png_texts, reason_of
from dimred.data.image_paths import PassedOver, image_paths
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.spelling import listed
from dimred.data.table_join import Joined, Tables
from dimred.data.table_presence import presence_in
from dimred.errors import InputError
from dimred.files import escaped, expanded

_CHUNK = 256  # files a thread takes at a time


def load_image_folder(
    root: str,
    image_size: int,
    strict: bool,
    select: Callable[[ImageSet], ImageSet] = lambda images: images,
    table: str | None = None,
    exclude: str | None = None,
) -> ImageSet:
    """The images of a folder, uint8 (N, C, image_size, image_size); C = 1 if all are gray, else 3.

    Split: where root holds folders `train` and `test` with images, these are the split, and no
        images may lie beside them. Names that mean the same, such as `training` and `Test_Set`,
        are taken for them. Where it holds only one such folder, there is no split, and that folder
        is read as if it were the root; so is a lone `val` or the like.
    Labels: a sub-folder of the root (of `train` and `test`, where there is a split) is a class, and
        everything below it belongs to it. A folder without sub-folders has no labels. Images beside
        class folders are refused, as their class is not known, and so is a root with nothing but
        one folder of folders, whose names would not be read. Names that differ only in their
        Unicode form are one class.
    Order: train before test, each sorted by path. Hidden files and folders, folders of file servers
        and systems (thumbnails, recycle bins), links that lead back into a folder above, and files
        with other suffixes than SUFFIXES are passed over and counted.
    Pixels: turned as EXIF says; the first frame of animations. The largest central square is
        resized, which is what resizing the shorter side and then cropping gives.
    Gray of more than 8 bits: black to white is 0 to the largest value of the file's type, whatever
        values occur: 65535 for 16 bits, 4095 for TIFF of 12 bits, 32767 for signed 16 bits. TIFF in
        which 0 means white is inverted.
    Transparency: over white. Where that leaves less than 16 levels between the darkest and the
        lightest pixel of an image, as with white drawings, it is over black, or the colors are
        taken without transparency, if these leave more.

    root: the folder; `~` is expanded.
    strict: refuse a file that cannot be read, instead of leaving it out and listing its name in
        `unreadable`. Such are damaged files, links to nothing, pipes and devices, floating-point
        images, integers of 32 bits or below 0, and those of more pixels than Pillow takes for a
        decompression bomb.

    select: chooses the images to read; it receives all of them without their pixels, and only
        those it returns are opened.
    table: a CSV file with a row for each image: its file, and any of class and split, which then
        hold instead of the folders', and further `columns`. Images without a row or a class are
        left out where it has classes or a split. A column `classes` in place of class names all
        that an image shows (`presence`), separated by ; or |, empty for none.
    exclude: one that names images to leave out.

    mean and std are those of the selected training images. Raises InputError for a folder that is
    missing, has no readable image, or has another layout.
    """
    tables = Tables(root, table, exclude, strict)
    layout, passed_over, joined, index = selected_files(root, select, tables)
    files = [joined.files[i] for i in index]
    decoded = decode_all(str(expanded(root)), files, image_size, strict)
    pixels, is_gray, problems = decoded.pixels, decoded.is_gray, decoded.problems
    readable = np.flatnonzero([problem is None for problem in problems])
    if not len(readable):
        raise InputError(
            f"dataset.root={root!r}: none of its {len(files)} images can be read; the first, "
            f"{files[0].name!r}: {problems[0]}"
        )
    if len(readable) < len(files):
        pixels, is_gray = pixels[readable], is_gray[readable]
    images = torch.from_numpy(pixels[:, :1].copy() if is_gray.all() else pixels)
    kept = [files[i] for i in readable]
    is_test = np.array([file.is_test for file in kept])
    if is_test.all():
        is_test = np.zeros_like(is_test)
    n_test = int(is_test.sum())
    split_name = ""
    if n_test:
        train, test = layout.split or ("", "")
        said_by = tables.split_name or f"{train}/ and {test}/ folders"
        split_name = f"{said_by}, {len(kept) - n_test:,}/{n_test:,}"
    mean, std = channel_statistics(images, is_test)
    unreadable = {
        file.name: problem
        for file, problem in zip(files, problems, strict=True)
        if problem is not None
    }
    return ImageSet(
        images=images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=split_name,
        labels=_labels(kept),
        index=index[readable],
        sources=tuple(file.name for file in kept),
        unreadable=tuple(unreadable),
        found=_found(
            layout, passed_over, decoded, unreadable, _lost_classes(files, kept), joined.notes
        ),
        columns=tables.values(joined, index[readable]),
        presence=presence_in(kept, joined.files),
    )


class SelectedFiles(NamedTuple):
    """The files of a folder. chosen: positions in `joined.files` of those that are to be read."""

    layout: Layout
    passed_over: PassedOver
    joined: Joined
    chosen: NDArray[np.int64]


def selected_files(
    root: str, select: Callable[[ImageSet], ImageSet], tables: Tables
) -> SelectedFiles:
    """The files of which `load_image_folder` reads images, unopened. Raises its errors."""
    passed_over = PassedOver(used=tables.paths)
    paths = list(image_paths(str(expanded(root)), f"dataset.root={root!r}", passed_over))
    layout = layout_of(root, paths, passed_over, tables.says)
    joined = tables.joined(layout.files)
    return SelectedFiles(layout, passed_over, joined, select(_outline(joined)).index)


def _lost_classes(files: Sequence[File], kept: Sequence[File]) -> dict[str, str]:
    """The classes without a file that is kept, and how many files each has."""
    left = {file.class_name for file in kept}
    lost = Counter(file.class_name for file in files if file.class_name not in left)
    return {str(name): f"{count:,} unreadable" for name, count in lost.items()}


def _found(
    layout: Layout,
    passed_over: PassedOver,
    decoded: DecodedFiles,
    unreadable: dict[str, str],
    lost_classes: dict[str, str],
    of_tables: tuple[str, ...],
) -> Found:
    """What the files tell about the set."""
    not_classes = [
        f"{escaped(name)}/ ({what})" for name, what in (layout.not_classes | lost_classes).items()
    ]
    notes = [f"folders without readable images are no classes: {listed(not_classes)}"]
    return replace(
        found_in(decoded, unreadable),
        files=len(layout.files),
        other_files=dict(passed_over.suffixes.most_common()),
        in_system_folders=dict(passed_over.system_folders.most_common()),
        hidden=passed_over.hidden,
        links=passed_over.links,
        notes=(*layout.notes, *(notes if not_classes else []), *of_tables),
    )


def found_in(decoded: DecodedFiles, unreadable: dict[str, str]) -> Found:
    """What decoded files tell. unreadable: those that cannot be read, and the reasons."""
    about = [file for file in decoded.about if file is not None]
    by_area = sorted({file.size for file in about}, key=lambda size: size[0] * size[1])
    peaks: dict[int, int] = {}
    for file in about:
        if file.peak:
            value, full = file.peak
            peaks[full] = max(value, peaks.get(full, 0))
    grounds = Counter(file.ground for file in about if file.ground)
    return Found(
        files=len(decoded.about),
        kinds=dict(Counter(file.kind for file in about).most_common()),
        sizes=(by_area[0], by_area[-1]),
        peaks=peaks,
        grounds=dict(grounds.most_common()),
        several_frames=sum(file.several for file in about),
        unreadable=grouped(unreadable),
    )


def _outline(joined: Joined) -> ImageSet:
    """The files that are used as images without pixels."""
    files = [joined.files[i] for i in joined.kept]
    return ImageSet(
        images=torch.empty(len(files), 1, 0, 0, dtype=torch.uint8),
        mean=(0.0,),
        std=(1.0,),
        is_test=np.array([file.is_test for file in files]),
        split_name="",
        labels=_labels(files),
        index=joined.kept,
        presence=presence_in(files, joined.files),
    )


def _labels(files: Sequence[File]) -> LabelSet | None:
    class_names = [file.class_name for file in files if file.class_name is not None]
    if not class_names:
        return None
    names, values = np.unique(np.array(class_names, dtype=object), return_inverse=True)
    return LabelSet(values.astype(np.int64), tuple(names))


def decode_all(folder: str, files: Sequence[File], size: int, strict: bool) -> DecodedFiles:
    """`decode_files` for files below `folder`. strict: raise InputError for an unreadable file."""

    def refuse(i: int, problem: str) -> None:
        raise InputError(
            f"dataset.root={folder!r}: {files[i].name!r} cannot be read: {problem}; "
            "dataset.strict=false leaves such files out"
        )

    paths = [f"{folder}/{file.path}" for file in files]
    try:
        return decode_files(paths, (size, size), refuse if strict else None)
    except MemoryError as error:
        raise InputError(
            f"dataset.image_size={size}: {len(files)} such images need "
            f"{len(files) * 3 * size**2 / 2**30:,.0f} GiB of memory; set a smaller size"
        ) from error


class DecodedFiles(NamedTuple):
    """N decoded image files.

    pixels: uint8 (N, 3, height, width), with three equal channels for gray images and undefined for
        unreadable files. is_gray: bool (N,), whether each image is gray.
    problems: for each file the reason why it cannot be read, or None.
    about: what else is known of each file that can be read (without pixels); None for others.
    """

    pixels: NDArray[np.uint8]
    is_gray: NDArray[np.bool_]
    problems: list[str | None]
    about: list[Decoded | None]


def decode_files(
    paths: Sequence[str],
    size: tuple[int, int],
    refuse: Callable[[int, str], None] | None = None,
) -> DecodedFiles:
    """Decode image files as `load_image_folder` describes.

    size: (height, width); the largest central part of that shape is resized to it.
    refuse: called with the position of a file that cannot be read, and the reason.
    Raises MemoryError where the pixels do not fit in memory.
    """
    try:
        pixels = np.empty((len(paths), 3, *size), dtype=np.uint8)
    except ValueError as error:  # more bytes than an array can have
        raise MemoryError from error
    is_gray = np.zeros(len(paths), dtype=np.bool_)
    problems: list[str | None] = [None] * len(paths)
    about: list[Decoded | None] = [None] * len(paths)
    none = np.empty((0, 0, 0), dtype=np.uint8)

    def decode_chunk(start: int) -> None:
        for i in range(start, min(start + _CHUNK, len(paths))):
            try:
                decoded = decode(paths[i], size)
                pixels[i], is_gray[i] = decoded.pixels, decoded.is_gray
                about[i] = decoded._replace(pixels=none)
            except Exception as error:  # damaged files make Pillow raise many kinds
                problem = problems[i] = reason_of(error)
                if refuse:
                    refuse(i, problem)

    Image.init()
    with (
        warnings.catch_warnings(),
        long_png_texts(),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        warnings.simplefilter("ignore")  # Pillow warns of damaged metadata and large images
        list(pool.map(decode_chunk, range(0, len(paths), _CHUNK)))
    return DecodedFiles(pixels, is_gray, problems, about)
