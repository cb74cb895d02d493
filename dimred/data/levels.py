"""How many of the 256 levels of a byte a set of images has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dimred.data.found import counted_word
from dimred.data.image_set import byte_counts
from dimred.data.spelling import listed

FEW_LEVELS = 64
"""Of 256; fewer are worth saying."""


def levels_in(images: Tensor, rows: NDArray[np.bool_] | None = None) -> tuple[int, ...]:
    """The number of different bytes in each channel of some images.

    images: uint8 (N, C, H, W). rows: (N,), whether to look at each; None for all.
    """
    counts = byte_counts(images, np.ones(len(images), np.bool_) if rows is None else rows)
    return tuple(np.count_nonzero(counts, axis=1).tolist())


def note_on_levels(kept: Sequence[int], of: str = "") -> str | None:
    """What to say of images whose window leaves few levels; None for enough. kept: of each channel.
    of: whose, such as " of 3 images of uint16"."""
    few = [channel for channel, count in enumerate(kept) if count < FEW_LEVELS]
    if not few:
        return None
    where = f" in channel {listed(map(str, few))}" if len(kept) > 1 else ""
    return (
        f"{min(kept)} of 256 levels are left{where}{of}; where the files have more, a narrower "
        "dataset.window=[low,high], or auto instead of type, keeps more"
    )


def notes_on_types(images: Tensor, types: Sequence[str], windowed: Sequence[str]) -> Iterator[str]:
    """What to say of the levels of each type in a set of several, as the others may hide them.

    types: of each of the N images. windowed: those that became bytes by a window.
    """
    of_type = {name: np.array(types) == name for name in sorted({*types})}
    for name, rows in of_type.items() if len(of_type) > 1 else ():
        if name in windowed:
            count = counted_word(int(rows.sum()), "image", "images")
            note = note_on_levels(levels_in(images, rows), f" of {count} of {name}")
            if note is not None:
                yield note
