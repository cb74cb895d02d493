"""The first look at an image set: what it is made of, and what is worth saying before training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dimred.data.found import Found, counted, counted_word
from dimred.data.image_set import ImageSet, LabelSet, blocks_of
from dimred.data.levels import FEW_LEVELS, levels_in, note_on_levels
from dimred.data.presence_labels import notes_on_presence
from dimred.data.spelling import listed
from dimred.data.window import Window, in_channels

_MAX_BYTES = 2**31  # beyond which copies are not looked for
_WORTH_SAYING = 0.01  # share of images of one color, and of test images that are copies


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
        return content | self.found.as_json() | {"notes": list(self.notes)}

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
    for block in blocks_of(images.images):
        pixels = block.flatten(2)
        low, high = pixels.amin(2), pixels.amax(2)  # of each channel
        lowest, highest = min(lowest, int(low.min())), max(highest, int(high.max()))
        constant += int((low == high).all(1).sum())
    kept = levels_in(images.images) if images.window is not None else ()
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


def _hashes(images: ImageSet) -> NDArray[np.int64] | None:
    """A number for each image, equal for exact copies; None where they are not looked for."""
    if images.images.numel() > _MAX_BYTES:
        return None
    content = images.images.contiguous().numpy().reshape(-1).data
    size = len(content) // len(images)
    return np.array([hash(content[i : i + size].tobytes()) for i in range(0, len(content), size)])


def _notes_on_pixels(look: FirstLook) -> Iterator[str]:
    n = look.images
    few = note_on_levels(look.kept)
    if few is not None:
        yield few
    low, high = look.levels
    if low == high:
        yield f"all images are blank: every pixel is {low}"
    else:
        if look.constant >= max(1, _WORTH_SAYING * n):
            yield f"{look.constant:,} of {n:,} images have one color throughout"
        if high - low < FEW_LEVELS and few is None:
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
