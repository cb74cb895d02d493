"""The first look at an image set: what it is made of, and what is worth saying before training."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dimred.data.image_set import ImageSet, LabelSet
from dimred.data.presence_labels import notes_on_presence
from dimred.data.spelling import listed
from dimred.data.window import Window, in_channels

_MAX_NAMED = 5
_MAX_REASONS = 10
_MAX_REASONS_PRINTED = 8
_MAX_BYTES = 2**31  # beyond which copies are not looked for
_BLOCK = 1024  # images looked at at a time
_FEW_LEVELS = 64  # of 256
_WORTH_SAYING = 0.01  # share of images of one color, and of test images that are copies


@dataclass(frozen=True)
class Unreadable:
    """Files that cannot be read for one reason.

    reason: that of the first. count: of the files. first: names of the first few.
    """

    reason: str
    count: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """What the reader of a set has found in its files.

    files: number of image files, readable or not, before any selection; None without files.
    kinds: number of files read by format and mode, such as "PNG RGB".
    sizes: (width, height) of the smallest and of the largest image; None if all are as stored.
    grounds: number of files with transparent parts by what these were laid over.
    several_frames: number of files with several frames, of which the first is read.
    further_series: number of images from TIFFs with further series of images, which are not
        read.
    read_with_8_bits: number of files of more than 8 bits, of which the upper 8 are read, by kind.
    unreadable: the files that cannot be read, by reason.
    other_files: number of files that are no images by their suffix, by suffix.
    in_system_folders: number of image files by the system folder they lie in, such as "@eaDir".
    hidden: number of hidden image files and hidden folders.
    links: number of links that are not followed, as they lead back or out.
    notes: what is worth saying.
    """

    files: int | None = None
    kinds: dict[str, int] = field(default_factory=dict)
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    grounds: dict[str, int] = field(default_factory=dict)
    several_frames: int = 0
    further_series: int = 0
    read_with_8_bits: dict[str, int] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    other_files: dict[str, int] = field(default_factory=dict)
    in_system_folders: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    links: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FirstLook:
    """What an image set is made of.

    images, training, test: numbers of images; training and test are the official split.
    shape: channels, height and width of an image.
    levels: the lowest and the highest pixel value, of 0 to 255.
    window: what values of more than 8 bits became bytes by; None where there are none.
    kept: the number of different bytes of each channel, () without a window.
    is_rgb: whether three channels are red, green and blue.
    constant: number of images of one color throughout.
    copies: number of images that are exact copies of an earlier one; None for more than 2 GiB of
        pixels, where they are not looked for. test_copies: number of test images that are exact
        copies of training images.
    found: what the reader has found. notes: what is worth saying, a line each.
    """

    images: int
    training: int
    test: int
    shape: tuple[int, int, int]
    levels: tuple[int, int]
    constant: int
    copies: int | None
    test_copies: int | None
    found: Found
    notes: tuple[str, ...]
    window: Window | None = None
    kept: tuple[int, ...] = ()
    is_rgb: bool = True

    def as_json(self) -> dict[str, Any]:
        """Plain values for summary.json."""
        found = self.found
        content: dict[str, Any] = {
            "training": self.training,
            "test": self.test,
            "levels": list(self.levels),
            "constant": self.constant,
            "copies": self.copies,
            "test_copies": self.test_copies,
        }
        if self.kept:
            content["levels_kept"] = list(self.kept)
        if found.files is not None:
            content |= {
                "files": found.files,
                "kinds": found.kinds,
                "sizes": [list(size) for size in found.sizes or ()],
                "transparency_over": found.grounds,
                "several_frames": found.several_frames,
                "further_series": found.further_series,
                "read_with_8_bits": found.read_with_8_bits,
                "unreadable": [
                    {"reason": part.reason, "count": part.count, "first": list(part.first)}
                    for part in found.unreadable
                ],
                "passed_over": {
                    "other_files": found.other_files,
                    "in_system_folders": found.in_system_folders,
                    "hidden": found.hidden,
                    "links": found.links,
                },
            }
        return content | {"notes": list(self.notes)}

    def lines(self) -> list[str]:
        """The lines printed before training."""
        parts = f"{self.images:,} images"
        if self.test:
            parts = f"{self.training:,} training and {self.test:,} test images"
        channels, height, width = self.shape
        color = "gray" if channels == 1 else f"{channels} channels"
        color = "color" if channels == 3 and self.is_rgb else color
        form = f"{width}x{height} pixels, {color}"
        if self.found.sizes:
            small, large = (f"{width}x{height}" for width, height in self.found.sizes)
            form += f", from {small}{f' to {large}' if large != small else ''}"
            form += f" ({counted(self.found.kinds)})"
        low, high = self.levels
        if self.window is None:
            lines = [f"first look: {parts}, {form}; pixel values {low} to {high}"]
        else:
            *others, last = map(str, self.kept)
            same = len(set(self.kept)) == 1
            levels = in_channels([*([] if same else others), f"{last} levels"], channels)
            lines = [
                f"first look: {parts}, {form}",
                f"window: {self.window.text(channels)}; {levels}",
            ]
        links = self.found.links
        passed_over = [
            *([counted(self.found.other_files)] if self.found.other_files else []),
            *(
                f"{counted_word(count, 'image', 'images')} in {name}/"
                for name, count in self.found.in_system_folders.items()
                if count
            ),
            *([f"{self.found.hidden:,} hidden"] if self.found.hidden else []),
            *([counted_word(links, "link", "links") + " back or out"] if links else []),
        ]
        if passed_over:
            lines.append(f"passed over: {', '.join(passed_over)}")
        return [*lines, *(f"note: {note}" for note in self.notes)]


def first_look(images: ImageSet) -> FirstLook:
    """A first look at an image set.

    Takes about 1 s for 1 GB of pixels.
    """
    found = images.found or Found()
    _, channels, height, width = images.images.shape
    lowest, highest, constant = 255, 0, 0
    different = torch.zeros(channels, 256, dtype=torch.bool)
    for first in range(0, len(images), _BLOCK):
        pixels = images.images[first : first + _BLOCK].flatten(2)
        low, high = pixels.amin(2), pixels.amax(2)  # of each channel
        lowest, highest = min(lowest, int(low.min())), max(highest, int(high.max()))
        constant += int((low == high).all(1).sum())
        for channel in range(channels) if images.window is not None else ():
            different[channel, torch.bincount(pixels[:, channel].flatten()).nonzero()] = True
    kept = tuple(different.sum(1).tolist()) if images.window is not None else ()
    hashes = _hashes(images)
    copies = test_copies = None
    if hashes is not None:
        test, training = hashes[images.is_test], hashes[~images.is_test]
        copies = len(images) - len(np.unique(hashes))
        test_copies = int(np.isin(test, training).sum())
    n_test = int(images.is_test.sum())
    look = FirstLook(
        images=len(images),
        training=len(images) - n_test,
        test=n_test,
        shape=(channels, height, width),
        levels=(lowest, highest),
        constant=constant,
        copies=copies,
        test_copies=test_copies,
        found=found,
        notes=(),
        window=images.window,
        kept=kept,
        is_rgb=images.is_rgb,
    )
    notes = (
        *found.notes,
        *_notes_on_pixels(look),
        *_notes_on_copies(look, images.labels, hashes),
        *_notes_on_classes(images),
        *notes_on_presence(images),
    )
    return FirstLook(**(vars(look) | {"notes": notes}))


def grouped(unreadable: dict[str, str]) -> tuple[Unreadable, ...]:
    """Files and the reasons why they cannot be read, by reason, the most frequent first; the
    numbers in it do not count, but those of channels."""
    groups: dict[str, list[str]] = {}
    for name, reason in unreadable.items():
        groups.setdefault(re.sub(r"\d+\b(?! channel)", "0", reason), []).append(name)
    ordered = sorted(groups.values(), key=len, reverse=True)
    parts = [
        Unreadable(unreadable[names[0]], len(names), tuple(names[:_MAX_NAMED])) for names in ordered
    ]
    rest = [name for names in ordered[_MAX_REASONS:] for name in names]
    if rest:
        other = Unreadable("other reasons", len(rest), tuple(rest[:_MAX_NAMED]))
        return (*parts[:_MAX_REASONS], other)
    return tuple(parts)


def reasons(unreadable: tuple[Unreadable, ...]) -> str:
    """Why files cannot be read: the most frequent reasons, each with its number and first file."""
    parts = [
        f"{part.reason} ({part.count:,}, {part.first[0]!r}{' first' if part.count > 1 else ''})"
        for part in unreadable[:_MAX_REASONS_PRINTED]
    ]
    more = sum(part.count for part in unreadable[_MAX_REASONS_PRINTED:])
    return "; ".join([*parts, f"and {more:,} for other reasons"] if more else parts)


def counted(counts: dict[str, int]) -> str:
    """Numbers of things by name, such as files by suffix, the most frequent first, as text."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count:,} {name or 'without suffix'}" for name, count in ordered[:_MAX_NAMED]]
    more = sum(count for _, count in ordered[_MAX_NAMED:])
    return ", ".join([*shown, f"{more:,} others"] if more else shown)


