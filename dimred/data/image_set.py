"""Image sets: images with their labels, factors, split and file names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.blocks import in_order
from dimred.data.free_memory import require_memory
from dimred.data.mapped import is_mapped
from dimred.data.presence import Boxes, Presence
from dimred.data.window import Window

if TYPE_CHECKING:
    from dimred.data.found import Found

_BYTES_AT_A_TIME = 2**24
_MIN_STD = 1e-3  # below one step of a uint8 pixel; keeps normalized constant images finite


@dataclass(frozen=True)
class LabelSet:
    """One labeling of N images.

    values: int64 array (N,), each in [0, len(names)).
    names: one name for each class.
    """

    values: NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Factor:
    """One measured cause of variation of N images, such as the angle each was taken from.

    values: float64 array (N,), finite.
    unit: of the values, such as "degrees".
    period: of a cyclic factor, above 0, such as 360 for a full circle; None for other factors.
    """

    values: NDArray[np.float64]
    unit: str
    period: float | None = None


@dataclass(frozen=True)
class ImageSet:
    """N images of one size, N at least 1, with labels and other data of each. `check_image_set`
    checks this contract.

    images: uint8 tensor (N, C, H, W) on the host, C from 1 to MAX_CHANNELS. It may be mapped from a
        file (dataset.store=disk), larger than memory: read it in blocks, and never change it.
    mean, std: C floats each for normalization, of pixel values scaled to [0, 1]; std above 0.
    is_test: bool array (N,), the set's official split; all False where it has none.
    split_name: describes that split, such as "official 60,000/10,000"; "" where there is none.
    is_unseen: bool array (N,), images of classes that are not learned from, for measuring how a map
        serves classes never seen; None where all classes are learned from.
    labels: the labels that maps are colored and evaluated by, or None.
    extra_labels: further labelings by name, such as CIFAR-100's "superclass".
    index: int64 array (N,), the position of each image in the whole set before any selection;
        in a folder, its position among all image files in order, readable or not.
    factors: measured causes of variation by name, such as "azimuth".
    columns: what else is known of each image, by name: categories, or numbers, float64 (N,), NaN
        where unknown. They color maps and are kept beside them; nothing is learned from or measured
        by them, so that they do not count for the `fingerprint`.
    sources: the file name of each image, relative to the set's root; None without files.
    unreadable: names of the files that could not be read and are left out.
    found: what else the reader has found in the files, for the first look; None where it has
        nothing to say.
    presence: which classes each image shows, where that may be several; such sets have no `labels`.
    boxes: where their objects are, for measures only; None where it is not known.
    is_rgb: whether three channels are red, green and blue, and not, say, three stains. Of other
        numbers of channels it says nothing.
    window: what values of more than 8 bits became bytes by; None where there are none.
    """

    images: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_test: NDArray[np.bool_]
    split_name: str
    labels: LabelSet | None
    index: NDArray[np.int64]
    extra_labels: dict[str, LabelSet] = field(default_factory=dict)
    factors: dict[str, Factor] = field(default_factory=dict)
    sources: tuple[str, ...] | None = None
    unreadable: tuple[str, ...] = ()
    found: Found | None = None
    columns: dict[str, LabelSet | NDArray[np.float64]] = field(default_factory=dict)
    is_unseen: NDArray[np.bool_] | None = None
    presence: Presence | None = None
    boxes: Boxes | None = None
    is_rgb: bool = True
    window: Window | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def held_out(self) -> NDArray[np.int64]:
        """Positions of the test images, or of all where the set has no split."""
        test = np.flatnonzero(self.is_test)
        return test if len(test) else np.arange(len(self))

    def take(self, positions: NDArray[np.int64]) -> ImageSet:
        """The images at `positions` (int64 array), with all data of them.

        Their pixels are copied where they must be, and errors raised, as by `rows_of`.
        """

        def pick(labels: LabelSet) -> LabelSet:
            return LabelSet(labels.values[positions], labels.names)

        return replace(
            self,
            images=rows_of(self.images, positions),
            is_test=self.is_test[positions],
            labels=pick(self.labels) if self.labels else None,
            index=self.index[positions],
            is_unseen=None if self.is_unseen is None else self.is_unseen[positions],
            extra_labels={name: pick(labels) for name, labels in self.extra_labels.items()},
            factors={
                name: replace(factor, values=factor.values[positions])
                for name, factor in self.factors.items()
            },
            sources=tuple(self.sources[i] for i in positions) if self.sources else None,
            columns={
                name: pick(values) if isinstance(values, LabelSet) else values[positions]
                for name, values in self.columns.items()
            },
            presence=self.presence.take(positions) if self.presence else None,
            boxes=self.boxes.take(positions) if self.boxes else None,
        )

    @property
    def has_unseen(self) -> bool:
        """Whether there are images of classes that are not learned from."""
        return self.is_unseen is not None and bool(self.is_unseen.any())

    def measured(self, of_test: bool) -> NDArray[np.int64]:
        """Positions of the images that a distance between images is measured on: those of unseen
        classes, or `held_out` where there are none.

        of_test: only test images, where there are any of unseen classes.
        """
        if self.is_unseen is None or not self.has_unseen:
            return self.held_out
        both = np.flatnonzero(self.is_unseen & self.is_test)
        return both if of_test and len(both) else np.flatnonzero(self.is_unseen)

    def fingerprint(self) -> str:
        """A hash of pixels, labels, factors and split, and of what is present where: equal only for
        the same data in the same order."""
        digest = hashlib.sha256(repr(tuple(self.images.shape)).encode())
        for block in blocks_of(self.images):
            digest.update(block.contiguous().numpy().data)
        digest.update(self.is_test.tobytes())
        if self.is_unseen is not None:
            digest.update(b"unseen" + self.is_unseen.tobytes())
        if self.labels:
            digest.update(self.labels.values.tobytes())
            digest.update(repr(self.labels.names).encode())
        for name, factor in self.factors.items():
            digest.update(repr((name, factor.unit, factor.period)).encode())
            digest.update(factor.values.tobytes())
        if self.presence:
            digest.update(repr(self.presence.names).encode() + self.presence.values.tobytes())
        if self.boxes:
            for values in (self.boxes.image, self.boxes.kind, self.boxes.corners):
                digest.update(values.tobytes())
        return digest.hexdigest()


def blocks_of(images: Tensor) -> Iterator[Tensor]:
    """The images some at a time, uint8 (m, C, H, W), m at least 1, as copies of all of them may not
    fit in memory."""
    size = max(1, _BYTES_AT_A_TIME // max(1, images[:1].nbytes))
    return iter(torch.split(images, size))


def rows_of(images: Tensor, positions: NDArray[np.int64]) -> Tensor:
    """The images at `positions`. All in their order are no copy, nor are successive ones of a
    packed file. Raises InputError for others of such a file that do not fit in the free memory."""
    first, count = int(positions[0]) if len(positions) else 0, len(positions)
    successive = first >= 0 and np.array_equal(positions, np.arange(first, first + count))
    if successive and (count == len(images) or is_mapped(images)):
        return images[first : first + count]
    if is_mapped(images):
        what = f"dataset.store=disk: {count:,} of {len(images):,} packed images"
        require_memory(count * images[:1].nbytes, what, "select fewer, as by dataset.limit")
    return images[torch.from_numpy(positions)]


def byte_counts(images: Tensor, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How often each byte occurs in each channel of some images, (C, 256), counted by all cores.

    images: uint8 (N, C, H, W). rows: (N,), whether to look at each.
    """
    blocks = list(blocks_of(images))
    wanted = torch.split(torch.from_numpy(rows), [len(block) for block in blocks])

    def counted(block: Tensor, wanted: Tensor) -> NDArray[np.int64]:
        chosen = block if wanted.all() else block[wanted]
        of_each = chosen.transpose(0, 1).flatten(1)
        return np.stack([torch.bincount(values, minlength=256).numpy() for values in of_each])

    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for some in in_order(lambda pair: counted(*pair), zip(blocks, wanted, strict=True)):
        counts += some
    return counts


def channel_statistics(
    images: Tensor, is_test: NDArray[np.bool_]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over the images that are not test images.

    images: uint8 (N, C, H, W). The results are for pixel values scaled to [0, 1]; the deviation
    is at least 0.001, so that constant images can be divided by it.
    """
    value = np.arange(256) / 255
    mean, std = [], []
    for weights in byte_counts(images, ~is_test):
        mean.append(float(np.average(value, weights=weights)))
        variance = np.average((value - mean[-1]) ** 2, weights=weights)
        std.append(max(float(np.sqrt(variance)), _MIN_STD))
    return tuple(mean), tuple(std)
