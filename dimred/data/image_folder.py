"""Any folder of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from dimred.data.folder_layout import File, Layout, layout_of
from dimred.data.folder_pixels import AS_THEY_ARE, HowRead, read_files, with_pages
from dimred.data.found import Found, counted_word, grouped
from dimred.data.image_decoding import Decoded
from dimred.data.image_paths import ARRAY, PassedOver, image_paths
from dimred.data.image_set import ImageSet, LabelSet, channel_statistics
from dimred.data.reading import IMAGES
from dimred.data.spelling import listed
from dimred.data.table_join import Joined, Tables
from dimred.data.table_presence import presence_in
from dimred.files import escaped, expanded

_MANY = 5  # .npy files that may be meant as images


def load_image_folder(
    root: str,
    image_size: int,
    strict: bool,
    select: Callable[[ImageSet], ImageSet] = lambda images: images,
    table: str | None = None,
    exclude: str | None = None,
    how: HowRead = AS_THEY_ARE,
) -> ImageSet:
    """The images of a folder, uint8 (N, C, image_size, image_size).

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
        with other suffixes than SUFFIXES are passed over and counted, and so are `.npy` files,
        unless there are no other images.
    Pixels: turned as EXIF says; the first frame of animations. The largest central square is
        resized, whatever the size, which is what resizing the shorter side and then cropping gives.
    Channels: 1 where all images are gray, 3 where some are in color. Images with 2 to 16 channels
        of other kinds are a set by themselves: what most images have holds, and others are left out
        with the reason. Palettes, CMYK and the like become red, green and blue.
    Values: bytes stay as they are. Of other types the window is spread over 0 to 255
        (`choose_window`), after resizing, and is of no values below transparent parts; of PGM and
        PPM the type is by the value of white: "uint12" for 4095. TIFF in which 0 means white is
        inverted after it. Values below 8 bits have the whole range. Of HEIC, AVIF, CMYK, and PPMs
        in color as text, of more than 8 bits, the upper 8 are read, which the first look says. Of
        RGB of 8 bits with a further sample of no stated meaning ("RGBX"), this is not read.
    Transparency: over white, where there are one or three channels. Where that leaves less than 16
        levels between the darkest and the lightest pixel of an image, as with white drawings, it is
        over black, or the colors are taken without transparency, if these leave more.

    root: the folder; `~` is expanded.
    strict: refuse a file that cannot be read, instead of leaving it out and listing its name in
        `unreadable`. Such are damaged files, links to nothing, pipes and devices, values that are
        NaN or infinite, images with other channels than most, and those of more pixels than Pillow
        takes for a decompression bomb.

    select: chooses the images to read; it receives all of them without their pixels, and only
        those it returns are opened (where pages are images, all are, to count them).
    table: a CSV file with a row for each image: its file, and any of class and split, which then
        hold instead of the folders', and further `columns`. Images without a row or a class are
        left out where it has classes or a split. A column `classes` in place of class names all
        that an image shows (`presence`), separated by ; or |, empty for none. A row that names a
        file is of all of its pages.
    exclude: one that names images to leave out.
    how: window, pages and store.

    mean and std are those of the selected training images. Raises InputError for a folder that is
    missing, has no readable image, or has another layout.
    """
    tables = Tables(root, table, exclude, strict)
    layout, passed_over, joined, chosen = selected_files(root, select, tables, how.pages)
    index = chosen.index
    files = [joined.files[i] for i in index]
    pixels = read_files(root, files, image_size, strict, how, chosen)
    readable = np.array([i for i in range(len(files)) if i not in pixels.problems])
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
    mean, std = channel_statistics(pixels.images, is_test)
    unreadable = {files[i].name: problem for i, problem in sorted(pixels.problems.items())}
    found = _found(
        layout,
        passed_over,
        pixels.about,
        unreadable,
        _lost_classes(files, kept),
        (*joined.notes, *pixels.notes),
    )
    return ImageSet(
        images=pixels.images,
        mean=mean,
        std=std,
        is_test=is_test,
        split_name=split_name,
        labels=_labels(kept),
        index=index[readable],
        sources=tuple(file.name for file in kept),
        unreadable=tuple(unreadable),
        found=found,
        columns=tables.values(joined, index[readable]),
        presence=presence_in(kept, joined.files),
        is_rgb=pixels.is_rgb,
        window=pixels.window,
    )


class SelectedFiles(NamedTuple):
    """The images of a folder, unopened. layout: of the files. joined: the images, which are pages
    where these are images. chosen: those that are to be read, without pixels; `index` is their
    position in `joined.files`."""

    layout: Layout
    passed_over: PassedOver
    joined: Joined
    chosen: ImageSet


def selected_files(
    root: str,
    select: Callable[[ImageSet], ImageSet],
    tables: Tables,
    pages: str | None = None,
) -> SelectedFiles:
    """The files of which `load_image_folder` reads images. Raises its errors."""
    passed_over = PassedOver(used=tables.paths)
    folder = str(expanded(root))
    paths = list(image_paths(folder, f"dataset.root={root!r}", passed_over))
    layout = layout_of(root, paths, passed_over, tables.says)
    files = with_pages(folder, layout.files) if pages == IMAGES else layout.files
    joined = tables.joined(files)
    return SelectedFiles(layout, passed_over, joined, select(_outline(joined)))


def _lost_classes(files: Sequence[File], kept: Sequence[File]) -> dict[str, str]:
    """The classes without a file that is kept, and how many files each has."""
    left = {file.class_name for file in kept}
    lost = Counter(file.class_name for file in files if file.class_name not in left)
    return {str(name): f"{count:,} unreadable" for name, count in lost.items()}


def _found(
    layout: Layout,
    passed_over: PassedOver,
    about: Sequence[Decoded],
    unreadable: dict[str, str],
    lost_classes: dict[str, str],
    others: tuple[str, ...],
) -> Found:
    """What the files tell about the set."""
    not_classes = [
        f"{escaped(name)}/ ({what})" for name, what in (layout.not_classes | lost_classes).items()
    ]
    notes = [*_note_on_arrays(passed_over.suffixes[ARRAY], len(layout.files))]
    if not_classes:
        notes.append(f"folders without readable images are no classes: {listed(not_classes)}")
    return replace(
        found_in(about, unreadable),
        files=len(layout.files),
        other_files=dict(passed_over.suffixes.most_common()),
        in_system_folders=dict(passed_over.system_folders.most_common()),
        hidden=passed_over.hidden,
        links=passed_over.links,
        notes=(*layout.notes, *notes, *others),
    )


def _note_on_arrays(arrays: int, images: int) -> Iterator[str]:
    """What to say of .npy files that are passed over, where these may be what is meant."""
    if arrays >= max(_MANY, images // 2):
        yield (
            f"{arrays:,} .npy files are passed over beside "
            f"{counted_word(images, 'other image', 'other images')}; alone they are read as images"
        )


def found_in(about: Sequence[Decoded], unreadable: dict[str, str]) -> Found:
    """What decoded files tell. unreadable: those that cannot be read, and the reasons."""
    by_area = sorted({file.size for file in about}, key=lambda size: size[0] * size[1])
    grounds = Counter(file.ground for file in about if file.ground)
    return Found(
        files=len(about) + len(unreadable),
        kinds=dict(Counter(file.kind for file in about).most_common()),
        sizes=(by_area[0], by_area[-1]),
        grounds=dict(grounds.most_common()),
        several_frames=sum(file.several for file in about if not _is_tiff(file)),
        further_series=sum(file.several for file in about if _is_tiff(file)),
        read_with_8_bits=dict(Counter(file.kind for file in about if file.is_deeper)),
        unreadable=grouped(unreadable),
    )


def _is_tiff(file: Decoded) -> bool:
    return file.kind.startswith("TIFF")


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