def counted_word(count: int, one: str, more: str) -> str:
    """A number of things as text, such as "1 file" or "2 files"."""
    return f"{count:,} {one if count == 1 else more}"


def _hashes(images: ImageSet) -> NDArray[np.int64] | None:
    """A number for each image, equal for exact copies; None where they are not looked for."""
    if images.images.numel() > _MAX_BYTES:
        return None
    content = images.images.contiguous().numpy().reshape(-1).data
    size = len(content) // len(images)
    return np.array([hash(content[i : i + size].tobytes()) for i in range(0, len(content), size)])


def _notes_on_pixels(look: FirstLook) -> Iterator[str]:
    n = look.images
    few = [channel for channel, kept in enumerate(look.kept) if kept < _FEW_LEVELS]
    if few:
        left = min(look.kept)
        where = f" in channel {listed(map(str, few))}" if len(look.kept) > 1 else ""
        yield (
            f"{left} of 256 levels are left{where} of values of more than 8 bits; where the "
            "files have more, dataset.window=auto or a narrower [low,high] keeps more"
        )
    low, high = look.levels
    if low == high:
        yield f"all images are blank: every pixel is {low}"
    else:
        if look.constant >= max(1, _WORTH_SAYING * n):
            yield f"{look.constant:,} of {n:,} images have one color throughout"
        if high - low < _FEW_LEVELS and not few:
            yield f"pixels are from {low} to {high} only, of 0 to 255: the images have no contrast"
    if look.found.several_frames:
        files = counted_word(look.found.several_frames, "file has", "files have")
        yield f"{files} several images or frames; the first of each is read"
    if look.found.further_series:
        images = counted_word(look.found.further_series, "image is", "images are")
        yield f"{images} from TIFFs with further series of images, which are not read"
    if look.found.read_with_8_bits:
        kinds = look.found.read_with_8_bits
        of = f"of more than 8 bits ({counted(kinds) if len(kinds) > 1 else ''.join(kinds)})"
        files = counted_word(sum(kinds.values()), f"file {of} is", f"files {of} are")
        yield f"{files} read with 8"
    over = {name: count for name, count in look.found.grounds.items() if name != "white"}
    if over.get("black"):
        yield (
            f"{counted_word(over['black'], 'transparent image is', 'transparent images are')} laid "
            "over black, so as not to be blank over white"
        )
    if over.get("nothing"):
        images = counted_word(over["nothing"], "image is", "images are")
        yield f"{images} transparent nearly all over: the colors are taken without transparency"


def _notes_on_copies(
    look: FirstLook, labels: LabelSet | None, hashes: NDArray[np.int64] | None
) -> Iterator[str]:
    n = look.images
    if look.copies and 2 * look.copies >= n:
        note = f"{look.copies:,} of {n:,} images are exact copies of others"
        if labels is not None and not look.test:
            note += (
                ", so that accuracies are too high: copies lie on both sides of the random split"
            )
        yield note
    if look.test_copies and look.test_copies >= _WORTH_SAYING * look.test:
        yield (
            f"{look.test_copies:,} of {look.test:,} test images are exact copies of training "
            "images, so that accuracies are too high"
        )
    if labels is not None and hashes is not None:
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        of_first = labels.values[first[group]]
        differ = np.flatnonzero(labels.values != of_first)
        if len(differ):
            count = counted_word(len(np.unique(group[differ])), "image stands", "images stand")
            names = [labels.names[values[differ[0]]] for values in (of_first, labels.values)]
            yield f"{count} in two classes, such as {names[0]!r} and {names[1]!r}"


def _notes_on_classes(images: ImageSet) -> Iterator[str]:
    labels = images.labels
    if labels is None:
        return
    classes = len(labels.names)
    single = np.flatnonzero(np.bincount(labels.values, minlength=classes) == 1)
    if len(single) and not images.is_test.any():
        names = listed(repr(labels.names[i]) for i in single)
        yield (
            f"{len(single)} of {classes} classes have one image, for which accuracies say nothing: "
            f"{names}"
        )
    tested = np.unique(labels.values[images.is_test])
    if len(tested) == 1:
        yield (
            f"all test images are of one class, {labels.names[tested[0]]!r}, so that accuracies on "
            "the split say little"
        )
    trained = np.unique(labels.values[~images.is_test])
    untrained = np.setdiff1d(labels.values[images.is_test], trained)
    if len(untrained):
        names = listed(repr(labels.names[i]) for i in untrained)
        count = int(np.isin(labels.values[images.is_test], untrained).sum())
        yield (
            f"{len(untrained)} of {classes} classes have test images ({count:,}) but no training "
            f"images, so that accuracies on the split count them as wrong: {names}"
        )
